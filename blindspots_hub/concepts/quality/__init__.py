"""What a RA-SAE is worth: reconstruction, atoms, hull, stability."""
