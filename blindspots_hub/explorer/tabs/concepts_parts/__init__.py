"""Parts of the tab Concepts."""
