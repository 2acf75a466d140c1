"""The report: one file, no network, everything that can be said and what cannot."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from synthetic_bundle import HOSTILE, Synthetic, write_synthetic
from typer.testing import CliRunner

from blindspots_hub import cli, planted
from blindspots_hub.analysis.registry import ANALYSES
from blindspots_hub.progress import drive
from blindspots_hub.runs.report import report


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = drive(report.stream(planted.BUNDLE, tmp_path_factory.mktemp("report") / "r.html"))
    assert path.stat().st_size <= 15_000_000
    return path.read_text(encoding="utf-8")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "data", "action")
        ]


def test_it_asks_no_network_and_holds_plotly_once(embedded: str) -> None:
    tags = _Tags()
    tags.feed(embedded)
    assert all(address.startswith(("#", "data:image/webp;base64,")) for address in tags.addresses)
    assert "default-src 'none'" in embedded
    assert embedded.count("plotly.js v") == 1


def test_every_analysis_is_there_or_named_with_its_reason(embedded: str) -> None:
    for one in ANALYSES:
        section = embedded.split(f'<section id="{one.name}">')[1].split("</section>")[0]
        assert 'class="finding"' in section or "Left out: " in section
    assert "What is left out, and why" in embedded


def test_figures_are_plotlys(embedded: str) -> None:
    figures = re.findall(r'<script type="application/json">(.*?)</script>', embedded, re.DOTALL)
    assert len(figures) >= 10
    for told in figures:
        read = json.loads(told)
        assert read["data"]
        assert all(trace["type"] != "scattergl" for trace in read["data"])


def test_light_dark_and_paper(embedded: str) -> None:
    assert "prefers-color-scheme: dark" in embedded
    assert "@media print" in embedded
    assert "beforeprint" in embedded


def test_words_of_strangers_stay_words(tmp_path: Path) -> None:
    root = write_synthetic(tmp_path / "h", Synthetic(n_concepts=40, pairs=60, hostile=True))
    page = drive(report.stream(root, tmp_path / "h.html")).read_text(encoding="utf-8")
    assert HOSTILE not in page
    tags = _Tags()
    tags.feed(page)
    figures = page.count('<script type="application/json">')
    assert tags.scripts == figures + 2


def test_what_is_left_out_of_unpaired_models_says_why(tmp_path: Path) -> None:
    models = ("plain-a", "plain-b", "plain-c")
    root = write_synthetic(tmp_path / "u", Synthetic(n_concepts=40, pairs=40, unpaired=models))
    shown = CliRunner().invoke(
        cli.app, ["report", str(root), "--out", str(tmp_path / "u.html"), "--quiet"]
    )
    assert shown.exit_code == 0
    page = (tmp_path / "u.html").read_text(encoding="utf-8")
    assert "was measured unpaired" in page.split("What is left out, and why")[-1]
