"""The commands of `python -m blindspots_hub`, a file a subject; thin over the library."""
