"""The bundle's tables, normatively: every column with its type, unit and meaning.

`SPEC.md` beside this file is rendered from here (`python -m blindspots_hub.artifacts.schema`), and
a test holds the two together. Changing a column's name, type or meaning raises the
major of `SCHEMA_VERSION`, adding one its minor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from blindspots_hub.measure.delta import STATES

SCHEMA_VERSION = "2.3"
"""major.minor: a reader opens every minor of a major it knows. Manifests with the integer 1 are of
the first major."""

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""The Hub's Image feature, as `datasets` and the dataset viewer read it."""


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, its unit ("" where it has none) and what it means.

    Where `nullable`, NaN is written as null. An `optional` one need not be there, as bundles of
    another version lack it; it is then read as null.
    """

    name: str
    type: pa.DataType
    unit: str
    meaning: str
    nullable: bool = False
    optional: bool = False


@dataclass(frozen=True)
class TableSpec:
    """One table: where it lies in a bundle, what a row is, and its columns."""

    path: str
    row: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with the metadata by which `datasets` decodes images."""
        features = {column.name: _feature(column.type) for column in self.columns}
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        return pa.schema([(c.name, c.type) for c in self.columns], metadata=metadata)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)


def _feature(kind: pa.DataType) -> dict[str, object]:
    if kind == IMAGE:
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    name = {pa.float64(): "float64", pa.float32(): "float32"}.get(kind, str(kind))
    return {"dtype": name, "_type": "Value"}


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
            "pairs in which it fires on either side, by the share of generations",
        ),
        Column("energy_natural", pa.float64(), "energy/image", "E: mean energy, natural"),
        Column("energy_generated", pa.float64(), "energy/image", "E': mean energy, generated"),
        *_interval("gap", "g = E' - E", "energy/image"),
        *_interval("delta", "δ = σ(g / τ), Definition 2", "probability"),
        *_interval("relative_gap", "r = (E' - E) / (E' + E)", "ratio"),
        *_interval("relative_delta", "relative δ = σ(r / 0.4)", "probability"),
        Column("delta_bound", pa.float64(), "probability", "Theorem 4: bound on |δ̂ - δ|"),
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

TABLES = (PAIRS, GENERATIONS, NATURAL_IMAGES, CONCEPTS, DELTAS, PAIR_DISTANCES, THUMBNAILS)
"""Tables that every bundle has."""

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
        Column(f"{name}_{end}", pa.float64(), "share", f"{words} end of its 95 % interval", True)
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
            Column(f"fold_{end}", pa.float64(), "ratio", f"{words} end of its 95 % interval", True)
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

_SPARSE = """\
## Shards

A table with images, where these are more than 500 MB, lies in shards: `pairs/pairs.parquet` in
`pairs/pairs/{i:05d}-of-{n:05d}.parquet`, `generations/{model}.parquet` in
`generations/{model}/{i:05d}-of-{n:05d}.parquet`, `deltas/thumbnails.parquet` in
`deltas/thumbnails/{i:05d}-of-{n:05d}.parquet` (since 2.3). All shards together, in the order of
their names, are the table; it lies in one file or in all of its shards. A row group holds 48 MiB of
images at most, 256 rows of thumbnails, unless one image is larger; every column has statistics. So
whoever queries a table over the Hub fetches no more than the row groups that may answer.

## Sparse files

`deltas/energies/natural.safetensors` and `deltas/energies/{model}.safetensors`: per-image concept
energies ξ as CSR. `indptr` int64 (images + 1), `concepts` int32 (nnz, ascending within an image),
`energies` float32 (nnz), all in energy units; metadata `n_concepts`. Rows of `natural` follow
`deltas/natural.parquet`; rows of a model follow `deltas/pairs/{model}.parquet`. Every table of
`deltas/models/` can be recomputed from these without a network. Where a caption is drawn several
times, a row of the model is the mean over the generations that could be measured; heatmaps and
thumbnails show the first of these. `deltas/generations/{model}.safetensors`, there only in that
case, holds the energies of the single generations in the same format, and `pair` int32
(generations), the row of the model that each belongs to, ascending: counts, weights and distances
come from these.

`deltas/features/natural.safetensors` and `deltas/features/{model}.safetensors`, where they were
kept: `class_token` and `mean_patch_token`, float16 (images, width of the backbone), of every
image's tokens after the final LayerNorm; the mean is over patch tokens. Rows follow the energies of
the same source; where a caption is drawn several times, a row is of the first generation that could
be measured. Metrics in token space (Fréchet and kernel distances, precision and recall, nearest
images) are computed from these.

`deltas/token_codes/natural.safetensors` and `deltas/token_codes/{model}.safetensors`, where they
were kept: codes of the measured tokens of up to 500 images a source, the same pairs of each. `row`
int32 (images), the rows of the images in the energies of the same source, ascending; `fires` uint16
(images × tokens), the concepts that fire on each token, image after image; `concepts` uint16 (int32
above 65,536 concepts) and `values` float16 (the codes), token after token, concepts ascending
within one; metadata `n_concepts`. Where a caption is drawn several times they are of the first
generation. Co-activation token by token is computed from these.

## Intervals and states

A concept is judged where `support` reaches `settings.min_support`. The pointwise interval of a gap
holds the true value with `settings.confidence`, whichever concept is looked at. A ranking shows the
extremes of many: the selection interval is at the level of `selection`, 1 - rejected · α /
supported, so that of the concepts with q < α at most the share α is missed. `certain`, `weakened`,
`strengthened` and the order of rankings follow the selection interval. States, each the last that
holds: `dead` fires nowhere; `undetermined` is not judged; `aligned` does not differ; `leaning` has
q < α and a pointwise interval that excludes 0; `weakened` and `strengthened` have a selection
interval of r beyond -1/3 or 1/3 (two-fold); `suppressed` and `exaggerated` have δ beyond 0.1 or
0.9, and for absolute δ a selection interval of r beyond -0.2 or 0.2.

`deltas/heatmaps/natural.safetensors` and `deltas/heatmaps/{model}.safetensors`: codes of the
patches of every image that a card shows. `keys` int32 (rows, 2): concept and row of the image in
the energies file, ascending; `indptr` int64 (rows + 1), `patches` uint16 (row-major index into the
patch grid), `values` float16 (the code).

## Generated images

`images/{model}/`, beside the parts, is the store that an evaluation generated its images into, and
that `generate` writes to a folder of its own: `{i:05d}-of-{n:05d}.parquet`, each whole or absent,
with the columns `pair_id`, `draw`, `seed`, `caption`, `image` (the file: PNG, or WebP where a
quality was asked for; null where there is none), `image_sha256`, `flags` and `status` (ok, blank,
or why there is no image), rows by pair, then draw; and `generations.json`: `name` and `title` of
the model, `how` (model, revision, settings, seed) and `encoding` of the images, `seeds` a caption,
`pairs`, `pairs_a_shard`, `shards`, `run` as in bundle.json, and `plan`, the fingerprint of all
that, which every shard's metadata repeats. The store is no part of the bundle: no manifest names
it, nothing publishes it, validating does not look at it, and a bundle is whole without it. Unless
it was asked not to, an evaluation also embeds the images in `generations/{model}.parquet`, which is
a part.

## bundle.json

`schema_version`, `name`, `version`, `created_with`; `concept_space` (`backbone`, `preprocessing`,
`layout`, `sae`, `n_concepts`: two bundles whose `concept_space` is equal can be compared concept by
concept); `models`, each with its `name`, `title`, `design` (paired or unpaired), `pairs`, `dropped`
by cause, `settings` of the measurement, its `method` (2; where it is missing the tables are of
method 1, whose intervals cover less than they say), `selection` (`rejected` concepts with q < α of
`supported` ones, and the `level` of selection intervals), `run` (pipeline, revision, seed, sampler,
licence), `counts` of states, `null` (`kind`: swap within pairs, or relabel where unpaired;
`repeats`; `pairs`; `flagged`, the mean share of supported concepts with a p that the table rejects,
its least and largest, `flagged_low` and `flagged_high`; `generations`, null or `pairs` and
`flagged` of generation 0 against generation 1), and where the RA-SAE knows its own images `domain`
(`home`, and for `natural` and `generated` images the share `outside`, `is_outside`, `r2`, `codes`,
`silent`, and by which `feature` they differ most), and `request`, in combined bundles: what its
evaluation was asked for; `packages`; `files` with the sha256 and size of every other file, cards
(`README.md`) excepted: they are for people, and nothing reads them; `licence`, where told: the
Hub's identifier of the licence of what is the publisher's own; `results`, where there are labels,
findings or stress tests: what names the bundle in links, the sha256 that the manifest has without
them; `request`: what the evaluation that wrote it was asked for; `combined_from`, where several
bundles became one: their `name`, `version` and `results`.

Fields, columns, tables and files that a reader does not know it ignores, and keeps what it writes
back. A later minor version only adds; a later major is refused.

A bundle that was fetched from the Hub also has `bundle.lock.json`: the commit of every repository
that belongs to it, and the sha256 of `bundle.json`. No manifest names it.

## Parts

Each folder at the top is a part, and a repository of its own on the Hub: `deltas/` (all that the
explorer reads), `pairs/`, `generations/`, `sae/` (`config.json` and `model.safetensors` of the
RA-SAE; `quality.json` with its `r2`, `l0` and `dead_share` on held-out tokens, where measured;
`domain.safetensors`, what it knows of the images it was trained on, where it does) and `backbone/`
(a transformers checkpoint, only where the backbone is not on the Hub). A part is there whole or not
at all; `deltas/` always is.

`sae/domain.safetensors`, float64, of the patch tokens of the RA-SAE's own images: `mean` (d),
`directions` (d, r) and `variances` (r) of most variance; `low`, `middle`, `high` (4), the 1st, 50th
and 99th percentile over those images of the share of an image's variance that is not reconstructed,
and of the logarithms of its tokens' mean squared distance along those directions and beyond them
and of the variance within it, each over that of all the tokens. Metadata `domain` (JSON): `beyond`,
the variance in all other directions; `limit`, the score beyond which an image is outside; `home`:
`images`, `r2`, `codes` a token, `silent` tokens, `origin`. `concepts/domain.py` says how an image
is scored.
"""


def major(version: object) -> int | None:
    """The major of a manifest's `schema_version`; None where this program cannot read it."""
    if version == 1 and not isinstance(version, bool):
        return 1
    found = re.fullmatch(r"([1-9]\d{0,8})\.\d{1,9}", version) if isinstance(version, str) else None
    known = int(SCHEMA_VERSION.split(".")[0])
    return int(found[1]) if found and int(found[1]) <= known else None


def has_columns(types: Mapping[str, pa.DataType], spec: TableSpec) -> bool:
    """Whether a table with columns of these `types` has all that `spec` cannot do without."""
    return all(types[c.name] == c.type if c.name in types else c.optional for c in spec.columns)


def with_optional(table: pa.Table, spec: TableSpec) -> pa.Table:
    """`table` with the optional columns of `spec` that it lacks, as nulls."""
    for column in spec.columns:
        if column.optional and column.name not in table.column_names:
            table = table.append_column(column.name, pa.nulls(len(table), column.type))
    return table


def spec_markdown() -> str:
    """The whole specification as Markdown."""
    lines = [
        "# The bundle",
        "",
        f"Schema version {SCHEMA_VERSION}. Rendered from `schema.py`; change that, not this.",
        "A bundle is a folder; `bundle.json` at its top names every file with its sha256.",
        "",
        "## Tables",
        "",
    ]
    for table in (*TABLES, *OPTIONAL):
        there = " The table may be missing." if table in OPTIONAL else ""
        lines += [f"### `{table.path}`", "", f"Row: {table.row}.{there}", ""]
        lines += ["| column | type | unit | meaning |", "| --- | --- | --- | --- |"]
        for c in table.columns:
            kind = "image" if c.type == IMAGE else str(c.type)
            lines.append(f"| {c.name} | {kind} | {c.unit} | {c.meaning} |")
        lines.append("")
    return "\n".join(lines) + _SPARSE


if __name__ == "__main__":
    print(spec_markdown(), end="")
