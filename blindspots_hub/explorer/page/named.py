"""A concept's best name with who gave it, as tables and lists of the page show it."""

from __future__ import annotations

from html import escape

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.explorer.page.format import name

PROVISIONAL = "A word of the captions where it fires: nothing looked at the images."


def named(bundle: Bundle, concept: int) -> str:
    """#id, name and `named_by`, as HTML."""
    return f"{name(concept, bundle.labels[concept])} {named_by(bundle, concept)}".strip()


def named_by(bundle: Bundle, concept: int) -> str:
    """The method of the name that is shown, marked where it is provisional; "" of no name."""
    found = bundle.label_of(concept)
    if found is None:
        return ""
    told = f"named by {found.by}"
    if found.provisional:
        return (
            f'<small class="by is-provisional" title="{escape(told)}. {PROVISIONAL}">'
            f"{escape(found.method)} · provisional</small>"
        )
    return f'<small class="by" title="{escape(told)}">{escape(found.method)}</small>'
