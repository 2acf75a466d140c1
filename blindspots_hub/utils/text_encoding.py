"""The encoding of a text file that does not say it: UTF-8, UTF-16, UTF-32 or Windows-1252."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from blindspots_hub.errors import BlindspotsError

_LONGEST = 64 * 1024 * 1024
"""Bytes of a line that are looked at together."""

_BLOCK = 1 << 20

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_QUOTES = set("’‘´·–—…×\u00a0\u00ad")
"""Signs that stand inside words."""

_SIGNS = _QUOTES | set("“”„‚«»‹›•°€£¥§©®™±÷½¼¾¡¿¨¸ªº²³¹µ¶¬¦†‡‰¢¤ˆ˜¯")
"""What Windows-1252 has besides letters."""

_NO_BEGINNING = set("²³¹¼½¾±¶¬¦¨¸¯¢¤")
"""Signs that no word begins with."""

_MOST_FOREIGN = 0.6
"""Share of letters beyond ASCII that a text in a Latin script does not reach, but all others do."""


def decode(content: bytes, where: str) -> str:
    """The text of a small file, whatever its encoding; `BlindspotsError` where that is unclear."""
    kind = _marked(content[:4096])
    if kind is None:
        kind = _unmarked(iter([content]), where)
    try:
        return content.decode(kind)
    except UnicodeDecodeError:
        raise _unreadable(where, 1 + content.count(b"\n"), kind) from None


def text_encoding(path: Path) -> str:
    """Python's name of a text file's encoding: UTF-8, UTF-16, UTF-32 or Windows-1252.

    Raises `BlindspotsError` with the line where it is none of these for sure.
    """
    with open(path, "rb") as handle:
        kind = _marked(handle.read(4096))
        handle.seek(0)
        return kind or _unmarked(iter(lambda: handle.read(_BLOCK), b""), str(path))


def _marked(head: bytes) -> str | None:
    """The encoding that a byte-order mark names, or that zeros between letters give away."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    even, odd = head[::2].count(0), head[1::2].count(0)
    if len(head) >= 4 and max(even, odd) > len(head) // 8 and min(even, odd) <= len(head) // 64:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None


def _unmarked(blocks: Iterator[bytes], where: str) -> str:
    """UTF-8 where every line is, Windows-1252 where no line is and all look like it; else an error.

    A text of which some lines are UTF-8 and others are not was put together of two.
    """
    line, in_utf8, broken = 0, False, None
    signs = Counter[str]()
    for part in _at_line_ends(blocks):
        try:
            in_utf8 |= not part.decode("utf-8").isascii()
        except UnicodeDecodeError:
            for offset, one in enumerate(part.split(b"\n"), start=1):
                try:
                    in_utf8 |= not one.decode("utf-8").isascii()
                except UnicodeDecodeError:
                    broken = broken or line + offset
                    _count(one.decode("cp1252", "replace"), signs)
        line += part.count(b"\n")
    if broken is None:
        return "utf-8"
    if in_utf8 or signs["strange"] or signs["foreign"] > _MOST_FOREIGN * signs["letters"]:
        raise _unreadable(where, broken, "utf-8")
    return "cp1252"


def _at_line_ends(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that end where a line does, unless a line is longer than allowed."""
    kept = b""
    for block in blocks:
        kept += block
        end = kept.rfind(b"\n") + 1
        if end or len(kept) > _LONGEST:
            yield kept[:end] if end else kept
            kept = kept[end:] if end else b""
    if kept:
        yield kept


def _count(text: str, signs: Counter[str]) -> None:
    """Add up letters, foreign ones among them, and signs that texts in Windows-1252 do not have."""
    for place, sign in enumerate(text):
        if sign.isalpha() and sign not in "ªºµ":
            signs["letters"] += 1
            signs["foreign"] += not sign.isascii()
        elif not sign.isascii():
            before, after = text[max(place - 1, 0) : place], text[place + 1 : place + 2]
            # A sign that a word begins with, or holds, is another code page's letter.
            in_word = after.isalpha() and (sign in _NO_BEGINNING or before.isalpha())
            signs["strange"] += sign not in _SIGNS or (in_word and sign not in _QUOTES)


def _unreadable(where: str, line: int, kind: str) -> BlindspotsError:
    named = "UTF-8" if kind.startswith("utf-8") or kind == "cp1252" else kind.upper()
    return BlindspotsError(f"{where} is not {named} (line {line}): save it as UTF-8.")
