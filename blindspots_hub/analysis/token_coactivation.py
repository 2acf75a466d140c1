"""Which concepts fire together on one token: co-activation M = Z'Z of codes (appendix F).

The same as over images (`coactivation`), of the tokens of up to 500 images a source whose codes the
bundle keeps. Halves are of images, as tokens of one image are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np

from blindspots_hub.analysis.base import Analysis, Finding, NotAnswerable
from blindspots_hub.analysis.coactivation import (
    COLUMNS,
    against,
    figure,
    row,
    words,
)
from blindspots_hub.analysis.coactivation_shared import Shared, shared_entries
from blindspots_hub.analysis.coactivation_spectrum import Spectrum
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.token_codes import half

LEAST = 10
"""Images of each half below which nothing is told."""


@lru_cache(maxsize=4)
def _natural(
    bundle: Bundle, images: int
) -> tuple[ImageEnergies, tuple[Spectrum, Spectrum, Shared]]:
    """The first half of the natural images, the spectra of both halves and what they share."""
    one, other = (_taken(bundle, NATURAL, side, images) for side in (0, 1))
    return one, (Spectrum.of(one.matrix), Spectrum.of(other.matrix), shared_entries(one, other))


def _images(bundle: Bundle, source: str, side: int) -> np.ndarray:
    """Which of the images whose codes are kept belong to a half."""
    codes = bundle.token_codes(source)
    assert codes is not None  # what the analysis needs was asked for
    ids = bundle.image_ids(source)
    return np.flatnonzero([half(ids[row]) == side for row in codes.row.tolist()])


def _taken(bundle: Bundle, source: str, side: int, images: int) -> ImageEnergies:
    codes = bundle.token_codes(source)
    assert codes is not None
    return codes.take(_images(bundle, source, side)[:images])


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Sparsity, unshared entries, spectra and subspaces over tokens, each beside the null."""
    (model,) = models
    images = min(
        *(len(_images(bundle, NATURAL, side)) for side in (0, 1)),
        len(_images(bundle, model, 1)),
    )
    if images < LEAST:
        raise NotAnswerable(
            f"{ANALYSIS.title} needs the codes of {LEAST} images of each half, not {images}."
        )
    first, halves = _natural(bundle, images)
    found = against(first, _taken(bundle, model, 1, images), halves)
    return Finding(
        row(bundle, model, found), words(bundle, model, found, "tokens"), partial(figure, found)
    )


ANALYSIS = Analysis(
    name="token_coactivation",
    title="Concepts that fire together on a token",
    section="F, Fig. 18 to 20",
    about="one model",
    needs=("tables", "token codes"),
    row="one model",
    columns=COLUMNS,
    find=find,
)
