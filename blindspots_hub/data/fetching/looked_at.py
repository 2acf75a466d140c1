"""Files from the web as images: their format by content, decoded whole, within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import cast

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from scipy.fft import dctn

from blindspots_hub.data.fetching.causes import Cause, NoFetch
from blindspots_hub.data.fetching.limits import WEB_FORMATS, FetchLimits
from blindspots_hub.data.images import header, is_blank, kind_of, open_image, upright
from blindspots_hub.errors import BlindspotsError

_SIDE, _KEPT = 32, 8

_NOT_BLANK = 64
"""Levels of luma that no image of one colour spans: colours beyond what RGB can show are cut to the
same corner of it from at most 59 levels (green, of those of JPEG's YCbCr)."""

_LUMA = ((1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2), (4, 4))
"""Samplings of luma, over chroma of 1×1, that every decoder upsamples."""


@dataclass(frozen=True)
class LookedAt:
    """An image that can be used: its file, format, pixels and hashes.

    `perceptual_hash` is 64 bits (`perceptual_hash`), `sha256` of the file in hex.
    """

    content: bytes
    kind: str
    width: int
    height: int
    sha256: str
    perceptual_hash: int
    bytes: int


def look_at(content: bytes, limits: FetchLimits) -> LookedAt:
    """Decode a file that came from the web, or raise `NoFetch` with the cause."""
    kind = kind_of(content[:32])
    if kind is None or kind not in WEB_FORMATS:
        raise NoFetch("not_an_image", kind or "none of the formats that are read")
    try:
        image = header(content, "it")
    except BlindspotsError as error:
        raise NoFetch(_cause(str(error)), str(error)) from error
    width, height = image.size
    if width * height > limits.max_pixels:
        raise NoFetch("too_many_pixels", f"{width}×{height}")
    if max(width, height) > limits.max_aspect * min(width, height):
        raise NoFetch("too_thin", f"{width}×{height}")
    if min(width, height) < limits.min_side:
        raise NoFetch("too_small", f"{width}×{height}")
    if kind == "JPEG" and (scans := content.count(b"\xff\xda")) > limits.max_scans:
        raise NoFetch("image_damaged", f"{scans:,} scans")
    looks = _hash_of_luma(image)
    if looks is None:
        try:
            whole = open_image(content, "it")
        except BlindspotsError as error:
            raise NoFetch("image_damaged", str(error)) from error
        if is_blank(whole):
            raise NoFetch("blank", "all one colour")
        looks = perceptual_hash(whole)
    digest = sha256(content).hexdigest()
    return LookedAt(content, kind, width, height, digest, looks, len(content))


def _hash_of_luma(image: Image.Image) -> int | None:
    """Hash of an opened JPEG that surely is not all one colour; None where that is not sure.

    It is decoded in grey, a third of the work of colours at full size, and the same damage is
    found: every coefficient is read all the same. Only upsampling of odd samplings can fail later,
    and those are left to `open_image`. A pixel of an eighth of the side is the mean of 8×8 (a
    block's first coefficient), so that the range of means is at most the range of pixels.
    """
    if not isinstance(image, JpegImageFile) or image.format != "JPEG":  # an MPO has several images
        return None
    samplings = [tuple(layer[1:3]) for layer in image.layer]
    if image.mode not in ("L", "RGB") or (
        len(samplings) > 1 and (samplings[0] not in _LUMA or set(samplings[1:]) != {(1, 1)})
    ):
        return None
    eighth = min(image.size) >= 8 * 2 * _SIDE
    drafted = image.draft("L", (image.width // 8, image.height // 8) if eighth else image.size)
    try:
        image.load()
    except Exception as error:  # a decoder fed hostile bytes may raise anything at all
        raise NoFetch("image_damaged", str(error)) from error
    low, high = cast("tuple[int, int]", image.getextrema())
    if high - low <= _NOT_BLANK:
        return None
    return perceptual_hash(image, drafted[1] if drafted else None)


def _cause(told: str) -> Cause:
    """What `images` refuses a header for."""
    if "megapixels" in told:
        return "too_many_pixels"
    return "too_thin" if "too thin" in told else "image_damaged"


def perceptual_hash(
    image: Image.Image, box: tuple[float, float, float, float] | None = None
) -> int:
    """64 bits that near-copies of an image share but for a few.

    The pHash of Zauner (2010): 32×32 grey levels, the 8×8 lowest frequencies of their cosine
    transform, each against their median (the mean level left out of that). `box` (left, upper,
    right, lower) is the part of the pixels that is the image; EXIF's orientation is applied.
    """
    size, bilinear = (_SIDE, _SIDE), Image.Resampling.BILINEAR
    small = upright(image.convert("L").resize(size, bilinear, box=box, reducing_gap=2.0))
    low = dctn(np.asarray(small, np.float64), norm="ortho")[:_KEPT, :_KEPT].ravel()
    # Rounded, so that no bit hangs on the last digit of a sum.
    low = np.round(low, 6)
    bits = low > np.sort(low[1:])[len(low) // 2 - 1]  # the median of an odd number
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
