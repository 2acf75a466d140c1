"""How strongly a concept shows in each image: natural against generated, as a drawing."""

from __future__ import annotations

import numpy as np

from blindspots_hub.artifacts.concept_column import ConceptColumn
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import count, number, percent

BINS = 22
WIDTH, HEIGHT, FLOOR, LEFT = 400, 118, 92, 46
"""Size of the drawing, its base line, and where the bins begin: left of them is "none"."""

SIDES = (("natural", "#8a8a94"), ("generated", "#6d6cf0"))
"""Both sides with their colours: none of the scale of δ, and readable on light and on dark."""


def energy_histogram(entry: Entry, concept: int) -> str:
    """The drawing as HTML, or a line that says what it would take.

    Shares of all images of a side, those in which the concept does not fire in a bin of their own;
    the energies of the others on a logarithmic axis.
    """
    natural = _natural(entry, concept)
    generated = entry.bundle.concept_energies(entry.model, concept)
    if natural is None or generated is None:
        return (
            "<p class='none'>The energies of single images are not here: pull the bundle with all "
            "its parts.</p>"
        )
    both = np.concatenate([natural.energies, generated.energies]).astype(np.float64)
    if not len(both):
        return "<p class='none'>It fires in no image.</p>"
    low, high = float(both.min()), float(both.max())
    edges = np.geomspace(low, max(high, 1.0001 * low), BINS + 1)
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    shares = [_shares(side, edges) for side in (natural, generated)]
    top = max(float(one[1:].max(initial=0)) for one in shares) or 1.0
    return _drawing(shares, top, low, high, (natural.images, generated.images))


def _natural(entry: Entry, concept: int) -> ConceptColumn | None:
    """The natural side that the model is compared with."""
    column = entry.bundle.concept_energies(NATURAL, concept)
    ids = entry.bundle.natural_ids(entry.model)
    every = entry.bundle.image_ids(NATURAL)
    if column is None or len(ids) == len(every):
        return column
    compared = set(ids)
    kept = np.array([every[row] in compared for row in column.rows], bool)
    return ConceptColumn(column.rows[kept], column.energies[kept], len(ids))


def _shares(side: ConceptColumn, edges: np.ndarray) -> np.ndarray:
    """Share of a side's images without the concept, then in each bin."""
    found, _ = np.histogram(side.energies, edges)
    silent = side.images - len(side.energies)
    return np.concatenate([[silent], found]) / max(side.images, 1)


def _drawing(
    shares: list[np.ndarray], top: float, low: float, high: float, images: tuple[int, int]
) -> str:
    wide = (WIDTH - LEFT - 4) / BINS
    bars = []
    for number_of, ((name, colour), values) in enumerate(zip(SIDES, shares, strict=True)):
        for k, value in enumerate(values[1:]):
            tall = (FLOOR - 16) * value / top
            if value > 0:
                x = LEFT + wide * (k + 0.08 + 0.42 * number_of)
                bars.append(
                    f'<rect x="{x:.1f}" y="{FLOOR - tall:.1f}" width="{0.42 * wide:.1f}" '
                    f'height="{max(tall, 0.8):.1f}" fill="{colour}"/>'
                )
        tall = (FLOOR - 16) * float(values[0])
        bars.append(
            f'<rect x="{6 + 13 * number_of}" y="{FLOOR - tall:.1f}" width="11" '
            f'height="{tall:.1f}" fill="{colour}" opacity=".75"><title>{name}: '
            f"{percent(float(values[0]))} without it</title></rect>"
        )
    told = "; ".join(
        f"it fires in {percent(1 - float(values[0]))} of {count(n)} {name} images"
        for (name, _), values, n in zip(SIDES, shares, images, strict=True)
    )
    legend = "".join(
        f'<rect x="{LEFT + 4 + 88 * k}" y="2" width="9" height="9" rx="2" fill="{colour}"/>'
        f'<text x="{LEFT + 17 + 88 * k}" y="10.5">{name}</text>'
        for k, (name, colour) in enumerate(SIDES)
    )
    return (
        f'<svg class="histogram" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-size="11" '
        f'font-family="sans-serif" fill="currentColor" '
        f'aria-label="Energies of single images: {told}">{legend}{"".join(bars)}'
        f'<path d="M2 {FLOOR}H34M{LEFT} {FLOOR}H{WIDTH - 4}" stroke="currentColor" opacity=".5"/>'
        f'<text x="2" y="{FLOOR + 14}">none</text>'
        f'<text x="{LEFT}" y="{FLOOR + 14}">{number(low)}</text>'
        f'<text x="{(LEFT + WIDTH) / 2}" y="{FLOOR + 14}" text-anchor="middle">energy in an image '
        "(logarithmic)</text>"
        f'<text x="{WIDTH - 4}" y="{FLOOR + 14}" text-anchor="end">{number(high)}</text></svg>'
        '<p class="way-on"><button type="button" data-drawing="svg">SVG</button> '
        '<button type="button" data-drawing="png">PNG</button></p>'
    )
