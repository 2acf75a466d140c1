"""Controls above a table, and the way through its pages, as HTML of one look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import gradio as gr

from blindspots_hub.explorer.page.format import count
from blindspots_hub.explorer.page.listening import server_time
from blindspots_hub.explorer.page.view import LONGEST

LONGEST_LINK = 4_000
"""Characters of a link that a table is exported by."""

NOTHING_LEFT = "Widen a filter above, or clear them all."
"""What fills a table that the filters have emptied."""

LOADING = (
    '<div class="table-loading" role="status" aria-live="polite"><i></i><i></i><i></i>'
    "<p>Loading…</p></div>"
)
"""The face of a table before it is there."""


def filter_form(elem_id: str) -> gr.HTML:
    """A form that raises `.ask` with the `values` of all its fields whenever one has changed.

    It asks one thing at a time: every answer to `.ask` has to hold `answered`. Write its HTML by
    `written`.
    """
    return gr.HTML(
        "",
        js_on_load=(Path(__file__).parent / "filters.js").read_text(encoding="utf-8"),
        elem_id=elem_id,
    )


def written(html: str) -> gr.HTML:
    """The update that writes a form anew: its fields say what `html` does."""
    now = server_time()
    return gr.HTML(html, written=now, answered=now)


def answered() -> gr.HTML:
    """The update that ends an answer to a form that stays as it is."""
    return gr.HTML(answered=server_time())


def asked_values(values: object) -> dict[str, str]:
    """What a form said, as texts of bounded length; of anything else nothing is taken."""
    if not isinstance(values, Mapping):
        return {}
    return {str(name)[:LONGEST]: str(value)[:LONGEST] for name, value in values.items()}


def form(name: str, fields: Sequence[str]) -> str:
    """Fields beside each other; `name` is what a screen reader calls them."""
    return (
        f'<form class="filters" aria-label="{escape(name)}" autocomplete="off">{"".join(fields)}'
        '<button type="reset" data-clear>Clear</button></form>'
    )


def select(name: str, label: str, choices: Sequence[tuple[str, str]], value: str) -> str:
    """A menu of (value, words)."""
    options = "".join(
        f'<option value="{escape(one)}"{" selected" if one == value else ""}>{escape(words)}'
        "</option>"
        for one, words in choices
    )
    return f'<label><span>{label}</span><select name="{name}">{options}</select></label>'


def entry_field(name: str, label: str, value: str, hint: str = "", numeric: bool = False) -> str:
    """A line of text, or a number."""
    kind = 'inputmode="decimal" size="6"' if numeric else 'type="search"'
    return (
        f'<label class="{"number" if numeric else "text"}"><span>{label}</span>'
        f'<input name="{name}" {kind} value="{escape(value)}" placeholder="{escape(hint)}" '
        f'spellcheck="false" maxlength="{LONGEST}"></label>'
    )


def pages_of(total: int, rows: int) -> int:
    """Pages that `total` rows fill; one even where there are none."""
    return max(1, -(-total // rows))


def pager(page: int, total: int, rows: int, what: str, label: str = "Pages") -> str:
    """Where one is in a table of `total` rows, and the ways to the other pages."""
    last = pages_of(total, rows)
    first_row, last_row = (page - 1) * rows + 1, min(page * rows, total)
    told = (
        f"{count(first_row)}–{count(last_row)} of {count(total)} {what}" if total else f"no {what}"
    )
    if total == 1:
        told = f"1 {what.removesuffix('s')}"
    if last == 1:
        return f'<nav class="pager" aria-label="{label}"><span role="status">{told}</span></nav>'
    buttons = "".join(
        f'<button type="button" data-page="{to}"{step} aria-label="{spoken}"'
        f"{'' if 1 <= to <= last and to != page else ' disabled'}>{sign}</button>"
        for to, step, sign, spoken in (
            (1, "", "«", "First page"),
            (page - 1, ' data-step="-1"', "‹", "Previous page"),
            (page + 1, ' data-step="1"', "›", "Next page"),
            (last, "", "»", "Last page"),
        )
    )
    return (
        f'<nav class="pager" aria-label="{label}"><span role="status">{told}</span>{buttons}'
        f"<span>page {count(page)} of {count(last)}</span></nav>"
    )


def exports(what: str, endings: Sequence[str], every: str = "") -> str:
    """Buttons that save the whole table, not only its page; with `every` those of all models too.

    `what` and `every` say what is saved.
    """
    rest = (
        '<span class="exports" role="group" aria-label="Export of all models"><small>all models'
        f"</small>{_buttons(every, endings, ' data-every')}</span>"
        if every and endings
        else ""
    )
    return (
        '<span class="exports" role="group" aria-label="Export">'
        f"{_buttons(what, endings)}</span>{rest}"
    )


def _buttons(what: str, endings: Sequence[str], mark: str = "") -> str:
    return "".join(
        f'<button type="button" data-file="{ending}"{mark} '
        f'title="{escape(what)} as {ending.upper()}">'
        f"{'CSV' if ending == 'csv' else ending.capitalize()}</button>"
        for ending in endings
    )
