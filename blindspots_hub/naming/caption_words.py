"""Names without any model: the words that captions have where a concept fires, and not elsewhere.

Log-odds with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008, "Fightin' Words",
eq. 16, 20 and 22): with y and y' the captions of a word where the concept fires and elsewhere, n
and n' all words there, and a prior α_w in the proportions of all captions, α₀ in sum,

    ζ = (log((y + α_w) / (n + α₀ − y − α_w)) − log((y' + α_w) / (n' + α₀ − y' − α_w)))
        / √(1 / (y + α_w) + 1 / (y' + α_w)).

A caption counts as the concept's by its energy over that of the strongest images, at most 1: where
a concept fires faintly says less of what it is. Such a name is provisional: it is of what people
wrote, and nobody looked at an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.naming.faithfulness import held_out
from blindspots_hub.naming.terms import Terms

PRIOR = 20.0
"""α₀: captions' words that the prior is worth."""

SURE = 3.0
"""ζ from which on a word is a name; chance alone seldom gives one more of a few hundred words."""

LEAST = 2.0
"""Weighted captions that must have the word."""

STRONGEST = 10
"""Images whose mean energy counts as firing in full."""

WORTH = 0.9
"""Part of the best ζ, and of its captions, that a pair of words with that word has to reach."""

BLOCK = 2**24
"""Counts that are made at once, a concept's words each."""


@dataclass(frozen=True)
class CaptionWord:
    """A word that stands out: its ζ, and the share of captions with it where the concept fires.

    `here` and `elsewhere` are shares of captions, weighted as above.
    """

    name: str
    zeta: float
    here: float
    elsewhere: float

    @property
    def sentence(self) -> str:
        """What was counted, in words."""
        return (
            f"Of the captions of images in which it fires most, {self.here:.0%} say "
            f"“{self.name}”; of all others {self.elsewhere:.1%}."
        )


def caption_words(
    energies: ImageEnergies, captions: Sequence[str], concepts: Sequence[int]
) -> list[CaptionWord | None]:
    """The word of each of `concepts`, None where none stands out.

    `captions` (N) belong to the rows of `energies`; an image without one counts as it is: silent.
    """
    terms = Terms.of(captions)
    found: list[CaptionWord | None] = []
    columns = energies.matrix.tocsc()
    step = max(BLOCK // max(len(terms.names), 1), 1)
    for start in range(0, len(concepts), step):
        block = np.asarray(concepts[start : start + step], np.int64)
        found += _of_block(weights(columns[:, block]), terms)
    return found


def words_without_held_out(
    ids: Sequence[str],
    energies: ImageEnergies,
    captions: Sequence[str],
    concepts: Sequence[int],
) -> list[CaptionWord | None]:
    """`caption_words` of the natural images `ids` (N), those apart that names are judged by."""
    rows = np.flatnonzero(~held_out(ids))
    return caption_words(energies.take(rows), [captions[row] for row in rows.tolist()], concepts)


def weights(energies: scipy.sparse.csc_matrix) -> scipy.sparse.csc_matrix:
    """How much each image is a concept's, 0 to 1 (N, K): its energy over that of the strongest."""
    scaled = energies.astype(np.float64).tocsc()
    for k in range(scaled.shape[1]):
        span = slice(scaled.indptr[k], scaled.indptr[k + 1])
        mine = scaled.data[span]
        if len(mine):
            top = np.sort(mine)[-STRONGEST:].mean()
            scaled.data[span] = np.minimum(mine / top, 1.0) if top > 0 else 0.0
    return scaled


def log_odds(here: np.ndarray, everywhere: np.ndarray, prior: float = PRIOR) -> np.ndarray:
    """ζ of every word (V,): `here` counts of the group, `everywhere` counts of all, (V,) each."""
    elsewhere = everywhere - here
    total = max(float(everywhere.sum()), 1e-12)
    alpha = prior * everywhere / total
    n, m = here.sum() + prior, elsewhere.sum() + prior
    y, z = here + alpha, elsewhere + alpha
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = np.log(y / np.maximum(n - y, 1e-12)) - np.log(z / np.maximum(m - z, 1e-12))
        zeta = delta / np.sqrt(1 / y + 1 / z)
    return np.nan_to_num(zeta, nan=-np.inf, posinf=0.0, neginf=-np.inf)


def _of_block(mine: scipy.sparse.csc_matrix, terms: Terms) -> list[CaptionWord | None]:
    everywhere = np.asarray(terms.present.sum(axis=0)).ravel()
    counts = (mine.T @ terms.present).toarray()
    images, n = np.asarray(mine.sum(axis=0)).ravel(), mine.shape[0]
    return [
        _best(counts[k], everywhere, float(images[k]), n, terms.names)
        for k in range(counts.shape[0])
    ]


def _best(
    here: np.ndarray, everywhere: np.ndarray, images: float, n: int, names: Sequence[str]
) -> CaptionWord | None:
    if not len(names) or images <= 0:
        return None
    zeta = np.where(here >= LEAST, log_odds(here, everywhere), -np.inf)
    best = int(np.argmax(zeta))
    if zeta[best] < SURE:
        return None
    words = set(names[best].split())
    near = (zeta >= WORTH * zeta[best]) & (here >= WORTH * here[best])
    for other in np.flatnonzero(near).tolist():
        of_other = names[other].split()
        if len(of_other) > len(words) and words < set(of_other):
            best, words = other, set(of_other)
    rest = max(n - images, 1e-12)
    return CaptionWord(
        names[best],
        float(zeta[best]),
        min(float(here[best]) / images, 1.0),
        min(float(everywhere[best] - here[best]) / rest, 1.0),
    )
