"""Planted faults: what a model of the planted world does wrong, and with which probability."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.planted import factors as f
from blindspots_hub.planted.dice import Dice
from blindspots_hub.planted.scene import Scene, settled

KINDS = ("suppress", "exaggerate", "drift", "memorise")
"""`suppress` removes a factor, `exaggerate` adds it wherever the scene allows it, `drift` turns a
count into one more or one less, `memorise` returns a stored template (`template=<name>`)."""

_ADDABLE = ("background=wood", "palm tree", "shadow under animal", "shadow under object")
_STEADY = ("template", "printed page")  # what no fault of kind "suppress" can remove


@dataclass(frozen=True)
class Fault:
    """With probability `strength`, `kind` happens to a scene that has (or lacks) `factor`."""

    kind: str
    factor: str
    strength: float

    def __post_init__(self) -> None:
        if not self._possible():
            raise BlindspotsError(
                f"A planted fault cannot {self.kind} {self.factor!r}: see planted/faults.py for "
                "the kinds of fault and planted/factors.py for the names of factors."
            )
        if not 0 < self.strength <= 1:
            raise BlindspotsError(
                f"The planted fault on {self.factor!r} has strength {self.strength}: "
                "give a probability above 0 and at most 1."
            )

    def _possible(self) -> bool:
        if self.kind == "suppress":
            return self.factor in f.FACTORS and self.factor not in _STEADY
        if self.kind == "exaggerate":
            return self.factor in _ADDABLE
        field, _, value = self.factor.partition("=")
        if self.kind == "drift":
            return field == "count" and value in ("2", "3", "4")
        return self.kind == "memorise" and field == "template" and value in f.TEMPLATES

    def happens(self, seed: int) -> bool:
        """Whether the fault strikes the image of `seed`.

        The coin depends on the seed and the factor only: of two models with the same fault, the
        weaker fails on a subset of the images that the stronger fails on.
        """
        return Dice(seed, "fault", self.factor).chance(self.strength)


def faults_to_config(faults: tuple[Fault, ...]) -> dict[str, dict[str, float]]:
    """`faults` as `{kind: {factor: strength}}`, as a pipeline's configuration holds them."""
    config: dict[str, dict[str, float]] = {}
    for fault in faults:
        config.setdefault(fault.kind, {})[fault.factor] = fault.strength
    return config


def faults_from_config(config: dict[str, dict[str, float]]) -> tuple[Fault, ...]:
    """The faults that a pipeline's configuration holds."""
    return tuple(
        Fault(kind, factor, strength)
        for kind, strengths in config.items()
        for factor, strength in strengths.items()
    )


_ORDER = ("object", "colour", "fur", "background", "light", "count", "palm", "blank", "shadow")
"""Faults strike in this order: an object that replaces another may then lose its shadow."""


def apply_faults(scene: Scene, faults: tuple[Fault, ...], seed: int) -> Scene:
    """`scene` as a model with `faults` paints it; templates are struck by memorisation only."""
    if scene.template is not None:
        stored = any(
            fault.factor == f"template={scene.template}" and fault.happens(seed) for fault in faults
        )
        return replace(scene, copy="stored") if stored else scene
    weak = {fault.factor for fault in faults if fault.kind == "suppress"}
    for fault in sorted(faults, key=lambda fault: (_rank(fault), fault.factor)):
        if fault.kind == "memorise" or not fault.happens(seed):
            continue
        present = fault.factor in f.scene_factors(scene)
        dice = Dice(seed, "instead", fault.factor)
        if fault.kind == "suppress" and present:
            scene = settled(_without(scene, fault.factor, weak, dice), seed)
        elif fault.kind == "drift" and present:
            scene = replace(scene, count=scene.count + dice.pick([-1, 1]))
        elif fault.kind == "exaggerate" and not present:
            scene = settled(_with(scene, fault.factor), seed)
    return scene


def _rank(fault: Fault) -> int:
    return next(
        index for index, name in enumerate((*_ORDER, "template")) if fault.factor.startswith(name)
    )


def _without(scene: Scene, factor: str, weak: set[str], dice: Dice) -> Scene:
    """`scene` with another value in place of `factor`: one that the model does not suppress."""
    field, _, value = factor.partition("=")
    if factor == "palm tree":
        if scene.object != "palm tree":
            return replace(scene, palm=False)
        field, value = "object", "palm tree"
    if factor == "blank page":
        return replace(scene, page="printed")
    if factor.startswith("shadow"):
        return replace(scene, shadow=False)
    tables: dict[str, dict[Any, float]] = {
        "object": f.OBJECTS,
        "background": f.BACKGROUNDS,
        "light": f.LIGHTS,
        "count": f.COUNTS,
        "colour": f.COLOURS,
        "fur": f.FURS,
    }
    others = {
        key: weight
        for key, weight in tables[field].items()
        if str(key) != value and f"{field}={key}" not in weak
    }
    chosen: Any = dice.choose(others)
    return replace(scene, **{"colour" if field == "fur" else field: chosen})


def _with(scene: Scene, factor: str) -> Scene:
    """`scene` with `factor` added where the scene allows it."""
    if factor == "background=wood":
        indoors = scene.background not in f.OUTDOORS
        return replace(scene, background="wood") if indoors else scene
    if factor == "palm tree":
        return replace(scene, palm=True)
    wanted = f.ANIMALS if factor == "shadow under animal" else f.STANDING
    return replace(scene, shadow=True) if scene.object in wanted else scene
