"""Text that others wrote, put into Markdown so that it shows as text and does nothing else.

Titles, captions, notes and names of models may come from anybody. A template's fields pass through
`shown`: strings are escaped, and only what one of these functions made Markdown of stays as it is.
"""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from typing import Any

_PUNCTUATION = re.compile(r"([\\`*\[\]|~{}$@]|(?<={)%|(?<!\w)_|_(?!\w))")
_AUTOLINK = re.compile(r"(?i)(:)(?=//)|(?<=\bwww)(\.)")
_BLOCK = re.compile(r"^(?:([-+]|#{1,6}|\d{1,9}[.)])(?=\s|$)|(=+|-[-\s]*)$)")
_SPACES = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, invisible, surrogate, line and paragraph ends


class Markdown(str):
    """Markdown that is shown as it is."""


def one_line(value: object) -> str:
    """`value` as one line: runs of white space become one space, what cannot be seen is gone."""
    seen = (" " if unicodedata.category(c) in _SPACES else c for c in str(value))
    return " ".join("".join(seen).split())


def text(value: object) -> Markdown:
    """`value` as plain text: no markup, no HTML, no link, no mention, one line."""
    line = one_line(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _PUNCTUATION.sub(r"\\\1", line)
    line = _AUTOLINK.sub(lambda found: f"\\{found[0]}", line)
    return Markdown(_BLOCK.sub(_no_block, line))


def _no_block(found: re.Match[str]) -> str:
    """What would open a heading, a list or a rule at the start of a line, and is none."""
    mark = found[0]
    return f"{mark[:-1]}\\{mark[-1]}" if mark[0].isdigit() else f"\\{mark}"


def code(value: object) -> Markdown:
    """`value` as a code span, which may stand in a cell of a table."""
    line = one_line(value).replace("`", "'").replace("|", "¦")
    return Markdown(f"`{_no_fields(line)}`")


def quoted(value: object) -> Markdown:
    """`value` as a Python string within a block of code."""
    # JSON escapes of a string are Python's, and `{` is never doubled by them.
    literal = json.dumps(str(value), ensure_ascii=False).replace("{", "\\u007b")
    return Markdown(literal.encode("utf-8", "backslashreplace").decode())


def shell(value: object) -> Markdown:
    """`value` as one word of a command line within a block of code; it is one line."""
    return Markdown(_no_fields(shlex.quote(one_line(value))))


def _no_fields(line: str) -> str:
    """Braces apart, so that nothing reads as a field of a template that was left unfilled."""
    while "{{" in line or "{%" in line:
        line = line.replace("{{", "{ {").replace("{%", "{ %")
    return line


def shown(value: Any) -> Any:
    """What a field of a template becomes: numbers and Markdown as they are, text escaped.

    A field that is None has no place in a card: `ValueError`.
    """
    if value is None:
        raise ValueError("a card has a field that is None")
    if isinstance(value, (Markdown, int, float)):
        return value
    return text(value)
