"""The bundle's tables, normatively: every column with its type, unit and meaning.

`SPEC.md` beside this file is rendered from here (`python -m blindspots_hub.artifacts.schema`), and
a test holds the two together. Changing a column's name, type or meaning raises the
major of `SCHEMA_VERSION`, adding one its minor.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pyarrow as pa

from blindspots_hub.artifacts.optional_schema import IMAGE_TEXT as IMAGE_TEXT
from blindspots_hub.artifacts.optional_schema import LABELS as LABELS
from blindspots_hub.artifacts.optional_schema import OPTIONAL as OPTIONAL
from blindspots_hub.artifacts.optional_schema import OWN_NATURAL as OWN_NATURAL
from blindspots_hub.artifacts.optional_schema import STRESS_DIRECTIONS as STRESS_DIRECTIONS
from blindspots_hub.artifacts.optional_schema import STRESS_IMAGES as STRESS_IMAGES
from blindspots_hub.artifacts.optional_schema import STRESS_TESTS as STRESS_TESTS
from blindspots_hub.artifacts.optional_schema import STRESS_VERDICTS as STRESS_VERDICTS
from blindspots_hub.artifacts.optional_schema import TOKEN_FIRES as TOKEN_FIRES
from blindspots_hub.artifacts.table_spec import IMAGE as IMAGE
from blindspots_hub.artifacts.table_spec import Column as Column
from blindspots_hub.artifacts.table_spec import TableSpec as TableSpec
from blindspots_hub.artifacts.table_spec import has_columns as has_columns
from blindspots_hub.artifacts.table_spec import with_optional as with_optional
from blindspots_hub.measure.delta import STATES

SCHEMA_VERSION = "2.3"
"""major.minor: a reader opens every minor of a major it knows. Manifests with the integer 1 are of
the first major."""

SUPPORT = (
    "pairs in which it fires on either side; where there are no pairs, images of both sides "
    "together"
)
"""What a concept's support is: these words wherever it is explained."""


def _interval(name: str, what: str, unit: str) -> tuple[Column, ...]:
    columns = [Column(name, pa.float64(), unit, what)]
    for infix, which in (("", "pointwise interval"), ("_selected", "selection interval")):
        for end, words in (("low", "lower"), ("high", "upper")):
            meaning = f"{words} end of the {which} of {name}; null where it is not judged"
            columns.append(Column(f"{name}{infix}_{end}", pa.float64(), unit, meaning, True))
    return tuple(columns)


PAIRS = TableSpec(
    "pairs/pairs.parquet",
    "one caption with its natural image; rows ascend by pair_id",
    (
        Column("pair_id", pa.string(), "", "stable hash of caption and natural image"),
        Column("caption", pa.string(), "", "the text that the image came with"),
        Column("url", pa.string(), "", "where the image was fetched, or null"),
        Column("image", IMAGE, "", "the natural image, or null where it is not redistributed"),
        Column("image_sha256", pa.string(), "", "sha256 of the natural image's file"),
        Column("image_size", pa.int64(), "bytes", "size of the natural image's file"),
    ),
)

GENERATIONS = TableSpec(
    "generations/{model}.parquet",
    "one generated image; rows ascend by pair_id, then draw",
    (
        Column("pair_id", pa.string(), "", "the pair whose caption was drawn"),
        Column("draw", pa.int32(), "", "which generation of this caption it is, from 0"),
        Column("seed", pa.int64(), "", "seed of the generator; null for images made elsewhere"),
        Column("image", IMAGE, "", "the generated image, or null where the table does not hold it"),
        Column("image_sha256", pa.string(), "", "sha256 of the generated image's file"),
        Column("flags", pa.list_(pa.string()), "", "blank, caption_truncated; empty if none"),
        Column("status", pa.string(), "", "ok, or the cause that took it, or its pair, out"),
    ),
)

NATURAL_IMAGES = TableSpec(
    "deltas/natural.parquet",
    "one natural image, so that nobody needs the images to read the tables; rows ascend by pair_id",
    (
        Column("pair_id", pa.string(), "", "the pair"),
        Column("caption", pa.string(), "", "its caption"),
    ),
)

CONCEPTS = TableSpec(
    "deltas/concepts.parquet",
    "one concept of the SAE; row k is concept k",
    (
        Column("concept", pa.int32(), "", "index of the concept, from 0"),
        Column(
            "x", pa.float32(), "", "first UMAP coordinate of its atom; null if it never fires", True
        ),
        Column("y", pa.float32(), "", "second UMAP coordinate", True),
        Column(
            "x_codes",
            pa.float32(),
            "",
            "the same by the images it fires in, rows of ZᵀZ",
            True,
            True,
        ),
        Column("y_codes", pa.float32(), "", "second coordinate by those; or null", True, True),
        Column("cluster", pa.int32(), "", "cluster of x, y; -1 is none"),
        Column(
            "label",
            pa.string(),
            "",
            "name of the concept, or empty; only in bundles before 2.1: `deltas/labels.parquet`",
            optional=True,
        ),
        Column("images", pa.int32(), "images", "natural images in which the concept fires"),
        Column("frequency", pa.float64(), "share", "images / natural images looked at"),
        Column(
            "nearest", pa.list_(pa.int32()), "", "live concepts of nearest atoms, nearest first"
        ),
        Column("nearest_cosine", pa.list_(pa.float32()), "cosine", "of those atoms"),
        Column("often_with", pa.list_(pa.int32()), "", "concepts that fire in the same images"),
        Column("often_with_cosine", pa.list_(pa.float32()), "cosine", "of those image sets"),
    ),
)

DELTAS = TableSpec(
    "deltas/models/{model}.parquet",
    "one concept under one model; row k is concept k",
    (
        Column("concept", pa.int32(), "", "index of the concept, from 0"),
        Column("images_natural", pa.float64(), "images", "natural images in which it fires"),
        Column(
            "images_generated",
            pa.float64(),
            "images",
            "generated images in which it fires: the sum over captions of the share of generations",
        ),
        Column(
            "support",
            pa.float64(),
            "pairs",
            f"{SUPPORT}; of several generations of a caption, the share that fires counts",
        ),
        Column("energy_natural", pa.float64(), "energy/image", "E: mean energy, natural"),
        Column("energy_generated", pa.float64(), "energy/image", "E': mean energy, generated"),
        *_interval("gap", "g = E' - E", "energy/image"),
        *_interval("delta", "δ = σ(g / τ), Definition 2", "probability"),
        *_interval("relative_gap", "r = (E' - E) / (E' + E)", "ratio"),
        *_interval("relative_delta", "relative δ = σ(r / 0.4)", "probability"),
        Column(
            "delta_bound",
            pa.float64(),
            "probability",
            "|δ̂ - δ| in the form of Theorem 4, B the largest energy seen (no bound of what could "
            "be seen: no guarantee), N pairs, near-copies counted once; NaN where dead",
        ),
        Column("p", pa.float64(), "probability", "p-value of the difference of energies"),
        Column("q", pa.float64(), "probability", "Benjamini-Hochberg q over supported concepts"),
        Column(
            "sampler_share",
            pa.float64(),
            "share",
            "share of the variance over pairs of the difference that is the sampler's noise: the "
            "variance between generations of one caption, pooled, times the mean of 1 / images a "
            "caption; null where each is drawn once, and where nothing varies",
            True,
        ),
        Column("state", pa.string(), "", "state under δ: " + ", ".join(STATES)),
        Column(
            "certain", pa.bool_(), "", "the whole selection interval of δ lies beyond the threshold"
        ),
        Column("relative_state", pa.string(), "", "state under relative δ"),
        Column("relative_certain", pa.bool_(), "", "likewise for relative δ"),
        Column("top_natural", pa.list_(pa.string()), "", "pair_ids, highest natural energy first"),
        Column("top_generated", pa.list_(pa.string()), "", "ids, highest generated energy first"),
    ),
)

PAIR_DISTANCES = TableSpec(
    "deltas/pairs/{model}.parquet",
    "one measured image of a model; rows ascend by pair_id, aligned with its energies",
    (
        Column("pair_id", pa.string(), "", "the pair, or the image's own id where unpaired"),
        Column(
            "distance",
            pa.float64(),
            "energy",
            "‖ξ(x') - ξ(x)‖₂, mean over single generations; null where unpaired",
        ),
        Column(
            "mean_delta",
            pa.float64(),
            "probability",
            "mean over concepts, and over single generations, of σ(d/τ); null where unpaired",
        ),
        Column(
            "duplicates",
            pa.int32(),
            "images",
            "other captions whose first generation has the same energies as this one's",
        ),
    ),
)

THUMBNAILS = TableSpec(
    "deltas/thumbnails.parquet",
    "one small image that some concept's card shows",
    (
        Column("source", pa.string(), "", "natural, or the model's name"),
        Column("pair_id", pa.string(), "", "the pair, or the image's own id where unpaired"),
        Column("caption", pa.string(), "", "its caption; empty where it has none"),
        Column("image", IMAGE, "", "small webp"),
    ),
)

_ADDED = tuple(f"_selected_{end}" for end in ("low", "high"))
_COUNTS = ("images_natural", "images_generated", "support")

DELTAS_1 = TableSpec(
    DELTAS.path,
    DELTAS.row,
    tuple(
        replace(column, type=pa.int32()) if column.name in _COUNTS else column
        for column in DELTAS.columns
        if not column.name.endswith(_ADDED)
    ),
)
"""Table DELTAS of the first major: one interval, whole counts."""

PICTURE_KEYS = {
    PAIRS.path: ("pair_id",),
    GENERATIONS.path: ("pair_id", "draw"),
    THUMBNAILS.path: ("source", "pair_id"),
}
"""Columns by which the rows of tables with images are told apart, by the table's path."""

TABLES = (PAIRS, GENERATIONS, NATURAL_IMAGES, CONCEPTS, DELTAS, PAIR_DISTANCES, THUMBNAILS)
"""Tables that every bundle has."""


def major(version: object) -> int | None:
    """The major of a manifest's `schema_version`; None where this program cannot read it."""
    if version == 1 and not isinstance(version, bool):
        return 1
    found = re.fullmatch(r"([1-9]\d{0,8})\.\d{1,9}", version) if isinstance(version, str) else None
    known = int(SCHEMA_VERSION.split(".")[0])
    return int(found[1]) if found and int(found[1]) <= known else None


if __name__ == "__main__":
    from blindspots_hub.artifacts.spec import spec_markdown

    print(spec_markdown(), end="")
