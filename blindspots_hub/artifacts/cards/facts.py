"""What the cards of a bundle tell, counted in its files and read from its manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from blindspots_hub import paper
from blindspots_hub.artifacts.cards.markdown import Markdown, code, text
from blindspots_hub.artifacts.cards.templates import QUALITY_METRICS
from blindspots_hub.artifacts.layout import NATURAL, QUALITY, table_files, table_path
from blindspots_hub.artifacts.manifest import ModelEntry
from blindspots_hub.artifacts.parquet import read_table
from blindspots_hub.artifacts.schema import (
    GENERATIONS,
    IMAGE,
    NATURAL_IMAGES,
    PAIRS,
    THUMBNAILS,
    TableSpec,
)
from blindspots_hub.measure.delta import STATES
from blindspots_hub.measure.null import null_flagged
from blindspots_hub.utils.files import read_json


@dataclass(frozen=True)
class PairFacts:
    """Rows of the table PAIRS: all, those with a URL, those with the image, and with neither."""

    rows: int
    urls: int
    images: int
    neither: int

    @classmethod
    def of(cls, root: Path) -> PairFacts:
        """Count in the bundle at `root`; no image is read."""
        table = read_table(table_files(root, PAIRS), ["url", "image.path"])
        url = pc.not_equal(pc.fill_null(table["url"], ""), "")
        image = pc.is_valid(table["image"])
        neither = pc.invert(pc.or_(url, image))
        return cls(table.num_rows, *(pc.sum(mask).as_py() or 0 for mask in (url, image, neither)))


@dataclass(frozen=True)
class GenerationFacts:
    """Rows of one model's table GENERATIONS, those with the image, and how they came out."""

    rows: int
    images: int
    statuses: Counter[str]
    flags: Counter[str]

    @classmethod
    def of(cls, root: Path, model: str) -> GenerationFacts:
        """Count in the bundle at `root`; no image is read."""
        files = table_files(root, GENERATIONS, model)
        table = read_table(files, ["image.path", "flags", "status"])
        return cls(
            rows=table.num_rows,
            images=table.num_rows - table["image"].null_count,
            statuses=Counter(table["status"].to_pylist()),
            flags=Counter(pc.list_flatten(table["flags"]).to_pylist()),
        )


@dataclass(frozen=True)
class DeltaFacts:
    """Sizes of the tables of `deltas/` that are not one a model."""

    natural: int
    labelled: int
    natural_thumbnails: int
    generated_thumbnails: int

    @classmethod
    def of(cls, root: Path, labelled: int) -> DeltaFacts:
        """Count in the bundle at `root`; `labelled` concepts have a name. No image is read."""
        sources = read_table(table_files(root, THUMBNAILS), ["source"])["source"]
        natural = sum(source == NATURAL for source in sources.to_pylist())
        return cls(
            natural=pq.read_metadata(table_path(root, NATURAL_IMAGES)).num_rows,
            labelled=labelled,
            natural_thumbnails=natural,
            generated_thumbnails=len(sources) - natural,
        )


def measured(entry: ModelEntry) -> dict[str, Any]:
    """What was found of one model, from its entry in the manifest."""
    flagged = null_flagged(entry.null)
    return {
        "name": entry.name,
        "title": entry.title,
        "paired": entry.paired,
        "images": f"{entry.pairs:,}",
        "counts": {kind: _states(entry.counts.get(kind, {})) for kind in ("relative", "absolute")},
        "null": "not measured" if flagged is None else f"{flagged:.1%}",
        "null_pairs": f"{entry.null.get('pairs', 0):,}",
        "dropped": counted(entry.dropped),
        "settings": entry.settings,
    }


def _states(counts: Mapping[str, int]) -> dict[str, int]:
    return {state: counts.get(state, 0) for state in (*STATES, "certain")}


def sae_quality(folder: Path) -> dict[str, tuple[str, float]]:
    """Name and value of every metric of a RA-SAE, by metric; empty where none was recorded."""
    if not (folder / QUALITY).is_file():
        return {}
    quality = read_json(folder / QUALITY)
    return {kind: (name, float(quality[kind])) for kind, name in QUALITY_METRICS.items()}


def bibtex() -> Markdown:
    """How to cite the paper."""
    authors = " and ".join(
        f"{family}, {' '.join(given)}" for *given, family in (a.split() for a in paper.AUTHORS)
    )
    return Markdown(
        f"""@inproceedings{{bohacek2026blindspots,
  title = {{{paper.TITLE}}},
  author = {{{authors}}},
  booktitle = {{The Fourteenth International Conference on Learning Representations}},
  year = {{2026}},
  url = {{https://arxiv.org/abs/{paper.ARXIV}}}
}}"""
    )


def versions(packages: Mapping[str, str]) -> str:
    """'numpy 2.4.6, torch 2.13.0'."""
    return ", ".join(f"{name} {found}" for name, found in sorted(packages.items()))


def counted(counts: Mapping[str, int], none: str = "none") -> str:
    """'997 ok, 3 blank', largest first; `none` where nothing was counted."""
    ordered = sorted(((n, name) for name, n in counts.items() if n), key=lambda c: (-c[0], c[1]))
    return ", ".join(f"{n:,} {name}" for n, name in ordered) or none


def listed(names: Iterable[str]) -> Markdown:
    """`names` as code spans."""
    return Markdown(", ".join(code(name) for name in names))


def columns_table(spec: TableSpec) -> Markdown:
    """The columns of a table as a Markdown table, from the specification."""
    lines = ["| column | type | unit | meaning |", "| --- | --- | --- | --- |"]
    for c in spec.columns:
        cells = (code(c.name), text(_kind(c.type)), text(c.unit), text(c.meaning))
        lines.append(f"| {' | '.join(cells)} |")
    return Markdown("\n".join(lines))


def _kind(kind: pa.DataType) -> str:
    if kind == IMAGE:
        return "image"
    return f"list of {kind.value_type}" if pa.types.is_list(kind) else str(kind)


def origin_of(run: Mapping[str, Any]) -> list[Markdown]:
    """How a model's images were made, as far as its manifest says; a sentence each."""
    if run.get("source") == "folders":
        return [Markdown("They were brought as image files; how they were made is not recorded.")]
    told = [_drawn_by(run)]
    if run.get("unet"):
        at = _at(run.get("unet_revision"))
        told.append(Markdown(f"Its UNet is that of {code(run['unet'])}{at}."))
    for name, revision in sorted((run.get("joined") or {}).items()):
        told.append(Markdown(f"Joined with {code(name)}{_at(revision)}."))
    if run.get("additions"):
        changed = json.dumps(run["additions"], sort_keys=True)[:500]
        told.append(Markdown(f"Changed before it drew: {code(changed)}."))
    if run.get("variant_of"):
        told.append(Markdown(f"A variant of {code(run['variant_of'])}."))
    told.append(_settings(run))
    if run.get("seed") is not None:
        told.append(
            Markdown(
                f"Seed {text(run['seed'])}: each image's own, derived from it and the pair's id, "
                "is in the column `seed`."
            )
        )
    told.append(_drawn_with(run))
    return [line for line in told if line]


def _drawn_by(run: Mapping[str, Any]) -> Markdown:
    what = code(run["source"]) if run.get("source") else "a pipeline that is not recorded"
    by = f" by {code(run['pipeline_class'])}" if run.get("pipeline_class") else ""
    return Markdown(f"Drawn{by} from {what}{_at(run.get('revision'))}.")


def _at(revision: object) -> str:
    return f" at {code(revision)}" if revision else ", revision not recorded"


def _settings(run: Mapping[str, Any]) -> Markdown:
    given = {name: value for name, value in (run.get("settings") or {}).items() if value}
    sampler = f"Sampler {code(run['scheduler'])}. " if run.get("scheduler") else ""
    listed = ", ".join(f"{text(name)} {text(value)}" for name, value in sorted(given.items()))
    settings = f"Settings: {listed}; what is not named is the pipeline's own default."
    return Markdown(sampler + (settings if given else "Settings: the pipeline's own defaults."))


def _drawn_with(run: Mapping[str, Any]) -> Markdown:
    listed = text(versions(run.get("versions") or {}))
    on = f" on {text(run['device'])}" if run.get("device") else ""
    return Markdown(f"Made{on} with {listed}." if listed else "")


def preprocessing(space: Mapping[str, Any]) -> list[tuple[str, Markdown]]:
    """The concept space as (what, Markdown) rows, as far as the manifest describes it."""
    backbone, layout = _mapping(space.get("backbone")), _mapping(space.get("layout"))
    sae, steps = _mapping(space.get("sae")), _mapping(space.get("preprocessing"))
    rows: list[tuple[str, Markdown]] = []
    if backbone.get("source"):
        revision = f" at {code(backbone['revision'])}" if backbone.get("revision") else ""
        rows.append(("backbone", Markdown(f"{code(backbone['source'])}{revision}")))
    if backbone.get("fingerprint"):
        rows.append(("its fingerprint", code(backbone["fingerprint"])))
    edge = _mapping(steps.get("size")).get("shortest_edge")
    crop = _mapping(steps.get("crop_size"))
    if edge and crop.get("height") and crop.get("width"):
        size = f"short side to {edge} px, centre crop {crop['height']}×{crop['width']}"
        rows.append(("images", text(size)))
    if layout.get("grid"):
        grid = "×".join(str(side) for side in layout["grid"])
        tokens = f"{layout.get('cls', 0)} class, {layout.get('registers', 0)} registers, "
        rows.append(("tokens of an image", text(f"{tokens}{grid} patches")))
    rows.append(("concepts", text(f"{space['n_concepts']:,}")))
    if sae.get("fingerprint"):
        rows.append(("RA-SAE's fingerprint", code(sae["fingerprint"])))
    return rows


def _mapping(value: object) -> Mapping[str, Any]:
    """`value` where it is a JSON object; nothing is known of what is not."""
    return value if isinstance(value, Mapping) else {}
