"""Where everything lies in a bundle: the only place that spells its paths."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from blindspots_hub.artifacts.schema import (
    GENERATIONS,
    LABELS,
    OPTIONAL,
    PAIRS,
    STRESS_IMAGES,
    STRESS_TESTS,
    TABLES,
    THUMBNAILS,
    TableSpec,
)

MANIFEST = "bundle.json"
CARD = "README.md"
"""A card; it belongs to the people who read it, not to what a manifest vouches for."""

QUALITY = "quality.json"
"""In `sae/`, where it is known: R², codes a token and dead share on held-out tokens."""

LOCK = "bundle.lock.json"
"""Beside the manifest of a bundle that was published: which commits on the Hub belong to it."""

DELTAS_PART = "deltas"
PAIRS_PART = "pairs"
GENERATIONS_PART = "generations"
SAE = "sae"
SAE_WEIGHTS = "sae/model.safetensors"
BACKBONE = "backbone"
PARTS = (PAIRS_PART, GENERATIONS_PART, DELTAS_PART, SAE, BACKBONE)
"""The folders at the top of a bundle: each is there whole or, but for `deltas`, not at all."""

IMAGES = "images"
"""Folder beside the parts, none of them: the images that evaluations generated, a store a model.
No manifest names it and nothing publishes it; a bundle is whole without."""

FINDINGS = "deltas/analyses"
"""Folder of the optional tables of analyses: they belong to the tables that they were made from."""


def of_results(name: str) -> bool:
    """Whether a file belongs to the results: labels, findings and stress tests come and go."""
    beside = {one.path for one in (LABELS, STRESS_TESTS, STRESS_IMAGES)}
    return name not in beside and not name.startswith(f"{FINDINGS}/")


NETWORK_FILES = {
    SAE: ("config.json", "model.safetensors", QUALITY, "domain.safetensors"),
    BACKBONE: ("config.json", "model.safetensors", "preprocessor_config.json"),
}
"""Files of the parts that hold a network; nothing else in them is read, copied or published."""

NATURAL = "natural"
"""Source name of the natural images; no model may be called so."""


def part_of(name: str) -> str:
    """The part that a file of the manifest belongs to."""
    return name.split("/", 1)[0]


def cards(root: Path) -> list[str]:
    """The cards that lie in the bundle at `root` and its parts."""
    return [
        name
        for name in (CARD, *(f"{part}/{CARD}" for part in PARTS))
        if (root / name).is_file() and not (root / name).is_symlink()
    ]


def table_path(root: Path, table: TableSpec, model: str | None = None) -> Path:
    """Path of a table, for `model` where the table is one a model."""
    return root / (table.path.format(model=model) if model else table.path)


SHARDED = (PAIRS, GENERATIONS, THUMBNAILS)
"""Tables with images: large ones lie in shards, in a folder that is called as their file would be.
"""

_SHARD = re.compile(r"(\d{5})-of-(\d{5})\.parquet", re.ASCII)
_ENERGY_SHARD = re.compile(r"(\d{5})-of-(\d{5})\.safetensors", re.ASCII)


def shard_folder(path: Path) -> Path:
    """The folder of the shards of the table, or of the energies, that would be the file `path`."""
    return path.with_name(path.name.removesuffix(path.suffix))


def shard_name(number: int, count: int, ending: str = ".parquet") -> str:
    """Name of shard `number` of `count`, from 0."""
    return f"{number:05d}-of-{count:05d}{ending}"


def table_files(root: Path, table: TableSpec, model: str | None = None) -> list[Path]:
    """The files that hold a table on the disk: its shards in their order, or the one file."""
    path = table_path(root, table, model)
    if table in SHARDED and not path.is_file():
        shards = sorted(one for one in shard_folder(path).glob("*") if _SHARD.fullmatch(one.name))
        if shards:
            return shards
    return [path]


def listed_files(listed: Collection[str], table: TableSpec, model: str | None = None) -> list[str]:
    """Names of the files of a table among those of a manifest, in order; none where it has none."""
    name = table.path.format(model=model) if model else table.path
    if table not in SHARDED:
        return [name] if name in listed else []
    prefix = f"{name.removesuffix('.parquet')}/"
    shards = [
        one for one in listed if one.startswith(prefix) and _SHARD.fullmatch(one[len(prefix) :])
    ]
    return [*([name] if name in listed else []), *sorted(shards)]


def shard_fault(names: Collection[str], name: str) -> str | None:
    """What is wrong with the files of the table or energies `name`: neither one nor all shards."""
    kind = _SHARD if name.endswith(".parquet") else _ENERGY_SHARD
    numbers = [kind.fullmatch(one.rpartition("/")[2]) for one in names]
    found = sorted((int(one[1]), int(one[2])) for one in numbers if one)
    if not found:
        return None
    count = found[0][1]
    if len(found) < len(numbers) or found != [(i, count) for i in range(count)]:
        return f"{name} does not lie in one file, and not in all of its shards"
    return None


def energies_path(root: Path, source: str) -> Path:
    """Path of the per-image energies of a source ("natural" or a model)."""
    return root / f"deltas/energies/{source}.safetensors"


def energies_files(listed: Collection[str], source: str) -> list[str]:
    """Names of the files with the energies of a source among `listed`: its one, or its shards.

    In the order of the images; none where there are none.
    """
    return _one_or_shards(listed, energies_path(Path(), source))


def generation_energies_path(root: Path, model: str) -> Path:
    """Path of the energies of a model's single generations, where captions have several."""
    return root / f"deltas/generations/{model}.safetensors"


def generation_energies_files(listed: Collection[str], model: str) -> list[str]:
    """Names of the files with these energies among `listed`, as `energies_files` gives them."""
    return _one_or_shards(listed, generation_energies_path(Path(), model))


def _one_or_shards(listed: Collection[str], path: Path) -> list[str]:
    name = path.as_posix()
    if name in listed:
        return [name]
    prefix = f"{shard_folder(path).as_posix()}/"
    return sorted(
        one
        for one in listed
        if one.startswith(prefix) and _ENERGY_SHARD.fullmatch(one[len(prefix) :])
    )


def features_path(root: Path, source: str) -> Path:
    """Path of the per-image features of a source, where they were kept."""
    return root / f"deltas/features/{source}.safetensors"


def token_codes_path(root: Path, source: str) -> Path:
    """Path of the codes of single tokens of some images of a source, where they were kept."""
    return root / f"deltas/token_codes/{source}.safetensors"


def heatmaps_path(root: Path, source: str) -> Path:
    """Path of the heatmaps of a source."""
    return root / f"deltas/heatmaps/{source}.safetensors"


_SPARSE = ("energies", "generations", "features", "heatmaps", "token_codes")

_IN_SHARDS = (f"{DELTAS_PART}/energies", f"{DELTAS_PART}/generations")

_ON_DEMAND = tuple(f"{DELTAS_PART}/{kind}/" for kind in _SPARSE if kind != "heatmaps")


def on_demand(name: str) -> bool:
    """Whether a file of `deltas` is fetched from the Hub only when something reads it.

    Of single images, hundreds of megabytes: what a page shows comes from tables.
    """
    return name.startswith(_ON_DEMAND)


def is_known(name: str, models: Collection[str]) -> bool:
    """Whether a bundle with these `models` may have a file `name`: by its place, not its content.

    Only such files are read, copied or published.
    """
    folder, _, last = name.rpartition("/")
    if folder in NETWORK_FILES:
        return last in NETWORK_FILES[folder]
    if folder == FINDINGS:
        return last.endswith(".parquet") and not last.startswith(".")
    if any(folder == f"{DELTAS_PART}/{kind}" for kind in _SPARSE):
        source, dot, ending = last.rpartition(".")
        return bool(dot) and ending == "safetensors" and source in {NATURAL, *models}
    above, _, source = folder.rpartition("/")
    if above in _IN_SHARDS and _ENERGY_SHARD.fullmatch(last):
        return source in {NATURAL, *models}
    for table in (*TABLES, *OPTIONAL):
        whole = f"{folder}.parquet" if table in SHARDED and _SHARD.fullmatch(last) else name
        if "{model}" not in table.path:
            if whole == table.path:
                return True
            continue
        before, after = table.path.split("{model}")
        if whole.startswith(before) and whole.endswith(after):
            model = whole[len(before) : len(whole) - len(after)]
            if model in models:
                return True
    return False
