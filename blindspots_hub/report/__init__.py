"""One self-contained HTML page with everything that the analyses say of a bundle."""
