"""ZeroGPU: a Space whose visitors borrow a GPU for seconds; everywhere else this does nothing.

There, a function decorated by `spaces.GPU` runs in a forked worker that holds a GPU for as long as
the call asked for; arguments and results are pickled, globals do not come back, and of an exception
only the class's name does. So GPU work is cut into small functions under `borrows_gpu`, and what
they need lies in the process before they are called.

`spaces` must be imported before anything touches CUDA, and every decorated function before the
page is launched: `app.py` begins with `gpu_work`, which imports this.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from blindspots_hub.errors import BlindspotsError


def on_zerogpu(environment: Mapping[str, str]) -> bool:
    """Whether a process's environment is ZeroGPU's, by the variable that `spaces` itself reads."""
    return environment.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


ON_ZEROGPU = on_zerogpu(os.environ)
"""Whether this process runs on ZeroGPU."""

START_SECONDS = 10.0
"""What a call asks for besides its work: a worker starts, the weights move to the GPU."""

LONGEST_SECONDS = 120.0
"""The longest that one call asks for: all that a visitor without login has in a day."""

MARGIN = 1.5
"""How much more than the pace measured so far a call asks for."""

if ON_ZEROGPU:
    import spaces

    if not hasattr(spaces, "GPU"):  # the repository's folder spaces/ imports as an empty package
        raise ImportError("This is a ZeroGPU Space without the package `spaces`: install it.")

Task = TypeVar("Task", bound=Callable[..., Any])


class GpuRefused(BlindspotsError):
    """The Space lent no GPU, or took it back; what was computed before is kept by the caller."""


@dataclass(frozen=True)
class Cost:
    """What a call will take: `units` of work of about `seconds` each, by the pace of `what`."""

    what: str
    units: int
    seconds: float


@dataclass(frozen=True)
class _Done:
    value: Any
    seconds: float


@dataclass(frozen=True)
class _Told:
    sentence: str


class Pace:
    """Seconds a unit of each kind of work, as measured last; doubled where the time ran out."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def duration(self, cost: Cost) -> int:
        """Seconds of GPU to ask for."""
        each = self._seconds.get(cost.what, cost.seconds)
        wanted = START_SECONDS + MARGIN * each * cost.units
        return round(min(wanted, LONGEST_SECONDS))

    def measured(self, cost: Cost, seconds: float) -> None:
        """Remember what the work of `cost` took."""
        self._seconds[cost.what] = seconds / max(cost.units, 1)

    def too_short(self, cost: Cost) -> None:
        """The call was ended before its work was: ask for twice as much the next time."""
        self._seconds[cost.what] = 2 * self._seconds.get(cost.what, cost.seconds)


def borrows_gpu(cost: Callable[..., Cost]) -> Callable[[Task], Task]:
    """Decorate a module-level function of plain arguments that needs the GPU.

    Off ZeroGPU the function itself is returned. On it, a call asks for a GPU for as long as
    `cost(*args)` says, corrected by what earlier calls took; `BlindspotsError` comes through with
    its sentence; where the Space lends no GPU or ends the call early, `GpuRefused` is raised.
    """

    def decorate(task: Task) -> Task:
        if not ON_ZEROGPU:
            return task
        pace = Pace()

        def duration(*args: Any, **_injected: Any) -> int:  # spaces may add its Progress
            return pace.duration(cost(*args))

        @wraps(task)
        def in_worker(*args: Any) -> _Done | _Told:
            started = time.monotonic()
            try:
                return _Done(task(*args), time.monotonic() - started)
            except BlindspotsError as error:
                return _Told(str(error))

        scheduled = spaces.GPU(duration=duration)(in_worker)

        @wraps(task)
        def call(*args: Any) -> Any:
            expected = cost(*args)
            try:
                outcome = scheduled(*args)
            except Exception as error:
                refusal = _refusal(error)
                if refusal is None:
                    raise
                if _ended_early(error):
                    pace.too_short(expected)
                raise GpuRefused(refusal) from error
            if isinstance(outcome, _Told):
                raise BlindspotsError(outcome.sentence)
            pace.measured(expected, outcome.seconds)
            return outcome.value

        return call  # type: ignore[return-value]

    return decorate


def offload_device(device: str) -> str:
    """Where weights wait that are to be used on `device`.

    On ZeroGPU in main memory: `spaces` moves to the GPU only what was put on "cuda" in the main
    thread before the page was launched, and a visitor's model is loaded later, in another thread;
    the worker moves it.
    """
    return "cpu" if ON_ZEROGPU and device.startswith("cuda") else device


def _ended_early(error: Exception) -> bool:
    return getattr(error, "message", None) == "GPU task aborted"


def _refusal(error: Exception) -> str | None:
    """The error of `spaces` as one sentence; None where it is not about the loan of a GPU."""
    if _connection_lost(error):
        return "The Space's GPU scheduler does not answer."
    if not isinstance(error, sys.modules["gradio"].Error):
        return None
    title, message = str(error.title), str(error.message)
    if message.startswith("No GPU was available"):
        return "No GPU of this Space became free within a minute."
    if title == "ZeroGPU quota exceeded":
        return (
            "Your GPU time on ZeroGPU Spaces is used up: a visitor has about 2 minutes a day, more "
            f"when logged in, most with a PRO account{_numbers(message)}."
        )
    if _ended_early(error):
        return "The Space took its GPU back too early: the next try asks for more time."
    if title == "ZeroGPU worker error":
        return f"The work on the GPU failed ({message}): the Space's log tells why."
    return f"The Space lent no GPU ({title}: {message})."


def _numbers(message: str) -> str:
    """What the scheduler told of the visitor's quota, in brackets."""
    asked = re.search(r"\((\d+)s requested vs\. (-?\d+)s left\)", message)
    again = re.search(r"Try again in ([\d:, a-z]+\d)", message)
    told = []
    if asked:
        told.append(f"{asked.group(2)} s left, {asked.group(1)} s needed")
    if again:
        told.append(f"more in {again.group(1)}")
    return f" ({', '.join(told)})" if told else ""


def _connection_lost(error: Exception) -> bool:
    """Whether the scheduler could not be asked: an error of the HTTP client that `spaces` uses."""
    return any(base.__module__.startswith("httpx") for base in type(error).__mro__) or (
        isinstance(error, RuntimeError) and "ZeroGPU API" in str(error)
    )
