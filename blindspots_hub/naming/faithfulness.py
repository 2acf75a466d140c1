"""Whether a name predicts where its concept fires, on images that had no part in finding it.

Faithfulness of a name is the AUROC (Mann and Whitney) of a judge's score of held-out images for the
name, those in which the concept fires against those in which it does not: 0.5 tells nothing, 1 all.
The judge is a similarity model, a model that is asked yes or no, or, without any, the images' own
captions. The same figure of another concept's name on the same images, dealt by a permutation
without fixed points, is what a name that has nothing to do with the concept gets: where many images
show the same few things it is not 0.5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blindspots_hub.naming.terms import terms_of
from blindspots_hub.utils.spelling import singular

EVERY = 3
"""One image of so many is held out."""

LEAST = 5
"""Held-out images that must be on either side for a figure."""

REPEATS = 2_000
"""Resamples of concepts for an interval."""


def held_out(ids: Sequence[str]) -> np.ndarray:
    """bool (N,): images kept from naming, by a hash of their id: the same ones in every bundle."""
    return np.array([hashlib.sha256(one.encode()).digest()[0] % EVERY == 0 for one in ids], bool)


def auroc(scores: np.ndarray, fires: np.ndarray) -> float:
    """AUROC of `scores` (N,) for `fires` (N,) bool; ties count half.

    Images of unknown score (NaN) are left out; NaN where fewer than `LEAST` are on a side.
    """
    from scipy.stats import rankdata  # slow to import, and a page that starts does without

    known = np.isfinite(scores)
    scores, fires = scores[known], fires[known]
    positives, negatives = int(fires.sum()), int((~fires).sum())
    if min(positives, negatives) < LEAST:
        return float("nan")
    wins = rankdata(scores)[fires].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


def other_names(count: int, seed: int = 0) -> np.ndarray:
    """int (count,): whose name each concept gets instead: nobody its own; one alone has no other.

    A random cycle (Sattolo 1986).
    """
    order = np.random.default_rng(seed).permutation(count)
    other = np.empty(count, np.int64)
    other[order] = np.roll(order, 1)
    return other


@dataclass(frozen=True)
class Faithfulness:
    """Mean AUROC over concepts with its interval, of their names and of shuffled ones.

    `gain` is the mean difference, concept by concept; its interval, as both others, is the 95%
    percentile interval over resampled concepts.
    """

    concepts: int
    names: tuple[float, float, float]
    shuffled: tuple[float, float, float]
    gain: tuple[float, float, float]

    @classmethod
    def of(cls, names: Sequence[float | None], shuffled: Sequence[float | None]) -> Faithfulness:
        """From the two figures of every concept; those that lack one are left out."""
        pairs = [
            (a, b) for a, b in zip(names, shuffled, strict=True) if a is not None and b is not None
        ]
        both = np.array(pairs, float).reshape(-1, 2)
        both = both[np.isfinite(both).all(axis=1)]
        n = len(both)
        if not n:
            unknown = (float("nan"),) * 3
            return cls(0, unknown, unknown, unknown)
        rng = np.random.default_rng(0)
        means = both[rng.integers(0, n, (REPEATS, n))].mean(axis=1)
        columns = [*both.T, both[:, 0] - both[:, 1]]
        drawn = [*means.T, means[:, 0] - means[:, 1]]
        figures = [
            (float(c.mean()), *(float(q) for q in np.quantile(d, (0.025, 0.975))))
            for c, d in zip(columns, drawn, strict=True)
        ]
        return cls(n, *figures)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Agreement:
    """How often two labellers give a concept names that share a word, against chance.

    `chance` is the same share where one of them is shuffled over concepts, `kappa` what is left of
    the agreement beyond it: (share − chance) / (1 − chance), as Cohen's.
    """

    concepts: int
    share: float
    chance: float

    @property
    def kappa(self) -> float:
        """Agreement beyond chance: 0 for none, 1 for always."""
        return (self.share - self.chance) / (1 - self.chance) if self.chance < 1 else float("nan")


def agreement(one: Sequence[str], other: Sequence[str]) -> Agreement:
    """Of names (K,) of the same concepts by two labellers; chance over all pairs of concepts."""
    left, right = ([_stems(name) for name in names] for names in (one, other))
    n = len(left)
    if n < 2:
        return Agreement(n, float("nan"), float("nan"))
    shares = np.array([[bool(a & b) for b in right] for a in left])
    same = float(np.diag(shares).mean())
    return Agreement(n, same, float((shares.sum() - np.diag(shares).sum()) / (n * (n - 1))))


def _stems(name: str) -> frozenset[str]:
    return frozenset(singular(term) for term in terms_of(name) if " " not in term)
