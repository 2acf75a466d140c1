"""What the page says, without a browser: numbers, rankings, card, search, links, who sees what."""

from __future__ import annotations

import base64
import csv
import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from explorer_fixtures import PAGE, page_on, write_another
from hypothesis import given
from hypothesis import strategies as st
from synthetic_bundle import HOSTILE, Synthetic, write_synthetic

from blindspots_hub.analysis.deltas import CERTAIN, CODE, KINDS, SIDES
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.card.concept_card import concept_card
from blindspots_hub.explorer.page import format as shown
from blindspots_hub.explorer.page.app import build_app
from blindspots_hub.explorer.page.catalog import Catalog, bundle_id, frequency_bytes, menu
from blindspots_hub.explorer.page.concept_table import concept_table
from blindspots_hub.explorer.page.controls import pager
from blindspots_hub.explorer.page.counts import counts_line
from blindspots_hub.explorer.page.marks import state_name
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.table_files import as_file, csv_text
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.concepts_parts.table import concepts_table
from blindspots_hub.explorer.tabs.explore_parts.map_server import MapServer, colour_key
from blindspots_hub.explorer.tabs.explore_parts.rankings import rankings
from blindspots_hub.explorer.tabs.explore_parts.search import find
from blindspots_hub.serving.opening import open_beside
from blindspots_hub.utils.durations import duration

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    root = write_synthetic(tmp_path_factory.mktemp("page") / "bundle", PAGE)
    assert faults(root) == []
    return load_bundle(root)


@pytest.fixture(scope="module")
def catalog(bundle: Bundle) -> Catalog:
    return Catalog(bundle)


# ---- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0624, "0.062"), (0.5, "0.50"), (0.0996, "0.10"), (0.004, "0.0040"), (0.9999, ">0.99")],
)
def test_delta_has_two_digits(value: float, text: str) -> None:
    assert shown.probability(value) == text


@given(st.floats(0.001, 0.99))
def test_delta_as_shown_is_delta_to_two_digits(value: float) -> None:
    assert abs(float(shown.probability(value)) - value) <= 0.0051 * max(1, 10 * value)


@given(st.floats(1e-4, 9e4))
def test_a_number_as_shown_is_the_number_to_two_digits(value: float) -> None:
    assert float(shown.number(value).replace(",", "")) == pytest.approx(value, rel=0.051)


def test_q_counts_and_times_are_readable() -> None:
    assert shown.q_value(3.2e-12) == "3×10⁻¹²"
    assert shown.q_value(0.034) == "0.034"
    assert shown.q_value(float("nan")) == "–"
    assert shown.count(32_000) == "32,000"
    assert [duration(s) for s in (0.2, 40, 300, 7200)] == ["1 s", "40 s", "5 min", "2.0 h"]


# ---- rankings and counts -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["suppressed", "exaggerated"])
def test_rankings_hold_only_what_differs_surest_first(
    catalog: Catalog, kind: str, side: str
) -> None:
    reading = catalog.entries()[0].reading(kind)
    ranked = reading.ranking(side)
    states = reading.state[ranked]
    own = {CODE[state] for state in SIDES[side]} | {CODE["leaning"]}
    assert set(states.tolist()) <= own
    assert np.all(reading.support[ranked] >= 20)
    nearest = reading.selected_high if side == "suppressed" else -reading.selected_low
    assert np.all(np.diff(nearest[ranked]) >= 0)  # the end nearest to no change
    assert reading.certain[reading.ranking(side, certain_only=True)].all()


def test_counts_add_up_and_bytes_tell_states(catalog: Catalog) -> None:
    entry = catalog.entries()[0]
    reading = entry.reading("relative")
    assert sum(reading.counts.values()) == entry.bundle.n_concepts
    assert counts_line(entry, "relative").count("300 concepts") == 1
    assert np.array_equal(reading.state_bytes >= CERTAIN, reading.certain)
    content = np.frombuffer(MapServer(catalog).colours(colour_key(entry, "relative")), np.uint8)
    colour, state = np.split(content, 2)
    assert np.array_equal(colour == 255, ~reading.determined)
    # Colours follow the states: only a blindspot is beyond the thresholds, the aligned are grey.
    blind = np.isin(reading.state, [CODE["suppressed"], CODE["exaggerated"]])
    judged = colour[reading.determined]
    assert np.array_equal((judged < 25) | (judged > 225), blind[reading.determined])
    assert set(colour[reading.state == CODE["aligned"]].tolist()) <= {125}
    assert np.array_equal(state, reading.state_bytes)


def test_an_empty_ranking_says_what_would_show_more(catalog: Catalog) -> None:
    entry = catalog.entries()[0]
    html = rankings(entry, "relative", "certain")
    for part, side in zip(html.split("</section>"), ("suppressed", "exaggerated"), strict=False):
        if not len(entry.reading("relative").ranking(side, certain_only=True)):
            assert re.search(
                rf"None of the \d+ judged concepts is certain {side}: 200 pairs tell .* "
                r"four times as many \(800\) would tell it to ±",
                part,
            )
            break
    else:
        pytest.fail("the synthetic bundle has certain blindspots on both sides")


def test_csv_holds_the_whole_ranking_unrounded(catalog: Catalog) -> None:
    entry = catalog.entries()[0]
    reading = entry.reading("relative")
    ranked = reading.ranking("suppressed")
    table = concept_table(entry, "relative", ranked)
    rows = list(csv.DictReader(io.StringIO(csv_text(table))))
    assert [int(row["concept"]) for row in rows] == ranked.tolist()
    assert [float(row["delta"]) for row in rows] == reading.delta[ranked].tolist()
    sent = base64.b64decode(as_file(table, "x", "parquet")["content"])
    assert pq.read_table(io.BytesIO(sent)).equals(table)
    with pytest.raises(BlindspotsError, match="csv, parquet"):
        as_file(table, "x", "xlsx")


def test_a_table_has_no_number_of_what_was_not_judged(catalog: Catalog) -> None:
    entry = catalog.entries()[0]
    reading = entry.reading("relative")
    unjudged = np.flatnonzero(~reading.determined)[:3]
    for row in concept_table(entry, "relative", unjudged).to_pylist():
        assert row["state"] in ("dead", "undetermined")
        assert row["delta"] is row["delta_low"] is row["fold"] is None


# ---- card --------------------------------------------------------------------------------------


def test_a_card_shows_both_sides_of_a_caption(catalog: Catalog) -> None:
    entry = catalog.entries()[0]
    concept = int(entry.reading("relative").ranking("suppressed")[0])
    html = concept_card(entry, "relative", concept, catalog.entries())
    row = entry.bundle.deltas("plain-a").slice(concept, 1)
    columns = len(row["top_natural"][0]) + len(row["top_generated"][0])
    assert html.count('<figure class="pair"') == columns
    assert html.count('<div class="picture') == 2 * columns
    assert html.count("not in this bundle") == sum(
        entry.bundle.thumbnail(source, image) is None
        for top in ("top_natural", "top_generated")
        for image in row[top][0].as_py()
        for source in (NATURAL, "plain-a")
    )
    assert 'class="heat"' in html
    assert html.count("data-model=") == 2


def test_no_bundle_text_becomes_markup(catalog: Catalog) -> None:
    for entry in catalog.entries():
        for html in (
            concept_card(entry, "relative", 0, catalog.entries()),
            rankings(entry, "absolute", "all"),
        ):
            assert HOSTILE not in html
            assert "<img src=x" not in html
            assert "<b>&quot;quoted" not in html


def test_every_concept_has_a_card(catalog: Catalog) -> None:
    for entry in catalog.entries():
        for concept in range(0, entry.bundle.n_concepts, 7):
            assert f'data-concept="{concept}"' in concept_card(entry, "absolute", concept, [entry])


def test_the_samplers_part_is_told_where_it_was_measured(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Catalog(bundle).entries()[0]
    assert "uncertainty" not in concept_card(entry, "relative", 3, [entry])
    table = bundle.deltas(entry.model)
    at = table.column_names.index("sampler_share")
    shares = pa.array([None if k % 2 == 0 else 0.341 for k in range(table.num_rows)], pa.float64())
    measured = table.set_column(at, "sampler_share", shares)
    monkeypatch.setattr(Bundle, "deltas", lambda self, name: measured)
    html = concept_card(entry, "relative", 3, [entry])
    assert "<b>34%</b> of the uncertainty is" in html
    assert "uncertainty" not in concept_card(entry, "relative", 4, [entry])


# ---- search ------------------------------------------------------------------------------------


def test_a_suggestion_has_the_state_of_the_delta_that_is_shown(catalog: Catalog) -> None:
    entry, answers = catalog.entries()[0], MapServer(catalog)
    relative, absolute = (entry.reading(kind) for kind in KINDS)
    differs = np.flatnonzero(relative.state != absolute.state)
    assert len(differs)
    for kind in KINDS:
        for k in differs[:5].tolist():
            hit = answers.find(f"#{k}", colour_key(entry, kind))[0]
            assert (hit["i"], hit["state"]) == (k, state_name(entry.reading(kind), k))
    assert answers.find("#1", "no/such/relative/frequency") == []


def test_what_a_row_of_numbers_means_is_said_to_fingers_as_well(catalog: Catalog) -> None:
    """`definitions.js` explains an `abbr`; the title of a cell is for a mouse alone."""
    entry = catalog.entries()[0]
    view = View(bundle_id(entry.bundle), entry.model)
    others = [entry, *catalog.entries()[1:2]]
    told = rankings(entry, "relative", "all") + concepts_table(
        entry, view, np.arange(entry.bundle.n_concepts), others
    )
    assert not re.search(r"<(td|span)[^>]* title=", told)
    marks = re.findall(r'<td><abbr title="(δ [^"]*)" role="img" aria-label="([^"]*)">', told)
    assert marks
    assert all(title == spoken for title, spoken in marks)


def test_search_finds_numbers_labels_and_captions(tmp_path: Path) -> None:
    spec = replace(PAGE, hostile=False, missing=0.0)
    entry = Catalog(load_bundle(write_synthetic(tmp_path / "b", spec))).entries()[0]
    assert find(entry, "#217")[0].concept == 217
    assert find(entry, "0")[0].concept == 0
    assert find(entry, "RoPe")[0].label == "rope"
    hit = find(entry, "beside a brick wall in")[0]
    assert "caption" in hit.reason
    tops = entry.bundle.deltas("plain-a")["top_natural"][hit.concept].as_py()
    captions = [entry.bundle.thumbnail(NATURAL, i).caption for i in tops]
    assert any("beside a brick wall in" in caption for caption in captions)
    shown = entry.bundle.labels[217]
    assert shown
    assert find(entry, f"#217 {shown}")[0].concept == 217, "as the page names it"
    assert find(entry, "#217 of nothing")[0].concept == 217
    assert find(entry, "#9999 of nothing") == []
    assert find(entry, "  ") == []
    assert find(entry, "no such thing") == []


def test_one_row_is_no_plural() -> None:
    assert "1–50 of 1,000 concepts" in pager(1, 1000, 50, "concepts")
    assert ">1 concept<" in pager(1, 1, 50, "concepts")
    assert ">1 pair<" in pager(1, 1, 24, "pairs")
    assert ">no pairs<" in pager(1, 0, 24, "pairs")


def test_a_command_in_a_sentence_is_one_on_the_page() -> None:
    told = notice("idle", "Lacking.", "Prompts, which `stress` draws & <b>.")
    assert "<code>stress</code> draws &amp; &lt;b&gt;." in told


# ---- links and sessions ------------------------------------------------------------------------


def test_a_session_sees_its_own_evaluations_only(bundle: Bundle, tmp_path: Path) -> None:
    catalog = Catalog(bundle)
    identity = catalog.add(write_another(tmp_path, seed=3))
    assert [e.model for e in catalog.entries()] == ["plain-a", "own"]
    assert [e.model for e in catalog.entries([identity])] == ["plain-a", "own", "mine"]
    assert catalog.entry(f"{identity}/mine").title == "Mine"
    assert len({key for _, key in menu(catalog.entries([identity]))}) == 3


def test_several_bundles_are_the_pages_own(bundle: Bundle, tmp_path: Path) -> None:
    beside = load_bundle(write_another(tmp_path, seed=3))
    catalog = Catalog(bundle, [beside, bundle])
    assert [e.model for e in catalog.entries()] == ["plain-a", "own", "mine"]
    assert [e.model for e in catalog.entries([bundle_id(beside)])] == ["plain-a", "own", "mine"]
    assert catalog.entry(f"{bundle_id(beside)}/mine").bundle is beside


def test_bundles_that_cannot_stand_beside_are_left_out(bundle: Bundle, tmp_path: Path) -> None:
    good = write_another(tmp_path / "good", seed=3)
    bad = write_another(tmp_path / "bad", concept_seed=9)
    found, note = open_beside(bundle, [str(good), str(bad)])
    assert [one.root for one in found] == [good]
    assert note == (
        f"{bad} is left out: it was measured in another concept space than {bundle.name}."
    )
    with pytest.raises(BlindspotsError, match="is not a folder"):
        open_beside(bundle, [str(tmp_path / "none")])


def test_equal_titles_and_names_are_told_apart(bundle: Bundle, tmp_path: Path) -> None:
    catalog = Catalog(bundle)
    own = [catalog.add(write_another(tmp_path / str(seed), seed=seed)) for seed in (3, 4)]
    titles = [title for title, _ in menu(catalog.entries(own))]
    assert len(set(titles)) == len(titles) == 4


def test_other_concepts_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BlindspotsError, match="another concept space"):
        Catalog(bundle).add(write_another(tmp_path, concept_seed=9))


@pytest.mark.parametrize("key", ["", "x", "0123456789abcdef/plain-a", "../../etc/passwd/x"])
def test_forged_keys_are_refused(catalog: Catalog, key: str) -> None:
    with pytest.raises(BlindspotsError):
        catalog.entry(key)
    with pytest.raises(BlindspotsError):
        MapServer(catalog).colours(f"{key}/relative")


@pytest.mark.parametrize("concept", [-1, 300, 10**9])
def test_hover_refuses_concepts_that_are_not_there(catalog: Catalog, concept: int) -> None:
    with pytest.raises(BlindspotsError, match="no concept"):
        MapServer(catalog).hover(concept, colour_key(catalog.entries()[0], "relative"))


def test_frequency_bytes_grow_with_frequency() -> None:
    sizes = frequency_bytes(np.array([0.0, 0.001, 0.01, 1.0]))
    assert sizes[0] == 0
    assert np.all(np.diff(sizes.astype(int)) > 0)
    assert sizes[-1] == 255


# ---- the whole ---------------------------------------------------------------------------------


def test_nothing_lies_outside_of_the_tabs(bundle: Bundle, tmp_path: Path) -> None:
    """An update that is made while the page is built becomes a component at its foot."""
    page = build_app(bundle, tmp_path, [])
    seen = [one for one in page.children if type(one).__name__ not in ("State", "Api")]
    assert [one.elem_id for one in seen if one.page] == ["programs", "readme"]
    places = [one.elem_id for one in seen if not one.page]
    assert places == ["top", "address", "example", "fault", "bar", "finding", "tabs"]


def test_only_named_endpoints_are_a_public_api(bundle: Bundle, tmp_path: Path) -> None:
    page = build_app(bundle, tmp_path, [("Known", "known")])
    public = [fn.api_name for fn in page.fns.values() if fn.api_visibility != "private"]
    assert public == ["blindspots", "concept", "compare", "pairs", "evaluate"]
    assert not list(tmp_path.iterdir())


def test_the_app_starts_without_torch(bundle: Bundle, tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
import app
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.explorer.page.app import build_app
build_app(load_bundle({str(bundle.root)!r}), Path({str(tmp_path)!r}), [])
heavy = {{"torch", "transformers", "diffusers", "umap", "datasets", "sklearn"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_broken_bundle_is_one_sentence_and_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "app.py", "--bundle", str(tmp_path / "none")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(tmp_path / "none") in done.stderr


@pytest.mark.parametrize("pairs", [3, 20])
def test_the_page_of_a_bundle_of_few_pairs_starts(tmp_path: Path, pairs: int) -> None:
    spec = Synthetic(n_concepts=20, pairs=pairs, models={"plain-a": "Plain A"}, side=24)
    page_on(load_bundle(write_synthetic(tmp_path / "few", spec)))
