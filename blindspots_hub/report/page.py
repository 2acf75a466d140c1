"""The page: every analysis with sentence, figure and examples, and what is left out."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import blindspots_hub
from blindspots_hub import paper
from blindspots_hub.analysis.answers import Answers
from blindspots_hub.analysis.base import Example, Finding
from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.analysis.summary import verdict
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.measure.delta import BLINDSPOTS
from blindspots_hub.report.figures import embedded

MOST_BYTES = 15_000_000
"""Bytes that a page may have; figures that would make it larger are left out, and said to be."""

MOST_EXAMPLES = 24
"""Images that one finding shows at most."""


@dataclass(frozen=True)
class Shown:
    """One finding on the page; `figure` is Plotly's JSON, "" where the page has no room for it."""

    models: str
    sentence: str
    figure: str
    note: str
    examples: list[Picture]


@dataclass(frozen=True)
class Picture:
    """A small image as a data URI, what it is of, and why it is there."""

    source: str
    caption: str
    why: str


@dataclass(frozen=True)
class Section:
    """One analysis on the page."""

    name: str
    title: str
    where: str
    shown: list[Shown]
    left_out: tuple[str, ...]


MOST_NAMED = 60
"""Blindspots whose names the page lists; the bundle has all."""


@dataclass(frozen=True)
class NamedBlindspot:
    """A blindspot's best name, who gave it, and which models have it; a stress test's verdict."""

    concept: int
    label: str
    by: str
    faithfulness: str
    provisional: bool
    models: str


def named_blindspots(bundle: Bundle) -> list[NamedBlindspot]:
    """The blindspots of all models, each once, the surest of each model first."""
    tests = bundle.stress_tests()
    found: dict[int, list[str]] = {}
    for model in bundle.models:
        reading = ModelDeltas.of(bundle.deltas(model), "relative")
        for state in BLINDSPOTS:
            for concept in reading.blindspots(state).tolist():
                row = tests.get((concept, model))
                verdict = "" if row is None else f", {row['verdict']} by a stress test"
                told = f"{state} in {bundle.model(model).title}{verdict}"
                found.setdefault(concept, []).append(told)
    return [_named(bundle, concept, told) for concept, told in found.items()]


def _named(bundle: Bundle, concept: int, told: Sequence[str]) -> NamedBlindspot:
    label, models = bundle.label_of(concept), "; ".join(told)
    if label is None:
        return NamedBlindspot(concept, "", "", "", False, models)
    told_of = label.faithfulness
    faithful = f"{told_of:.2f}" if told_of is not None and math.isfinite(told_of) else ""
    return NamedBlindspot(concept, label.label, label.by, faithful, label.provisional, models)


def html(bundle: Bundle, answers: Sequence[Answers]) -> str:
    """The whole page: no network, no script but Plotly's, once, and twelve lines that draw."""
    from jinja2 import Environment
    from plotly.offline import get_plotlyjs

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_template())
    script = get_plotlyjs().replace("</script", "<\\/script")
    room = MOST_BYTES - len(script.encode()) - 300_000
    sections = []
    for answer in answers:
        section, room = _section(bundle, answer, room)
        sections.append(section)
    return template.render(
        bundle=bundle,
        version=blindspots_hub.__version__,
        paper=paper,
        verdicts=[(entry.title, verdict(bundle, name)) for name, entry in bundle.models.items()],
        named=(named := named_blindspots(bundle))[:MOST_NAMED],
        unlisted=max(len(named) - MOST_NAMED, 0),
        sections=sections,
        plotly=script,
    )


@lru_cache(maxsize=1)
def _template() -> str:
    return (Path(__file__).parent / "page.html.jinja").read_text(encoding="utf-8")


def _section(bundle: Bundle, answer: Answers, room: int) -> tuple[Section, int]:
    shown = []
    for models, finding in zip(answer.groups, answer.findings, strict=True):
        figure, note = _figure(finding)
        if len(figure.encode()) > room:
            figure, note = "", "The figure is left out: the page would be too large."
        examples = [p for one in finding.examples[:MOST_EXAMPLES] if (p := _picture(bundle, one))]
        weight = len(figure.encode()) + sum(len(one.source) for one in examples)
        if weight > room:
            examples, weight = [], len(figure.encode())
        room -= weight
        titles = " · ".join(bundle.model(name).title for name in models)
        shown.append(Shown(titles, finding.sentence, figure, note, examples))
    one = analysis(answer.name)
    return Section(answer.name, answer.title, one.where, shown, answer.left_out), room


def _figure(finding: Finding) -> tuple[str, str]:
    figure, left_out = embedded(finding.figure())
    return figure, f"{left_out:,} further points are not drawn." if left_out else ""


def _picture(bundle: Bundle, example: Example) -> Picture | None:
    found = bundle.thumbnail(example.source, example.pair_id)
    if found is None:
        return None
    data = base64.b64encode(found.image).decode()
    title = "natural" if example.source == "natural" else bundle.model(example.source).title
    told = f"{title}: {found.caption}" if found.caption else title
    return Picture(f"data:image/webp;base64,{data}", told, example.why)
