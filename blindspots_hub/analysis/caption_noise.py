"""Captions that do not describe their image: told from the text alone, or from given scores.

From the text: rules of what web captions are when they are none (file names, shop titles, links,
words about the photograph instead of what it shows). They know no particular data set; how many of
the truly noisy captions they catch, and at what cost, `tests/planted/test_caption_noise.py` shows.
"""

from __future__ import annotations

import re

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import IMAGE_TEXT

_FILE = re.compile(r"(?i)^\S*\.(?:jpe?g|png|gif|webp|tiff?|bmp)$|\b(?:img|dsc|dscn|p)_?\d{3,}\b")
_LINK = re.compile(r"(?i)https?://|www\.|\.com\b|@\w+|#\w+")
_SHOP = re.compile(
    r"(?i)\b(?:free shipping|shop now|best price|buy now|on sale|sale \d|premium quality|in stock|"
    r"wholesale|\d+ ?% off|sku|pack of|\(set\)|add to cart|order now|new \d{4})\b|!!|[$€£]\s?\d|"
    r"\(set\)|\b\d+ ?(?:ml|cl|oz|kg|lbs?|pcs)\b|\bsale\b"
)
_ABOUT_WORDS = """
a an the my our your this that what such so very image images photo photos
photograph picture pictures pic snapshot shot view stock photography taken by me
from i we it is was nice lovely beautiful great amazing favourite favorite best
new old today yesterday untitled
"""
_ABOUT = frozenset(_ABOUT_WORDS.split())
_WHERE_WORDS = """
in on at under over against near beside by with while during from outside inside
behind
"""
_WHERE = frozenset(_WHERE_WORDS.split())
REASONS = ("file name", "link", "shop title", "no words", "names no thing")
"""Why a caption is called noisy."""


def noise(caption: str) -> str | None:
    """Why a caption is no description, one of `REASONS`; None where it may be one."""
    text = caption.strip()
    if _FILE.search(text):
        return "file name"
    if _LINK.search(text):
        return "link"
    if _SHOP.search(text):
        return "shop title"
    words = re.findall(r"[^\W\d_]{2,}|\ba\b", text.lower())
    if not words or sum(map(len, words)) < 0.4 * len(text.replace(" ", "")):
        return "no words"
    telling = [word for word in words if word not in _ABOUT and word != "of"]
    if not telling or telling[0] in _WHERE:
        return "names no thing"
    return None


def noisy(captions: list[str]) -> np.ndarray:
    """bool (N,): captions that the rules call noisy."""
    return np.array([noise(one) is not None for one in captions], bool)


def scored_noise(bundle: Bundle, model: str, ids: list[str]) -> np.ndarray | None:
    """bool (N,): captions that fit their natural image no better than another caption would.

    By the scores of an image-text model, where the bundle keeps them of all `ids`; None otherwise.
    No better: below the 95% quantile of natural images scored against captions of others.
    """
    table = bundle.optional(IMAGE_TEXT, model)
    if table is None:
        return None
    row = {pair_id: i for i, pair_id in enumerate(table["pair_id"].to_pylist())}
    if not set(ids) <= set(row):
        return None
    rows = [row[pair_id] for pair_id in ids]
    own = table["natural"].to_numpy()[rows]
    others = table["mismatched"].to_numpy()
    others = others[np.isfinite(others)]
    if not len(others) or not np.isfinite(own).all():
        return None
    return np.asarray(own <= np.quantile(others, 0.95))


def wilson(count: int, n: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share, `count` of `n`; NaN of none."""
    if n == 0:
        return float("nan"), float("nan")
    z, share = 1.959964, count / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))
