"""A pipeline's scheduler replaced by another of diffusers', by name."""

from __future__ import annotations

import difflib
from typing import Any

from blindspots_hub.errors import BlindspotsError

_ENDINGS = ("", "discrete", "multistep")
"""What people leave out of a name: Euler is EulerDiscrete, UniPC is UniPCMultistep."""

_FLOW = ("FlowMatchEulerDiscrete", "FlowMatchHeunDiscrete", "FlowMatchLCM")
_KINDRED = tuple(
    frozenset(f"{name}Scheduler" for name in names) for names in (("DDIM", "LCM", "TCD"), _FLOW)
)
"""Schedulers that go with each other though diffusers lists none for them: those of distilled
weights (LCM, TCD) are put into the models that these were distilled from."""


def set_scheduler(pipe: Any, name: str) -> None:
    """Let `pipe` sample by the scheduler `name`, with the settings that it has in common.

    The name is diffusers' own, with or without "Scheduler", in any case. Raises `BlindspotsError`,
    with near matches, where there is none, or where it does not go with the pipeline's.
    """
    known = _schedulers()
    meant = (f"{_plain(name)}{ending}" for ending in _ENDINGS)
    cls = next((known[one] for one in meant if one in known), None)
    if cls is None:
        near = difflib.get_close_matches(_plain(name), known, n=3, cutoff=0.5)
        guess = " or ".join(known[one].__name__ for one in near)
        raise BlindspotsError(
            f"diffusers has no scheduler {name!r}: "
            + (f"did you mean {guess}?" if guess else "use a name such as DPMSolverMultistep.")
        )
    now = getattr(pipe, "scheduler", None)
    if now is None:
        raise BlindspotsError(
            f"A {type(pipe).__name__} has no scheduler of its own to replace: leave it unset."
        )
    there = {one.__name__ for one in known.values()}
    goes = {one.__name__ for one in getattr(now, "compatibles", ())} & there | {type(now).__name__}
    for some in _KINDRED:
        goes |= some & there if goes & some else set()
    if cls.__name__ not in goes:
        names = ", ".join(sorted(one.removesuffix("Scheduler") for one in goes))
        raise BlindspotsError(
            f"The scheduler {cls.__name__} does not go with the {type(now).__name__} of this "
            f"model: use one of {names}."
        )
    pipe.scheduler = cls.from_config(now.config)


def _schedulers() -> dict[str, Any]:
    import diffusers
    from diffusers.schedulers.scheduling_utils import SchedulerMixin

    found = {}
    for name in dir(diffusers):
        if "Scheduler" in name and not name.startswith(("Flax", "_")):
            cls = getattr(diffusers, name, None)
            # Those that need packages which are not here are no classes of schedulers.
            is_one = isinstance(cls, type) and issubclass(cls, SchedulerMixin)
            if is_one and cls is not SchedulerMixin:
                found[_plain(name)] = cls
    return found


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").removesuffix("scheduler")
