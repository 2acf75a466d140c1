"""Parts of Explore without a browser: index of captions, one concept’s energies, neighbours."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
from explorer_fixtures import PAGE, page_on, write_another
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.card.all_images import PAGE as A_PAGE
from blindspots_hub.explorer.card.all_images import all_images
from blindspots_hub.explorer.card.histogram import energy_histogram
from blindspots_hub.explorer.card.neighbours import neighbours_part, within
from blindspots_hub.explorer.map.cluster_names import cluster_names
from blindspots_hub.explorer.page.caption_index import CaptionIndex
from blindspots_hub.explorer.page.catalog import Catalog, Entry, bundle_id
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.evaluate_parts.job import Job
from blindspots_hub.explorer.tabs.explore_parts.search import find, searched
from blindspots_hub.serving.deployment import Deployment


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    spec = Synthetic(n_concepts=120, pairs=90, fires_per_image=30)
    return load_bundle(write_synthetic(tmp_path_factory.mktemp("parts") / "b", spec))


@pytest.fixture(scope="module")
def entry(bundle: Bundle) -> Entry:
    return Catalog(bundle).entries()[0]


def test_every_word_of_every_caption_is_found() -> None:
    captions = ["A red kettle", "the KETTLEDRUM, red", "", "blue kettle-drum", "Straße"]
    index = CaptionIndex.of(captions)
    assert index.captions == 5
    assert index.find("kettle").tolist() == [0, 1, 3], "the last word may be a beginning"
    assert index.find("kettle red").tolist() == [0], "the others are whole"
    assert index.find("RED ket").tolist() == [0, 1]
    assert index.find("strasse").tolist() == [4]
    assert index.find("green").tolist() == index.find(" ,").tolist() == []


def test_search_counts_the_captions_in_which_a_concept_fires(bundle: Bundle, entry: Entry) -> None:
    rows = [k for k, c in enumerate(bundle.captions(bundle.image_ids(NATURAL))) if "morning" in c]
    assert len(rows) == 90
    hit = next(hit for hit in find(entry, "kettle morn", 200) if hit.reason)
    told = int(hit.reason.split()[1])
    captions = bundle.captions(bundle.image_ids(NATURAL))
    with_it = [k for k, c in enumerate(captions) if "kettle" in c.split()]
    column = bundle.concept_energies(NATURAL, hit.concept)
    assert column is not None
    assert told == len(set(column.rows.tolist()) & set(with_it))
    assert "90 captions" in searched(entry)


@pytest.mark.parametrize("concept", [0, 7, 119])
def test_energies_of_one_concept_are_those_of_the_whole_matrix(
    bundle: Bundle, concept: int
) -> None:
    whole = bundle.energies(NATURAL).matrix.tocsc()
    column = bundle.concept_energies(NATURAL, concept)
    assert column is not None
    assert column.images == 90
    dense = np.zeros(90, np.float32)
    dense[column.rows] = column.energies
    assert np.array_equal(dense, whole[:, concept].toarray().ravel())
    fires = bundle.fires_in(NATURAL, np.array([3, 5, 8]))
    assert fires is not None
    assert fires[concept] == (whole[:, concept].toarray().ravel()[[3, 5, 8]] > 0).sum()


def test_all_images_of_a_concept_come_strongest_first_to_the_end(
    bundle: Bundle, entry: Entry
) -> None:
    concept = int(np.argmax(entry.reading("relative").images_natural))
    column = bundle.concept_energies(NATURAL, concept)
    assert column is not None
    n = len(column.rows)
    assert n > A_PAGE
    pages = [all_images(entry, concept, "natural", k) for k in range(-(-n // A_PAGE))]
    assert sum(page.count("<figure") for page in pages) == n
    strongest = bundle.image_ids(NATURAL)[int(column.rows[np.argmax(column.energies)])]
    assert pages[0].index(f'data-pair="{strongest}"') < pages[0].index("</figure>")
    assert "all of them" in pages[-1]
    assert all("Show" in page for page in pages[:-1])


def test_without_energies_parts_say_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("bare") / "b"
    made = load_bundle(write_synthetic(root, replace(PAGE, hostile=False)))
    for path in (root / "deltas/energies").iterdir():
        path.unlink()
    entry = Catalog(made).entries()[0]
    assert "not here" in energy_histogram(entry, 0)
    assert "not here" in all_images(entry, 0, "natural", 0)
    assert "strongest captions" in next(h.reason for h in find(entry, "morning") if h.reason)


def test_a_histogram_tells_its_shares(bundle: Bundle, entry: Entry) -> None:
    column = bundle.concept_energies(NATURAL, 5)
    assert column is not None
    html = energy_histogram(entry, 5)
    assert "of 90 natural images" in html
    assert "<svg" in html
    assert html.count("<rect") > 4


def test_names_of_clusters_are_what_is_common_there_only() -> None:
    rng = np.random.default_rng(0)
    cluster = np.repeat([0, 1, -1], [20, 10, 5])
    xy = np.stack([cluster * 10.0, np.zeros(35)], axis=1) + rng.normal(size=(35, 2))
    labels = ["dog"] * 12 + ["thing"] * 8 + ["cup"] * 5 + ["thing"] * 5 + ["thing"] * 5
    named = cluster_names(xy, cluster, labels)
    assert [one.name for one in named] == ["dog", "cup"]
    assert named[0].size == 20
    assert abs(named[1].x - 10) < 2
    assert cluster_names(xy, np.full(35, -1), labels) == []


def test_neighbours_lead_to_the_same_model_and_delta(entry: Entry) -> None:
    """Their address is opened in a tab of its own, too, where the page has no view yet."""
    concept = next(
        k for k in range(entry.bundle.n_concepts) if len(within(entry, View().layout, k, 30))
    )
    view = View(concept=concept, kind="absolute", around=30, unjudged=True)
    links = re.findall(r'<a href="([^"]*)"', neighbours_part(entry, view))
    assert links
    for address in links:
        asked = dict(parse_qsl(unescape(address).removeprefix("?")))
        assert asked["model"] == entry.model
        assert asked["bundle"] == bundle_id(entry.bundle)
        assert asked["delta"] == "absolute"


def test_neighbours_are_the_nearest_within_the_radius(bundle: Bundle, entry: Entry) -> None:
    xy = np.stack([bundle.concepts[c].to_numpy() for c in ("x", "y")], axis=1)
    found = within(entry, "atoms", 4, 20)
    far = np.hypot(*(xy - xy[4]).T)
    assert 4 not in found
    assert (np.diff(far[found]) >= 0).all()
    assert len(found) == (far <= 0.2 * np.ptp(xy[:, 0])).sum() - 1


def test_a_job_goes_on_unwatched_and_any_page_comes_back_to_it() -> None:
    go = threading.Event()
    closed = []

    def work() -> Iterator[dict[str, int]]:
        try:
            yield {"a": 1}
            go.wait(20)
            yield {"b": 2}
        finally:
            closed.append(True)

    job = Job("x", work())
    first = job.watch()
    assert next(first) == {"a": 1}
    first.close()  # type: ignore[attr-defined]
    second = job.watch()
    assert next(second) == {"a": 1}
    go.set()
    assert list(second)[-1] == {"a": 1, "b": 2}
    assert not job.under_way
    assert closed == [True]


def test_a_job_that_is_stopped_ends_and_one_that_fails_says_why() -> None:
    def endless() -> Iterator[dict[str, int]]:
        for number in range(10**9):
            time.sleep(0.01)
            yield {"n": number}

    job = Job("x", endless())
    watched = job.watch()
    next(watched)
    job.stop()
    for _ in watched:
        pass
    for _ in range(500):
        if not job.under_way:
            break
        time.sleep(0.01)
    assert not job.under_way

    def failing() -> Iterator[dict[str, int]]:
        yield {"n": 1}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(Job("y", failing()).watch())


def test_what_was_evaluated_here_is_in_the_menu_of_a_fresh_page(tmp_path: Path) -> None:
    home = load_bundle(write_synthetic(tmp_path / "home", PAGE))
    evaluations = tmp_path / "evaluations"
    mine = load_bundle(write_another(evaluations, seed=3))
    (evaluations / "nothing").mkdir()
    page = page_on(home, evaluations)
    nowhere: Any = SimpleNamespace(query_params={})
    updates = page.follow_link([], nowhere)
    assert updates[page.own] == [bundle_id(mine)]
    assert "Mine" in [title for title, _ in updates[page._model].choices]
    linked: Any = SimpleNamespace(query_params={"bundle": bundle_id(mine)})
    assert page.follow_link([], linked)[page.view].model == "mine"
    strangers = page_on(home, evaluations, site=Deployment(public=True))
    assert strangers.own not in strangers.follow_link([], nowhere)
