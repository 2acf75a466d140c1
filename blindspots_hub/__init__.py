"""blindspots_hub: what a text-to-image model cannot draw, and what it draws too much."""

__version__ = "0.1.0"
