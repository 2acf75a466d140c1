"""The concept map as a component: what it is given, and what it answers."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from map_fixtures import NO_MODEL, sample_colours, sample_map, sample_world

from blindspots_hub.explorer.map.concept_map import update_map
from blindspots_hub.explorer.map.map_data import NOWHERE, ROUND, MapData, _quantised, colour_bytes
from blindspots_hub.explorer.page import colours


def test_coordinates_are_centred_and_keep_their_shape() -> None:
    placed = _quantised(np.array([[10.0, 5.0], [30.0, 10.0], [20.0, 7.5]]))
    assert placed.dtype == np.dtype("<i4")
    assert placed.tolist() == [[-ROUND, -262144], [ROUND, 262144], [0, 0]]
    assert _quantised(np.array([[3.0, 3.0]])).tolist() == [[0, 0]]
    assert _quantised(np.zeros((0, 2))).shape == (0, 2)


def test_of_128_000_concepts_in_close_clumps_hardly_any_share_a_place() -> None:
    """What lies on another concept cannot be clicked, however near one looks."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, 36, (512, 2))
    xy = centres[rng.integers(0, len(centres), 128_000)] + rng.normal(0, 0.01, (128_000, 2))
    assert len(np.unique(_quantised(xy), axis=0)) > 0.999 * len(xy)


def test_bytes_are_colours_then_states() -> None:
    packed = colour_bytes(np.array([0.0, np.nan]), np.array([4, 1]))
    assert packed == bytes([0, colours.UNKNOWN, 4, 1])
    assert colour_bytes(np.array([1.0])) == bytes([250, 0])
    with pytest.raises(ValueError, match="differ in length"):
        colour_bytes(np.array([1.0]), np.array([1, 2]))


def test_map_data_refuses_columns_that_do_not_fit() -> None:
    size = np.zeros(2, np.uint8)
    with pytest.raises(ValueError, match="N labels"):
        MapData(np.zeros((2, 2)), size, ["one"])
    with pytest.raises(ValueError, match="finite"):
        MapData(np.array([[0.0, np.inf], [1, 1]]), size, ["", ""])


def test_a_concept_without_a_place_travels_as_nowhere() -> None:
    xy = np.array([[np.nan, np.nan], [3.0, -1.0], [1.0, 5.0]])
    whole = _quantised(xy)
    assert (whole[0] == NOWHERE).all()
    assert np.array_equal(whole[1:], _quantised(xy[1:]))
    assert (whole[1:] != NOWHERE).any(1).all()
    assert (_quantised(xy[:1]) == NOWHERE).all()
    assert np.abs(whole[1:]).max() == ROUND


def test_an_update_names_only_what_changes() -> None:
    assert update_map(colour_key="b/A").props == {"colour_key": "b/A"}
    assert update_map(show={5, 4}).props == {"show": [4, 5]}
    assert update_map(show=None).props == {"show": None}
    assert update_map(selected=3).props["selected"][0] == 3
    assert update_map(selected=None).props["selected"][0] == -1


def test_nothing_in_the_script_or_style_calls_elsewhere() -> None:
    made = sample_map(sample_world(4))
    for text in (made.js_on_load, made.css_template, made.html_template):
        assert "http" not in text.replace("http://www.w3.org/2000/svg", ""), "but a drawing's name"
        assert "innerHTML" not in text
    assert "{{" not in made.css_template + made.html_template  # Gradio would take it as a template


def test_a_fault_in_the_page_is_told_and_a_bug_is_raised() -> None:
    made = sample_map(sample_world(4))
    assert made.map_colours("bad") == {"error": NO_MODEL}
    assert base64.b64decode(made.map_colours("A")["bytes"])[:4] == sample_colours(4, "A")[:4]
    with pytest.raises(ValueError, match="never gave"):
        made.map_places({"not": "a key"})


def test_every_script_is_part_of_the_map() -> None:
    from blindspots_hub.explorer.map import concept_map as module

    beside = {path.name for path in Path(module.__file__).parent.glob("map_*.js")}
    assert beside <= set(module.SCRIPTS)
