"""From a scene to its image, and to the patches that each of its factors occupies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from blindspots_hub.planted import factors as f
from blindspots_hub.planted.dice import Dice
from blindspots_hub.planted.pen import Pen, oval
from blindspots_hub.planted.scene import Scene
from blindspots_hub.planted.sprites import RGB, SPRITES, blank_document, palm_tree
from blindspots_hub.planted.templates import draw_template
from blindspots_hub.planted.textures import background

SIZE = 224
"""Side of an image in pixels."""

_CANVAS = 2 * SIZE  # drawn twice as large and halved: antialiasing

_SLOTS: dict[int, list[tuple[float, float, float]]] = {
    1: [(0.5, 0.51, 0.4)],
    2: [(0.265, 0.54, 0.24), (0.735, 0.54, 0.24)],
    3: [(0.5, 0.26, 0.225), (0.26, 0.74, 0.225), (0.74, 0.74, 0.225)],
    4: [(0.26, 0.26, 0.225), (0.74, 0.26, 0.225), (0.26, 0.74, 0.225), (0.74, 0.74, 0.225)],
    5: [
        (0.2, 0.2, 0.18),
        (0.8, 0.2, 0.18),
        (0.5, 0.5, 0.18),
        (0.2, 0.8, 0.18),
        (0.8, 0.8, 0.18),
    ],
}
"""Centre and half-side of each object, in parts of the image's side, for each count."""

_TILTED = frozenset({"document", "pan", "glossy disc", "key", "kite", "guitar", "hand", "clock"})


def draw(scene: Scene, size: int = SIZE, line_width: float = 1.0) -> Image.Image:
    """The image of `scene`, RGB, `size` pixels square; the same scene gives the same pixels."""
    if scene.template is not None:
        image = draw_template(scene.template, scene.copy, scene.seed, _CANVAS)
    else:
        image = background(scene.background, Dice(scene.seed, "background"), _CANVAS)
        _scenery(image, scene, line_width)
        _shadows(image, scene)
        _objects(image, scene, line_width)
        image = _lit(image, scene)
    small = image.reduce(2)
    return small if size == SIZE else small.resize((size, size), Image.Resampling.BICUBIC)


def _pens(image: Image.Image, scene: Scene, line_width: float = 1.0) -> list[Pen]:
    """A pen for each of the scene's objects."""
    dice = Dice(scene.seed, "layout")
    side = image.width
    mirror = dice.chance(0.5)
    pens = []
    shrink = 0.92 if scene.palm else 1.0
    aside = _palm_side(scene) * -0.09 if scene.palm and scene.count == 1 else 0.0
    for x, y, half in _SLOTS[scene.count]:
        loose = 0.05 if scene.count == 1 else 0.018
        x += dice.between(-loose, loose) + aside
        y += dice.between(-loose, loose) * 0.6
        scale = dice.between(0.88, 1.06) * shrink
        tilt = dice.between(-12, 12) if scene.object in _TILTED else dice.between(-3, 3)
        pens.append(Pen(image, x * side, y * side, half * scale * side, tilt, mirror, line_width))
    return pens


def _palm_side(scene: Scene) -> int:
    return 1 if Dice(scene.seed, "palm side").chance(0.5) else -1


def _scenery(image: Image.Image, scene: Scene, line_width: float = 1.0) -> None:
    if scene.palm:
        side, right = image.width, _palm_side(scene) > 0
        x = side * (0.82 if right else 0.18)
        pen = Pen(image, x, side * 0.42, side * 0.4, mirror=right, line_width=line_width)
        palm_tree(pen, RGB["green"], Dice(scene.seed, "palm"))


def _shadows(image: Image.Image, scene: Scene) -> None:
    if not scene.shadow:
        return
    for pen in _pens(image, scene):
        if scene.object in f.ANIMALS:
            pen.shade(oval(0.05, 0.98, 1.12, 0.26), (44, 30, 84), 215)
        else:
            pen.shade([(-0.5, 0.94), (0.5, 0.94), (1.5, 0.42), (0.75, 0.34)], (20, 24, 30), 105)


def _objects(image: Image.Image, scene: Scene, line_width: float = 1.0) -> None:
    sprite = blank_document if scene.page == "blank" else SPRITES[scene.object]
    colour = RGB[scene.colour] if scene.colour is not None else (128, 128, 128)
    for index, pen in enumerate(_pens(image, scene, line_width)):
        sprite(pen, colour, Dice(scene.seed, "sprite", index))


_DUSK = [
    value * percent // 100 + lift
    for percent, lift in ((88, 24), (70, 6), (62, 10))
    for value in range(256)
]
_OVERCAST = [
    value * percent // 100 + lift
    for percent, lift in ((70, 14), (76, 18), (82, 24))
    for value in range(256)
]


def _lit(image: Image.Image, scene: Scene) -> Image.Image:
    if scene.light == "daylight":
        return image
    dice, side = Dice(scene.seed, "weather"), image.width
    if scene.light == "dusk":
        return image.point(_DUSK)
    if scene.light == "rain":
        image = image.point(_OVERCAST)
        pen = Pen(image, 0, 0, 1)
        for _ in range(110):
            x, y, long = dice.below(side + 40), dice.below(side), 16 + dice.below(14)
            pen.polygon([(x, y), (x + 2, y), (x - long // 3, y + long)], (206, 220, 236))
        return image
    pen = Pen(image, 0, 0, 1)
    for _ in range(90):
        r = dice.between(2.0, 4.6)
        pen.ellipse(dice.below(side), dice.below(side), r, r, (255, 255, 255))
    return image


def factor_masks(scene: Scene, grid: int = 8) -> np.ndarray:
    """Which patches each factor occupies: `(len(FACTORS), grid * grid)` bool, patches row by row.

    Things occupy the patches that they cover by a fifth, backgrounds those that are at least half
    free, light and templates all; a colour, a count, a page lies where its objects lie.
    """
    masks = np.zeros((len(f.FACTORS), grid * grid), bool)
    if scene.template is not None:
        masks[f.FACTOR_INDEX["template"]] = True
        return masks
    thing = _cover(_objects, scene, grid)
    shadow = _cover(_shadows, scene, grid)
    palm = _cover(_scenery, scene, grid)
    at_thing = thing >= 0.2
    for name in f.scene_factors(scene):
        if name.startswith("background="):
            where = np.maximum(np.maximum(thing, shadow), palm) < 0.5
        elif name.startswith("light="):
            where = np.ones_like(at_thing)
        elif name.startswith("shadow"):
            where = (shadow >= 0.2) & (thing < 0.7)
        elif name == "palm tree" and scene.palm:
            where = (palm >= 0.2) & (thing < 0.7)
        else:
            where = at_thing
        masks[f.FACTOR_INDEX[name]] = where
    return masks


def _cover(layer: Callable[[Image.Image, Scene], None], scene: Scene, grid: int) -> np.ndarray:
    """The share of each patch that a layer of the drawing covers, `(grid * grid,)`."""
    fine = 8 * grid
    mask = Image.new("L", (fine, fine), 0)
    layer(mask, scene)
    covered = np.asarray(mask, np.float32).reshape(grid, 8, grid, 8).mean(axis=(1, 3)) / 255
    return covered.reshape(-1)
