"""A scene of the planted world, and sampling one from a prior with some of it given."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.planted import factors as f
from blindspots_hub.planted.dice import Dice, derive


@dataclass(frozen=True)
class Scene:
    """Everything that decides an image of the planted world; drawing adds nothing to it.

    Scenes are consistent: colour, page, shadow, palm and weather are set only where the object
    or the background allows them (`settled` makes them so).
    """

    seed: int
    """Decides layout, tilt and texture: what no factor names."""
    object: str = "mug"
    colour: str | None = None
    count: int = 1
    background: str = "plain"
    light: str = "daylight"
    page: str | None = None
    """`blank` or `printed` for documents, else None."""
    shadow: bool = False
    palm: bool = False
    """A palm tree stands in the scenery."""
    template: str | None = None
    """Name of the stock template that this image repeats; all fields above but `seed` are idle."""
    copy: str = "stored"
    """How a template is repeated: `stored` exactly, `near` as the web does, `free` redrawn."""

    @property
    def memorised(self) -> bool:
        """Whether the image is the stored template itself."""
        return self.template is not None and self.copy == "stored"

    def to_dict(self) -> dict[str, Any]:
        """The scene as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Scene:
        """The scene of a JSON object; unknown or missing names raise `BlindspotsError`."""
        names = {field.name for field in fields(cls)}
        if set(record) != names:
            odd = ", ".join(sorted(set(record) ^ names))
            raise BlindspotsError(
                f"A planted scene's record has unknown or missing fields ({odd}): "
                "it was written by another version; build the planted bundle again."
            )
        return cls(**record)


@dataclass(frozen=True)
class Prior:
    """How often each value is drawn where nothing is said about it."""

    objects: dict[str, float]
    backgrounds: dict[str, float]
    counts: dict[int, float]
    lights: dict[str, float]
    shadow_under_animal: float
    shadow_under_object: float
    palm: float
    blank: float
    template: float

    def shadow(self, name: str) -> float:
        """Probability of a shadow under object `name`."""
        if name in f.ANIMALS:
            return self.shadow_under_animal
        return self.shadow_under_object if name in f.STANDING else 0.0


NATURAL = Prior(
    objects=f.OBJECTS,
    backgrounds=f.BACKGROUNDS,
    counts=f.COUNTS,
    lights=f.LIGHTS,
    shadow_under_animal=f.SHADOW_UNDER_ANIMAL,
    shadow_under_object=f.SHADOW_UNDER_OBJECT,
    palm=f.PALM_IN_SCENERY,
    blank=f.BLANK_PAGE,
    template=f.TEMPLATE_SHARE,
)
"""The natural world."""

FLATTENED = Prior(
    objects={name: weight**0.3 for name, weight in f.OBJECTS.items()},
    backgrounds={name: weight**0.5 for name, weight in f.BACKGROUNDS.items()},
    counts=f.COUNTS,
    lights=f.LIGHTS,
    shadow_under_animal=0.4,
    shadow_under_object=0.4,
    palm=0.15,
    blank=0.5,
    template=f.TEMPLATE_SHARE,
)
"""The same world with its tail lifted: what the backbone is trained on, as ImageNet's classes are
more even than the web's."""


def sample_scene(seed: int, prior: Prior = NATURAL) -> Scene:
    """Draw the scene of `seed` from `prior`; the same seed gives the same scene everywhere."""
    dice = Dice(seed, "template")
    if dice.chance(prior.template):
        return Scene(seed=seed, template=dice.choose(f.TEMPLATES), copy="near")
    return complete({}, seed, prior)


def complete(given: dict[str, Any], seed: int, prior: Prior) -> Scene:
    """Fill what `given` leaves open from `prior`.

    `given` maps field names of `Scene` to values. Every field has its own dice, so that a value
    given changes no other one by accident. What contradicts the object or background is dropped:
    a given `page` on a mug, rain on kitchen tiles.
    """

    def dice(field: str) -> Dice:
        return Dice(seed, field)

    backgrounds = prior.backgrounds
    if given.get("palm") or given.get("light") in f.WEATHER:
        backgrounds = {name: backgrounds[name] for name in backgrounds if name in f.OUTDOORS}
    objects = prior.objects
    if "page" in given:
        objects = {"document": 1.0}
    name = given.get("object") or dice("object").choose(objects)
    background = given.get("background") or dice("background").choose(backgrounds)
    lights = {
        light: weight
        for light, weight in prior.lights.items()
        if background in f.OUTDOORS or light not in f.WEATHER
    }
    scene = Scene(
        seed=derive(seed, "drawing"),
        object=name,
        colour=given.get("colour"),
        count=given.get("count") or dice("count").choose(prior.counts),
        background=background,
        light=given.get("light") or dice("light").choose(lights),
        page=given.get("page") or ("blank" if dice("page").chance(prior.blank) else "printed"),
        shadow=given.get("shadow", dice("shadow").chance(prior.shadow(name))),
        palm=given.get("palm", dice("palm").chance(prior.palm)),
    )
    return settled(scene, seed)


def settled(scene: Scene, seed: int) -> Scene:
    """`scene` with everything that its object or background does not allow put right."""
    palette = f.palette(scene.object)
    colour = scene.colour if scene.colour in palette else None
    if palette and colour is None:
        colour = Dice(seed, "colour", scene.object).choose(palette)
    page = None
    if scene.object == "document":
        page = scene.page or ("blank" if Dice(seed, "page").chance(f.BLANK_PAGE) else "printed")
    outdoors = scene.background in f.OUTDOORS
    record = scene.to_dict()
    record.update(
        colour=colour,
        page=page,
        shadow=scene.shadow and (scene.object in f.ANIMALS or scene.object in f.STANDING),
        palm=scene.palm and outdoors and scene.object != "palm tree",
        light="daylight" if scene.light in f.WEATHER and not outdoors else scene.light,
    )
    return Scene.from_dict(record)
