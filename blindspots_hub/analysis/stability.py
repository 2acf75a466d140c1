"""How stable rankings are: which of the top concepts fewer pairs would have found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.deltas import KINDS, ModelDeltas, measured_table
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.delta import BLINDSPOTS
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import measure
from blindspots_hub.progress import Event, Work

SIZES = (100, 300, 1_000, 3_000, 10_000)
"""Numbers of pairs that reviewers of the paper asked about."""

TOP = 100
"""Concepts of a ranking that are compared."""

SIDES = BLINDSPOTS


@dataclass(frozen=True)
class Stability:
    """What rankings of one size agree on, each a share in [0, 1] or None where it has no meaning.

    `with_all`: of the top concepts of all pairs, those also found on top by `pairs` of them, mean
    over draws; it flatters large sizes, whose pairs are mostly the same. `with_others`: of the top
    of one draw, those in the top of another draw that shares no pair with it. `ranked`: concepts
    that the ranking of this size holds at all, mean over draws.
    """

    side: str
    pairs: int
    with_all: float | None
    with_others: float | None
    ranked: float


def stability(
    natural: ImageEnergies,
    generated: ImageEnergies,
    settings: MeasureSettings,
    kind: str = "relative",
    sizes: Sequence[int] = SIZES,
    top: int = TOP,
    draws: int = 5,
    seed: int = 0,
    table: pa.Table | None = None,
) -> Work[list[Stability]]:
    """Compare the top of the rankings of smaller samples of pairs with that of all of them.

    `natural` and `generated` (N, n) are paired row by row; `kind` names the δ that ranks. Sizes
    beyond N are left out, N itself is always there. `table` is what all pairs give with these
    `settings`, where that is known. Deterministic for a seed.
    """
    n = natural.n_images
    sizes = sorted({size for size in sizes if 2 <= size < n} | {n})

    def top_of(found: pa.Table) -> dict[str, set[int]]:
        reading = ModelDeltas.of(found, kind)
        return {side: set(reading.ranking(side)[:top].tolist()) for side in SIDES}

    def tops(rows: np.ndarray) -> dict[str, set[int]]:
        found = measure(natural.take(rows), generated.take(rows), settings, paired=True)
        return top_of(pa.table(found))

    whole = tops(np.arange(n)) if table is None else top_of(table)
    found = []
    for done, size in enumerate(sizes):
        yield Event("compare rankings", done, len(sizes), {"pairs": size})
        apart = 2 * size <= n
        firsts, seconds = [], []
        for draw in range(draws if size < n else 1):
            order = np.random.default_rng([seed, size, draw]).permutation(n)
            firsts.append(tops(order[:size]) if size < n else whole)
            if apart:
                seconds.append(tops(order[size : 2 * size]))
        for side in SIDES:
            ranked = [first[side] for first in firsts]
            found.append(
                Stability(
                    side=side,
                    pairs=size,
                    with_all=_mean([_share(whole[side], each) for each in ranked]),
                    with_others=_mean(
                        [_share(a, b[side]) for a, b in zip(ranked, seconds, strict=apart)]
                    ),
                    ranked=float(np.mean([len(each) for each in ranked])),
                )
            )
    yield Event("compare rankings", len(sizes), len(sizes))
    return found


def model_stability(bundle: Bundle, model: str, kind: str, top: int = TOP) -> Work[list[Stability]]:
    """`stability` of a model of a bundle, as it was measured; `BlindspotsError` where unpaired."""
    if kind not in KINDS:
        raise BlindspotsError(f"The δ that ranks is {' or '.join(KINDS)}, not {kind!r}.")
    entry = bundle.model(model)
    if not entry.paired:
        raise BlindspotsError(f"{model} in {bundle.name} is unpaired: there are no pairs to draw.")
    natural, generated = bundle.compared(model)
    settings, table = entry.measured_with, measured_table(bundle, model)
    return (yield from stability(natural, generated, settings, kind, top=top, table=table))


def _share(these: set[int], those: set[int]) -> float | None:
    return len(these & those) / len(these) if these else None


def _mean(shares: list[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return float(np.mean(known)) if known else None
