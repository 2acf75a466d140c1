"""How large what a bundle holds may be: checked by sizes and headers, before anything is read.

The limits lie far beyond what evaluations make (METHOD's sizes times a hundred) and keep what a
stranger's bundle can cost within some hundred megabytes.
"""

from __future__ import annotations

MANIFEST_BYTES = 32 * 1024**2
"""Of `bundle.json`: some hundred models with all that is said of each are one megabyte."""

FILES = 20_000
"""Files of a bundle, and entries of its folder that are looked at."""

MODELS = 2_000
CONCEPTS = 2**20
IMAGES = 5_000_000
"""Rows of a table whose rows are images."""

GRID = 256
"""Patches along one side of an image."""

NAME = 120
"""Characters of a model's or an image's name."""

LONGEST_PATH = 500
"""Characters of a file's path in a manifest."""

TITLE = 500
SENTENCE = 2_000
"""Characters of what is said of a concept beside its name."""

CAPTION = 100_000
"""Characters of a caption, a URL, a note."""

LIST = 256
"""Members of a list in a cell: neighbours, top images, flags."""

FOOTER_BYTES = 64 * 1024**2
"""Of a parquet file's or safetensors file's own description."""

ROW_GROUPS = 100_000
COLUMNS = 500
INFLATED = 256 * 1024**2
"""Bytes that a table may have unpacked, beside `RATIO` times those that it has on disk."""

RATIO = 40
TEXT_BYTES = 512 * 1024**2
"""Bytes of all texts of one column: a word of a dictionary is written once and read a million
times."""

THUMBNAIL_BYTES = 1024**2
IMAGE_BYTES = 256 * 1024**2
"""One natural or generated image's file."""

IMAGES_BYTES = 256 * 1024**2
"""Bytes of all images of a table, each row with its own, beside `IMAGES_RATIO` times the file."""

IMAGES_RATIO = 8

JSON_BYTES = 4 * 1024**2
"""A network's configuration."""

SMALL_FINDINGS = 2_000_000
"""Rows of an analysis's table, whose columns are not known here."""
