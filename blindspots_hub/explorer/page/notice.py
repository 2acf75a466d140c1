"""A box of one sentence: an error, the end of something, what is lacking."""

from __future__ import annotations

import re
from html import escape


def notice(kind: str, title: str, sentence: str) -> str:
    """The box as HTML; `kind` is "done", "error" or "idle"."""
    return (
        f'<div class="notice is-{kind}" role="status"><b>{escape(title)}</b>'
        f"<p>{with_code(sentence)}</p></div>"
    )


def with_code(sentence: str) -> str:
    """A sentence as HTML; what stands between backticks is a command."""
    return re.sub("`([^`<>]{1,80})`", r"<code>\1</code>", escape(sentence))
