"""The map's colours: both sides of δ, told apart by everyone, in both themes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots_hub import paper
from blindspots_hub.explorer.page import colours


@given(st.floats(0, 1, exclude_min=False))
def test_a_level_keeps_the_side_of_both_thresholds(delta: float) -> None:
    level = int(colours.delta_bytes(np.array([delta]))[0])
    assert 0 <= level <= colours.LEVELS
    assert (level < colours.LEVELS * paper.SUPPRESSED_BELOW) == (delta < paper.SUPPRESSED_BELOW)
    assert (level > colours.LEVELS * paper.EXAGGERATED_ABOVE) == (delta > paper.EXAGGERATED_ABOVE)
    assert abs(level / colours.LEVELS - delta) <= 1 / colours.LEVELS + 1e-12


def test_no_judgement_is_unknown_and_a_gap_is_refused() -> None:
    assert colours.delta_bytes(np.array([np.nan, 0.5])).tolist() == [colours.UNKNOWN, 125]
    with pytest.raises(ValueError, match="not the gap"):
        colours.delta_bytes(np.array([1.7]))


@pytest.mark.parametrize("theme", colours.THEMES)
def test_palette_meets_the_scale_at_its_stops(theme: str) -> None:
    fill = colours.palette(theme)[0]
    for position, colour in colours.scale(theme):
        level = colours.delta_bytes(np.array([position]))[0]
        assert np.abs(fill[level, :3] - _rgb(colour) * 255).max() <= 2


# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protan": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "deutan": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "tritan": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
TO_XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])


def _rgb(colour: str) -> np.ndarray:
    return np.array(list(bytes.fromhex(colour[1:]))) / 255


def _linear(colour: str) -> np.ndarray:
    rgb = _rgb(colour)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _lab(colour: str, sight: str) -> np.ndarray:
    seen = np.clip(np.asarray(SIGHT[sight]) @ _linear(colour), 0, 1)
    x, y, z = np.cbrt(np.maximum(TO_XYZ @ seen / [0.9505, 1, 1.0888], 0.00886))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def _contrast(a: str, b: str) -> float:
    one, two = (float(TO_XYZ[1] @ _linear(colour)) + 0.05 for colour in (a, b))
    return max(one, two) / min(one, two)


def _hex(rgb: np.ndarray) -> str:
    return "#" + bytes(rgb[:3].tolist()).hex()


@pytest.mark.parametrize("sight", SIGHT)
def test_both_sides_stay_apart_for_every_kind_of_sight(sight: str) -> None:
    def apart(a: str, b: str) -> float:
        return float(np.linalg.norm(_lab(a, sight) - _lab(b, sight)))

    for blue, orange in zip(colours.SUPPRESSED, reversed(colours.EXAGGERATED), strict=True):
        assert apart(blue, orange) > 60
    for theme in colours.THEMES.values():
        for colour in (*colours.SUPPRESSED, *colours.EXAGGERATED):
            assert apart(colour, theme.middle) > 15


@pytest.mark.parametrize("name", colours.THEMES)
def test_blindspots_and_words_stand_out_from_the_background(name: str) -> None:
    theme, rim = colours.THEMES[name], colours.palette(name)[1]
    for level in (*range(25), *range(226, 251)):
        assert _contrast(_hex(rim[level]), theme.background) >= 3
    for text in (theme.suppressed_text, theme.exaggerated_text):
        assert _contrast(text, theme.background) >= 4.5
    assert _contrast(theme.unknown, theme.background) < _contrast(theme.middle, theme.background)
