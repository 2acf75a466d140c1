"""Parts of the tab Stress test."""
