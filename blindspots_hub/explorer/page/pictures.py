"""Images as HTML: a picture by its address, and over it the patches that carry a concept.

Pictures are not part of what a click is answered with: they have addresses (`picture_server`) that
a browser fetches once and keeps. Every tab shows images by `picture`.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import Entry, bundle_id
from blindspots_hub.explorer.page.format import number

HEAT_JS = (Path(__file__).parent / "heat.js").read_text(encoding="utf-8")
"""The end of the script of a component that holds `heat_switch`: it raises `.heat`."""

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

CAPTION_SPOKEN = 32
"""Characters of a caption that name a picture beside the caption itself."""

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
    return _address(bundle, HEAT, source, pair_id, str(concept), f"{largest:.3g}")


def _address(bundle: Bundle, *parts: str) -> str:
    return "/".join((ROUTE, bundle_id(bundle), *map(_quoted, parts)))


@lru_cache(maxsize=20_000)
def _quoted(part: str) -> str:
    return quote(part, safe="")


def concept_picture(entry: Entry, concept: int) -> str | None:
    """Address of the picture that stands for a concept: its strongest, natural before generated."""
    row = entry.bundle.deltas(entry.model).slice(concept, 1)
    for source, column in ((NATURAL, "top_natural"), (entry.model, "top_generated")):
        for image in row[column][0].as_py():
            if entry.bundle.has_thumbnail(source, image):
                return thumbnail_url(entry.bundle, source, image)
    return None


def picture(
    bundle: Bundle,
    source: str,
    pair_id: str,
    concept: int | None = None,
    largest: float = 0.0,
    alt: str | None = None,
    large: bool = False,
) -> str:
    """One image as HTML; a face of its own where the bundle lacks it.

    With a `concept` the overlay of where it fires lies over it, where the bundle keeps it and
    `largest` (the largest code of all images that are shown together, so that they compare) is
    above 0. `alt` is by default the side and the caption. `large` asks for the image as it was
    measured.
    """
    if not bundle.has_picture(source, pair_id):
        return (
            f'<div class="picture missing"><span>{_elsewhere(bundle, source, pair_id)}</span></div>'
        )
    named = alt if alt is not None else spoken_name(bundle, source, pair_id)
    over = ""
    if concept is not None and largest > 0:
        grid = bundle.heatmap(source, concept, pair_id)
        if grid is not None:
            address = heat_url(bundle, source, pair_id, concept, largest)
            over = f'<i class="heat" style="background-image:url({escape(address)})"></i>'
    shown = escape((full_url if large else thumbnail_url)(bundle, source, pair_id))
    return (
        f'<div class="picture"><img alt="{escape(named)}" loading="lazy" src="{shown}">{over}</div>'
    )


def pair_figure(
    bundle: Bundle,
    sources: Sequence[str],
    pair_id: str,
    concept: int | None = None,
    largest: float = 0.0,
    under: str | None = None,
    large: bool = False,
) -> str:
    """One image, or two of one caption, as a figure that opens large.

    Where `largest` is not given the overlay is scaled by the images of the figure. `under` is HTML
    that stands under the images where the caption stands elsewhere; `large` as for `picture`.
    """
    if concept is not None and not largest:
        largest = largest_code(bundle, concept, ((source, pair_id) for source in sources))
    cells = "".join(
        picture(bundle, source, pair_id, concept, largest, large=large) for source in sources
    )
    caption = next(filter(None, (bundle.caption(source, pair_id) for source in sources)), "")
    words = escape(short_caption(caption)) or "<i>no caption</i>" if under is None else under
    whole = under is None and len(caption) <= CAPTION_SHOWN
    rest = "" if whole else f' data-caption="{escape(caption) or "no caption"}"'
    return (
        f'<figure class="pair" data-pair="{escape(pair_id)}"{rest}>'
        f"{cells}"
        f"<figcaption>{words}</figcaption></figure>"
    )


def largest_code(bundle: Bundle, concept: int, shown: Iterable[tuple[str, str]]) -> float:
    """The largest code of a concept on the patches of images, each its source and pair's id."""
    grids = (bundle.heatmap(source, concept, pair_id) for source, pair_id in shown)
    return max((float(grid.max()) for grid in grids if grid is not None), default=0.0)


def heat_switch(percent: int, largest: float) -> str:
    """The slider of how much is shown of where a concept fires, "" where `largest` is 0.

    A component that holds it raises `.heat` with the `percent` that it was left at.
    """
    if largest <= 0:
        return ""
    return (
        '<label class="heat-switch">where it fires <input type="range" data-heat min="0" max="100" '
        f'value="{percent}" aria-label="Opacity of the overlay, in percent">'
        f'<span class="heat-scale" aria-hidden="true"></span> up to {number(largest)}</label>'
    )


def _elsewhere(bundle: Bundle, source: str, pair_id: str) -> str:
    """What stands where an image is not: where it can be seen, if that is known."""
    url = bundle.image_url(pair_id) if source == NATURAL else None
    if url is None or not url.lower().startswith(("https://", "http://")):
        return "not in this bundle"
    return (
        f'not redistributed: <a href="{escape(url)}" target="_blank" '
        'rel="noopener noreferrer nofollow">at its source</a>'
    )


def spoken_name(bundle: Bundle, source: str, pair_id: str) -> str:
    """What names an image to who does not see it: its side, and what its caption says."""
    side = "natural image" if source == NATURAL else "generated image"
    caption = bundle.caption(source, pair_id)
    words = caption if len(caption) <= CAPTION_SPOKEN else f"{caption[: CAPTION_SPOKEN - 1]}…"
    return f"{side}: {words}" if caption else side


def short_caption(caption: str) -> str:
    """A caption as it stands under a small picture."""
    return caption if len(caption) <= CAPTION_SHOWN else f"{caption[: CAPTION_SHOWN - 1]}…"


def heat_png(grid: np.ndarray, largest: float, seen: float = 1.0) -> bytes:
    """Patch codes (rows, columns) as a transparent PNG of two drawings side by side.

    On the left each patch is as opaque as its code, `largest` at `HEAT_ALPHA`; on the right is the
    outline of what fires strongly. A page shows more or less of each: an outline alone leaves a
    blank image blank. The patches are `seen` of a drawing's sides, in its middle: it
    lies over an image that the backbone saw so much of.
    """
    share = np.clip(grid / largest, 0, 1) if largest > 0 else np.zeros_like(grid)
    wide = np.kron(share, np.ones((PATCH_PIXELS, PATCH_PIXELS), share.dtype))
    inside = np.pad(wide >= OUTLINED_FROM, 1)
    middle = inside[1:-1, 1:-1]
    surrounded = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    margin = [(pad, pad) for pad in (round(side * (1 / seen - 1) / 2) for side in wide.shape)]
    both = (255 * HEAT_ALPHA * wide, 255 * (middle & ~surrounded))
    drawn = np.hstack([np.pad(np.round(one).astype(np.uint8), margin) for one in both])
    image = Image.fromarray(drawn, "P")
    image.putpalette(list(HEAT_COLOUR) * 256)  # one colour in 256 opacities
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=bytes(range(256)), compress_level=3)
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
