"""Concepts in short, a row each that opens its card: what rankings and regions are tables of."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.analysis.words import SIGNS, times
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import (
    DRAWN,
    count,
    explained,
    explained_mark,
    interval,
    term,
)
from blindspots_hub.explorer.page.marks import NOT_JUDGED, bare_track, delta_words, state_name
from blindspots_hub.explorer.page.pictures import thumbnail_url
from blindspots_hub.measure.delta import fold


def table(entry: Entry, kind: str, concepts: Sequence[int]) -> str:
    """`concepts` in their order as a table whose rows open them."""
    return rows_table(concept_rows(entry, kind, concepts))


def rows_table(rows: list[str]) -> str:
    """Rows of `concept_rows` and `note` below their heads, as HTML."""
    return (
        '<div class="scroll" tabindex="0"><table><thead><tr>'
        f"<th>{explained('images', 'Strongest natural image, strongest generated image')}</th>"
        f"<th>concept</th><th>{explained('drawn', DRAWN)}</th>"
        f"<th>{term('selected', 'interval')}</th><th>state</th>"
        f"<th>{explained('seen', 'Natural / generated images in which it fires')}</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def note(text: str) -> str:
    """A row that is a sentence."""
    return f'<tr class="note"><td colspan="6">{escape(text)}</td></tr>'


def concept_rows(entry: Entry, kind: str, concepts: Sequence[int]) -> list[str]:
    """A row a concept: pictures, name, change, interval, state, images in which it fires."""
    labels = entry.bundle.labels
    reading = entry.reading(kind)
    return [_row(entry, reading, k, labels[k]) for k in concepts]


def _row(entry: Entry, reading: ModelDeltas, concept: int, label: str) -> str:
    state = state_name(reading, concept)
    sure = "certain" if reading.certain[concept] else state
    ends, drawn = NOT_JUDGED, NOT_JUDGED
    if reading.determined[concept]:
        low, high = reading.selected_low[concept], reading.selected_high[concept]
        ends = f"δ {delta_words(reading, concept)}, picked {interval(float(low), float(high))}"
        drawn = f"{times(float(fold(reading.r[concept])))} ×"
    return (
        f'<tr data-open="{concept}" tabindex="0"><td>{_pictures(entry, concept)}'
        f'<td><b class="sign is-{state}" aria-hidden="true">{SIGNS.get(state, "")}</b>'
        f"<small>#{concept}</small> {escape(label)}"
        f"<td>{drawn}"
        f"<td>{explained_mark(bare_track(reading, concept, selected=True), ends, drawing=True)}"
        f'<td class="is-{state}">{SIGNS.get(state, "")} {sure}'
        f"<td>{count(round(reading.images_natural[concept]))} / "
        f"{count(round(reading.images_generated[concept]))}</tr>"
    )


def _pictures(entry: Entry, concept: int) -> str:
    """The strongest natural and the strongest generated image, small; a gap where there is none."""
    row = entry.bundle.deltas(entry.model).slice(concept, 1)
    cells = []
    for source, column in ((NATURAL, "top_natural"), (entry.model, "top_generated")):
        tops = row[column][0].as_py()
        image = next((one for one in tops if entry.bundle.has_thumbnail(source, one)), None)
        side = "natural" if source == NATURAL else "generated"
        cells.append(
            f'<i class="gap" title="no {side} image"></i>'
            if image is None
            else f'<img alt="{side} image of #{concept}" loading="lazy" '
            f'src="{escape(thumbnail_url(entry.bundle, source, image))}">'
        )
    return f'<span class="two">{"".join(cells)}</span>'
