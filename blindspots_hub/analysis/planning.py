"""How much a number of pairs can show, from the spread that a bundle has measured.

A plan asks the formulas of the tables themselves (`measure.intervals`) what they would say of a
concept at another number of pairs: a concept that fires in a share f of the images with energies of
dispersion c = E[ξ²] / E[ξ]² has a mean of variance f c / N and one firing image of weight c / N.
The dispersion of a measured concept is the one that gives the width of its interval, so that it
also holds what pairing spares. Intervals are selection intervals: what is looked for will be
looked for among all concepts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.delta import fold
from blindspots_hub.measure.intervals import GapIntervals, Interval
from blindspots_hub.measure.moments import SideMoments, unpaired_moments
from blindspots_hub.measure.significance import Selection

BANDS = (1.0, 1 / 3, 1 / 10, 1 / 30, 1 / 100, 1 / 300)
"""Edges between concepts by the share of natural images in which they fire, highest first."""

ENOUGH = 5
"""Measured concepts below which a band says nothing of its own."""

SAMPLE = 2_000
"""Concepts of a model at most, evenly spaced, that a plan is made from."""

_STEPS = 40
"""Halvings of a range in which something is looked for."""


@dataclass(frozen=True)
class Spreads:
    """What a model's judged concepts have measured, an entry a concept.

    `share` of natural images in which it fires, `support` a pair, relative gap `r`, `dispersion`;
    `level` is that of the model's selection intervals, `min_support` and `pairs` as measured.
    """

    share: np.ndarray
    support: np.ndarray
    r: np.ndarray
    dispersion: np.ndarray
    level: float
    min_support: int
    pairs: int
    supports: np.ndarray
    """Support a pair of every concept that fires at all, judged or not."""

    @classmethod
    def of(cls, bundle: Bundle, model: str) -> Spreads:
        """Of one model of a bundle."""
        entry, reading = bundle.model(model), ModelDeltas.of(bundle.deltas(model), "relative")
        settings, pairs = entry.measured_with, entry.pairs
        judged = np.flatnonzero(reading.determined & (reading.images_natural > 0))
        judged = judged[:: max(1, -(-len(judged) // SAMPLE))]
        share, r = reading.images_natural[judged] / pairs, reading.r[judged]
        width = (reading.r_high - reading.r_low)[judged]

        def wider(log_c: np.ndarray) -> np.ndarray:
            found = expected(share, r, np.exp(log_c), pairs, settings.confidence)
            return found.high - found.low > width

        dispersion = np.exp(_first(wider, np.full(len(judged), -7.0), np.full(len(judged), 7.0)))
        return cls(
            share=share,
            support=reading.support[judged] / pairs,
            r=r,
            dispersion=dispersion,
            level=Selection.of(reading.q, settings).level,
            min_support=settings.min_support,
            pairs=pairs,
            supports=reading.support[reading.support > 0] / pairs,
        )


@lru_cache(maxsize=64)
def _spreads(bundle: Bundle, model: str) -> Spreads:
    return Spreads.of(bundle, model)  # a form asks again with every slider


def expected(
    share: np.ndarray, r: np.ndarray, dispersion: np.ndarray, pairs: np.ndarray | int, level: float
) -> Interval:
    """The interval of r to expect at `level` for concepts changed by r; all broadcast to one shape.

    `share` of natural images in which a concept fires, `dispersion` c of its energies.
    """
    natural, n = np.broadcast_arrays(np.asarray(share, np.float64), np.asarray(pairs, np.float64))
    # Beyond 1,000-fold nothing differs any more; at r = 1 the fold change is infinite.
    generated = natural * np.clip(fold(r), 0, 1e3)
    c = np.broadcast_to(dispersion, generated.shape)
    sides = [_side(np.broadcast_to(mean, c.shape), c, n) for mean in (natural, generated)]
    return GapIntervals.of(unpaired_moments(*sides), level).relative


def _side(mean: np.ndarray, c: np.ndarray, pairs: np.ndarray) -> SideMoments:
    # Per image: S1 is the mean, so that S2 / S1 / N, one firing image's weight, is c / N.
    return SideMoments(mean, mean * c / pairs, mean * c / pairs, 1.0, 2)


def sure_change(share: np.ndarray, dispersion: np.ndarray, pairs: int, level: float) -> np.ndarray:
    """Smallest |r| of a concept drawn too rarely whose interval would exclude 0; NaN for none.

    Of a concept that fires in a `share` of natural images, at `pairs` pairs and `level`.
    """

    def unsure(r: np.ndarray) -> np.ndarray:
        return expected(share, r, dispersion, pairs, level).high >= 0

    low, high = np.full(np.shape(share), -1.0), np.zeros(np.shape(share))
    return np.where(unsure(low), np.nan, -_first(unsure, low, high))


@dataclass(frozen=True)
class Promise:
    """What `pairs` pairs can show: the `share` of the firing concepts with enough support, and the
    smallest relative gap that would be sure in a middling one of these, None where none is."""

    pairs: int
    share: float
    gap: float | None


def promise(bundle: Bundle, pairs: int) -> Promise | None:
    """The middle of what the models of a bundle promise; None where no concept was judged."""
    shares, gaps = [], []
    for name in bundle.models:
        spreads = _spreads(bundle, name)
        if not len(spreads.share):
            continue
        shares.append(float((spreads.supports * pairs >= spreads.min_support).mean()))
        enough = spreads.support * pairs >= spreads.min_support
        if enough.any():
            share, dispersion = (
                np.median(part[enough]) for part in (spreads.share, spreads.dispersion)
            )
            gaps.append(sure_change(share, dispersion, pairs, spreads.level))
    if not shares:
        return None
    gap = float(np.median(gaps)) if gaps else math.nan
    return Promise(pairs, float(np.median(shares)), gap if math.isfinite(gap) else None)


@dataclass(frozen=True)
class Need:
    """Pairs that concepts of one frequency need: `low` < share of natural images ≤ `high`.

    `concepts` were measured to find it; `pairs` is None where they were too few.
    """

    low: float
    high: float
    concepts: int
    pairs: int | None


def pairs_needed(bundle: Bundle, half_width: float) -> list[Need]:
    """How many pairs give r of a middling concept a selection interval of ± `half_width`.

    And at least as many as the minimum support asks for. From the spreads that the bundle's paired
    models have measured. A band a frequency, common concepts first: rare ones need many more.
    `half_width` outside (0, 1) raises `BlindspotsError`.
    """
    if not 0 < half_width < 1:
        raise BlindspotsError(
            f"A width of ±{half_width:g} cannot be planned for: r lies between -1 and 1, so name "
            "one between 0 and 1, such as 0.1."
        )
    shares, needed = [], []
    for name, model in bundle.models.items():
        if not model.paired:
            continue
        spreads = _spreads(bundle, name)
        shares.append(spreads.share)
        needed.append(_pairs_for(spreads, half_width))
    share, need = (np.concatenate([*rows, []]) for rows in (shares, needed))
    found = []
    for high, low in pairwise(BANDS):
        band = need[(share > low) & (share <= high)]
        pairs = math.ceil(np.median(band)) if len(band) >= ENOUGH else None
        found.append(Need(low, high, len(band), pairs))
    return found


def _pairs_for(spreads: Spreads, half_width: float) -> np.ndarray:
    """Pairs at which each concept's selection interval is as narrow, and its support enough."""

    def narrow(log_pairs: np.ndarray) -> np.ndarray:
        found = expected(
            spreads.share, spreads.r, spreads.dispersion, np.exp(log_pairs), spreads.level
        )
        return (found.high - found.low) / 2 <= half_width

    few, many = np.zeros(len(spreads.share)), np.full(len(spreads.share), math.log(1e9))
    by_support = spreads.min_support / spreads.support
    return np.maximum(np.exp(_first(narrow, few, many)), by_support)


def _first(
    holds: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Least value of each range from which on `holds`; the upper end where it never does."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        found = holds(middle)
        low, high = np.where(found, low, middle), np.where(found, middle, high)
    return high
