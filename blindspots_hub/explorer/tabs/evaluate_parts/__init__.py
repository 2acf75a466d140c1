"""Parts of the tab Evaluate my model."""
