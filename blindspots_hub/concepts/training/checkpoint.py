"""A training's whole state in one file, so that a kill costs minutes and changes no bit.

`checkpoint.safetensors` holds the tensors; its header's metadata holds the rest as JSON under
"facts", and under "request" the fingerprint of what is being trained. One file, replaced at once:
tensors and facts cannot come from different steps.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from blindspots_hub.concepts.source import open_safetensors
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic

FILE = "checkpoint.safetensors"

Found = tuple[dict[str, torch.Tensor], dict[str, Any]]


@dataclass
class Checkpoints:
    """Where a training keeps its state, and how often: every `seconds`."""

    folder: Path
    seconds: float = 600.0
    _last: float = field(default_factory=time.monotonic)

    @property
    def due(self) -> bool:
        """Whether the last one is old enough for another."""
        return time.monotonic() - self._last >= self.seconds

    def save(
        self, request: str, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]
    ) -> None:
        """Replace the state."""
        from safetensors.torch import save_file

        content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        with atomic(self.folder / FILE) as partial:
            save_file(content, partial, metadata={"request": request, "facts": json.dumps(facts)})
        self._last = time.monotonic()

    def load(self, request: str) -> Found | None:
        """The state (tensors, facts), None where there is none.

        Raises `BlindspotsError` where it is of another training than `request`, or damaged.
        """
        path = self.folder / FILE
        if not path.is_file():
            return None
        with open_safetensors(path) as content:
            metadata = content.metadata() or {}
            if metadata.get("request") != request:
                raise BlindspotsError(
                    f"{self.folder} holds an unfinished training with other settings, another "
                    "seed or other tokens: run it with those again, choose another folder, or "
                    "delete that one to start anew."
                )
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
        return tensors, json.loads(metadata["facts"])
