"""Cards: README.md files beside artifacts."""
