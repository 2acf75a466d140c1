"""The planted world: a small world whose blindspots are known, and its benchmark."""
