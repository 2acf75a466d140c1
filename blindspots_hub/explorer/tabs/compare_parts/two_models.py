"""Two models of a bundle: how alike they are, and what changed on the captions that both drew."""

from __future__ import annotations

from html import escape

import numpy as np

from blindspots_hub.analysis.changes import Changes
from blindspots_hub.analysis.correlation import pearson, why_unknown
from blindspots_hub.analysis.model_agreement import shared
from blindspots_hub.analysis.model_comparison import changes
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.analysis.stored import left_to_ask, stored_rows
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.commands import computing
from blindspots_hub.explorer.page.format import THRESHOLDS, count, q_value
from blindspots_hub.explorer.page.named import named
from blindspots_hub.explorer.page.pictures import pair_figure, short_caption
from blindspots_hub.explorer.tabs.compare_parts.pieces import (
    chips,
    lacking,
    section,
    times_words,
    title,
)
from blindspots_hub.utils.numerals import percent

EXAMPLES = 6
"""Concepts of each kind that are shown; the direct comparison's command lists all."""

KINDS = {
    "fixed": "Fixed: off nature in {first}, nearer in {second}",
    "broken": "Broken: off nature in {second}, farther than in {first}",
    "moved": "Moved: they differ, and neither is surely off nature",
}
"""What changed from the first model to the second, in words."""


def difference(entry: Entry, other: str) -> str:
    """The paired difference of two models on the captions that both drew, as HTML."""
    bundle, first = entry.bundle, entry.model
    one = analysis("model_comparison")
    if missing := one.lacks(bundle, (first, other)):
        return section("On the same captions", lacking(missing))
    titles = {"first": title(bundle, first), "second": title(bundle, other)}
    if left_to_ask(bundle, one.name):
        return section("On the same captions", _kept(bundle, first, other))
    found = changes(bundle, first, other)
    counts = found.counts
    words = (
        f"<p>From {escape(titles['first'])} to {escape(titles['second'])}, on "
        f"{count(found.pairs)} captions that both drew: of {count(found.judged)} judged concepts "
        f"<b>{counts['fixed']} fixed</b>, <b>{counts['broken']} broken</b>, "
        f"{counts['moved']} moved, {count(counts['unchanged'])} unchanged. Of those called changed "
        f"at most {percent(found.settings.alpha)} are expected to be chance.</p>"
        if found.judged
        else "<p>No concept fires in enough of these pairs to be compared.</p>"
    )
    lists = "".join(_changed(bundle, first, other, found, kind, titles) for kind in KINDS)
    return section("On the same captions", words + f'<div class="compare-changes">{lists}</div>')


def _kept(bundle: Bundle, first: str, other: str) -> str:
    """What a large bundle keeps of the comparison; else how to make it."""
    name = "model_comparison"
    rows = [
        row
        for row in stored_rows(bundle, name) or ()
        if {row["model"], row["other"]} == {first, other}
    ]
    if not rows:
        return lacking(
            f"A bundle of this size keeps no comparison of these two: {computing(bundle, name)} "
            "computes all of them."
        )
    (row,) = rows[:1]
    lists = "".join(
        f"<section><h4>{kind.capitalize()} ({len(row[kind])})</h4>{chips(bundle, row[kind])}"
        "</section>"
        for kind in KINDS
    )
    return (
        f"<p>From {escape(title(bundle, row['model']))} to {escape(title(bundle, row['other']))}, "
        f"on {count(row['pairs'])} captions: {count(row['unchanged'])} of {count(row['judged'])} "
        f'judged concepts are unchanged.</p><div class="compare-changes">{lists}</div>'
    )


def _changed(
    bundle: Bundle, first: str, other: str, found: Changes, kind: str, titles: dict[str, str]
) -> str:
    concepts = found.concepts(kind)
    heading = f"<h4>{escape(KINDS[kind].format(**titles))} ({len(concepts)})</h4>"
    if not len(concepts):
        return f'<section class="is-empty">{heading}<p>None.</p></section>'
    rows = "".join(
        _concept(bundle, first, other, found, int(k), kind, titles) for k in concepts[:EXAMPLES]
    )
    more = len(concepts) - EXAMPLES
    tail = f"<p class=meaning>and {count(more)} more</p>" if more > 0 else ""
    return f"<section>{heading}{rows}{tail}</section>"


def _concept(
    bundle: Bundle,
    first: str,
    other: str,
    found: Changes,
    k: int,
    kind: str,
    titles: dict[str, str],
) -> str:
    natural, b = found.natural[k], found.between
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = [times_words(energy[k] / natural) for energy in (b.first, b.second)]
    example = _example(bundle, first, other, k)
    images = "" if example is None else _trio(bundle, first, other, example, titles)
    return (
        f'<div class="change is-{kind}"><button type="button" data-open="{k}">'
        f"{named(bundle, k)}</button><span>{drawn[0]} → {drawn[1]} of nature, "
        f"q {q_value(float(b.q[k]))}</span>{images}</div>"
    )


def _trio(bundle: Bundle, first: str, other: str, example: str, titles: dict[str, str]) -> str:
    said = ("natural", titles["first"], titles["second"])
    under = "".join(f"<span>{escape(one)}</span>" for one in said)
    images = pair_figure(bundle, (NATURAL, first, other), example, under=under)
    caption = short_caption(bundle.caption(NATURAL, example))
    return f'<div class="trio">{images}</div><p class="caption">{escape(caption)}</p>'


def _example(bundle: Bundle, first: str, other: str, concept: int) -> str | None:
    """A caption that both drew, whose images show the concept most; None where none is kept."""
    drew = set(bundle.image_ids(first)) & set(bundle.image_ids(other))
    shown = ((other, "top_natural"), (first, "top_generated"), (other, "top_generated"))
    for model, column in shown:
        for pair_id in bundle.deltas(model)[column][concept].as_py() or ():
            if pair_id in drew and all(
                bundle.has_thumbnail(source, pair_id) for source in (NATURAL, first, other)
            ):
                return str(pair_id)
    return None


def judged_words(pearson: float) -> str:
    """How much alike two models are, in a word."""
    return "much alike" if pearson > 0.8 else "partly alike" if pearson > 0.4 else "hardly alike"


def agreement_line(entry: Entry, other: str) -> str:
    """The correlation of two models' δ with its interval, as a sentence in HTML."""
    bundle, first = entry.bundle, entry.model
    concepts, (x, y) = shared(bundle, (first, other))
    names = f"{escape(title(bundle, first))} and {escape(title(bundle, other))}"
    measured = (x.delta[concepts], y.delta[concepts])
    r = pearson(*measured)
    if why := why_unknown(*measured):
        return (
            f"<p>{names} judge {len(concepts)} of the same concepts: how alike they misdraw them "
            f"cannot be told, because {why}.</p>"
        )
    return (
        f"<p class=lead>{names} misdraw {judged_words(r.value)}: relative δ correlates with "
        f"<b>r = {r.value:.2f}</b> [{r.low:.2f}, {r.high:.2f}] over the {count(len(concepts))} "
        "concepts that both judge.</p><p class=meaning>On the dashed line both draw a concept "
        f"alike; {' and '.join(THRESHOLDS)} are the thresholds. Click a point to open its card.</p>"
    )
