"""Wherever a concept's best name is shown, it says who gave it, and whether it is provisional."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from explorer_fixtures import page_on
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.labels import CAPTION_WORDS, Label, table_of
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import LABELS
from blindspots_hub.explorer.page.named import named
from blindspots_hub.explorer.page.page import Page
from blindspots_hub.progress import drive
from blindspots_hub.report.page import named_blindspots
from blindspots_hub.runs.report import report

MODEL = "org/model-7b"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Every even concept has a word of its captions, every odd one a name of a network."""
    spec = Synthetic(n_concepts=100, pairs=80, fires_per_image=30, models={"a": "A", "b": "B"})
    root = write_synthetic(tmp_path_factory.mktemp("named") / "bundle", spec)
    given = [
        Label(k, f"word{k}", CAPTION_WORDS, date="2026-11-01") if k % 2 == 0
        else Label(k, f"thing{k}", "image-text model", MODEL, None, 0.8, "2026-11-01")
        for k in range(spec.n_concepts)
    ]  # fmt: skip
    add_tables(root, {LABELS: table_of(given)})
    return load_bundle(root)


@pytest.fixture(scope="module")
def page(bundle: Bundle) -> Page:
    return page_on(bundle)


def test_a_word_of_captions_is_marked_and_another_name_has_its_method(bundle: Bundle) -> None:
    assert "provisional" in named(bundle, 0)
    assert "nothing looked at the images" in named(bundle, 0)
    assert "provisional" not in named(bundle, 1)
    assert "image-text model" in named(bundle, 1)
    assert MODEL in named(bundle, 1)


def test_concepts_compare_and_the_card_say_it(page: Page, bundle: Bundle) -> None:
    concepts, compare, explore = (page.tabs[name] for name in ("concepts", "compare", "explore"))
    table = concepts.render(page.first, [])[concepts.table].constructor_args["value"]
    assert "is-provisional" in table
    assert "image-text model" in table
    view = replace(page.first, tab="compare", other="b")
    body = compare._draw(view)[compare.body].value
    shown = [k for k in range(bundle.n_concepts) if f'data-open="{k}"' in body]
    assert shown
    assert all(named(bundle, k) in body for k in shown)
    for concept in (0, 1):
        card = explore.render(replace(page.first, concept=concept), [])[explore.card]
        html = card.constructor_args["value"]
        assert ("provisional" in html) == (concept == 0)


def test_the_report_says_it_of_every_blindspot(bundle: Bundle, tmp_path: Path) -> None:
    told = named_blindspots(bundle)
    assert told
    assert [one.provisional for one in told] == [one.concept % 2 == 0 for one in told]
    html = drive(report.stream(bundle.root, tmp_path / "r.html")).read_text(encoding="utf-8")
    section = html.split('<section id="blindspots">')[1].split("</section>")[0]
    assert "<i>caption words, provisional</i>" in section or not any(o.provisional for o in told)
    assert f"image-text model {MODEL}" in section or all(o.provisional for o in told)
