"""The front matter of a published bundle's cards, by the client's own classes."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from blindspots_hub import paper
from blindspots_hub.artifacts.layout import part_of
from blindspots_hub.artifacts.schema import (
    CONCEPTS,
    DELTAS,
    GENERATIONS,
    IMAGE,
    NATURAL_IMAGES,
    OPTIONAL,
    PAIR_DISTANCES,
    PAIRS,
    THUMBNAILS,
    TableSpec,
)
from blindspots_hub.errors import BlindspotsError

TAGS = ("blindspots", "interpretability", "sparse-autoencoder", f"arxiv:{paper.ARXIV}")
"""Tags of every repository of a bundle."""

_SLUG = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_SIZES = (1_000, 10_000, 100_000, 1_000_000)
_SIZE_NAMES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M")

Config = tuple[str, TableSpec, str]
"""A config of a dataset: its name, its table, its file (or `*.parquet` of its shards) from the
repository's top."""


def configs(
    part: str, models: Sequence[str], more: Sequence[Config] = (), listed: Collection[str] = ()
) -> list[Config]:
    """The configs of a part's dataset, the default first; `more` are of tables it need not have.

    `listed` are the names of the manifest's files, which tell what lies in shards.

    Raises `BlindspotsError` where a model's name cannot be a config's, or two configs share one.
    """
    for model in models:
        if not _SLUG.fullmatch(model):
            raise BlindspotsError(
                f"The model {model!r} cannot have a dataset config of its own: name it by letters, "
                "digits, '.', '_' and '-'."
            )
    named = {
        part_of(PAIRS.path): [("pairs", PAIRS, PAIRS.path)],
        part_of(GENERATIONS.path): _one_each(models, GENERATIONS),
        part_of(DELTAS.path): [
            ("concepts", CONCEPTS, CONCEPTS.path),
            *_one_each(models, DELTAS),
            *_one_each(models, PAIR_DISTANCES, "pairs-"),
            ("natural", NATURAL_IMAGES, NATURAL_IMAGES.path),
            ("thumbnails", THUMBNAILS, THUMBNAILS.path),
        ],
    }[part] + [*more]
    names = [name for name, _, _ in named]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BlindspotsError(
            f"{twice[0]!r} is the name of a model and of another table of the dataset: give the "
            "model another name."
        )
    return [
        (name, spec, _pattern(path, listed).removeprefix(f"{part}/")) for name, spec, path in named
    ]


def _pattern(path: str, listed: Collection[str]) -> str:
    """The file of a table, or what matches all of its shards."""
    folder = f"{path.removesuffix('.parquet')}/"
    sharded = path not in listed and any(name.startswith(folder) for name in listed)
    return f"{folder}*.parquet" if sharded else path


def optional_configs(listed: Collection[str], models: Sequence[str]) -> list[Config]:
    """Configs of the optional tables that a manifest lists, in the order of the specification."""
    every: list[Config] = []
    for spec in OPTIONAL:
        short = spec.path.split("/")[1].removesuffix(".parquet")
        every += (
            _one_each(models, spec, f"{short}-")
            if "{model}" in spec.path
            else [(short, spec, spec.path)]
        )
    return [one for one in every if one[2] in listed]


def _one_each(models: Sequence[str], spec: TableSpec, prefix: str = "") -> list[Config]:
    return [(f"{prefix}{model}", spec, spec.path.format(model=model)) for model in models]


def dataset_front(
    named: Sequence[Config], title: str, licence: str | list[str], rows: int
) -> dict[str, Any]:
    """Front matter of a dataset of the configs `named`, the first of them the default.

    `dataset_info` is given where a config has images, which a column's type alone does not tell.
    Numbers of rows are not: the files know, and a wrong number is an error for who loads them.
    """
    from huggingface_hub import DatasetCardData

    data = DatasetCardData(
        license=licence,
        pretty_name=title,
        size_categories=[size_category(rows)],
        task_categories=["text-to-image"],
        tags=list(TAGS),
        configs=[
            {
                "config_name": name,
                "data_files": [{"split": "train", "path": path}],
                **({"default": True} if (name, spec, path) == named[0] else {}),
            }
            for name, spec, path in named
        ],
    )
    data["dataset_info"] = [
        {"config_name": name, "features": features(spec)}
        for name, spec, _ in named
        if any(column.type == IMAGE for column in spec.columns)
    ]
    return _plain(data.to_dict())


def size_category(rows: int) -> str:
    """The Hub's size category of `rows` rows."""
    return _SIZE_NAMES[sum(rows >= size for size in _SIZES)]


def features(spec: TableSpec) -> list[dict[str, str]]:
    """The features of a table as front matter spells them."""
    stored = json.loads(spec.schema.metadata[b"huggingface"])["info"]["features"]
    return [{"name": name, **_spelled(feature)} for name, feature in stored.items()]


def _spelled(feature: Mapping[str, Any]) -> dict[str, str]:
    if feature["_type"] == "Image":
        return {"dtype": "image"}
    if feature["_type"] == "List":
        return {"list": _spelled(feature["feature"])["dtype"]}
    return {"dtype": feature["dtype"]}


def model_front(
    repo: str,
    licence: str,
    library: str,
    tags: Sequence[str],
    base_model: Sequence[str] = (),
    datasets: Sequence[str] = (),
    pipeline_tag: str | None = None,
    quality: Mapping[str, tuple[str, float]] | None = None,
) -> dict[str, Any]:
    """Front matter of a model; `quality` maps metric types to (name, value), measured on tokens of
    held-out images. What is not known is left out."""
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="feature-extraction",
            task_name="Reconstruction of tokens",
            dataset_type="imagefolder",
            dataset_name="images held out from training",
            metric_type=kind,
            metric_name=name,
            metric_value=value,
        )
        for kind, (name, value) in (quality or {}).items()
    ]
    data = ModelCardData(
        license=licence,
        library_name=library,
        tags=[*TAGS, *tags],
        base_model=list(base_model) or None,
        datasets=list(datasets) or None,
        pipeline_tag=pipeline_tag,
        model_name=repo if results else None,
        eval_results=results or None,
    )
    return _plain(data.to_dict())


def _plain(front: dict[str, Any]) -> dict[str, Any]:
    """`front` without what is empty."""
    return {key: value for key, value in front.items() if value not in (None, [], {})}
