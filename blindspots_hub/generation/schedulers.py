"""A pipeline's scheduler replaced by another of diffusers', by name."""

from __future__ import annotations

import difflib
from typing import Any

from blindspots_hub.errors import BlindspotsError


def set_scheduler(pipe: Any, name: str) -> None:
    """Let `pipe` sample by the scheduler `name`, with the settings that it has in common.

    The name is diffusers' own, with or without "Scheduler", in any case. Raises `BlindspotsError`,
    with near matches, where there is none, or where it does not go with the pipeline's.
    """
    known = _schedulers()
    cls = known.get(_plain(name))
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
    goes = {one.__name__ for one in getattr(now, "compatibles", ())} | {type(now).__name__}
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
            if isinstance(cls, type) and issubclass(cls, SchedulerMixin):
                found[_plain(name)] = cls
    return found


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").removesuffix("scheduler")
