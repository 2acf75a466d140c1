"""The specification of a bundle as people read it: `SPEC.md`, rendered from the schema.

`python -m blindspots_hub.artifacts.schema` prints it.
"""

from __future__ import annotations

from blindspots_hub.artifacts.schema import IMAGE, OPTIONAL, SCHEMA_VERSION, TABLES

_PROSE = """\
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
`energies` float32 (nnz), all in energy units; metadata `n_concepts`. Energies beyond 500 MB lie in
shards, `deltas/energies/{source}/{i:05d}-of-{n:05d}.safetensors` (since 2.3), each a file of the
same format of the images that follow those of the one before. Rows of `natural` follow
`deltas/natural.parquet`; rows of a model follow `deltas/pairs/{model}.parquet`. A bundle that is
opened by its name on the Hub is whole without the files of single images (energies, features, token
codes): each is fetched when it is first read. Every table of
`deltas/models/` can be recomputed from these without a network. Where a caption is drawn several
times, a row of the model is the mean over the generations that could be measured; heatmaps and
thumbnails show the first of these. `deltas/generations/{model}.safetensors`, there only in that
case, holds the energies of the single generations in the same format, and `pair` int32
(generations), the row of the model that each belongs to, ascending: counts, weights and distances
come from these. They lie in shards as the other energies do,
`deltas/generations/{model}/{i:05d}-of-{n:05d}.safetensors`, each with its part of `pair`.

`deltas/heatmaps/natural.safetensors` and `deltas/heatmaps/{model}.safetensors`: codes of the
patches of every image that a card shows. `keys` int32 (rows, 2): concept and row of the image in
the energies file, ascending; `indptr` int64 (rows + 1), `patches` uint16 (row-major index into the
patch grid), `values` float16 (the code).

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
concept); `tokens`, those whose codes all energies sum (`patches` or `all`; where it is missing, as
`settings` of the models say, else `patches`); `models`, each with its `name`, `title`, `design`
(paired or unpaired), `pairs`, `dropped` by cause, `settings` of the measurement, its `method` (2;
where it is missing the tables are of method 1, whose intervals cover less than they say),
`selection` (`rejected` concepts with q < α of `supported` ones, and the `level` of selection
intervals), `run` (pipeline, revision, seed, sampler, licence), `counts` of states, `null` (`kind`:
swap within pairs, or relabel where unpaired; `repeats`; `pairs`; `flagged`, the mean share of
supported concepts with a p that the table rejects, its least and largest, `flagged_low` and
`flagged_high`; `generations`, null or `pairs` and `flagged` of generation 0 against generation 1),
and where the RA-SAE knows its own images `domain` (`home`, and for `natural` and `generated` images
the share `outside`, `is_outside`, `r2`, `codes`, `silent`, and by which `feature` they differ
most), and `request`, in combined bundles: what its evaluation was asked for; `packages`; `files`
with the sha256 and size of every other file, cards (`README.md`) excepted: they are for people, and
nothing reads them; `licence`, where told: the Hub's identifier of the licence of what is the
publisher's own; `results`, where there are labels, findings or stress tests: what names the bundle
in links, the sha256 that the manifest has without them; `request`: what the evaluation that wrote
it was asked for; `combined_from`, where several bundles became one: their `name`, `version` and
`results`.

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
    return "\n".join(lines) + _PROSE
