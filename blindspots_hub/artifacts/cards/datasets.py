"""The cards of a bundle's datasets: pairs, generations, δ tables."""

from __future__ import annotations

from typing import Any

from blindspots_hub import paper
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.cards.facts import (
    DeltaFacts,
    GenerationFacts,
    PairFacts,
    columns_table,
    counted,
    listed,
    measured,
    origin_of,
)
from blindspots_hub.artifacts.cards.front_matter import configs, dataset_front, optional_configs
from blindspots_hub.artifacts.cards.version import Card, PublishedVersion
from blindspots_hub.artifacts.hub.repos import Repo
from blindspots_hub.artifacts.layout import energies_files, listed_files
from blindspots_hub.artifacts.licences import UNKNOWN, joint
from blindspots_hub.artifacts.schema import GENERATIONS, LABELS, PAIRS


def pairs_card(of: PublishedVersion, repo: Repo) -> Card:
    """The card of the captions and natural images."""
    facts = PairFacts.of(of.root)
    front = dataset_front(
        configs(repo.part, of.models, listed=of.manifest.files),
        f"{of.name}: captions and natural images",
        of.licence or UNKNOWN,
        facts.rows,
    )
    first = listed_files(of.manifest.files, PAIRS)[0]
    fields = {
        "facts": facts,
        "file": first.removeprefix(f"{repo.part}/"),
        "columns": columns_table(PAIRS),
        "skipped": counted(of.manifest.skipped or {}),
    }
    return "dataset_card/pairs.md", front, fields


def generations_card(of: PublishedVersion, repo: Repo) -> Card:
    """The card of the generated images."""
    models: list[dict[str, Any]] = []
    for entry in of.manifest.models:
        facts = GenerationFacts.of(of.root, entry.name)
        models.append(
            {
                "name": entry.name,
                "title": entry.title,
                "facts": facts,
                "statuses": counted(facts.statuses),
                "flags": counted(facts.flags),
                "origin": origin_of(entry.run),
                "licence": str(entry.run.get("licence") or UNKNOWN),
            }
        )
    front = dataset_front(
        configs(repo.part, of.models, listed=of.manifest.files),
        f"{of.name}: generated images",
        joint(model["licence"] for model in models),
        sum(model["facts"].rows for model in models),
    )
    with_images = [model["name"] for model in models if model["facts"].images]
    shown = (with_images or of.models)[0]
    files = {m: listed_files(of.manifest.files, GENERATIONS, m) for m in of.models}
    fields = {
        "models": models,
        "shown_model": shown,
        "file": files[shown][0].removeprefix(f"{repo.part}/"),
        "parts": any(len(of_model) > 1 for of_model in files.values()),
        "several": any(e.run.get("num_images_per_prompt", 1) > 1 for e in of.manifest.models),
        "any_images": bool(with_images),
        "columns": columns_table(GENERATIONS),
    }
    return "dataset_card/generations.md", front, fields


def deltas_card(of: PublishedVersion, repo: Repo) -> Card:
    """The card of the δ tables."""
    n_concepts = of.manifest.concept_space["n_concepts"]
    labels = LABELS.path in of.manifest.files
    files = of.manifest.files
    named = configs(repo.part, of.models, optional_configs(files, of.models), files)
    front = dataset_front(
        named,
        f"{of.name}: blindspots",
        of.licence or UNKNOWN,
        n_concepts * (1 + len(of.models)),
    )
    tables = []
    for spec in dict.fromkeys(spec for _, spec, _ in named):
        of_spec = [(name, path) for name, other, path in named if other == spec]
        tables.append(
            {
                "configs": listed(name for name, _ in of_spec),
                "files": listed(path for _, path in of_spec),
                "row": spec.row,
                "columns": columns_table(spec),
            }
        )
    energies = energies_files(files, of.models[0])
    fields = {
        "energies": {
            "file": energies[0].removeprefix(f"{repo.part}/"),
            "parts": len(energies),
        },
        "models": [measured(entry) for entry in of.manifest.models],
        "facts": DeltaFacts.of(of.root, sum(map(bool, Bundle(of.root).labels))),
        "tables": tables,
        "labels": labels,
        "paired": all(e.paired for e in of.manifest.models),
        "relative_tau": paper.RELATIVE_TAU,
        "n_concepts": n_concepts,
    }
    return "dataset_card/deltas.md", front, fields
