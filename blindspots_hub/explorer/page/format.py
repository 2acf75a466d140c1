"""Numbers and words as the page shows them: two significant digits, and never untrusted HTML."""

from __future__ import annotations

import math
from html import escape

from blindspots_hub import paper
from blindspots_hub.artifacts.schema import SUPPORT

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

THRESHOLDS = f"{paper.SUPPRESSED_BELOW:g}", f"{paper.EXAGGERATED_ABOVE:g}"
"""Both thresholds of δ in digits: of what is suppressed, of what is exaggerated."""

SCALE = "below {} far too rarely, 0.5 as in nature, above {} far too often".format(*THRESHOLDS)
"""How to read either δ. Its ends mean nothing of their own: never drawn is 0.076 by relative δ."""

TERMS = {
    "δ": f"δ compares the model with the natural images: {SCALE}.",
    "energy": "Energy is how strongly a concept shows in an image, summed over its patches.",
    "q": "q is the share of false alarms to expect among the concepts with a q this small.",
    "interval": "{confidence} interval: measured anew on other pairs, it would hold the true value "
    "that often.",
    "selected": "A concept at the top of a ranking is there because it is extreme. This wider "
    "interval holds the truth also for concepts that were picked that way; only it decides what is "
    "called certain.",
    "null": "What the method flags when the two sides’ images are exchanged at random, so that "
    "nothing differs: its false alarms, and the least and most of the repeats.",
    "relative": "Relative δ compares by ratio, so that rare concepts count as much as common ones.",
    "absolute": "Absolute δ compares by difference of energies: common concepts weigh more.",
    "support": f"{SUPPORT[0].upper()}{SUPPORT[1:]}.",
    "sampler": "Another image of the same caption would differ by chance. This part of the "
    "variance shrinks with more images a caption, the rest with more pairs only.",
    "label": "A short name for what the concept’s images share, given by a person or by the method "
    "that is named. It is a hint: the images are the proof.",
    "stress test": "Prompts that ask for the concept were drawn: confirmed is a blindspot that is "
    "missing even then, less than half as often shown as it should be, for sure.",
    "cosine": "1 is the same direction or the same images, 0 has nothing in common.",
}
"""The words that need one line of explanation; `term` puts it on hover, on focus and on a tap."""

DRAWN = "Energy of the generated over that of the natural images"
"""What a column of fold changes holds."""

OVER_ALL = "What the model does with the concept over all pairs"
"""What a column of states holds, beside numbers of some images."""


SHOWN_BELOW, SHOWN_ABOVE = 0.001, 0.99
"""Ends of δ beyond which no digits are shown."""


def term(word: str, shown: str | None = None, **facts: str) -> str:
    """`shown` (or `word`) as HTML that explains itself.

    `facts` fill the places that an explanation leaves open, such as the confidence of an interval.
    """
    return explained(shown or word, TERMS[word].format(**facts) if facts else TERMS[word])


def explained(word: str, told: str) -> str:
    """`word` as HTML that says `told` on hover, on focus and on a tap (`definitions.js`)."""
    return f'<abbr title="{escape(told)}" tabindex="0">{escape(word)}</abbr>'


def explained_mark(mark: str, told: str, drawing: bool = False) -> str:
    """`mark`, as HTML in a row of a table, that says `told` on hover and on a tap.

    It is no stop of the keyboard: a row is opened as a whole, and its column’s head is explained.
    A `drawing` has no words of its own to be read aloud.
    """
    words = escape(told)
    spoken = f' role="img" aria-label="{words}"' if drawing else ""
    return f'<abbr title="{words}"{spoken}>{mark}</abbr>'


def count(n: int) -> str:
    """A whole number with thousands separators."""
    return f"{n:,}"


def number(value: float) -> str:
    """Two significant digits, without an exponent between 0.0001 and 100,000."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if -5 < size < 5:
        rounded = round(value, 1 - size)
        return f"{rounded:,.{max(1 - math.floor(math.log10(abs(rounded))), 0)}f}"
    return power(value)


def probability(value: float) -> str:
    """δ: two significant digits, or two decimals above 0.1; its ends as `<0.001` and `>0.99`."""
    if not math.isfinite(value):
        return "–"
    if value < SHOWN_BELOW:
        return f"<{SHOWN_BELOW}"
    if value > SHOWN_ABOVE:
        return f">{SHOWN_ABOVE}"
    return f"{value:.2f}" if value >= 0.0995 else number(value)


def power(value: float) -> str:
    """One digit and a power of ten: 3×10⁻¹²."""
    digit, exponent = f"{value:.0e}".split("e")
    return f"{digit}×10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def q_value(q: float) -> str:
    """q in powers of ten; from 0.01 on with two digits."""
    if not math.isfinite(q):
        return "–"
    if q >= 0.01:
        return number(q)
    return power(q) if q > 1e-300 else "<10⁻³⁰⁰"


def interval(low: float, high: float) -> str:
    """The ends of an interval of δ in brackets."""
    return f"[{probability(low)}, {probability(high)}]"


def percent(share: float) -> str:
    """A share as a percentage: two significant digits, 0% only for exactly 0."""
    return f"{number(100 * share)}%"


def name(concept: int, label: str) -> str:
    """#id and label, escaped: how the page names a concept everywhere."""
    return f"#{concept} {escape(label)}".strip()
