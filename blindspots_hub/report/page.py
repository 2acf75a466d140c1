"""The page: every analysis with sentence, figure and examples, and what is left out."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import blindspots_hub
from blindspots_hub import paper
from blindspots_hub.analysis.answers import Answers
from blindspots_hub.analysis.base import Example, Finding
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.analysis.summary import verdict
from blindspots_hub.artifacts.bundle import Bundle
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
    return Section(answer.name, answer.title, one.section, shown, answer.left_out), room


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
