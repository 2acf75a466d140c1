"""Parts of the tab Pairs."""
