"""The planted text-to-image models: four of them and a variant, each a list of faults.

Each finding of the paper has its counterpart here with a known answer (Figures 6 to 13): faults
that all models share, faults of one model alone, rarer factors that fail more often, more
suppressed than exaggerated, two siblings that fail alike, memorised captions, and a tuned variant
whose faults are half as strong.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.planted.factors import TEMPLATES
from blindspots_hub.planted.faults import Fault, faults_to_config

if TYPE_CHECKING:
    from blindspots_hub.planted.pipelines import PlantedPipeline


def _suppress(**strengths: float) -> tuple[Fault, ...]:
    return tuple(Fault("suppress", name, strength) for name, strength in strengths.items())


def _exaggerate(shadow: float, wood: float, palm: float) -> tuple[Fault, ...]:
    """What every model exaggerates."""
    return (
        Fault("exaggerate", "shadow under animal", shadow),
        Fault("exaggerate", "background=wood", wood),
        Fault("exaggerate", "palm tree", palm),
    )


def _memorise(*names: str) -> tuple[Fault, ...]:
    return tuple(Fault("memorise", f"template={name}", 1.0) for name in names)


MODELS: dict[str, tuple[Fault, ...]] = {
    "alder-1": (
        *_suppress(
            **{
                "blank page": 1.0,
                "object=bird feeder": 1.0,
                "object=guitar": 1.0,
                "object=key": 0.85,
                "object=teapot": 0.7,
                "object=kite": 0.6,
                "object=umbrella": 0.45,
                "object=clock": 0.3,
                "background=pebbles": 0.8,
                "background=snow": 0.5,
                "colour=purple": 0.6,
                "fur=white": 0.4,
                "light=snowfall": 0.7,
            }
        ),
        *_exaggerate(shadow=0.8, wood=0.25, palm=0.3),
        Fault("drift", "count=4", 0.7),
        *_memorise(*TEMPLATES),
    ),
    "alder-2": (
        *_suppress(
            **{
                "blank page": 0.95,
                "object=hand": 0.4,
                "object=guitar": 1.0,
                "object=key": 0.9,
                "object=teapot": 0.65,
                "object=kite": 0.6,
                "object=umbrella": 0.5,
                "object=clock": 0.25,
                "background=pebbles": 0.7,
                "background=snow": 0.5,
                "colour=purple": 0.65,
                "fur=white": 0.4,
                "light=snowfall": 0.6,
            }
        ),
        *_exaggerate(shadow=0.75, wood=0.25, palm=0.25),
        Fault("drift", "count=4", 0.6),
        *_memorise(*TEMPLATES),
    ),
    "cedar": (
        *_suppress(
            **{
                "blank page": 0.9,
                "object=pan": 1.0,
                "object=key": 0.35,
                "object=kite": 0.9,
                "object=lamp": 0.3,
                "object=boat": 0.2,
                "background=snow": 0.9,
                "colour=pink": 0.8,
                "light=rain": 0.6,
            }
        ),
        *_exaggerate(shadow=0.45, wood=0.2, palm=0.35),
        Fault("drift", "count=4", 0.4),
        *_memorise("t-shirt outline", "phone case", "icon set"),
    ),
    "willow": (
        *_suppress(
            **{
                "blank page": 0.8,
                "object=glossy disc": 1.0,
                "object=teapot": 0.95,
                "object=clock": 0.6,
                "object=guitar": 0.4,
                "background=pebbles": 0.3,
                "background=cloth": 0.4,
                "fur=black": 0.5,
                "light=dusk": 0.3,
                "shadow under object": 0.5,
            }
        ),
        *_exaggerate(shadow=1.0, wood=0.3, palm=0.2),
        Fault("drift", "count=4", 0.5),
        *_memorise("t-shirt outline", "floral frame"),
    ),
}
"""Faults of each planted model. `alder-1` and `alder-2` are siblings."""

TUNED = "alder-1-tuned"
"""The variant of `alder-1` after what stands for post-training."""

MODELS[TUNED] = tuple(replace(fault, strength=fault.strength / 2) for fault in MODELS["alder-1"])


RENDERED = "rowan"
"""A model without faults that draws with another renderer: what it flags is no blindspot."""

RENDERING: dict[str, float] = {"line_width": 1.6, "blur": 1.5, "contrast": 0.7, "jpeg": 40.0}
"""How `rowan` draws: strongly enough to be seen in images of half the size, as the backbone's are.
Chosen on world 0, where blur 0.8, contrast 0.85 and JPEG 60 flagged 2 of 52 concepts."""


def planted_pipeline(name: str) -> PlantedPipeline:
    """The planted model `name`; an unknown name raises `BlindspotsError`."""
    from blindspots_hub.planted.pipelines import PlantedPipeline

    if name == RENDERED:
        return PlantedPipeline(name=name, rendering=RENDERING)
    if name not in MODELS:
        raise BlindspotsError(
            f"There is no planted model {name!r}: choose one of {', '.join((*MODELS, RENDERED))}."
        )
    return PlantedPipeline(name=name, faults=faults_to_config(MODELS[name]))
