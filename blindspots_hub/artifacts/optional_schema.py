"""The tables that a bundle may have beside those it must have; see `schema`."""

from __future__ import annotations

import pyarrow as pa

from blindspots_hub.artifacts.table_spec import IMAGE, Column, TableSpec

LABELS = TableSpec(
    "deltas/labels.parquet",
    "one name of a concept; rows ascend by concept, the name that is shown first",
    (
        Column("concept", pa.int32(), "", "index of the concept"),
        Column("label", pa.string(), "", "the name"),
        Column("method", pa.string(), "", "how it was found: human, or what found it"),
        Column("model", pa.string(), "", "the network that named it, or null", True),
        Column("score", pa.float64(), "", "how sure the method is, more is surer; or null", True),
        Column(
            "faithfulness",
            pa.float64(),
            "",
            "AUROC on held-out images: whether the name predicts where the concept fires; or null",
            True,
        ),
        Column("date", pa.string(), "", "day it was given, YYYY-MM-DD; empty where not known"),
        Column(
            "sentence", pa.string(), "", "what the images share, in a sentence; or null", True, True
        ),
        Column("prompt", pa.string(), "", "sha256 of the prompt; or null", True, True),
        Column(
            "shuffled",
            pa.float64(),
            "",
            "the same figure as faithfulness of other concepts' names; or null",
            True,
            True,
        ),
        Column("judge", pa.string(), "", "what faithfulness was measured by; or null", True, True),
    ),
)
"""Apart from CONCEPTS, as names change and results must not."""

OWN_NATURAL = TableSpec(
    "deltas/own_natural/{model}.parquet",
    "one natural image that an unpaired model is compared with; rows ascend by pair_id",
    (Column("pair_id", pa.string(), "", "the natural image"),),
)
"""Only in combined bundles, whose natural images are those of several evaluations."""

IMAGE_TEXT = TableSpec(
    "deltas/image_text/{model}.parquet",
    "one pair of a model, scored by an image-text model; rows ascend by pair_id",
    (
        Column("pair_id", pa.string(), "", "the pair"),
        Column(
            "natural", pa.float64(), "score", "natural image against its caption; or null", True
        ),
        Column("mismatched", pa.float64(), "score", "natural image against another caption", True),
        Column("generated", pa.float64(), "score", "generated image against it; or null", True),
        Column("scorer", pa.string(), "", "the image-text model"),
    ),
)
"""Only where an image-text model was given."""

TOKEN_FIRES = TableSpec(
    "deltas/token_fires/{model}.parquet",
    "one concept under one model; row k is concept k",
    tuple(
        Column(
            f"{kind}_{side}", pa.int32(), "images", f"{side} images in which it fires on {where}"
        )
        for kind, where in (
            ("class", "the class token"),
            ("registers", "a register"),
            ("patches", "a patch"),
        )
        for side in ("natural", "generated")
    ),
)
"""Whichever tokens energies sum: `patches` does not see what fires on the others only."""

STRESS_VERDICTS = ("confirmed", "not confirmed", "undecided")
"""What a stress test says of a blindspot (METHOD section 9)."""

STRESS_DIRECTIONS = ("suppressed", "exaggerated")
"""As what a concept is put to the test: by prompts that ask for it, or by others."""

_ENDS = (("low", "lower"), ("high", "upper"))


def _share(name: str, of: str, nullable: bool = True) -> tuple[Column, ...]:
    ends = (
        Column(f"{name}_{end}", pa.float64(), "share", f"{words} end of its 95% interval", True)
        for end, words in _ENDS
    )
    return (Column(name, pa.float64(), "share", f"images that show the concept, of {of}", nullable),
            *ends)  # fmt: skip


STRESS_TESTS = TableSpec(
    "deltas/stress_tests.parquet",
    "one concept that one model was put to the test with; rows ascend by concept, then model",
    (
        Column("concept", pa.int32(), "", "index of the concept"),
        Column("model", pa.string(), "", "the model that was put to the test"),
        Column("against", pa.string(), "", "the second model, or null", True),
        Column("verdict", pa.string(), "", ", ".join(STRESS_VERDICTS)),
        Column("reference", pa.string(), "", "what it rests on: against, natural, none"),
        Column("sentence", pa.string(), "", "the verdict in words"),
        Column("origin", pa.string(), "", "where the prompts come from"),
        Column("prompts", pa.int32(), "prompts", "prompts that were drawn"),
        Column("num_images_per_prompt", pa.int32(), "images", "images a prompt"),
        Column("seed", pa.int64(), "", "seed that each image's own follows from"),
        Column("level", pa.float64(), "energy", "the natural level: what shows the concept"),
        Column("images", pa.int64(), "images", "images of the model that could be measured"),
        *_share("share", "these", nullable=False),
        Column("images_against", pa.int64(), "images", "images of the second model; 0 without one"),
        *_share("share_against", "these"),
        Column(
            "images_natural",
            pa.int64(),
            "images",
            "natural images whose caption names it, or of an exaggerated one does not",
        ),
        *_share("share_natural", "these"),
        Column("fold", pa.float64(), "ratio", "share over that of the reference", True),
        *(
            Column(f"fold_{end}", pa.float64(), "ratio", f"{words} end of its 95% interval", True)
            for end, words in _ENDS
        ),
        Column(
            "p",
            pa.float64(),
            "probability",
            "p-value of half the reference's share, or of an exaggerated one of twice that",
            True,
        ),
        Column("p_holm", pa.float64(), "probability", "the same, of all concepts of the run", True),
        Column("concepts", pa.int32(), "concepts", "concepts of the run that were corrected for"),
        Column("date", pa.string(), "", "day of the run, YYYY-MM-DD"),
        Column("direction", pa.string(), "", " or ".join(STRESS_DIRECTIONS), True, True),
    ),
)
"""Only where a stress test was made."""

STRESS_IMAGES = TableSpec(
    "deltas/stress_images.parquet",
    "one image of a stress test; rows by concept, model and drawn_by, highest energy first",
    (
        Column("concept", pa.int32(), "", "index of the concept"),
        Column("model", pa.string(), "", "the model that was put to the test"),
        Column("drawn_by", pa.string(), "", "the model whose image it is: that, or the second one"),
        Column("prompt", pa.string(), "", "what was asked for"),
        Column("draw", pa.int32(), "", "which image of the prompt it is, from 0"),
        Column("seed", pa.int64(), "", "seed of the generator"),
        Column("energy", pa.float64(), "energy", "energy of the concept"),
        Column("shows", pa.bool_(), "", "whether it reaches the natural level"),
        Column("image", IMAGE, "", "small webp"),
        Column("image_sha256", pa.string(), "", "sha256 of the image's file as it was drawn"),
        Column("patches", pa.list_(pa.int32()), "", "patches it fires on, row-major, ascending"),
        Column("codes", pa.list_(pa.float32()), "energy", "the codes there; 256 at most"),
    ),
)
"""Small pictures and heatmaps of every measured image; with STRESS_TESTS or not at all."""

OPTIONAL = (LABELS, OWN_NATURAL, IMAGE_TEXT, TOKEN_FIRES, STRESS_TESTS, STRESS_IMAGES)
"""Tables that a bundle may lack, those of analyses apart."""
