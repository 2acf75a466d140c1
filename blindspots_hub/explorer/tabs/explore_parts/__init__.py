"""Parts of the tab Explore."""
