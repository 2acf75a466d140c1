"""Metrics of a training where people look for them: a file, and trackers that are installed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blindspots_hub.concepts.training.train import STAGE
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event
from blindspots_hub.utils.files import write_bytes

METRICS = "metrics.jsonl"
"""One JSON object a line: `step`, and what the events of `train_sae` tell of it."""

TRACKERS = ("tensorboard", "trackio", "wandb")
"""What `--log-with` takes; each is a package of that name."""


class TrainingLog:
    """Writes the events of a training; one that goes on after a kill, goes on in the same file."""

    def __init__(
        self, folder: Path, trackers: Sequence[str] = (), settings: Mapping[str, Any] | None = None
    ) -> None:
        """`settings` are shown with the run by `trackers` (of `TRACKERS`).

        Raises `BlindspotsError` for a tracker that is unknown or not installed.
        """
        self.path = folder / METRICS
        self._trackers = _started(trackers, folder, settings or {}) if trackers else None
        self._begun = False

    def __call__(self, event: Event) -> None:
        """Note an event; those of other stages have no metrics."""
        if event.stage != STAGE:
            return
        if not self._begun:
            self._begin(event.done)
        with open(self.path, "a", encoding="utf-8") as lines:
            lines.write(json.dumps({"step": event.done, **event.detail}) + "\n")
        if self._trackers is not None:
            self._trackers.log(event.detail, step=event.done)

    def _begin(self, step: int) -> None:
        """Keep the lines of the steps before `step`: later ones are of steps that were lost."""
        kept = []
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8").splitlines(keepends=True):
                try:
                    if json.loads(line)["step"] < step:
                        kept.append(line)
                except (ValueError, KeyError):
                    continue  # a kill cut it in two; its step is done again
        write_bytes(self.path, "".join(kept).encode())
        self._begun = True

    def close(self) -> None:
        """Let the trackers finish."""
        if self._trackers is not None:
            self._trackers.end_training()


def _started(names: Sequence[str], folder: Path, settings: Mapping[str, Any]) -> Any:
    from accelerate import Accelerator
    from accelerate.tracking import get_available_trackers

    installed = {str(tracker.value) for tracker in get_available_trackers()}
    for name in names:
        if name not in TRACKERS:
            raise BlindspotsError(
                f"{name} is no tracker that can be logged with: choose {', '.join(TRACKERS)}."
            )
        if name not in installed:
            raise BlindspotsError(
                f"{name} is not installed: install it (pip install {name}), or leave --log-with "
                f"out; {METRICS} is written in any case."
            )
    accelerator = Accelerator(log_with=list(names), project_dir=str(folder))
    plain = {
        name: value for name, value in settings.items() if isinstance(value, (str, int, float))
    }
    accelerator.init_trackers("blindspots_hub", config=plain)
    return accelerator
