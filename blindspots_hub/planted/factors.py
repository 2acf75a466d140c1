"""What a scene of the planted world may hold, how often, and the binary factors of a scene.

Every natural frequency is written here and nowhere else. They are long-tailed, as the concepts of
natural images are: the commonest object is ten times as frequent as the rarest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from blindspots_hub.planted.scene import Scene

OBJECTS: dict[str, float] = {
    "document": 0.120,
    "dog": 0.100,
    "flower": 0.080,
    "cat": 0.075,
    "mug": 0.070,
    "car": 0.065,
    "pan": 0.060,
    "glossy disc": 0.060,
    "bird feeder": 0.060,
    "apple": 0.055,
    "chair": 0.045,
    "boat": 0.040,
    "shirt": 0.035,
    "hand": 0.035,
    "lamp": 0.030,
    "clock": 0.025,
    "umbrella": 0.025,
    "teapot": 0.022,
    "kite": 0.022,
    "key": 0.020,
    "guitar": 0.020,
    "palm tree": 0.008,
}
"""Weight of each object among scenes that are no template."""

BACKGROUNDS: dict[str, float] = {
    "plain": 0.28,
    "grass": 0.17,
    "sky": 0.13,
    "brick": 0.10,
    "beach": 0.09,
    "tiles": 0.08,
    "cloth": 0.06,
    "wood": 0.04,
    "snow": 0.03,
    "pebbles": 0.02,
}
"""Weight of each background."""

COLOURS: dict[str, float] = {
    "red": 0.27,
    "blue": 0.22,
    "white": 0.16,
    "green": 0.14,
    "yellow": 0.11,
    "pink": 0.06,
    "purple": 0.04,
}
"""Weight of each colour for objects that come in any colour."""

FURS: dict[str, float] = {"brown": 0.45, "grey": 0.25, "black": 0.18, "white": 0.12}
"""Weight of each fur colour for animals."""

COUNTS: dict[int, float] = {1: 0.62, 2: 0.16, 3: 0.10, 4: 0.08, 5: 0.04}
"""Weight of each number of objects; groups of four among them."""

LIGHTS: dict[str, float] = {"daylight": 0.80, "dusk": 0.10, "rain": 0.06, "snowfall": 0.04}
"""Weight of each light or weather outdoors; indoors there is daylight or dusk."""

TEMPLATES: dict[str, float] = {
    "t-shirt outline": 0.4,
    "phone case": 0.3,
    "icon set": 0.2,
    "floral frame": 0.1,
}
"""Weight of each stored template among template pairs."""

TEMPLATE_SHARE = 0.03
"""Share of natural pairs whose caption is a stock phrase and whose image is its template."""

SHADOW_UNDER_ANIMAL = 0.035
"""Probability that a natural animal has a shadow: rare, so that models can add many."""

SHADOW_UNDER_OBJECT = 0.25
"""Probability that a standing thing casts a shadow."""

PALM_IN_SCENERY = 0.012
"""Probability that an outdoor scene has a palm tree beside its object."""

BLANK_PAGE = 0.50
"""Probability that a document is blank rather than printed."""

ANIMALS = frozenset({"dog", "cat"})
OUTDOORS = frozenset({"grass", "sky", "beach", "snow", "pebbles"})
STANDING = frozenset({"mug", "car", "chair", "lamp", "teapot", "apple"})
"""Things that may cast a shadow (`shadow under object`)."""

COLOURED = frozenset(
    {
        "flower", "mug", "car", "apple", "chair", "boat", "shirt", "lamp", "clock", "umbrella",
        "bird feeder", "kite", "teapot",
    }
)  # fmt: skip
"""Objects that come in any of `COLOURS`; animals come in `FURS`."""

WEATHER = frozenset({"rain", "snowfall"})
"""Lights that need an outdoor background."""

FACTORS: tuple[str, ...] = (
    *(f"object={name}" for name in OBJECTS if name != "palm tree"),
    "palm tree",
    "blank page",
    "printed page",
    "shadow under animal",
    "shadow under object",
    *(f"background={name}" for name in BACKGROUNDS),
    *(f"colour={name}" for name in COLOURS),
    *(f"fur={name}" for name in FURS),
    *(f"count={number}" for number in COUNTS),
    *(f"light={name}" for name in LIGHTS if name != "daylight"),
    "template",
)
"""The binary factors in the order of `factor_vector`.

`palm tree` is one factor whether the palm is the object or stands in the scenery. Objects, colours,
counts, backgrounds and lights are absent (0) in templates.
"""

FACTOR_INDEX: dict[str, int] = {name: index for index, name in enumerate(FACTORS)}
"""Position of each factor in `FACTORS`."""


def palette(name: str) -> dict[str, float]:
    """The colours that object `name` comes in, with their weights; empty where it has its own."""
    if name in ANIMALS:
        return FURS
    return COLOURS if name in COLOURED else {}


def scene_factors(scene: Scene) -> list[str]:
    """Names of the factors that `scene` has."""
    if scene.template is not None:
        return ["template"]
    found = [f"background={scene.background}", f"count={scene.count}"]
    if scene.object != "palm tree":
        found.append(f"object={scene.object}")
    if scene.object == "palm tree" or scene.palm:
        found.append("palm tree")
    if scene.colour is not None:
        found.append(f"{'fur' if scene.object in ANIMALS else 'colour'}={scene.colour}")
    if scene.page is not None:
        found.append(f"{scene.page} page")
    if scene.shadow:
        found.append("shadow under " + ("animal" if scene.object in ANIMALS else "object"))
    if scene.light != "daylight":
        found.append(f"light={scene.light}")
    return found


def factor_vector(scene: Scene) -> np.ndarray:
    """The factors of `scene` as 0 and 1: `(len(FACTORS),)` uint8."""
    vector = np.zeros(len(FACTORS), np.uint8)
    for name in scene_factors(scene):
        vector[FACTOR_INDEX[name]] = 1
    return vector
