"""Images of a card as HTML: the thumbnail, and over it the patches that carry the concept."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from PIL import Image

HEAT = (245, 22, 110)
"""Colour of the heat overlay: none of the scale of δ, so that the two are never confused."""

HEAT_ALPHA = 0.65
"""Opacity where a patch carries the card's largest code; 0 where it carries none."""


def data_uri(kind: str, content: bytes) -> str:
    """`content` of media type `kind` as a URI that needs no further request."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def heat_uri(grid: np.ndarray, largest: float) -> str:
    """Patch codes (rows, columns) as a transparent PNG, one pixel a patch.

    `largest` is the code drawn at `HEAT_ALPHA`: one for all images of a card, so that they compare.
    """
    share = np.clip(grid / largest, 0, 1) if largest > 0 else np.zeros_like(grid)
    pixels = np.empty((*grid.shape, 4), np.uint8)
    pixels[..., :3] = HEAT
    pixels[..., 3] = np.round(255 * HEAT_ALPHA * share)
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, "PNG")
    return data_uri("image/png", buffer.getvalue())


def picture(image: bytes | None, grid: np.ndarray | None, largest: float, alt: str) -> str:
    """One image of a card with its heat; a face of its own where the bundle lacks it."""
    if image is None:
        return '<div class="picture missing"><span>not in this bundle</span></div>'
    heat = "" if grid is None else f'<img class="heat" alt="" src="{heat_uri(grid, largest)}">'
    source = data_uri(media_type(image), image)
    return f'<div class="picture"><img alt="{escape(alt)}" src="{source}">{heat}</div>'


def media_type(image: bytes) -> str:
    """Media type by the file's first bytes; bundles hold webp, but a PNG or JPEG shows as well."""
    if image.startswith(b"\x89PNG"):
        return "image/png"
    return "image/jpeg" if image.startswith(b"\xff\xd8") else "image/webp"
