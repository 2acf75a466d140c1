"""What is found of an image from the web without decoding its colours, against decoding them."""

from __future__ import annotations

import io
import random
from collections import Counter

import numpy as np
import pytest
from data_fixtures import encoded
from PIL import Image

from blindspots_hub.data.fetching import looked_at
from blindspots_hub.data.fetching.causes import NoFetch
from blindspots_hub.data.fetching.limits import FetchLimits
from blindspots_hub.data.fetching.looked_at import look_at, perceptual_hash
from blindspots_hub.data.images import is_blank, open_image
from blindspots_hub.data.sampling.near_copies import NEAR
from blindspots_hub.errors import BlindspotsError

LIMITS = FetchLimits()
KINDS: list[dict[str, object]] = [
    {}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1},
    {"restart_marker_blocks": 4},
]  # fmt: skip


def photo(side: int, mode: str = "RGB", **options: object) -> bytes:
    """A JPEG of a few large colours, larger than `side` by 8 pixels upwards."""
    dice = np.random.default_rng(side)
    coarse = Image.fromarray(dice.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    image = coarse.resize((side, side + 8), Image.Resampling.BICUBIC).convert(mode)
    image.save(buffer, "JPEG", quality=85, **options)
    return buffer.getvalue()


def verdict(content: bytes) -> str:
    try:
        look_at(content, LIMITS)
    except NoFetch as error:
        damaged = error.cause in ("image_damaged", "not_an_image")
        return "damaged" if damaged else error.cause
    return "ok"


def whole_verdict(content: bytes) -> str:
    try:
        return "blank" if is_blank(open_image(content)) else "ok"
    except BlindspotsError:
        return "damaged"


def test_damage_is_found_as_by_decoding_colours() -> None:
    dice, told = random.Random(0), Counter[str]()
    files = [
        photo(side, mode, **kind) for side in (64, 520) for mode in ("RGB", "L") for kind in KINDS
    ]
    for _ in range(600):
        content = bytearray(dice.choice(files))
        if dice.random() < 0.3:
            del content[dice.randrange(4, len(content)) :]
        else:
            end = 700 if dice.random() < 0.5 else len(content)
            for _ in range(dice.randint(1, 4)):
                content[dice.randrange(min(end, len(content)))] = dice.randrange(256)
        found, expected = verdict(bytes(content)), whole_verdict(bytes(content))
        told[expected] += 1
        assert found == expected or found in ("too_thin", "too_small", "too_many_pixels")
    assert min(told["ok"], told["damaged"]) > 100


@pytest.mark.parametrize("kind", ["CMYK", "odd", "MPO"])
def test_unusual_jpegs_are_decoded_in_colours(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        looked_at, "open_image", lambda *some: asked.append(some) or open_image(*some)
    )
    if kind == "MPO":
        content = io.BytesIO()
        one = Image.open(io.BytesIO(photo(64)))
        one.save(content, "MPO", save_all=True, append_images=[one.rotate(90)])
        file = content.getvalue()
    else:
        file = photo(64, "CMYK" if kind == "CMYK" else "RGB", subsampling=0)
    if kind == "odd":  # luma sampled 1×1, one chroma 2×1
        start = file.index(b"\xff\xc0")
        file = file[: start + 14] + b"\x21" + file[start + 15 :]
    assert verdict(file) == whole_verdict(file)
    assert asked


def test_one_colour_is_blank_whatever_its_luma() -> None:
    # Luma of 77 to 134, and all of it the same magenta once it is cut to what RGB can show.
    luma = np.full((64, 64), 90, np.uint8)
    luma[:32] = 125
    chroma = [np.full((64, 64), value, np.uint8) for value in (255, 255)]
    planes = [Image.fromarray(plane) for plane in (luma, *chroma)]
    image = Image.merge("YCbCr", planes)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=100, subsampling=0)
    assert np.ptp(np.asarray(image.getchannel(0))) > 30
    assert verdict(buffer.getvalue()) == whole_verdict(buffer.getvalue())
    for colour in ((0, 0, 0), (255, 255, 255), (200, 30, 90)):
        assert verdict(encoded(Image.new("RGB", (600, 600), colour), "JPEG")) == "blank"
    faint = Image.new("RGB", (600, 600), (100, 100, 100))
    faint.paste((110, 110, 110), (0, 0, 300, 600))
    assert verdict(encoded(faint, "JPEG")) == "ok"


@pytest.mark.parametrize("side", [64, 301, 520, 1203])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_hash_is_that_of_the_whole_image(side: int, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = photo(side, exif=exif)
    whole = open_image(content)
    found = look_at(content, LIMITS).perceptual_hash
    assert (found ^ perceptual_hash(whole)).bit_count() <= NEAR // 2
    assert (found ^ look_at(encoded(whole, "PNG"), LIMITS).perceptual_hash).bit_count() <= NEAR
