"""The page of an evaluation under way: stage, bar, images as they come, counts as they tighten."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator
from html import escape
from typing import Any, TypeVar

import gradio as gr

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.counts import bar, words
from blindspots_hub.explorer.page.domain_notice import domain_notice
from blindspots_hub.explorer.page.format import count
from blindspots_hub.explorer.page.pictures import data_uri, media_type
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.durations import duration

T = TypeVar("T")

INTERVAL = 0.25
"""Seconds between two pictures of the page."""

SHOWN = 6
"""Newest pairs of images on the page."""


class RunningPage:
    """Takes the events of an evaluation and shows them as HTML."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._event = Event("getting ready", 0, 1)
        self._pairs: deque[dict[str, Any]] = deque(maxlen=SHOWN)
        self._counts: dict[str, Any] | None = None
        self._warnings: list[str] = []
        self._started = (time.monotonic(), 0)

    def take(self, event: Event) -> None:
        """Remember one event."""
        if event.stage != self._event.stage:
            self._started = (time.monotonic(), event.done)
        self._event = event
        if "pair_id" in event.detail:
            self._pairs.appendleft(event.detail)
        self._counts = event.detail.get("counts", self._counts)
        if (told := event.detail.get("warning")) and told not in self._warnings:
            self._warnings.append(told)

    def html(self, note: str = "", counts: str = "") -> str:
        """The page as it stands, as HTML.

        Once the work has ended, `note` stands where the stage did, and `counts` (HTML) in the place
        of those that were made on the way.
        """
        event = self._event
        share = event.done / event.total if event.total else 0.0
        numbers = f"{count(event.done)} of {count(event.total)}" if event.total > 1 else ""
        stage, remaining = event.stage, self._remaining()
        if note:
            share, numbers, stage, remaining = 1.0, "", note, ""
        pulse = "" if event.total > 1 or note else " waiting"
        return (
            f'<div class="running"><h3>{escape(self._title)}</h3>'
            f'<p class="stage"><b>{escape(stage)}</b> {numbers} '
            f"<span>{escape(remaining)}</span></p>"
            f'<div class="meter{pulse}" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
            f'aria-label="{escape(stage)}" aria-valuenow="{100 * share:.0f}">'
            f'<i style="width:{100 * share:.1f}%"></i></div>'
            f"{'' if note else domain_notice(self._warnings)}"
            f"{counts or self._count_line()}{self._gallery()}</div>"
        )

    def _remaining(self) -> str:
        started, first = self._started
        done, total = self._event.done - first, self._event.total - self._event.done
        elapsed = time.monotonic() - started
        if done < 3 or elapsed < 2:
            return ""
        return f"about {duration(elapsed / done * total)} left" if total else ""

    def _count_line(self) -> str:
        if not self._counts:
            return ""
        counts = self._counts["relative"]
        return (
            f'<div class="counts">{bar(counts)}<p>after {count(int(self._counts["pairs"]))} pairs: '
            f"{', '.join(words(counts))}</p></div>"
        )

    def _gallery(self) -> str:
        if not self._pairs:
            return ""
        pairs = "".join(_pair(detail) for detail in self._pairs)
        single = "sides" in self._pairs[0]
        told = (
            "Newest images."
            if single
            else "Newest pairs: natural on the left, generated on the right."
        )
        return f'<p class="sides-note">{told}</p><div class="coming">{pairs}</div>'


def _pair(detail: dict[str, Any]) -> str:
    images = "".join(
        f'<img alt="{side} image" src="{data_uri(media_type(detail[side]), detail[side])}">'
        if detail.get(side)
        else f'<div class="missing"><span>no {side} image</span></div>'
        for side in detail.get("sides", ("natural", "generated"))
    )
    caption = escape(str(detail.get("caption", "")))
    return f'<figure>{images}<figcaption title="{caption}">{caption}</figcaption></figure>'


def pictures(
    work: Work[T], page: RunningPage, place: gr.HTML, seconds: float | None = None
) -> Generator[dict[Any, Any], None, T]:
    """Drive `work`, yielding a picture of it for `place` at most every `INTERVAL` seconds.

    Closing it closes the work. After `seconds` it ends with a `BlindspotsError`.
    """
    shown, began = 0.0, time.monotonic()
    try:
        while True:
            try:
                event = next(work)
            except StopIteration as end:
                result: T = end.value
                return result
            page.take(event)
            if seconds is not None and time.monotonic() - began > seconds:
                raise BlindspotsError(
                    f"One evaluation has {duration(seconds)} at a time here: what is done is kept, "
                    "run the same again to go on."
                )
            if time.monotonic() - shown >= INTERVAL:
                shown = time.monotonic()
                yield {place: page.html()}
    finally:
        work.close()
