"""Files from the web as images: their format by content, decoded whole, within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from PIL import Image
from scipy.fft import dctn

from blindspots_hub.data.fetching.causes import Cause, NoFetch
from blindspots_hub.data.fetching.limits import WEB_FORMATS, FetchLimits
from blindspots_hub.data.images import image_size, is_blank, kind_of, open_image
from blindspots_hub.errors import BlindspotsError

_SIDE, _KEPT = 32, 8


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
        width, height = image_size(content, "it")
    except BlindspotsError as error:
        if "megapixels" in str(error):
            raise NoFetch("too_many_pixels", str(error)) from error
        raise NoFetch(
            "too_thin" if "thin" in str(error) else "image_damaged", str(error)
        ) from error
    if width * height > limits.max_pixels:
        raise NoFetch("too_many_pixels", f"{width}×{height}")
    if max(width, height) > limits.max_aspect * min(width, height):
        raise NoFetch("too_thin", f"{width}×{height}")
    if min(width, height) < limits.min_side:
        raise NoFetch("too_small", f"{width}×{height}")
    if kind == "JPEG" and (scans := content.count(b"\xff\xda")) > limits.max_scans:
        raise NoFetch("image_damaged", f"{scans:,} scans")
    try:
        image = open_image(content, "it")
    except BlindspotsError as error:
        raise NoFetch("image_damaged", str(error)) from error
    if is_blank(image):
        raise NoFetch("blank", "all one colour")
    digest = sha256(content).hexdigest()
    return LookedAt(content, kind, width, height, digest, perceptual_hash(image), len(content))


def _cause(told: str) -> Cause:
    """What `images` refuses a header for."""
    if "megapixels" in told:
        return "too_many_pixels"
    return "too_thin" if "too thin" in told else "image_damaged"


def perceptual_hash(image: Image.Image) -> int:
    """64 bits that near-copies of an image share but for a few.

    The pHash of Zauner (2010): 32×32 grey levels, the 8×8 lowest frequencies of their cosine
    transform, each against their median (the mean level left out of that).
    """
    small = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    low = dctn(np.asarray(small, np.float64), norm="ortho")[:_KEPT, :_KEPT].ravel()
    # Rounded, so that no bit hangs on the last digit of a sum.
    low = np.round(low, 6)
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
