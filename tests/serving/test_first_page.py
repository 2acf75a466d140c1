"""What the page's first answer names: scripts that Gradio really has, and answers of the page."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from gradio.routes import BUILD_PATH_LIB

from blindspots_hub.serving.first_page import FirstPage, ask_ahead, hint_script
from blindspots_hub.serving.gradio_scripts import first_scripts

HINTS = [ask_ahead(["map_places?key=a</script>"]), hint_script("./assets/a-12345678.js")]


def answered(path: str, *chunks: bytes, status: int = 200, **scope: Any) -> list[Any]:
    """What is sent for a request whose answer comes in `chunks`."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        length = (b"content-length", str(sum(map(len, chunks))).encode())
        await send({"type": "http.response.start", "status": status, "headers": [length]})
        for chunk in chunks[:-1]:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": chunks[-1]})

    async def send(message: Any) -> None:
        sent.append(message)

    asked = {"type": "http", "method": "GET", "path": path, "headers": [], **scope}
    asyncio.run(FirstPage(app, HINTS)(asked, None, send))  # type: ignore[arg-type]
    return sent


@pytest.mark.parametrize("chunks", [(b"<head>a</head>b",), (b"<head>a</he", b"ad>b")])
def test_the_page_names_what_it_needs(chunks: tuple[bytes, ...]) -> None:
    start, body = answered("/", *chunks)
    page = "<head>a" + "".join(HINTS) + "</head>b"
    assert body["body"] == page.encode()
    assert dict(start["headers"])[b"content-length"] == str(len(page)).encode()


def test_all_else_passes_as_it_is() -> None:
    page = (b"<head></head>",)
    for path, scope in (("/programs", {}), ("/", {"method": "POST"}), ("/", {"status": 404})):
        start, body = answered(path, *page, **scope)
        assert body["body"] == page[0]
        assert dict(start["headers"])[b"content-length"] == b"13"


def test_a_key_cannot_end_the_script_that_asks_with_it() -> None:
    asked = HINTS[0]
    assert asked.count("</script>") == 1
    listed = asked.partition("fromEntries(")[2].partition(".map(")[0]
    assert json.loads(listed) == ["map_places?key=a</script>"]


def test_gradios_scripts_are_found_and_exist() -> None:
    found = first_scripts(Path(BUILD_PATH_LIB), {"html", "radio", "tabitem"})
    assert len(found) > 20
    assert len(found) == len(set(found))
    assert all((Path(BUILD_PATH_LIB) / name).is_file() for name in found)
    fewer = first_scripts(Path(BUILD_PATH_LIB), {"html"})
    assert set(fewer) < set(found)


def test_a_gradio_that_is_built_in_another_way_costs_nothing(tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    assert first_scripts(assets, {"html"}) == []
    (tmp_path / "index.html").write_text('<script src="./assets/index-abc.js">')
    assert first_scripts(assets, {"html"}) == []
    (assets / "index-abc.js").write_text("m.f=[1,2]; import(`./Index-a.js`),__vite__mapDeps([7])")
    assert first_scripts(assets, {"html"}) == []
