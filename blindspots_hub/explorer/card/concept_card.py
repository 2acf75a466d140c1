"""A concept's card: what it is, how the model draws it, and the images that prove it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.card.all_images import all_images_part
from blindspots_hub.explorer.card.link import link
from blindspots_hub.explorer.card.naming import named_by, names_file
from blindspots_hub.explorer.card.neighbours import neighbours_part
from blindspots_hub.explorer.page.catalog import OPEN, Entry, bundle_id
from blindspots_hub.explorer.page.format import (
    count,
    interval,
    name,
    number,
    percent,
    probability,
    q_value,
    term,
)
from blindspots_hub.explorer.page.marks import (
    NOT_JUDGED,
    badge,
    bare_track,
    delta_words,
    state_name,
    state_words,
    track,
)
from blindspots_hub.explorer.page.pictures import heat_switch, largest_code, pair_figure
from blindspots_hub.explorer.page.verdicts import verdict_of
from blindspots_hub.explorer.page.view import View


def empty_card(entry: Entry, kind: str, editable: bool = False) -> str:
    """The face of the card's place while no concept is open; `editable` as for `concept_card`."""
    return (
        f'<article class="card empty" data-link="{escape(link(entry, kind, None))}">'
        "<p><b>No concept is open.</b></p><p>Click a point of the map, a row of the rankings, or "
        "search: the card shows the concept in natural images and in what the model drew from the "
        f"same captions.</p>{names_file(editable)}</article>"
    )


def concept_card(
    entry: Entry,
    kind: str,
    concept: int,
    others: Sequence[Entry],
    opened: bool = True,
    view: View | None = None,
    editable: bool = False,
) -> str:
    """The whole card as HTML; every text of the bundle in it is escaped.

    `others` are the models to compare with, `entry` among them; `opened` tells a visitor's own
    choice from the card that the page opens with, which stays below the map on a phone; `view`
    says how it is shown (neighbours, overlays). `editable`: the concept's name can be changed.
    """
    query = link(entry, kind, concept)
    shown = replace(view or View(), kind=kind, concept=concept)
    sheet = ' data-sheet="1"' if opened else ""
    return (
        f'<article class="card" data-concept="{concept}" data-link="{escape(query)}"{sheet}>'
        + _head(entry, concept, editable)
        + _verdict(entry, kind, concept)
        + '<details class="spread"><summary>Energies of single images</summary>'
        "<div data-histogram></div></details>"
        + _proof(entry, concept, shown.heat)
        + all_images_part()
        + _relations(entry, kind, concept)
        + neighbours_part(entry, shown)
        + _models(entry, kind, concept, others)
        + "</article>"
    )


def _label(entry: Entry, concept: int) -> str:
    return entry.bundle.labels[concept]


def _head(entry: Entry, concept: int, editable: bool) -> str:
    return (
        f"<header><h2>{name(concept, _label(entry, concept))}</h2><span class='tools'>"
        '<button type="button" data-copy title="A link to this concept, model and δ">Copy link'
        "</button>"
        '<button type="button" data-close aria-label="Close the card" title="Close (Esc)">×'
        "</button></span></header>" + named_by(entry, concept, editable)
    )


def _verdict(entry: Entry, kind: str, concept: int) -> str:
    reading = entry.reading(kind)
    natural, generated = image_totals(entry)
    parts = [
        f"in <b>{count(round(reading.images_natural[concept]))}</b> of {count(natural)} natural "
        f"and <b>{count(round(reading.images_generated[concept]))}</b> of {count(generated)} "
        "generated images",
        f"{term('energy')} an image {number(float(reading.energy_natural[concept]))} → "
        f"{number(float(reading.energy_generated[concept]))}",
        f"{term('q')}\u00a0{q_value(float(reading.q[concept]))}",
    ]
    _, _, meaning = state_words(reading, concept, entry.paired).partition(": ")
    return (
        f'<div class="verdict">{badge(reading, concept)}'
        f"<span>{escape(meaning)}</span></div>"
        f'<div class="value"><span class="delta">{_delta(entry, kind, concept)}</span>'
        f"{track(reading, concept)}</div>"
        f'<p class="facts">{" · ".join(parts)}</p>{_sampler(entry, concept)}'
        f"{_stress_test(entry, concept)}"
    )


def _delta(entry: Entry, kind: str, concept: int) -> str:
    """δ with both of its intervals; "–" where it is not judged."""
    reading = entry.reading(kind)
    name_of = term(kind, f"{kind} δ")
    if not reading.determined[concept]:
        return f"{name_of} <b>{NOT_JUDGED}</b>"
    value, low, high, selected_low, selected_high = (
        float(part[concept])
        for part in (
            reading.delta, reading.low, reading.high, reading.selected_low, reading.selected_high,
        )
    )  # fmt: skip
    confidence = f"{entry.confidence:.4g}%"
    ends = term("interval", interval(low, high), confidence=confidence)
    picked = term("selected", f"picked {interval(selected_low, selected_high)}")
    shown = picked if (low, high) != (selected_low, selected_high) else ""
    return f"{name_of} <b>{escape(probability(value))}</b> {ends} <small>{shown}</small>"


def _sampler(entry: Entry, concept: int) -> str:
    """How much of the uncertainty is the sampler's, where captions were drawn several times."""
    share = entry.bundle.deltas(entry.model)["sampler_share"][concept].as_py()
    if share is None:
        return ""
    return (
        f'<p class="facts sampler"><b>{percent(share)}</b> of the uncertainty is '
        f"{term('sampler', 'the sampler’s luck')}</p>"
    )


def _stress_test(entry: Entry, concept: int) -> str:
    """What prompts that asked for the concept have shown, where a stress test was made."""
    badge_of = verdict_of(entry, concept)
    if not badge_of:
        return ""
    address = escape(replace(View(bundle_id(entry.bundle), entry.model), concept=concept,
                             tab="stress").link)  # fmt: skip
    return (
        f'<p class="facts stress-test"><a href="{address}">{term("stress test")}</a> {badge_of}</p>'
    )


def image_totals(entry: Entry) -> tuple[int, int]:
    """How many natural and how many generated images the model's table was measured on."""
    natural = entry.pairs if entry.paired else len(entry.bundle.natural_ids(entry.model))
    return natural, entry.pairs


def _proof(entry: Entry, concept: int, heat_percent: int) -> str:
    row = entry.bundle.deltas(entry.model).slice(concept, 1)
    tops = {
        NATURAL: list(row["top_natural"][0].as_py()),
        entry.model: list(row["top_generated"][0].as_py()),
    }
    sources = (NATURAL, entry.model)
    shown = [
        (source, image)
        for lead, images in tops.items()
        for image in images
        for source in (sources if entry.paired else (lead,))
    ]
    largest = largest_code(entry.bundle, concept, shown)
    strips = [
        _strip(entry, "Strongest in natural images", NATURAL, tops[NATURAL], concept, largest),
        _strip(
            entry, "Strongest in generated images", entry.model, tops[entry.model], concept, largest
        ),
    ]
    hint = "each column is one caption" if entry.paired and shown else ""
    switch = heat_switch(heat_percent, largest)
    legend = f'<div class="legend-row"><span>{hint}</span>{switch}</div>'
    return f'<section class="proof">{legend}{"".join(strips)}</section>'


def _strip(
    entry: Entry,
    heading: str,
    lead: str,
    images: list[str],
    concept: int,
    largest: float,
) -> str:
    """Columns of one caption each: the natural image above, the generated one below."""
    if not images:
        side = "natural" if lead == NATURAL else "generated"
        return f'<h3>{heading}</h3><p class="none">It fires in no {side} image.</p>'
    rows = (NATURAL, entry.model) if entry.paired else (lead,)
    sides = "".join(
        f"<span>{'natural' if source == NATURAL else 'generated'}</span>" for source in rows
    )
    columns = "".join(
        pair_figure(entry.bundle, rows, image, concept, largest or 1.0) for image in images
    )
    return (
        f'<h3>{heading}</h3><div class="strip rows-{len(rows)}">'
        f'<div class="sides" aria-hidden="true">{sides}</div>{columns}</div>'
    )


def _relations(entry: Entry, kind: str, concept: int) -> str:
    row = entry.bundle.concepts.slice(concept, 1)
    lines = []
    for title, column, hint in (
        ("Often with", "often_with", "Concepts that fire in the same images"),
        ("Near", "nearest", "Concepts of the most similar direction in the dictionary"),
    ):
        found = zip(row[column][0].as_py(), row[f"{column}_cosine"][0].as_py(), strict=True)
        links = [_concept_link(entry, kind, k, cosine) for k, cosine in found]
        if links:
            lines.append(f'<dt title="{hint}">{title}</dt><dd>{" ".join(links)}</dd>')
    return f'<dl class="relations">{"".join(lines)}</dl>' if lines else ""


def _concept_link(entry: Entry, kind: str, concept: int, cosine: float) -> str:
    state = state_name(entry.reading(kind), concept)
    return (
        f'<a href="{escape(link(entry, kind, concept))}" data-open="{concept}" '
        f'class="is-{state}">'
        f"{name(concept, _label(entry, concept))} <small>{number(cosine)}</small></a>"
    )


def _models(entry: Entry, kind: str, concept: int, others: Sequence[Entry]) -> str:
    if len(others) < 2:
        return ""
    rows = []
    shown = _beside(entry, others)
    for other in shown:
        reading = other.reading(kind)
        current = ' aria-current="true"' if other == entry else ""
        rows.append(
            f'<a href="{escape(link(other, kind, concept))}" data-model="{escape(other.key)}"'
            f'{current}><span class="who">{escape(other.title)}</span>'
            f"{bare_track(reading, concept)}"
            f"<span class='num'>{escape(delta_words(reading, concept))}</span></a>"
        )
    which = "every model"
    if len(shown) < len(others):
        which = f"{len(shown)} of {len(others):,} models, those next to this one in the menu"
    return (
        f"<section class='models'><h3>{kind.capitalize()} δ in {which}</h3>{''.join(rows)}"
        "<div class='axis' aria-hidden='true'><span></span><span class='ticks'><b>0</b>"
        "<b>0.1</b><b>0.5</b><b>0.9</b><b>1</b></span><span></span></div></section>"
    )


def _beside(entry: Entry, others: Sequence[Entry]) -> Sequence[Entry]:
    """The models that a card compares: all, or of many those around this one in the menu."""
    place = others.index(entry) if entry in others else 0
    first = min(max(place - OPEN // 2, 0), max(len(others) - OPEN, 0))
    return others[first : first + OPEN]
