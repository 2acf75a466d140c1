"""Training a RA-SAE (METHOD section 2; the paper's appendix B)."""
