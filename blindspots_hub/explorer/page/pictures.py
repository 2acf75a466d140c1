"""Images as HTML: a picture by its address, and over it the patches that carry a concept.

Pictures are not part of what a click is answered with: they have addresses (`picture_server`) that
a browser fetches once and keeps. Every tab shows images by `picture`.
"""

from __future__ import annotations

import base64
import io
from html import escape
from urllib.parse import quote

import numpy as np
from PIL import Image

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import bundle_id

ROUTE = "pictures"
"""First part of a picture's address, which is relative to the page."""

THUMBNAIL, FULL, HEAT = "thumbnail", "full", "heat"
"""Kinds of pictures, the second part of an address after the bundle's id."""

HEAT_COLOUR = (245, 22, 110)
"""Colour of the heat overlay: none of the scale of δ, so that the two are never confused."""

HEAT_ALPHA = 0.8
"""Opacity where a patch carries the card's largest code, before the visitor's slider."""

OUTLINED_FROM = 0.2
"""Share of the largest code from which on a patch is inside the outline."""

PATCH_PIXELS = 8
"""Side of a patch in the overlay: enough for an outline that is thin."""

CAPTION_SHOWN = 140
"""Characters of a caption under a small picture; the large view has all of it."""


def thumbnail_url(bundle: Bundle, source: str, pair_id: str) -> str:
    """Address of the small image of a source ("natural" or a model)."""
    return _address(bundle, THUMBNAIL, source, pair_id)


def full_url(bundle: Bundle, source: str, pair_id: str) -> str:
    """Address of the image as it was measured; of the small one where no other is here."""
    return _address(bundle, FULL, source, pair_id)


def heat_url(bundle: Bundle, source: str, pair_id: str, concept: int, largest: float) -> str:
    """Address of the overlay of a concept; `largest` is the code drawn strongest."""
    return _address(bundle, HEAT, source, pair_id, str(concept), f"{largest:.4g}")


def _address(bundle: Bundle, *parts: str) -> str:
    named = (ROUTE, bundle_id(bundle), *parts)
    return "/".join(quote(part, safe="") for part in named)


def picture(
    bundle: Bundle,
    source: str,
    pair_id: str,
    concept: int | None = None,
    largest: float = 0.0,
    alt: str | None = None,
) -> str:
    """One image as HTML; a face of its own where the bundle lacks it.

    With a `concept` the overlay of where it fires lies over it, where the bundle keeps it and
    `largest` (the largest code of all images that are shown together, so that they compare) is
    above 0. `alt` is by default the side and the caption.
    """
    if not bundle.has_thumbnail(source, pair_id):
        return '<div class="picture missing"><span>not in this bundle</span></div>'
    named = alt if alt is not None else spoken_name(bundle, source, pair_id)
    over = ""
    if concept is not None and largest > 0:
        grid = bundle.heatmap(source, concept, pair_id)
        if grid is not None:
            address = heat_url(bundle, source, pair_id, concept, largest)
            over = f'<img class="heat" alt="" loading="lazy" src="{escape(address)}">'
    shown = escape(thumbnail_url(bundle, source, pair_id))
    return (
        f'<div class="picture"><img alt="{escape(named)}" loading="lazy" src="{shown}">{over}</div>'
    )


def spoken_name(bundle: Bundle, source: str, pair_id: str) -> str:
    """What names an image to who does not see it: its side, and what its caption says."""
    side = "natural image" if source == NATURAL else "generated image"
    caption = short_caption(bundle.caption(source, pair_id))
    return f"{side}: {caption}" if caption else side


def short_caption(caption: str) -> str:
    """A caption as it stands under a small picture."""
    return caption if len(caption) <= CAPTION_SHOWN else f"{caption[: CAPTION_SHOWN - 1]}…"


def heat_png(grid: np.ndarray, largest: float) -> bytes:
    """Patch codes (rows, columns) as a transparent PNG with an outline around what fires strongly.

    `largest` is the code drawn at `HEAT_ALPHA`; where no patch carries the concept it is clear.
    """
    share = np.clip(grid / largest, 0, 1) if largest > 0 else np.zeros_like(grid)
    wide = np.kron(share, np.ones((PATCH_PIXELS, PATCH_PIXELS), share.dtype))
    inside = np.pad(wide >= OUTLINED_FROM, 1)
    middle = inside[1:-1, 1:-1]
    surrounded = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    pixels = np.empty((*wide.shape, 4), np.uint8)
    pixels[..., :3] = HEAT_COLOUR
    pixels[..., 3] = np.where(middle & ~surrounded, 255, np.round(255 * HEAT_ALPHA * wide))
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, "PNG")
    return buffer.getvalue()


def data_uri(kind: str, content: bytes) -> str:
    """`content` of media type `kind` as a URI that needs no further request.

    For what has no address: images of a run that is under way.
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def media_type(image: bytes) -> str:
    """Media type by the file's first bytes; bundles hold webp, but a PNG or JPEG shows as well."""
    if image.startswith(b"\x89PNG"):
        return "image/png"
    return "image/jpeg" if image.startswith(b"\xff\xd8") else "image/webp"
