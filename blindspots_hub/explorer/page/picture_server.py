"""Answers to the addresses of `pictures`: an ASGI middleware before Gradio's own routes.

An address names a bundle by its id, which only those with a link to it know, and what it names
never changes: a browser keeps it for good. What is not there is a 404 and nothing else.
"""

from __future__ import annotations

import io
import math
from urllib.parse import unquote

import anyio.to_thread
from PIL import Image

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.heatmaps import seen_share
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.explorer.page.pictures import (
    FULL,
    HEAT,
    ROUTE,
    THUMBNAIL,
    heat_png,
    media_type,
)
from blindspots_hub.serving.asgi import App, Receive, Scope, Send, below_root

KEPT_FOR = b"private, max-age=31536000, immutable"
SIDE = 192
"""Pixels of a small picture that is made from a large one."""

MOST_PIXELS = 50_000_000
"""Pixels of an image that is unpacked to make it small."""

LONGEST = 2_000
"""Characters of an address that are looked at."""


class PictureServer:
    """Serves the pictures of the catalog's bundles; everything else goes on to `app`."""

    def __init__(self, app: App, catalog: Catalog) -> None:
        self.app, self._catalog = app, catalog

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = _raw_path(scope)
        if scope["type"] != "http" or path is None or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        # A thread for each of a card's pictures would cost ten times what reading one does.
        at_hand = self._at_hand(path)
        found = self.find(path) if at_hand else await anyio.to_thread.run_sync(self.find, path)
        status, body, kind = (200, *found) if found else (404, b"There is no such picture.", None)
        headers = [
            (b"content-type", (kind or "text/plain; charset=utf-8").encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", KEPT_FOR if found else b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body}
        )

    def _at_hand(self, path: str) -> bool:
        """Whether an address names a small picture of an open bundle that was unpacked already."""
        parts = [unquote(part) for part in path.split("/", 4)]
        if len(parts) != 4 or len(path) > LONGEST or parts[1] != THUMBNAIL:
            return False
        bundle = self._catalog.open(parts[0])
        return bundle is not None and bundle.thumbnail_at_hand(parts[2], parts[3])

    def find(self, path: str) -> tuple[bytes, str] | None:
        """File and media type of what an address (after `ROUTE`) names, or None."""
        parts = [unquote(part) for part in path.split("/")]
        if len(parts) < 4 or len(path) > LONGEST:
            return None
        identity, kind, source, pair_id, *rest = parts
        try:
            bundle = self._catalog.bundle(identity)
            content = _content(bundle, kind, source, pair_id, rest)
        except (BlindspotsError, ValueError, OSError):
            return None
        return None if content is None else (content, media_type(content))


def _content(bundle: Bundle, kind: str, source: str, pair_id: str, rest: list[str]) -> bytes | None:
    if kind == HEAT and len(rest) == 2:
        concept, largest = int(rest[0]), float(rest[1])
        if not (0 <= concept < bundle.n_concepts and math.isfinite(largest)):
            return None
        grid = bundle.heatmap(source, concept, pair_id)
        return None if grid is None else heat_png(grid, largest, seen_share(bundle))
    if rest:
        return None
    if kind not in (THUMBNAIL, FULL):
        return None
    kept = bundle.thumbnail(source, pair_id)
    small = kept.image if kept is not None and _is_picture(kept.image) else None
    if kind == THUMBNAIL and small is not None:
        return small
    full = bundle.image(source, pair_id)
    if full is None or not _is_picture(full):
        return small
    return full if kind == FULL else _reduced(full)


def _reduced(content: bytes) -> bytes | None:
    """A small webp of an image that the bundle holds as it was measured."""
    try:
        with Image.open(io.BytesIO(content), formats=("WEBP", "PNG", "JPEG")) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.draft("RGB", (SIDE, SIDE))
            small = image.convert("RGB")
        small.thumbnail((SIDE, SIDE))
        buffer = io.BytesIO()
        small.save(buffer, "WEBP", quality=80)
        return buffer.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _is_picture(content: bytes) -> bool:
    """Whether a browser that is told so reads the file as a picture, and as nothing else."""
    return content.startswith((b"RIFF", b"\x89PNG", b"\xff\xd8"))


def _raw_path(scope: Scope) -> str | None:
    """What follows `ROUTE` in a request's path, as it was sent; None where it is another path."""
    raw = scope.get("raw_path") or str(scope.get("path", "")).encode()
    path = below_root(scope, raw.partition(b"?")[0].decode("latin-1"))
    before = f"/{ROUTE}/"
    return path[len(before) :] if path.startswith(before) else None
