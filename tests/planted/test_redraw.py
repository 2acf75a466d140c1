"""Images of planted models are drawn again as they were measured, and only those."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.explorer.page.picture_server import PictureServer
from blindspots_hub.explorer.page.pictures import full_url, picture
from blindspots_hub.planted.redraw import Redraw


async def _nobody(*_: Any) -> None:
    raise AssertionError("not a picture")


def test_a_drawn_image_is_the_one_that_was_measured() -> None:
    bundle = load_bundle(planted.BUNDLE)
    catalog = Catalog(bundle, redraw=Redraw())
    ids = [one for one in bundle.image_ids("willow") if bundle.has_thumbnail("willow", one)][:3]
    for pair_id in ids:
        route = full_url(bundle, "willow", pair_id).partition("/")[2]
        found = PictureServer(_nobody, catalog).find(route)
        assert found is not None
        drawn = Image.open(io.BytesIO(found[0])).convert("RGB")
        small = bundle.thumbnail("willow", pair_id)
        assert small is not None
        kept = Image.open(io.BytesIO(small.image)).convert("RGB")
        assert min(drawn.size) >= min(kept.size)
        apart = np.asarray(drawn.resize(kept.size), float) - np.asarray(kept, float)
        assert np.abs(apart).mean() < 6  # the small one is lossy


def test_what_has_no_thumbnail_is_a_picture_too_where_it_can_be_drawn() -> None:
    bundle = load_bundle(planted.BUNDLE)
    bare = next(one for one in bundle.image_ids("cedar") if not bundle.has_thumbnail("cedar", one))
    assert "not in this bundle" in picture(bundle, "cedar", bare)
    bundle.redraw = Redraw()
    assert "<img" in picture(bundle, "cedar", bare)
    assert bundle.image("cedar", bare) == bundle.image("cedar", bare)
    assert bundle.image("cedar", "no-such-pair") is None
    assert not bundle.has_picture("cedar", "no-such-pair")


def test_other_models_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, redraw = load_bundle(planted.BUNDLE), Redraw()
    entry = bundle.models["cedar"]
    assert redraw.can(bundle, "cedar")
    assert not redraw.can(bundle, NATURAL)
    for run in (
        {**entry.run, "revision": "sha256:other"},
        {**entry.run, "name": "../cedar"},
        {**entry.run, "pipeline_class": "StableDiffusionPipeline"},
        {**entry.run, "seed": None},
        {},
    ):
        monkeypatch.setitem(bundle.models, "cedar", replace(entry, run=run))
        assert not redraw.can(bundle, "cedar")
        assert redraw.image(bundle, "cedar", bundle.image_ids("cedar")[0]) is None
