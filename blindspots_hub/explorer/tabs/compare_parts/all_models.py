"""All models of a bundle: agreement, shared and specific blindspots, a series of checkpoints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from blindspots_hub.analysis.deltas import CODE, is_determined, state_codes
from blindspots_hub.analysis.model_comparison import changes
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.analysis.shared_blindspots import OPEN, SHARED
from blindspots_hub.analysis.stored import left_to_ask, stored_rows
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Entry, said
from blindspots_hub.explorer.page.commands import computing
from blindspots_hub.explorer.page.format import count
from blindspots_hub.explorer.tabs.answer_parts.words import answer
from blindspots_hub.explorer.tabs.compare_parts.pieces import (
    chips,
    lacking,
    section,
    times_words,
    title,
)
from blindspots_hub.measure.delta import fold

WHOSE = {SHARED: "all models", OPEN: "some, and it is open whose alone"}
"""Whose a blindspot is that is not one model's, in words."""


def shared_and_specific(bundle: Bundle) -> str:
    """Blindspots of all models, and of one alone, as HTML."""
    heading, name = "Shared and specific blindspots", "shared_blindspots"
    rows, sentence = _rows(bundle, name)
    if rows is None:
        return section(heading, lacking(sentence))
    lines = []
    for row in rows:
        whose = row["whose"]
        who = title(bundle, whose) if whose in bundle.models else WHOSE.get(whose, whose)
        sides = "".join(
            f'<td class="is-{side}">{chips(bundle, row[side])}</td>'
            for side in ("suppressed", "exaggerated")
        )
        lines.append(f'<tr><th scope="row">{escape(who)}</th>{sides}</tr>')
    table = (
        '<div class="table-scroll"><table class="shared"><thead><tr><th scope="col">of</th>'
        '<th scope="col">drawn too rarely</th><th scope="col">drawn too often</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
    return section(heading, f"<p>{escape(sentence)}</p>{table}")


def matrix(entry: Entry, other: str) -> str:
    """Pearson's r of relative δ between all models, as HTML; a cell compares its two."""
    bundle, heading, name = entry.bundle, "All models", "agreement_matrix"
    rows, sentence = _rows(bundle, name)
    if rows is None:
        return section(heading, lacking(sentence))
    r = {
        frozenset((row["model"], row["other"])): row
        for row in rows
        if row["measure"] == "relative_delta"
    }
    names = list(bundle.models)
    head = "".join(f'<th scope="col">{escape(title(bundle, n))}</th>' for n in names)
    body = ""
    for a in names:
        cells = ""
        for b in names:
            row = r.get(frozenset((a, b)))
            if a == b or row is None or not np.isfinite(row["pearson"]):
                cells += "<td>–</td>"
                continue
            value = row["pearson"]
            here = " aria-pressed=true" if {a, b} == {entry.model, other} else ""
            ends = f"[{row['pearson_low']:.2f}, {row['pearson_high']:.2f}]"
            cells += (
                f'<td style="--r:{max(value, 0):.2f}"><button type="button" data-two="{escape(a)},'
                f'{escape(b)}"{here}><b>{value:.2f}</b><small>{ends}</small></button></td>'
            )
        body += f'<tr><th scope="row">{escape(title(bundle, a))}</th>{cells}</tr>'
    table = (
        '<div class="table-scroll" tabindex="0" role="region" aria-label="Agreement of all models">'
        f'<table class="matrix"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )
    note = (
        "<p class=meaning>Pearson’s r of relative δ with its 95% interval; choose a cell to "
        "compare its two.</p>"
    )
    return section(heading, f"<p>{escape(sentence)}</p>{table}{note}")


def series_of(bundle: Bundle, model: str) -> list[str]:
    """The checkpoints of a model's series, in order; fewer than two are no series.

    Names that differ in their number of steps only, and what was trained on from one of them (the
    manifest's `variant_of`). A number of steps comes last in a name: behind a word for it (step,
    epoch, iteration, checkpoint), or behind a hyphen, `_`, `@` or `=` where one of the series has
    three digits or more. Versions are none: alder-1 and alder-2, sd15 and sd21.
    """
    match = _STEPS.fullmatch(model)
    numbered = [
        (int(other["steps"]), name)
        for name in bundle.models
        if match and (other := _STEPS.fullmatch(name)) and _but_steps(other) == _but_steps(match)
    ]
    if match and not match["word"] and max(steps for steps, _ in numbered) < LEAST_STEPS:
        numbered = []
    found = [name for _, name in sorted(numbered)] or [model]
    for name, entry in bundle.models.items():  # a base before its variants
        base = entry.run.get("variant_of")
        if base in found and name not in found:
            found.insert(found.index(base) + 1, name)
        elif name in found and base in bundle.models and base not in found:
            found.insert(found.index(name), base)
    return found if len(found) > 1 else []


LEAST_STEPS = 100
"""Numbers below are taken for versions, unless a word or a larger one beside them says more."""

_STEPS = re.compile(
    r"(?P<before>.*?(?:(?<![a-z])(?P<word>steps?|epochs?|iter(?:ation)?s?|checkpoint|ckpt)[-_@=]?"
    r"|[-_@=]))(?P<steps>\d{1,18})(?P<after>\D*)",
    re.IGNORECASE,
)


def _but_steps(match: re.Match[str]) -> tuple[str, str]:
    return match["before"], match["after"]


def series(entry: Entry) -> str:
    """Every checkpoint of the model's series against the first, as HTML; "" for none."""
    bundle = entry.bundle
    names = series_of(bundle, entry.model)
    if not names:
        return ""
    lines = []
    for name in names:
        one = _checkpoint(bundle, name)
        step = _step(bundle, names[0], name) if name != names[0] else ("–", "–", "–")
        cells = "".join(f"<td>{each}</td>" for each in step)
        lines.append(
            f'<tr><th scope="row">{escape(title(bundle, name))}</th><td>{count(one.judged)}</td>'
            f"<td>{one.suppressed}</td><td>{one.exaggerated}</td>"
            f"<td>{times_words(one.change)}</td>{cells}</tr>"
        )
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in (
            "checkpoint", "judged", "suppressed", "exaggerated", "typical change",
            "fixed", "broken", "moved",
        )
    )  # fmt: skip
    return section(
        "The series",
        '<div class="table-scroll" tabindex="0" role="region" aria-label="The series"><table '
        f'class="series"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
        f"<p class=meaning>Fixed, broken and moved are against {escape(title(bundle, names[0]))} "
        "on the same captions; the typical change is the median over judged concepts, up or down. "
        "A series is told by numbers of steps in names (run-500, epoch-3), and by what a model was "
        "trained on from.</p>",
    )


@dataclass(frozen=True)
class _Checkpoint:
    """Concepts of a model by relative δ, and their median change, up or down."""

    judged: int
    suppressed: int
    exaggerated: int
    change: float


_checkpoints: dict[tuple[str, str], _Checkpoint] = {}
"""What was found, by bundle and model: a hundred tables are not read again for a few numbers."""


def _checkpoint(bundle: Bundle, model: str) -> _Checkpoint:
    key = bundle.identity, model
    if key not in _checkpoints:
        if len(_checkpoints) > 4096:
            _checkpoints.clear()
        table = bundle.some_deltas(model, ("relative_state", "relative_gap"))
        states = state_codes(table["relative_state"])
        judged = is_determined(states)
        gaps = table["relative_gap"].to_numpy()[judged]
        change = np.median(np.abs(np.log2(fold(gaps).clip(1e-3, 1e3)))) if len(gaps) else np.nan
        _checkpoints[key] = _Checkpoint(
            judged=len(gaps),
            suppressed=int((states == CODE["suppressed"]).sum()),
            exaggerated=int((states == CODE["exaggerated"]).sum()),
            change=float(2**change),
        )
    return _checkpoints[key]


def _step(bundle: Bundle, first: str, name: str) -> tuple[str, str, str]:
    one = analysis("model_comparison")
    if left_to_ask(bundle, one.name) or one.lacks(bundle, (first, name)):
        return ("–", "–", "–")
    counts = changes(bundle, first, name).counts
    return (str(counts["fixed"]), str(counts["broken"]), str(counts["moved"]))


def _rows(bundle: Bundle, name: str) -> tuple[list[dict[str, Any]] | None, str]:
    """The rows of an analysis of all models and its sentence, or None and what it lacks."""
    one, group = analysis(name), tuple(bundle.models)
    if missing := one.lacks(bundle, group):
        return None, missing
    if left_to_ask(bundle, name):
        kept = stored_rows(bundle, name)
        told = f"A bundle of this size keeps no such table yet: {computing(bundle, name)} makes it."
        return (kept, "") if kept is not None else (None, told)
    try:
        found = answer(bundle, one, group)
    except BlindspotsError as error:
        return None, said(error, bundle.hosted)
    rows = found.to_arrow(one.spec).to_pylist()
    return rows, found.sentence
