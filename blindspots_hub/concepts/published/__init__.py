"""The authors' published RA-SAE, read without running its pickle."""
