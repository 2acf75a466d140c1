"""The planted model that draws with another renderer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from blindspots_hub import planted
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.planted.draw import draw
from blindspots_hub.planted.models import RENDERED, RENDERING, planted_pipeline
from blindspots_hub.planted.pipelines import PlantedPipeline
from blindspots_hub.planted.rendering import Rendering, rendering_from_config
from blindspots_hub.planted.scene import NATURAL, complete
from blindspots_hub.runs.confounds import Alteration

PROMPT = "a guitar on a wooden table"


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def test_it_draws_the_same_scene_otherwise_and_always_alike() -> None:
    pipe = planted_pipeline(RENDERED)
    image = pipe(PROMPT, generator=seeded()).images[0]
    assert image.size == (224, 224)
    assert image.mode == "RGB"
    assert pipe(PROMPT, generator=seeded()).images[0].tobytes() == image.tobytes()
    plain = PlantedPipeline()
    assert plain.scene_for(PROMPT, seeded()) == pipe.scene_for(PROMPT, seeded())
    other = plain(PROMPT, generator=seeded()).images[0]
    difference = np.abs(np.asarray(image, float) - np.asarray(other, float)).mean()
    assert 1 < difference < 40, "the same picture, drawn otherwise"


def test_the_committed_model_is_the_one_that_is_defined(tmp_path: Path) -> None:
    loaded = PlantedPipeline.from_pretrained(planted.MODEL_FOLDER / RENDERED)
    assert dict(loaded.config["rendering"]) == RENDERING
    assert loaded.config["faults"] == {}
    image = loaded(PROMPT, generator=seeded()).images[0]
    again = planted_pipeline(RENDERED)(PROMPT, generator=seeded()).images[0]
    assert image.tobytes() == again.tobytes()
    assert set(planted.BESIDE) == {RENDERED}
    assert RENDERED not in planted.TITLES, "the embedded bundle does not hold it"


def test_lines_alone_change_lines() -> None:
    scene = complete({"object": "guitar", "count": 1, "background": "plain"}, 3, NATURAL)
    assert Rendering()(scene, 224).tobytes() == draw(scene).tobytes()
    wide = Rendering(line_width=1.4)(scene, 224)
    assert wide.tobytes() != draw(scene).tobytes()


def test_alterations_blur_and_flatten() -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8))
    spread = np.asarray(image, float).std()
    assert np.asarray(Alteration(blur=2.0)(image), float).std() < 0.5 * spread
    flat = np.asarray(Alteration(contrast=0.5)(image), float)
    assert flat.std() == pytest.approx(spread / 2, rel=0.05)
    assert (
        Alteration(blur=0.8, contrast=0.85, jpeg=60).name == "blur 0.8 px, contrast 0.85, JPEG 60"
    )
    for wrong in ({"blur": 0.0}, {"blur": 99.0}, {"contrast": -1.0}, {"contrast": 9.0}):
        with pytest.raises(BlindspotsError, match="out of range"):
            Alteration(**wrong)


def test_a_rendering_that_is_unknown_is_refused() -> None:
    with pytest.raises(BlindspotsError, match="sepia"):
        rendering_from_config({"sepia": 1.0})
