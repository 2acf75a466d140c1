"""Backgrounds of the planted world: tiles of texture, computed once, cropped for each scene."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from blindspots_hub.planted.dice import Dice
from blindspots_hub.planted.pen import Colour, Pen, tone

TILE = 512
"""Side of a texture in drawing pixels (images are drawn at 448 and halved)."""

VARIANTS = 4
"""Textures kept of each background."""


def _hash(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """A byte for every lattice point, the same on every machine."""
    h = x.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    h ^= y.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    h ^= np.uint64(seed)
    h = (h ^ (h >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
    return ((h >> np.uint64(40)) & np.uint64(255)).astype(np.int64)


def noise(seed: int, cell_x: int, cell_y: int | None = None) -> np.ndarray:
    """Smooth integer value noise, `(TILE, TILE)` int64 in [0, 255], features of `cell` pixels."""
    cell_y = cell_x if cell_y is None else cell_y
    rows, columns = np.arange(TILE), np.arange(TILE)
    y, x = rows // cell_y, columns // cell_x
    ty, tx = rows % cell_y * 64 // cell_y, columns % cell_x * 64 // cell_x
    ty, tx = (ty * ty * (192 - 2 * ty) // 4096)[:, None], (tx * tx * (192 - 2 * tx) // 4096)[None]
    grid_y, grid_x = y[:, None], x[None]
    corner = [
        [_hash(grid_x + i + 0 * grid_y, grid_y + j + 0 * grid_x, seed) for i in (0, 1)]
        for j in (0, 1)
    ]
    top = corner[0][0] * (64 - tx) + corner[0][1] * tx
    bottom = corner[1][0] * (64 - tx) + corner[1][1] * tx
    result: np.ndarray = (top * (64 - ty) + bottom * ty) // 4096
    return result


def _image(channels: list[np.ndarray]) -> Image.Image:
    return Image.fromarray(np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8))


def _tinted(colour: Colour, brightness: np.ndarray) -> Image.Image:
    """`colour` times brightness in percent."""
    return _image([brightness * channel // 100 for channel in colour])


def _rows() -> np.ndarray:
    return np.arange(TILE)[:, None] + np.zeros((1, TILE), np.int64)


def _whole(image: Image.Image) -> Pen:
    """A pen whose unit is one pixel of the tile."""
    return Pen(image, 0, 0, 1)


def _plain(variant: int, dice: Dice) -> Image.Image:
    colour = [(236, 228, 210), (214, 220, 226), (205, 224, 214), (232, 214, 208)][variant]
    return _tinted(colour, 104 - _rows() // 50 + noise(dice.below(1 << 30), 90) // 90)


def _grass(variant: int, dice: Dice) -> Image.Image:
    colour = [(104, 158, 62), (92, 148, 70), (124, 164, 60), (84, 140, 58)][variant]
    patches = noise(dice.below(1 << 30), 60) // 8 + noise(dice.below(1 << 30), 7, 14) // 9
    image = _tinted(colour, 72 + patches)
    pen = _whole(image)
    for _ in range(1500):
        x, y, lean = dice.below(TILE), dice.below(TILE), dice.between(-5, 5)
        blade = tone(colour, 60 + dice.below(75))
        pen.polygon([(x - 2, y), (x + lean, y - 12 - dice.below(12)), (x + 2, y)], blade)
    return image


def _sky(variant: int, dice: Dice) -> Image.Image:
    colour = [(96, 164, 226), (110, 176, 232), (82, 150, 218), (124, 182, 228)][variant]
    rows = _rows()
    image = _image([channel + (255 - channel) * rows // (TILE * 2) for channel in colour])
    pen = _whole(image)
    for _ in range(5):
        x, y, size = dice.below(TILE), dice.below(TILE), dice.between(16, 30)
        for white, lift in (((222, 234, 244), 5), ((250, 252, 254), 0)):
            for step in range(-2, 3):
                bulge = size * (1.15 - 0.28 * abs(step))
                pen.ellipse(
                    x + step * size * 0.8, y + lift - bulge * 0.3, bulge, bulge * 0.8, white
                )
    return image


def _brick(variant: int, dice: Dice) -> Image.Image:
    colour = [(176, 84, 62), (162, 92, 74), (186, 96, 66), (150, 74, 60)][variant]
    image = Image.new("RGB", (TILE, TILE), (206, 196, 184))
    pen = _whole(image)
    for row in range(TILE // 28 + 1):
        for column in range(-1, TILE // 60 + 1):
            x, y = column * 60 + (row % 2) * 30, row * 28
            pen.box(x + 2, y + 2, x + 57, y + 25, tone(colour, 84 + dice.below(34)))
    return image


def _beach(variant: int, dice: Dice) -> Image.Image:
    colour = [(232, 208, 158), (238, 214, 168), (226, 200, 150), (236, 206, 162)][variant]
    image = _tinted(
        colour, 90 + noise(dice.below(1 << 30), 70, 18) // 20 + noise(dice.below(1 << 30), 3) // 40
    )
    pen = _whole(image)
    for _ in range(160):
        x, y = dice.below(TILE), dice.below(TILE)
        pen.ellipse(x, y, 2, 1.6, tone(colour, 74 + dice.below(60)))
    for _ in range(7):  # starfish
        x, y, turn = dice.below(TILE), 150 + dice.below(TILE - 150), dice.below(72)
        for arm in range(5):
            pen.petal(x, y, 14, 7, turn + arm * 72, (222, 120, 84))
    shore = [(x, 116 + _wave(x, 90, 9)) for x in range(0, TILE + 16, 16)]
    pen.polygon([(0, 0), (TILE, 0), *reversed(shore)], (236, 248, 246))
    pen.polygon([(0, 0), (TILE, 0), *reversed([(x, y - 10) for x, y in shore])], (78, 190, 198))
    for level in (30, 58, 84):
        crest = [(x, level + _wave(x + level * 3, 64, 4)) for x in range(0, TILE + 16, 16)]
        pen.line(crest, 4, (150, 222, 222))
    return image


def _wave(x: int, length: int, height: int) -> int:
    """A smooth wave of integers: a parabola a half period."""
    phase = x % (2 * length)
    t = phase % length
    arch = 4 * t * (length - t) * height // (length * length)
    return arch if phase < length else -arch


def _tiles(variant: int, dice: Dice) -> Image.Image:
    colour = [(150, 206, 206), (162, 200, 222), (170, 214, 194), (146, 192, 200)][variant]
    image = Image.new("RGB", (TILE, TILE), (244, 246, 246))
    pen = _whole(image)
    for row in range(TILE // 56 + 1):
        for column in range(TILE // 56 + 1):
            x, y = column * 56, row * 56
            pen.box(x + 3, y + 3, x + 53, y + 53, tone(colour, 116 + dice.below(16)))
            diamond = [(x + 28, y + 12), (x + 44, y + 28), (x + 28, y + 44), (x + 12, y + 28)]
            pen.polygon(diamond, tone(colour, 78 if (row + column) % 2 else 128))
    return image


def _cloth(variant: int, dice: Dice) -> Image.Image:
    colour = [(206, 70, 74), (70, 104, 176), (88, 150, 98), (196, 90, 140)][variant]
    pale = tone(colour, 160)
    stripes = (np.arange(TILE) // 32 % 2).astype(np.int64)
    level = stripes[:, None] + stripes[None]
    weave = noise(dice.below(1 << 30), 4) // 25
    shades = np.array([(250, 248, 244), pale, colour])[level]
    return _image([shades[..., channel] - weave for channel in range(3)])


def _wood(variant: int, dice: Dice) -> Image.Image:
    colour = [(168, 112, 62), (150, 96, 54), (184, 130, 78), (134, 84, 50)][variant]
    seed = dice.below(1 << 30)
    grain = noise(seed, 150, 6) * 10 // 60 + noise(seed + 1, 90, 3) * 10 // 90
    plank = np.array([dice.below(18) for _ in range(TILE // 74 + 1)])[np.arange(TILE) // 74]
    image = _tinted(colour, 64 + grain // 2 * 2 // 2 + plank[:, None])
    pen = _whole(image)
    for row in range(TILE // 74 + 1):
        y = row * 74
        pen.box(0, y - 2, TILE, y + 2, tone(colour, 40))
        seam = dice.below(TILE)
        pen.box(seam - 1, y, seam + 2, y + 74, tone(colour, 44))
        for _ in range(2):
            x, middle = dice.below(TILE), y + 22 + dice.below(30)
            for ring, percent in ((1.0, 62), (0.7, 84), (0.4, 50)):
                pen.ellipse(x, middle, 22 * ring, 10 * ring, tone(colour, percent))
    return image


def _snow(variant: int, dice: Dice) -> Image.Image:
    colour = [(238, 244, 252), (232, 240, 250), (242, 246, 252), (228, 238, 248)][variant]
    image = _tinted(colour, 96 + noise(dice.below(1 << 30), 80, 30) // 50)
    pen = _whole(image)
    for row in range(7):
        y = row * 80 + dice.below(30)
        drift = [(x, y + _wave(x + row * 70, 130, 16)) for x in range(0, TILE + 16, 16)]
        pen.line(drift, 5, (196, 214, 236))
        pen.line([(x, level + 5) for x, level in drift], 4, (252, 254, 255))
    for _ in range(26):
        x, y = dice.below(TILE), dice.below(TILE)
        for angle in (0, 60, 120):
            pen.petal(x, y, 7, 2, angle, (168, 194, 226))
            pen.petal(x, y, 7, 2, angle + 180, (168, 194, 226))
    return image


def _pebbles(variant: int, dice: Dice) -> Image.Image:
    colour = [(150, 150, 150), (160, 152, 142), (138, 146, 152), (164, 160, 150)][variant]
    image = Image.new("RGB", (TILE, TILE), tone(colour, 46))
    pen = _whole(image)
    for row in range(TILE // 26 + 2):
        for column in range(TILE // 34 + 2):
            x = column * 34 + (row % 2) * 17 + dice.between(-4, 4)
            y = row * 26 + dice.between(-3, 3)
            rx, ry = dice.between(13, 18), dice.between(10, 14)
            stone = tone(colour, 74 + dice.below(62))
            pen.ellipse(x, y, rx, ry, tone(stone, 80))
            pen.ellipse(x - 1, y - 2, rx * 0.86, ry * 0.8, stone)
    return image


_MAKERS: dict[str, Callable[[int, Dice], Image.Image]] = {
    "plain": _plain,
    "grass": _grass,
    "sky": _sky,
    "brick": _brick,
    "beach": _beach,
    "tiles": _tiles,
    "cloth": _cloth,
    "wood": _wood,
    "snow": _snow,
    "pebbles": _pebbles,
}


@cache
def texture(name: str, variant: int) -> Image.Image:
    """Texture `name` in one of `VARIANTS` versions, `TILE` pixels square. Do not write to it."""
    return _MAKERS[name](variant, Dice("texture", name, variant))


def background(name: str, dice: Dice, side: int) -> Image.Image:
    """A fresh crop of background `name`, `side` pixels square (at most `TILE`)."""
    tile = texture(name, dice.below(VARIANTS))
    x, y = dice.below(TILE - side + 1), dice.below(TILE - side + 1)
    return tile.crop((x, y, x + side, y + side))
