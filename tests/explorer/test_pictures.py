"""Pictures by address: what a page names is served, for good; nothing else is."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import numpy as np
import pytest
from explorer_fixtures import PAGE
from PIL import Image
from synthetic_bundle import write_synthetic

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.heatmaps import seen_share
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page import pictures
from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.explorer.page.picture_server import PictureServer


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_synthetic(tmp_path_factory.mktemp("pictures") / "bundle", PAGE))


@pytest.fixture(scope="module")
def served(bundle: Bundle) -> PictureServer:
    async def beyond(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"beyond"})

    return PictureServer(beyond, Catalog(bundle))


def get(
    server: PictureServer, address: str, method: str = "GET", root: str = ""
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Ask as a browser does, whose addresses are escaped."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "raw_path": f"{root}/{address}".encode(),
        "path": f"{root}/{address}",
        "root_path": root,
    }
    asyncio.run(server(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def held(bundle: Bundle, source: str = NATURAL) -> str:
    return next(i for i in bundle.image_ids(source) if bundle.has_thumbnail(source, i))


def fired(bundle: Bundle) -> tuple[int, str]:
    tops = bundle.deltas("plain-a")["top_natural"].to_pylist()
    return next(
        (concept, image)
        for concept, images in enumerate(tops)
        for image in images
        if bundle.has_thumbnail(NATURAL, image)
    )


def test_a_thumbnail_is_served_and_kept_by_the_browser(
    bundle: Bundle, served: PictureServer
) -> None:
    pair_id = held(bundle)
    status, headers, body = get(served, pictures.thumbnail_url(bundle, NATURAL, pair_id))
    assert status == 200
    assert headers[b"content-type"] == b"image/webp"
    assert b"immutable" in headers[b"cache-control"]
    thumbnail = bundle.thumbnail(NATURAL, pair_id)
    assert thumbnail is not None
    assert body == thumbnail.image
    full = get(served, pictures.full_url(bundle, NATURAL, pair_id))
    assert full[2] == body, "no larger one is in this bundle"


def test_below_a_prefix_and_without_its_body(bundle: Bundle, served: PictureServer) -> None:
    address = pictures.thumbnail_url(bundle, NATURAL, held(bundle))
    assert get(served, address, root="/some/proxy")[0] == 200
    status, headers, body = get(served, address, "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers[b"content-length"]) > 0


def test_heat_is_a_clear_png_with_an_outline(bundle: Bundle, served: PictureServer) -> None:
    concept, pair_id = fired(bundle)
    grid = bundle.heatmap(NATURAL, concept, pair_id)
    assert grid is not None
    largest = float(grid.max())
    status, _, body = get(served, pictures.heat_url(bundle, NATURAL, pair_id, concept, largest))
    assert status == 200
    drawn = np.asarray(Image.open(io.BytesIO(body)).convert("RGBA"))
    fill, line = np.split(drawn, 2, axis=1)
    side = pictures.PATCH_PIXELS
    assert seen_share(bundle) == 224 / 256
    assert fill.shape == line.shape == (146, 146, 4), "128 of the patches, 224/256 of the image"
    patches = np.kron(grid, np.ones((side, side)))
    inner = fill[9:-9, 9:-9, 3]
    assert inner[patches == largest].min() >= round(255 * pictures.HEAT_ALPHA) - 1
    assert inner[patches == 0].max() == 0
    assert fill[:9].max(axis=(0, 1))[3] == 0, "what the backbone does not see"
    assert set(np.unique(line[..., 3])) == {0, 255}
    assert line[9:-9, 9:-9, 3][patches < pictures.OUTLINED_FROM * largest].max() == 0


@pytest.mark.parametrize(
    "address",
    [
        "pictures",
        "pictures/",
        "pictures/0000000000000000/thumbnail/natural/x",
        "pictures/ID/thumbnail/natural/no-such-pair",
        "pictures/ID/thumbnail/nobody/PAIR",
        "pictures/ID/full/nobody/PAIR",
        "pictures/ID/secret/natural/PAIR",
        "pictures/ID/thumbnail/..%2f..%2fbundle.json/PAIR",
        "pictures/ID/full/..%2f..%2fsae/PAIR",
        "pictures/ID/thumbnail/natural/PAIR/more",
        "pictures/ID/heat/natural/PAIR/-1/1",
        "pictures/ID/heat/natural/PAIR/999999/1",
        "pictures/ID/heat/natural/PAIR/x/1",
        "pictures/ID/heat/natural/PAIR/1/nan",
        "pictures/ID/heat/natural/PAIR/1",
        "pictures/ID/thumbnail/natural/" + "x" * 5000,
    ],
)
def test_what_is_not_there_is_a_404(bundle: Bundle, served: PictureServer, address: str) -> None:
    named = address.replace("ID", bundle.identity[:16]).replace("PAIR", held(bundle))
    status, headers, body = get(served, named)
    assert status == (299 if address == "pictures" else 404)
    if status == 404:
        assert headers[b"cache-control"] == b"no-store"
        assert headers[b"content-type"].startswith(b"text/plain")
        assert str(bundle.root).encode() not in body


def test_other_requests_go_on(served: PictureServer) -> None:
    assert get(served, "gradio_api/info")[2] == b"beyond"
    assert get(served, "pictures/x/thumbnail/natural/y", "POST")[2] == b"beyond"


def test_a_picture_as_html_names_itself_by_its_caption(bundle: Bundle) -> None:
    pair_id = held(bundle)
    html = pictures.picture(bundle, NATURAL, pair_id)
    assert 'alt="natural image: &lt;img src=x' in html, "captions of strangers are text"
    assert "<b>" not in html
    assert 'class="heat"' not in html
    concept, other = fired(bundle)
    assert 'class="heat"' in pictures.picture(bundle, NATURAL, other, concept, 1.0)
    assert "not in this bundle" in pictures.picture(bundle, NATURAL, "absent")


def test_names_of_sources_and_pairs_are_escaped(bundle: Bundle) -> None:
    address = pictures.thumbnail_url(bundle, "a b/c?d#e", "x/../y&z")
    assert address.endswith("/thumbnail/a%20b%2Fc%3Fd%23e/x%2F..%2Fy%26z")
