"""What the tab Compare is made of."""
