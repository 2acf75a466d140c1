from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from blindspots_hub.concepts.preprocess import Preprocessing
from blindspots_hub.errors import BlindspotsError

PAPER = Preprocessing()


@pytest.fixture(scope="module")
def reference():
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    def pixels(image: Image.Image, preprocessing: Preprocessing) -> torch.Tensor:
        config = preprocessing.to_config()
        processor = BitImageProcessorPil(**{k: v for k, v in config.items() if "type" not in k})
        return processor(image, return_tensors="pt").pixel_values[0]

    return pixels


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(width * 10_007 + height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)


@pytest.mark.parametrize(
    "size",
    [
        (512, 512),
        (768, 768),
        (1024, 1024),
        (224, 224),
        (256, 256),
        (512, 768),
        (1, 1),
        (3, 2),
        (1, 40),
        (640, 479),
        (333, 1201),
        (1201, 333),
    ],
)
def test_equals_the_reference_of_transformers(reference, size):
    image = noise(*size)
    ours = PAPER(image)
    assert ours.shape == (3, 224, 224)
    assert ours.dtype == torch.float32
    assert torch.equal(ours, reference(image, PAPER))


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    crop=st.integers(1, 64),
    margin=st.integers(0, 17),
)
def test_equals_the_reference_whatever_the_size(reference, width, height, crop, margin):
    if max(width, height) > 40 * min(width, height):
        height = width
    preprocessing = Preprocessing(shortest_edge=crop + margin, crop=crop)
    image = noise(width, height)
    assert torch.equal(preprocessing(image), reference(image, preprocessing))


@settings(max_examples=25, deadline=None)
@given(numerator=st.integers(1, 12), power=st.integers(0, 3), tall=st.integers(32, 96))
def test_the_fast_path_is_bit_identical(reference, numerator, power, tall):
    # sides of 32 · numerator / 2^power: the resize factor is a dyadic number, the fast path's case
    preprocessing = Preprocessing(shortest_edge=32, crop=28)
    image = noise(max(1, 32 * numerator >> power), max(1, tall * numerator >> power))
    assert torch.equal(preprocessing(image), reference(image, preprocessing))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_converts_other_modes_to_rgb(mode):
    image = noise(64, 64, mode)
    assert torch.equal(PAPER(image), PAPER(image.convert("RGB")))


def test_config_round_trip():
    other = Preprocessing(shortest_edge=128, crop=112, mean=(0.5, 0.4, 0.3), resample=2)
    assert Preprocessing.from_config(other.to_config()) == other
    assert Preprocessing.from_config(PAPER.to_config()) == PAPER


def test_reads_the_config_that_dinov2_is_published_with():
    config = {
        "crop_size": {"height": 224, "width": 224},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_processor_type": "BitImageProcessor",
        "image_std": [0.229, 0.224, 0.225],
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": 256},
    }
    assert Preprocessing.from_config(config) == PAPER


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": None}, "size"),
        ({"size": {"height": 256, "width": 256}}, "shortest_edge"),
        ({"crop_size": None}, "crop_size"),
        ({"crop_size": {"height": 224, "width": 112}}, "square"),
        ({"do_center_crop": False}, "do_center_crop"),
        ({"image_mean": [0.5]}, "no number"),
        ({"image_std": "x"}, "no number"),
        ({"resample": 99}, "99"),
        ({"size": {"shortest_edge": 100}}, "224"),
    ],
)
def test_a_config_of_another_kind_is_told_in_a_sentence(change, words):
    with pytest.raises(BlindspotsError, match=words):
        Preprocessing.from_config({**PAPER.to_config(), **change})


def test_a_missing_setting_is_named():
    config = PAPER.to_config()
    del config["image_std"]
    with pytest.raises(BlindspotsError, match="image_std"):
        Preprocessing.from_config(config)
