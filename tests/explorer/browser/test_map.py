"""The concept map in a real browser: pointer, keys, touch, colours, lost contexts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from explorer_fixtures import FLAT, browser, wait_until
from map_fixtures import NASTY, NO_MODEL, N, Visit, map_page, sample_colours

from blindspots_hub.explorer.map.concept_map import REGION_LIMIT

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    page = map_page()
    _, url, _ = page.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", ssr_mode=False
    )
    yield url
    page.close()


@pytest.fixture(scope="module")
def lit_browser(driver: Any, address: str) -> Iterator[Any]:
    with browser(driver) as opened:
        page = opened.new_page()
        page.goto(address)  # the first navigation also starts the browser's renderer
        page.wait_for_selector("#map canvas[data-ready]")
        page.close()
        yield opened


@pytest.fixture(scope="module")
def flat_browser(driver: Any) -> Iterator[Any]:
    with browser(driver, FLAT) as opened:
        yield opened


@pytest.fixture
def visit(lit_browser: Any, address: str) -> Iterator[Visit]:
    opened = Visit(lit_browser, address)
    yield opened
    opened.page.close()
    assert opened.faults == []


def _apart(places: np.ndarray, by: float, count: int) -> list[int]:
    """`count` concepts whose centres have no other centre within `by` pixels."""
    rng = np.random.default_rng(3)
    chosen: list[int] = []
    for i in rng.permutation(len(places)):
        distance = np.abs(places - places[i]).max(1)
        distance[i] = np.inf
        if distance.min() > by:
            chosen.append(int(i))
        if len(chosen) == count:
            return chosen
    raise AssertionError("the world is too dense for this test")


def test_forty_clicks_meet_their_concept(visit: Visit) -> None:
    assert visit.canvas.get_attribute("data-ready") == "webgl2"
    for concept in _apart(visit.all_places(), by=1.5, count=40):
        visit.page.mouse.click(*visit.where(concept))
        visit.card(f"#{concept}")
        assert f"concept={concept}" in visit.page.url


@pytest.mark.parametrize("kind", ["lit_browser", "flat_browser"])
def test_recolouring_is_small_and_keeps_the_view(
    kind: str, address: str, request: pytest.FixtureRequest
) -> None:
    visit = Visit(request.getfixturevalue(kind), address)
    visit.page.mouse.move(visit.left + 300, visit.top + 200)
    zoom(visit, 4)
    before, first = visit.where(11), visit.canvas.screenshot()
    sizes: list[int] = []

    def weigh(response: Any) -> None:
        if "gradio_api" in response.url:  # not the page's fonts, which come whenever they come
            sizes.append(len(response.body()))

    visit.page.on("response", weigh)
    for key in ("B", "C"):
        visit.recolour(f"key-{key}")
    visit.settle()
    assert visit.where(11) == before
    assert visit.canvas.screenshot() != first
    assert sum(sizes) / 2 < 100_000
    visit.page.close()


def zoom(visit: Visit, steps: int) -> None:
    """With ctrl, as the page scrolls without."""
    visit.page.keyboard.down("Control")
    for _ in range(steps):
        visit.page.mouse.wheel(0, -200)
    visit.page.keyboard.up("Control")
    visit.settle()


def test_the_wheel_scrolls_the_page_until_the_map_was_clicked(visit: Visit) -> None:
    start = visit.where(3)
    visit.page.mouse.move(visit.left + 60, visit.top + 200)
    visit.page.mouse.wheel(0, -200)
    visit.settle()
    assert visit.where(3) == start
    assert "ctrl" in visit.page.locator("#map .hint").inner_text()
    visit.page.mouse.click(visit.left + 6, visit.top + visit.height - 6)
    visit.page.mouse.wheel(0, -200)
    visit.settle()
    assert visit.where(3) != start, "the map was clicked"
    zoomed = visit.where(3)
    visit.page.mouse.move(5, 5)
    visit.page.mouse.move(visit.left + 60, visit.top + 200)
    visit.page.mouse.wheel(0, -200)
    visit.settle()
    assert visit.where(3) == zoomed, "the pointer had left it"


def test_one_finger_scrolls_past_the_map(lit_browser: Any, address: str) -> None:
    visit = Visit(lit_browser, address, has_touch=True)
    before = visit.where(0)
    assert visit.canvas.evaluate("c => getComputedStyle(c).touchAction") == "pan-y"
    fingers = visit.page.context.new_cdp_session(visit.page)
    for kind, y in (("touchStart", 300), ("touchMove", 240), ("touchMove", 180), ("touchEnd", 0)):
        at = [{"x": visit.left + 250, "y": visit.top + y, "id": 0}] if y else []
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
    visit.settle()
    box = visit.canvas.bounding_box()
    x, y = visit.canvas.evaluate("canvas => canvas.project(0)")
    assert (x + visit.left, y + visit.top) == pytest.approx(before, abs=0.6), "the map stays"
    assert box is not None
    visit.page.close()


def test_without_webgl_the_map_is_drawn_and_clicked_all_the_same(
    flat_browser: Any, address: str
) -> None:
    visit = Visit(flat_browser, address)
    assert visit.canvas.get_attribute("data-ready") == "2d"
    assert visit.ink() > 100
    concept = _apart(visit.all_places(), by=1.5, count=1)[0]
    visit.page.mouse.click(*visit.where(concept))
    visit.card(f"#{concept}")
    visit.page.close()


def test_keys_walk_open_and_close(visit: Visit) -> None:
    visit.canvas.focus()
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft"):
        visit.page.keyboard.press(key)
        seen.append(visit.page.inner_text("#map .spoken"))
    walked = [int(text.split(",")[0].removeprefix("Concept ")) for text in seen]
    places = [visit.where(i) for i in walked]
    assert places[1][0] > places[0][0]  # rightwards
    assert places[2][1] < places[1][1]  # upwards
    assert places[3][0] < places[2][0]  # leftwards
    visit.page.keyboard.press("Enter")
    visit.card(f"#{walked[-1]}")
    visit.page.keyboard.press("Escape")
    visit.card("closed")
    assert "concept=" not in visit.page.url


def test_hovering_tells_of_a_concept_without_running_its_words(visit: Visit) -> None:
    concept = next(i for i in _apart(visit.all_places(), by=1.5, count=60) if i % 5 == 0)
    visit.page.mouse.move(*visit.where(concept))
    visit.page.wait_for_function("document.querySelector('#map .tip-value').textContent.length > 0")
    assert visit.page.inner_text("#map .tip-name").startswith(f"#{concept}")
    assert NASTY in visit.page.inner_text("#map .tip-name")
    assert visit.page.inner_text("#map .tip-value") == f"δ of {concept} in A"
    assert visit.page.inner_text("#map .tip-state") == NASTY
    assert visit.page.locator("#map .tip-image").is_visible()
    visit.page.mouse.move(5, 5)
    assert visit.page.locator("#map .tip").is_hidden()
    assert visit.page.evaluate("window.hacked") is None
    assert [url for url in visit.calls if "127.0.0.1" not in url and url[:5] != "data:"] == []


def test_drag_zoom_and_double_click(visit: Visit) -> None:
    start = visit.where(3)
    visit.page.mouse.move(visit.left + 200, visit.top + 200)
    visit.page.mouse.down()
    visit.page.mouse.move(visit.left + 260, visit.top + 170, steps=4)
    visit.page.mouse.up()
    assert visit.where(3) == pytest.approx((start[0] + 60, start[1] - 30), abs=0.6)
    under = visit.where(3)
    visit.page.mouse.move(*under)
    zoom(visit, 1)
    assert visit.where(3) == pytest.approx(under, abs=0.6)  # zoom is about the pointer
    visit.page.mouse.dblclick(visit.left + 4, visit.top + visit.height - 4)
    visit.settle()
    assert visit.where(3) == pytest.approx(start, abs=0.6)
    assert visit.page.inner_text("#card").strip() == ""  # a drag is no click


def test_two_fingers_pinch(lit_browser: Any, address: str) -> None:
    visit = Visit(lit_browser, address, has_touch=True)
    wide = abs(visit.where(0)[0] - visit.where(1)[0])
    fingers = visit.page.context.new_cdp_session(visit.page)
    middle = visit.left + 250, visit.top + 250

    def touch(kind: str, *offsets: float) -> None:
        at = [{"x": middle[0] + dx, "y": middle[1], "id": k} for k, dx in enumerate(offsets)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", -40)
    touch("touchStart", -40, 40)
    touch("touchMove", -80, 80)
    touch("touchEnd")
    visit.settle()
    assert abs(visit.where(0)[0] - visit.where(1)[0]) == pytest.approx(2 * wide, rel=0.05)
    visit.page.close()


def test_shift_drag_selects_a_bounded_region(visit: Visit) -> None:
    visit.page.keyboard.down("Shift")
    visit.page.mouse.move(visit.left + 150, visit.top + 100)
    visit.page.mouse.down()
    for x, y in ((500, 100), (500, 500), (150, 500)):
        visit.page.mouse.move(visit.left + x, visit.top + y, steps=5)
    visit.page.mouse.up()
    visit.page.keyboard.up("Shift")
    visit.page.wait_for_function("document.querySelector('#card').innerText.includes('region')")
    places = visit.all_places()
    inside = ((places > [150, 100]) & (places < [500, 500])).all(1).sum()
    said = visit.page.inner_text("#card").strip()
    assert said.startswith(f"region {REGION_LIMIT} of ")
    assert int(said.split()[-1]) == pytest.approx(inside, rel=0.01)


def test_filter_fades_and_python_selects_out_of_sight(visit: Visit) -> None:
    visit.recolour("narrow")
    states = np.frombuffer(sample_colours(N, "A"), np.uint8)[N:]
    assert visit.page.inner_text("#map .count") == f"{(states == 4).sum():,} of {N:,} concepts"
    visit.page.mouse.move(visit.left + 10, visit.top + 10)
    zoom(visit, 6)
    places = visit.all_places()
    hidden = int(np.argmax(places[:, 0]))
    assert places[hidden, 0] > visit.width
    for concept in (hidden, int(np.argmax(places[:, 1])), hidden):  # the same one again, too
        visit.page.fill("#search textarea, #search input", str(concept))
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_url(f"**concept={concept}")
        visit.settle()
        x, y = visit.where(concept)
        assert 0 < x - visit.left < visit.width
        assert 0 < y - visit.top < visit.height


def test_another_bundle_replaces_the_points(visit: Visit) -> None:
    visit.recolour("swap")
    assert visit.page.inner_text("#map .count") == "250 concepts"
    places = visit.canvas.evaluate("canvas => [...Array(500).keys()].map((i) => canvas.project(i))")
    assert [place is not None for place in places] == [i % 2 == 0 for i in range(500)]
    visit.page.fill("#search textarea, #search input", "7")  # and to select one moves nothing
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**concept=7")
    visit.settle()
    assert visit.canvas.evaluate("canvas => canvas.project(0)") == places[0]


def test_a_fault_is_one_sentence_with_a_way_on(visit: Visit) -> None:
    visit.page.click("#key-bad")
    fault = visit.page.locator("#map .fault")
    fault.wait_for(state="visible")
    assert NO_MODEL in fault.inner_text()
    fault.get_by_role("button").click()
    fault.wait_for(state="visible")  # it is still so
    visit.recolour("key-B")
    assert fault.is_hidden()


def test_a_lost_context_comes_back_and_the_theme_is_followed(visit: Visit) -> None:
    visit.page.mouse.move(5, 5)
    visit.page.evaluate("() => document.fonts.ready.then(() => true)")  # they move the page
    visit.settle()
    bright = visit.points()
    visit.canvas.evaluate(
        """async (canvas) => {
          const loss = canvas.getContext('webgl2').getExtension('WEBGL_lose_context');
          const lost = new Promise((done) => {
            canvas.addEventListener('webglcontextlost', done, { once: true });
          });
          loss.loseContext();
          await lost;
          await new Promise((done) => setTimeout(done));  // only then may it be asked for again
          loss.restoreContext();
        }"""
    )
    wait_until(visit.page, lambda: visit.points() == bright, "the map comes back as it was")
    visit.page.evaluate("document.body.classList.toggle('dark')")
    wait_until(visit.page, lambda: visit.points() != bright, "the map follows the theme")
    assert visit.ink() > 100
