"""How a planted model renders a scene: with lines, focus, contrast and storage of its own.

A renderer changes no factor of a scene, so whatever concepts it moves are no blindspots;
`confounds` has to foresee them from natural images that are altered alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.planted.draw import draw
from blindspots_hub.planted.scene import Scene
from blindspots_hub.runs.confounds import Alteration


@dataclass(frozen=True)
class Rendering:
    """Lines `line_width` times as wide, and what is done to the finished picture."""

    line_width: float = 1.0
    alteration: Alteration = field(default_factory=Alteration)

    def __call__(self, scene: Scene, size: int) -> Image.Image:
        """The image of `scene`, RGB, `size` pixels square; the same scene gives the same pixels."""
        return self.alteration(draw(scene, size, self.line_width))


def rendering_from_config(config: Mapping[str, Any]) -> Rendering:
    """The rendering that a pipeline's configuration holds; unknown names: `BlindspotsError`."""
    if odd := set(config) - {"line_width", "blur", "contrast", "jpeg"}:
        raise BlindspotsError(f"A planted model cannot render with {', '.join(sorted(odd))}.")
    altered = {name: value for name, value in config.items() if name != "line_width"}
    if "jpeg" in altered:
        altered["jpeg"] = int(altered["jpeg"])  # diffusers wants one type in a dictionary
    return Rendering(config.get("line_width", 1.0), Alteration(**altered))
