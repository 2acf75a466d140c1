"""The diverging scale of δ: the one place where its colours are written down.

Suppressed is blue, exaggerated is orange, as in the paper's figures. The paper's middle, #582949,
is darker than both ends: where most concepts are aligned (a map, a scatter) it would dominate on a
light page and vanish on a dark one, so a neutral grey of the theme stands in its place there.

Checked, and held by `tests/explorer/test_colours.py`:

- Colour blindness: blue and orange of the same strength stay more than 60 ΔE (CIE 1976) apart for
  normal, protan, deutan and tritan sight (Machado et al. 2009, full severity); each keeps more than
  15 from the grey middle.
- Contrast against the map's background (WCAG): on dark every coloured stop reaches 3:1. On light
  the bright ends reach only 1.8:1, so the map draws them with a darker outline of at least 3:1.
- Never colour alone: beyond the thresholds the map also changes the shape, ▼ suppressed and
  ▲ exaggerated; words that name a state use `Theme.suppressed_text` and `exaggerated_text`, 4.5:1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blindspots_hub.analysis.figures import EXAGGERATED, MIDDLE, SUPPRESSED

LEVELS = 250
"""δ in [0, 1] becomes a byte in 0..250: steps of 0.004, and 0.1 and 0.9 fall on whole levels."""

FILTERED = 254
"""The byte of a point that the map's filter fades; set in the browser, never in data."""

UNKNOWN = 255
"""The byte of a concept without a judgement: dead, or too rare to tell."""


@dataclass(frozen=True)
class Theme:
    """The greys of one theme, and the blue and orange that are readable as text on it."""

    background: str
    middle: str
    unknown: str
    filtered: str
    suppressed_text: str
    exaggerated_text: str
    outlined: bool


THEMES = {
    "light": Theme("#f8f8fa", MIDDLE, "#d3d3da", "#dddde3", "#46649f", "#98502f", True),
    "dark": Theme("#15161c", "#686874", "#363741", "#30313a", "#65c7de", "#e8b548", False),
}
"""Keyed by `"light"` and `"dark"`, the names that every function here takes as `theme`."""


def scale(theme: str = "light") -> list[tuple[float, str]]:
    """The stops (δ, hex colour) of the scale, δ ascending from 0 to 1.

    The middle is the theme's grey.
    """
    return [
        (0.0, SUPPRESSED[0]),
        (0.25, SUPPRESSED[1]),
        (0.5, THEMES[theme].middle),
        (0.75, EXAGGERATED[0]),
        (1.0, EXAGGERATED[1]),
    ]


def css_gradient(theme: str = "light") -> str:
    """`scale` as a CSS `linear-gradient`, δ growing to the right."""
    stops = ", ".join(f"{colour} {100 * at:g}%" for at, colour in scale(theme))
    return f"linear-gradient(90deg, {stops})"


def css_variables(theme: str) -> str:
    """The scale as CSS custom properties `--delta-…`, for legends, badges and tables."""
    greys = THEMES[theme]
    return "".join(
        f"--delta-{name}: {value}; "
        for name, value in (
            ("suppressed", SUPPRESSED[0]),
            ("exaggerated", EXAGGERATED[1]),
            ("suppressed-text", greys.suppressed_text),
            ("exaggerated-text", greys.exaggerated_text),
            ("middle", greys.middle),
            ("unknown", greys.unknown),
            ("background", greys.background),
            ("gradient", css_gradient(theme)),
        )
    )


def delta_bytes(delta: np.ndarray) -> np.ndarray:
    """δ (N,) in [0, 1] as uint8 (N,): a level 0..250, and `UNKNOWN` where δ is NaN.

    Levels round away from 0.5, so that the thresholds survive: a level is below 25 exactly where
    δ < 0.1, and above 225 exactly where δ > 0.9. Raises `ValueError` for δ outside [0, 1].
    """
    known = ~np.isnan(delta)
    value = np.where(known, delta, 0.5).astype(np.float64)
    if np.any((value < 0) | (value > 1)):
        raise ValueError("δ lies in [0, 1]: pass σ(gap / τ), not the gap.")
    level = np.where(value < 0.5, np.floor(value * LEVELS), np.ceil(value * LEVELS))
    return np.where(known, level, UNKNOWN).astype(np.uint8)


def palette(theme: str) -> np.ndarray:
    """Fill and outline of every byte: uint8 (2, 256, 4), RGBA, for the map's drawing.

    Rows are fill and outline; the columns are levels 0..250, `FILTERED` and `UNKNOWN`.
    """
    greys = THEMES[theme]
    at = np.arange(LEVELS + 1) / LEVELS
    positions, colours = zip(*scale(theme), strict=True)
    stops = np.array([_rgb(colour) for colour in colours], dtype=np.float64)
    table = np.zeros((2, 256, 4))
    for channel in range(3):
        table[:, : LEVELS + 1, channel] = np.interp(at, positions, stops[:, channel])
    table[:, : LEVELS + 1, 3] = 255
    table[:, UNKNOWN] = (*_rgb(greys.unknown), 255)
    table[:, FILTERED] = (*_rgb(greys.filtered), 150)
    if greys.outlined:
        strength = np.clip(4 * np.abs(at - 0.5) - 0.5, 0, 1)  # none in the middle, all at the ends
        table[1, : LEVELS + 1, :3] *= 1 - 0.42 * strength[:, None]
    return table.round().astype(np.uint8)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue
