"""How many evaluations wait, and how many of one visitor; faults of requests in one line each."""

from __future__ import annotations

import logging
from typing import Any

_log = logging.getLogger(__name__)

WAITING = 20
"""Evaluations that wait at once: with the usual ten minutes each, the last waits three hours."""

OF_ONE_ADDRESS = 3
"""Evaluations of one address that wait or run at once: several people may share one."""


def limit_queue(
    page: Any, slot: str, most: int, waiting: int = WAITING, shared: int = OF_ONE_ADDRESS
) -> None:
    """Let a Gradio page hold `most` events that wait, of the queue `slot` `waiting`, one a session.

    Of one address `shared` are taken. What is beyond is refused with a sentence.
    """
    queue = page._queue
    queue.max_size = most  # `Blocks.queue(max_size=…)` would build the whole application once more
    push = queue.push

    async def limited(body: Any, request: Any, username: str | None) -> Any:
        function = page.fns.get(body.fn_index)
        if function is not None and function.concurrency_id == slot:
            there = _alive(queue, slot)
            if len(there) >= waiting:
                told = f"{len(there)} evaluations are waiting already: try again later."
                return False, told, "queue_full"
            same = [e for e in there if e.session_hash == body.session_hash]
            near = [e for e in there if _address(e.request) == _address(request)]
            if same or len(near) >= shared:
                told = "You have an evaluation under way: cancel it, or wait until it is done."
                return False, told, "queue_full"
        return await push(body, request, username)

    queue.push = limited


def _alive(queue: Any, slot: str) -> list[Any]:
    """Events of a slot that wait or run and were not cancelled."""
    waiting = queue.event_queue_per_concurrency_id.get(slot)
    running = [event for jobs in queue.active_jobs if jobs for event in jobs]
    found = [*(waiting.queue if waiting else ()), *running]
    return [event for event in found if event.alive and event.concurrency_id == slot]


def _address(request: Any) -> str | None:
    """Where a request comes from; a proxy tells the visitor's address first."""
    headers = getattr(request, "headers", None) or {}
    told = headers.get("x-forwarded-for")
    if told:
        return str(told).split(",")[0].strip()
    client = getattr(request, "client", None)
    return None if client is None else str(client.host)


def quiet_faults(page: Any) -> None:
    """Let what a request's function raises be one line of the log, a traceback only for debugging.

    Gradio prints one for every request whose values are not such as the page sends.
    """
    import gradio as gr

    process = page.process_api

    async def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return await process(*args, **kwargs)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0][:200]
            _log.warning("a request failed: %s: %s", type(error).__name__, first)
            _log.debug("what failed", exc_info=True)
            raise gr.Error("This request cannot be answered.", print_exception=False) from error

    page.process_api = told
