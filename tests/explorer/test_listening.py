"""No event of a visitor is dropped, or raised again with what an earlier one said."""

from __future__ import annotations

import inspect
import typing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from explorer_fixtures import PAGE
from synthetic_bundle import write_synthetic

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.explorer.page.app import build_app
from blindspots_hub.explorer.page.turns import Turns, latest
from blindspots_hub.explorer.page.view import View

RUNS = {"run", "cancel", "stress-run", "stress-cancel", "explore-it"}
"""Buttons that say nothing but that they were pressed: pressed again while that is answered, they
do nothing more."""


@pytest.fixture(scope="module")
def listeners(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Every listener of the page to what a visitor does; `api` endpoints have no event."""
    root = write_synthetic(tmp_path_factory.mktemp("listening") / "bundle", PAGE)
    app = build_app(load_bundle(root), Path("none"), [("Known", "known/model")])
    return [
        (listener, [(app.blocks[i].elem_id, event) for i, event in listener.targets if i])
        for listener in app.fns.values()
        if any(event not in ("load", "then", "failure") for _, event in listener.targets)
    ]


def reads_the_event(listener: Any) -> bool:
    if listener.fn is None:
        return False
    hints = typing.get_type_hints(inspect.unwrap(listener.fn))
    return any(isinstance(hint, type) and issubclass(hint, gr.EventData) for hint in hints.values())


def test_who_reads_an_event_hears_every_one(listeners: list[Any]) -> None:
    """Gradio raises a deferred event again with the data of the one that was answered."""
    read = [(one, where) for one, where in listeners if reads_the_event(one)]
    assert len(read) > 20
    assert [where for one, where in read if one.trigger_mode != "multiple"] == []


def test_nothing_that_a_visitor_does_meanwhile_is_lost(listeners: list[Any]) -> None:
    once = [where for one, where in listeners if one.trigger_mode == "once"]
    assert {name for where in once for name, _ in where} <= RUNS


def test_what_is_asked_again_is_not_what_the_answer_has_written(listeners: list[Any]) -> None:
    """A deferred event reads its inputs after the answer to the one before has changed them."""
    for one, where in listeners:
        if one.trigger_mode == "always_last":
            read = {block for block in one.inputs if not isinstance(block, gr.State)}
            assert not read & set(one.outputs), where


def test_of_events_that_overtake_each_other_the_last_one_counts() -> None:
    turns = Turns()

    def told(event: gr.EventData, what: str) -> dict[Any, Any]:
        if what == "slow":  # another one is heard meanwhile
            assert heard(event, "quick", 5.5, turns) == {"what": "quick"}
        return {"what": what}

    event = gr.EventData(None, {})
    heard = latest(told, "concept", "view", lambda updates: {"late": updates["what"]})
    assert heard(event, "first", 3.5, turns) == {"what": "first"}
    assert heard(event, "slow", 4.5, turns) == {"late": "slow"}
    assert heard(event, "arrives late", 4.9, turns) == {"late": "arrives late"}
    assert heard(event, "last", 6.0, turns) == {"what": "last"}
    other = latest(told, "tab", "view", lambda _: {})
    assert other(event, "of another kind", 1.0, turns) == {"what": "of another kind"}
    assert turns.times == {"concept": 6.0, "tab": 1.0}
    assert next(iter(inspect.signature(heard).parameters)) == "event"


def test_an_event_starts_from_the_view_that_the_one_before_has_left() -> None:
    """Both came in with the same view: neither takes the other's change back."""
    turns, came_in = Turns(), View(noted=7)

    def changed(**changes: Any) -> Any:
        return lambda view: {"view": replace(view, noted=view.noted + 1, **changes)}

    first = latest(changed(kind="absolute"), "delta", "view", lambda _: {})
    second = latest(changed(show="suppressed"), "show", "view", lambda _: {})
    assert first(came_in, 1.0, turns)["view"].kind == "absolute"
    both = second(came_in, 2.0, turns)["view"]
    assert (both.kind, both.show) == ("absolute", "suppressed")
    noted_since = View(concept=3, noted=99)  # by a listener of no kind
    assert first(noted_since, 3.0, turns)["view"].concept == 3
    assert first(came_in, 0.5, turns) == {}
    assert turns.view.concept == 3
    assert deepcopy(turns).times == {}
