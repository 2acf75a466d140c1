"""What a state and the size of a change are called: the words of page, terminal and cards alike."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from blindspots_hub import paper
from blindspots_hub.measure.delta import fold
from blindspots_hub.utils.numerals import digits
from blindspots_hub.utils.numerals import times as times

MEANING = {
    "suppressed": "a blindspot: drawn so much less than in the natural images that δ < "
    f"{paper.SUPPRESSED_BELOW:g}",
    "exaggerated": "a blindspot: drawn so much more than in the natural images that δ > "
    f"{paper.EXAGGERATED_ABOVE:g}",
    "weakened": "drawn at most half as much as in the natural images, for sure, but not beyond the "
    "blindspot threshold",
    "strengthened": "drawn at least twice as much as in the natural images, for sure, but not "
    "beyond the blindspot threshold",
    "leaning": "a real difference of no sure size",
    "aligned": "no difference that could not be chance",
    "undetermined": "seen in too few images for a judgement",
    "dead": "fires in none of these images",
}
"""One line a state, in the order in which pages list them."""

ORDER = tuple(MEANING)
"""States as pages list them, the most telling first."""

SIGNS = {
    "suppressed": "▼",
    "exaggerated": "▲",
    "weakened": "▽",
    "strengthened": "△",
    "leaning": "◇",
    "aligned": "○",
}
"""A sign beside the colour of a state, for those who see no colour."""

_PARTS = {
    Fraction(1, 10): "a tenth as much",
    Fraction(1, 5): "a fifth as much",
    Fraction(1, 4): "a quarter as much",
    Fraction(1, 3): "a third as much",
    Fraction(1, 2): "half as much",
    Fraction(2, 3): "two thirds as much",
    Fraction(3, 4): "three quarters as much",
    Fraction(1): "as much",
    Fraction(5, 4): "a quarter more",
    Fraction(3, 2): "half as much again",
    Fraction(2): "twice as much",
}
"""Fold changes that have a word; any other is a number of times."""


def are(n: int) -> str:
    """The verb of a number of things: "is" of one, else "are"."""
    return "is" if n == 1 else "are"


def fold_words(ratio: float) -> str:
    """A fold change E'/E as people say it: "about half as much", "4.2 times as much".

    0 is "never", infinity "only the model"; NaN, where neither side fires, is "–".
    """
    if math.isnan(ratio):
        return "–"
    if ratio == 0:
        return "never drawn"
    if math.isinf(ratio):
        return "only drawn, never in the natural images"
    for part, words in _PARTS.items():
        if abs(math.log(ratio / float(part))) < 0.07:
            return f"about {words}"
    if ratio < 1:
        return f"about {digits(100 * ratio, trim=True)}% as much"
    return f"about {times(ratio)} times as much"


def change_words(r: float, low: float, high: float) -> str:
    """A relative gap r with its interval in a sentence: "about half as much (0.4 to 0.6 ×)".

    Without an interval (ends NaN, for what is not judged) the fold change stands alone.
    """
    ratio, least, most = fold(np.array([r, low, high])).tolist()
    if not (math.isfinite(low) and math.isfinite(high)):
        return fold_words(ratio)
    return f"{fold_words(ratio)} ({times(least)} to {times(most)} ×)"
