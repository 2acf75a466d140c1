"""What a stress test found, as the rows of its tables and a sentence a concept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from blindspots_hub.artifacts.limits import LIST
from blindspots_hub.artifacts.schema import STRESS_IMAGES, STRESS_TESTS, TableSpec
from blindspots_hub.artifacts.writer import image_cell
from blindspots_hub.stress.prompts import Prompts
from blindspots_hub.stress.rates import Shown
from blindspots_hub.stress.verdict import (
    CONFIRMED,
    EXAGGERATED,
    LEAST_SHOWN,
    NOT_CONFIRMED,
    SUPPRESSED,
    Comparison,
    Verdict,
)
from blindspots_hub.utils.numerals import times

Heat = tuple[np.ndarray, np.ndarray]
"""Patches (ascending) and the codes there."""


@dataclass(frozen=True)
class DrawnImages:
    """One model's images of a concept's prompts that could be measured, in the order of prompts.

    `prompt` is each image's row in the prompts, `draw` its number among that prompt's; `heat` and
    `picture` (small webp) are asked for by row; `lost` counts the others.
    """

    model: str
    title: str
    prompt: np.ndarray
    draw: np.ndarray
    seeds: Sequence[int | None]
    energy: np.ndarray
    heat: Callable[[int], Heat]
    picture: Callable[[int], bytes]
    sha256: Sequence[str | None]
    lost: int = 0

    def shown(self, prompts: int, level: float) -> Shown:
        """Images a prompt, and those that reach the natural level."""
        return Shown.of(self.energy, self.prompt, prompts, level)


@dataclass(frozen=True)
class ConceptTest:
    """One concept put to the test: its images, and what they are held against."""

    concept: int
    label: str
    prompts: Prompts
    level: float
    tested: DrawnImages
    against: DrawnImages | None
    natural: Shown | None
    direction: str = SUPPRESSED

    @property
    def comparison(self) -> Comparison:
        """The numbers that the verdict follows from."""
        n = len(self.prompts.texts)
        second = None if self.against is None else self.against.shown(n, self.level)
        return Comparison(self.tested.shown(n, self.level), second, self.natural, self.direction)


def test_rows(
    tests: Sequence[ConceptTest],
    verdicts: Sequence[Verdict],
    num_images_per_prompt: int,
    seed: int,
    date: str,
) -> pa.Table:
    """The table STRESS_TESTS of one run."""
    rows = [
        {
            "concept": one.concept,
            "model": one.tested.model,
            "against": None if one.against is None else one.against.model,
            "verdict": found.verdict,
            "reference": found.reference,
            "sentence": sentence(one, found, len(tests)),
            "origin": one.prompts.origin,
            "prompts": len(one.prompts.texts),
            "num_images_per_prompt": num_images_per_prompt,
            "seed": seed,
            "level": one.level,
            **_share("", one.comparison.tested),
            **_share("_against", one.comparison.against),
            **_share("_natural", one.natural),
            **{name: _known(getattr(found, name)) for name in _OF_VERDICT},
            "concepts": len(tests),
            "date": date,
            "direction": one.direction,
        }
        for one, found in zip(tests, verdicts, strict=True)
    ]
    return _table(STRESS_TESTS, rows)


_OF_VERDICT = ("fold", "fold_low", "fold_high", "p", "p_holm")


def _share(of: str, shown: Shown | None) -> dict[str, float | int | None]:
    low, high = (None, None) if shown is None else shown.limits()
    return {
        f"images{of}": 0 if shown is None else shown.total,
        f"share{of}": None if shown is None else shown.share,
        f"share{of}_low": low,
        f"share{of}_high": high,
    }


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def image_rows(test: ConceptTest) -> pa.Table:
    """The table STRESS_IMAGES of one concept: of each model the highest energy first."""
    texts = list(test.prompts.texts.values())
    rows: list[dict[str, Any]] = []
    for drawn in (test.tested, *([test.against] if test.against else [])):
        for row in np.argsort(-drawn.energy, kind="stable").tolist():
            patches, codes = _strongest(*drawn.heat(row))
            name = f"{test.concept}-{drawn.model}-{drawn.prompt[row]}-{drawn.draw[row]}.webp"
            rows.append(
                {
                    "concept": test.concept,
                    "model": test.tested.model,
                    "drawn_by": drawn.model,
                    "prompt": texts[int(drawn.prompt[row])],
                    "draw": int(drawn.draw[row]),
                    "seed": drawn.seeds[row],
                    "energy": float(drawn.energy[row]),
                    "shows": bool(drawn.energy[row] >= test.level),
                    "image": image_cell(drawn.picture(row), name),
                    "image_sha256": drawn.sha256[row],
                    "patches": patches.tolist(),
                    "codes": codes.tolist(),
                }
            )
    return _table(STRESS_IMAGES, rows)


def _table(spec: TableSpec, rows: Sequence[dict[str, Any]]) -> pa.Table:
    arrays = [pa.array([row[c.name] for row in rows], c.type) for c in spec.columns]
    return pa.Table.from_arrays(arrays, schema=spec.schema)


def _strongest(patches: np.ndarray, codes: np.ndarray) -> Heat:
    """At most as many patches as a cell of a table holds, those with the largest codes."""
    if len(patches) > LIST:
        kept = np.sort(np.argsort(-codes, kind="stable")[:LIST])
        patches, codes = patches[kept], codes[kept]
    return patches, codes


def sentence(test: ConceptTest, verdict: Verdict, concepts: int) -> str:
    """The verdict with the numbers that it rests on."""
    found = test.comparison
    name = f"{test.label} (#{test.concept})" if test.label else f"concept {test.concept}"
    asked = "that do not ask for it" if test.direction == EXAGGERATED else "that ask for it"
    parts = [
        f"{test.tested.title} shows {name} in {_told(found.tested)} of "
        f"{len(test.prompts.texts):,} prompts {asked} ({test.prompts.origin})"
    ]
    if test.against is not None and found.against is not None:
        parts.append(f"{test.against.title} in {_told(found.against)}")
    if found.natural is not None:
        which = "does not name" if test.direction == EXAGGERATED else "names"
        parts.append(f"natural images whose caption {which} it in {_told(found.natural)}")
    lost = test.tested.lost + (test.against.lost if test.against else 0)
    if lost:
        parts.append(f"{lost:,} images could not be measured")
    return f"{'; '.join(parts)}: {_verdict(test, verdict, concepts)}."


def _told(shown: Shown) -> str:
    low, high = shown.limits()
    return f"{shown.count:,} of {shown.total:,} images ({shown.share:.0%}, {low:.0%} to {high:.0%})"


def _verdict(test: ConceptTest, found: Verdict, concepts: int) -> str:
    if found.reference == "none" and test.direction == EXAGGERATED:
        return (
            "undecided, as natural images tell how often it is to be expected of captions of the "
            "bundle only, and there is no second model (--against)"
        )
    if found.reference == "none":
        more = "" if test.against else "; a second model that draws it (--against) can decide"
        return (
            f"undecided, as nothing that it could be held against surely shows it in "
            f"{LEAST_SHOWN:.0%} of its images{more}"
        )
    second = test.against.title if test.against else ""
    other = second if found.reference == "against" else "the natural images"
    much = test.direction == EXAGGERATED
    line = "twice" if much else "half"
    beyond, short = ("more", "less") if much else ("less", "more")
    held = {
        CONFIRMED: f"confirmed, surely {beyond} than {line} as often as {other}",
        NOT_CONFIRMED: f"not confirmed, surely {short} than {line} as often as {other}",
    }.get(found.verdict, f"undecided, held against {line} as often as {other}")
    low = times(found.fold_low)
    high = times(found.fold_high) if np.isfinite(found.fold_high) else "∞"
    corrected = f", corrected for {concepts} concepts" if concepts > 1 else ""
    value = f"{times(found.fold)} times, " if np.isfinite(found.fold) else ""
    return (
        f"{held} ({value}{low} to {high}{'' if value else ' times'}; p = "
        f"{found.p_holm:.1g}{corrected})"
    )
