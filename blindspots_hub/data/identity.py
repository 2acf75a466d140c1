"""What a pair is called, what is drawn for it, and which pairs are drawn at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Literal

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import fingerprint

MAX_CAPTION = 2_000
"""Characters of the longest caption that is kept; text encoders read 77 to 512 tokens."""

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
"""Form of a Hub id: "org/name" or "org/name@revision"."""

CaptionCause = Literal["caption_empty", "caption_too_long", "caption_not_text"]
"""Why a caption cannot be used."""


class CaptionError(BlindspotsError):
    """A caption that cannot be used; `cause` is what callers count skipped pairs by."""

    def __init__(self, cause: CaptionCause, sentence: str) -> None:
        super().__init__(sentence)
        self.cause: CaptionCause = cause


def check_caption(text: object) -> str:
    """Return the caption without surrounding blanks, or raise `CaptionError`.

    Refused are what is no text (None, a number, half a surrogate pair), blank text, and more than
    `MAX_CAPTION` characters.
    """
    if text is None:
        raise CaptionError("caption_empty", "A caption is missing: write one or drop the pair.")
    if not isinstance(text, str):
        raise CaptionError(
            "caption_not_text", f"A caption is a {type(text).__name__}, not text: write it as text."
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise CaptionError(
            "caption_not_text", "A caption holds broken Unicode: save its file as UTF-8."
        ) from None
    caption = text.strip()
    if not caption:
        raise CaptionError("caption_empty", "A caption is empty: write one or drop the pair.")
    if len(caption) > MAX_CAPTION:
        raise CaptionError(
            "caption_too_long",
            f"A caption has {len(caption)} characters, more than {MAX_CAPTION}: "
            "shorten it or drop the pair.",
        )
    return caption


def pair_id(caption: str, content: bytes | str) -> str:
    """Stable name of a pair: 16 hex digits of its caption and natural image.

    `content` is the image file's bytes, or its URL where the bytes are not at hand. The same pair
    has the same id on every machine and in every order.
    """
    if isinstance(content, bytes):
        image = {"sha256": hashlib.sha256(content).hexdigest()}
    else:
        image = {"url": content}
    return fingerprint({"caption": caption, "image": image})[:16]


def generation_id(pair_id: str, number: int) -> str:
    """Name of generation `number` (from 0) of a pair's caption; the first has the pair's own name.

    `pair_seed` of it is its seed: the first does not depend on how many there are.
    """
    return pair_id if number == 0 else f"{pair_id}-{number}"


def pair_seed(pair_id: str, seed: int) -> int:
    """Seed, below 2⁶³, of the generation for one pair; independent of every other pair.

    Of one generation of several, where `pair_id` is its `generation_id`.

    The hash has a domain of its own: with the one of `choose_pairs`, the pairs of a small subset
    would all have small seeds.
    """
    digest = hashlib.sha256(f"generate:{seed}:{pair_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def choose_pairs(pair_ids: Iterable[str], n: int, seed: int) -> list[str]:
    """Draw `n` pairs: the same for a seed whatever the order, and nested (n = 10 within n = 20).

    The n ids with the smallest sha256 of "seed:id", sorted by id. Raises `BlindspotsError` where
    `n` is less than 1 or more than there are distinct ids.
    """
    distinct = set(pair_ids)
    if n < 1:
        raise BlindspotsError(f"{n} pairs were asked for: ask for at least 1.")
    if n > len(distinct):
        raise BlindspotsError(
            f"{n} pairs were asked for, but there are only {len(distinct)}: "
            f"ask for at most {len(distinct)} or add pairs to the source."
        )

    def rank(name: str) -> bytes:
        return hashlib.sha256(f"{seed}:{name}".encode()).digest()

    return sorted(sorted(distinct, key=rank)[:n])
