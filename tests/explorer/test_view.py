"""The view of the page: written down as a link, read back, and what wrong links are told."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from explorer_fixtures import PAGE, page_on, write_another
from hypothesis import given
from hypothesis import strategies as st
from synthetic_bundle import write_synthetic

from blindspots_hub.analysis.deltas import KINDS, SHOW
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.map.layout_switch import LAYOUTS
from blindspots_hub.explorer.page.arrival import settled
from blindspots_hub.explorer.page.catalog import Catalog, bundle_id
from blindspots_hub.explorer.page.view import NAMES, View, nearest
from blindspots_hub.explorer.page.view_parts import (
    CONCEPTS_SHOWN,
    LAST_PAGE,
    PAIR_ORDERS,
    PAIRS_SHOWN,
    SIZES_SHOWN,
    SORTS,
    WHY_SHOWN,
    ConceptsView,
    PairsView,
)

TABS = ["explore", "findings", "evaluate"]
TEXT = st.text(min_size=1, max_size=40)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_synthetic(tmp_path_factory.mktemp("view") / "bundle", PAGE))


@given(
    st.builds(
        View,
        bundle=TEXT,
        model=TEXT,
        kind=st.sampled_from(KINDS),
        concept=st.none() | st.integers(0, 999_999_999),
        pair=st.none() | TEXT,
        show=st.sampled_from(list(SHOW)),
        layout=st.sampled_from(list(LAYOUTS)),
        unjudged=st.booleans(),
        concepts=st.builds(
            ConceptsView,
            state=st.sampled_from(CONCEPTS_SHOWN),
            q=st.floats(0, 1, exclude_min=True),
            support=st.integers(0, 10**9 - 1),
            size=st.sampled_from(SIZES_SHOWN),
            label=TEXT,
            cluster=st.none() | st.integers(-1, 10**9 - 1),
            sort=st.sampled_from(SORTS) | st.sampled_from([f"-{sort}" for sort in SORTS]),
            page=st.integers(1, LAST_PAGE),
        ),
        pairs=st.builds(
            PairsView,
            which=st.sampled_from(PAIRS_SHOWN),
            why=st.sampled_from(WHY_SHOWN),
            words=TEXT,
            order=st.sampled_from(PAIR_ORDERS),
            page=st.integers(1, LAST_PAGE),
        ),
        tab=TEXT,
    )
)
def test_a_link_is_the_view_written_down(view: View) -> None:
    assert View.from_query(view.query()) == view
    assert View.from_query(dict(parse_qsl(view.link.removeprefix("?")))) == view
    assert set(view.query()) <= set(NAMES)


def test_a_link_holds_what_differs_from_the_opening(bundle: Bundle) -> None:
    assert View("b", "m", concept=0).query() == {
        "bundle": "b", "model": "m", "concept": "0",
    }  # fmt: skip


def test_links_are_filled_in_from_the_page(bundle: Bundle) -> None:
    catalog = Catalog(bundle)

    def read(**query: str) -> View:
        return settled(View.from_query(query), catalog, TABS)

    home = bundle_id(bundle)
    assert read(__theme="dark") == View(home, "plain-a")
    assert read(model="own", delta="absolute", concept="0") == View(home, "own", "absolute", 0)
    pair = bundle.image_ids("plain-a")[3]
    assert read(bundle=home, pair=pair, show="certain", layout="codes", tab="findings") == View(
        home, "plain-a", pair=pair, show="certain", layout="codes", tab="findings"
    )


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"concept": "-1"}, "'-1' is not the number of a concept"),
        ({"concept": "20.5"}, "'20.5' is not the number of a concept"),
        ({"concept": "٣"}, "is not the number of a concept"),
        ({"concept": "300"}, "has 300, counted from 0"),
        ({"concepts-q": "x"}, "The largest q 'x' is no number above 0"),
        ({"concepts-q": "nan"}, "is no number above 0"),
        ({"concepts-support": "-1"}, "least support '-1' is no whole number from 0"),
        ({"concepts-page": "0"}, "page '0' is no whole number from 1"),
        ({"concepts-state": "drawn"}, "no state 'drawn' in this table: there is all, judged"),
        ({"concepts-sort": "-age"}, "no order 'age'"),
        ({"pairs-which": "lost"}, "no kind of pair 'lost'"),
        ({"pairs-why": "luck"}, "no cause 'luck'"),
        ({"delta": "relativ"}, "no δ 'relativ': did you mean relative?"),
        ({"delta": "x"}, "no δ 'x': there is relative, absolute"),
        ({"show": "certian"}, "did you mean certain?"),
        ({"layout": "atom"}, "did you mean atoms?"),
        ({"unjudged": "yes"}, "no switch 'yes'"),
        ({"model": "plain-b"}, "in the bundle synthetic: did you mean plain-a?"),
        ({"model": "synthetc/plain-a2"}, "did you mean plain-a?"),
        ({"model": "<x>"}, "there is plain-a, own"),
        ({"tab": "finding"}, "no tab 'finding': did you mean findings?"),
        ({"pair": "not-there"}, "no pair 'not-there' among those of plain-a"),
        ({"bundle": "0123456789abcdef"}, "holds no bundle '0123456789abcdef'"),
    ],
)
def test_a_wrong_link_is_told_what_was_meant(
    bundle: Bundle, query: dict[str, str], told: str
) -> None:
    with pytest.raises(BlindspotsError) as error:
        settled(View.from_query(query), Catalog(bundle), TABS)
    assert told in str(error.value)
    page = page_on(bundle)
    assert "This link leads nowhere." in page._follow(query, [])[page._fault]


def test_a_long_value_is_not_repeated(bundle: Bundle) -> None:
    with pytest.raises(BlindspotsError) as error:
        settled(View.from_query({"model": "x" * 100_000}), Catalog(bundle), TABS)
    assert len(str(error.value)) < 200


def test_nothing_is_meant_by_a_name_unlike_all_others() -> None:
    assert nearest("plantd/aldr", ["planted/alder-1", "sd15"]) == "planted/alder-1"
    assert nearest("pixart", ["planted/alder-1", "sd15"]) is None


def test_no_link_names_bundles_of_others(bundle: Bundle, tmp_path: Path) -> None:
    page = page_on(bundle)
    identity = page.catalog.add(write_another(tmp_path, seed=3))
    told = page._follow({"bundle": identity[:-1] + "x"}, [])[page._fault]
    assert identity not in told, "an id is known to its maker, and to those with a link"
    assert page._follow({"bundle": identity}, [])[page.view].model == "mine"
