"""A box of one sentence: an error, the end of something, what is lacking."""

from __future__ import annotations

from html import escape


def notice(kind: str, title: str, sentence: str) -> str:
    """The box as HTML; `kind` is "done", "error" or "idle"."""
    return (
        f'<div class="notice is-{kind}" role="status"><b>{escape(title)}</b>'
        f"<p>{escape(sentence)}</p></div>"
    )
