"""Captions of the planted world, and reading them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots_hub.planted import factors as f
from blindspots_hub.planted.captions import (
    NOISY_SHARE,
    STATE_BACKGROUND,
    caption,
    parse,
)
from blindspots_hub.planted.scene import FLATTENED, NATURAL, complete, sample_scene
from blindspots_hub.planted.world import world_pairs

seeds = st.integers(0, 2**62)


@given(seeds, seeds)
def test_parse_recovers_exactly_what_is_stated(scene_seed: int, seed: int) -> None:
    scene = sample_scene(scene_seed, FLATTENED)
    written = caption(scene, seed)
    assert parse(written.text) == written.stated
    for field, value in written.stated.items():
        assert getattr(scene, field) == value


@pytest.mark.parametrize("name", f.OBJECTS)
def test_every_object_and_place_can_be_told(name: str) -> None:
    for index, place in enumerate(f.BACKGROUNDS):
        scene = complete({"object": name, "background": place}, index, FLATTENED)
        kinds = set()
        for seed in range(30):
            written = caption(scene, seed)
            kinds.add(written.kind)
            assert parse(written.text) == written.stated
        assert "plain" in kinds


@given(st.text(max_size=300))
def test_parse_reads_any_text(text: str) -> None:
    assert set(parse(text)) <= {
        "object", "colour", "count", "background", "light", "page", "shadow", "palm", "template"
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "   ", "IMG_4032.jpg", "xyzzy " * 1700, "\x00\ud800", "350ml"]
)
def test_nonsense_states_nothing(text: str) -> None:
    assert parse(text) == {}


def test_long_text_is_read_in_time() -> None:
    assert parse("a a a four red " * 700) == {}
    assert parse("four red mugs " + "blah " * 2000) == {
        "object": "mug",
        "count": 4,
        "colour": "red",
    }


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("a photo of four red mugs on a wooden table, with a shadow",
         {"object": "mug", "count": 4, "colour": "red", "background": "wood", "shadow": True}),
        ("Mug Red Ceramic 350ml - FREE SHIPPING", {"object": "mug", "colour": "red"}),
        ("a blank document page", {"object": "document", "count": 1, "page": "blank"}),
        ("an empty page", {"object": "document", "count": 1, "page": "blank"}),
        ("a kitten, no shadow", {"object": "cat", "count": 1, "shadow": False}),
        ("a palm tree on the beach", {"object": "palm tree", "count": 1, "background": "beach"}),
        ("a boat with a palm tree", {"object": "boat", "count": 1, "palm": True}),
        ("a red dog", {"object": "dog", "count": 1}),
        ("pancake on the table", {}),
    ],
)  # fmt: skip
def test_prompts_that_people_write(text: str, stated: dict[str, object]) -> None:
    assert parse(text) == stated


def test_known_shares_of_noise_and_templates() -> None:
    pairs = list(world_pairs(4000))
    kinds = Counter(pair.caption.kind for pair in pairs)
    scenes = 4000 - kinds["template"]
    noisy = sum(pair.caption.noisy for pair in pairs)
    assert abs(noisy / scenes - NOISY_SHARE) < 0.02
    assert all(pair.caption.noisy == (pair.caption.kind not in ("plain", "template"))
               for pair in pairs)  # fmt: skip
    blank = [pair for pair in pairs if pair.scene.page == "blank" and not pair.caption.noisy]
    assert blank
    assert all(pair.caption.stated["page"] == "blank" for pair in blank)
    stated = Counter(key for pair in pairs for key in pair.caption.stated)
    assert 0.75 < stated["background"] / scenes < STATE_BACKGROUND
    assert stated["object"] / scenes > 0.9


def test_captions_do_not_depend_on_other_seeds() -> None:
    scene = complete({"object": "mug"}, 3, NATURAL)
    assert caption(scene, 5) == caption(scene, 5)
    assert len({caption(scene, seed).text for seed in range(30)}) > 5
