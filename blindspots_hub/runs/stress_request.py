"""What a stress test is asked for: natural levels, directions and prompts of its concepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.schema import STRESS_DIRECTIONS
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work
from blindspots_hub.stress.prompt_sources import PromptSource
from blindspots_hub.stress.prompts import Prompts
from blindspots_hub.stress.rates import natural_level
from blindspots_hub.stress.verdict import EXAGGERATED, SUPPRESSED
from blindspots_hub.utils.files import fingerprint, read_json, write_json

MOST_CONCEPTS = 200
"""Concepts of one run."""

TOO_MUCH = ("exaggerated", "strengthened")
"""States of concepts that are drawn too much."""


def levels_of(bundle: Bundle, concepts: Sequence[int]) -> dict[int, float]:
    """The natural level of every concept that is asked for, each once."""
    if not concepts:
        raise BlindspotsError("No concept is named: name at least one (--concept 217).")
    if len(concepts) > MOST_CONCEPTS:
        raise BlindspotsError(
            f"{len(concepts):,} concepts were asked for: {MOST_CONCEPTS} at most are put to the "
            "test at once."
        )
    levels = {}
    for concept in dict.fromkeys(int(one) for one in concepts):
        if not 0 <= concept < bundle.n_concepts:
            raise BlindspotsError(
                f"There is no concept {concept}: the bundle {bundle.name} has "
                f"{bundle.n_concepts:,}, counted from 0."
            )
        levels[concept] = natural_level(energies_of(bundle, concept), concept)
    return levels


def directions_of(
    bundle: Bundle, model: str, concepts: Sequence[int], asked: str | None
) -> dict[int, str]:
    """As what each concept is tested: as asked for, else as the bundle's table has it."""
    if asked is not None and asked not in STRESS_DIRECTIONS:
        raise BlindspotsError(
            f"There is no direction {asked[:20]!r}: it is {' or '.join(STRESS_DIRECTIONS)}."
        )
    if asked is not None or model not in bundle.models:
        return dict.fromkeys(concepts, asked or SUPPRESSED)
    states = bundle.deltas(model)["relative_state"]
    return {
        k: EXAGGERATED if states[k].as_py() in TOO_MUCH else SUPPRESSED for k in concepts
    }  # fmt: skip


def energies_of(bundle: Bundle, concept: int) -> np.ndarray:
    """Energies of a concept in all natural images, float64 (N,)."""
    found = bundle.concept_energies(NATURAL, concept)
    if found is None:
        raise BlindspotsError(
            f"The bundle {bundle.name} lacks the energies of its natural images: fetch it whole."
        )
    energies = np.zeros(found.images)
    energies[found.rows] = found.energies
    return energies


def prompts_of(
    bundle: Bundle,
    directions: Mapping[int, str],
    source: PromptSource,
    count: int,
    seed: int,
    work: Path,
) -> Work[dict[int, Prompts]]:
    """The prompts of every concept; what a language model wrote is kept, and not asked again."""
    found = {}
    for done, (concept, direction) in enumerate(directions.items()):
        yield Event("choose prompts", done, len(directions))
        if source.kind != "written" or direction == EXAGGERATED:
            found[concept] = source(bundle, concept, count, seed, direction)
            continue
        key = fingerprint([source.name, bundle.labels[concept], count, seed])[:16]
        path = work / f"prompts-{key}.json"
        if not path.is_file():
            written = source(bundle, concept, count, seed)
            write_json(path, {"origin": written.origin, "prompts": list(written.texts.values())})
        kept = read_json(path)
        found[concept] = Prompts.of(kept["prompts"], str(kept["origin"]), str(path))
    yield Event("choose prompts", len(directions), len(directions))
    return found
