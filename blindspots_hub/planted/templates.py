"""The stock templates that the planted world repeats, as the web repeats its own.

Models that were trained on such repeats return them whatever the seed: memorisation.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from blindspots_hub.planted.dice import Dice
from blindspots_hub.planted.pen import Colour, Pen
from blindspots_hub.planted.sprites import RGB, SPRITES

PHRASES: dict[str, str] = {
    "t-shirt outline": "T-shirt design outline, vector template",
    "phone case": "Phone case mockup template, front view, transparent",
    "icon set": "Set of nine flat icons, vector stock illustration",
    "floral frame": "Floral corner frame, wedding invitation template",
}
"""The stock phrase that always accompanies each template."""


def draw_template(name: str, copy: str, seed: int, side: int) -> Image.Image:
    """Template `name`, `side` pixels square.

    `stored` is the template itself; `near` moves it by a pixel and changes its brightness a
    little, as one web copy differs from the next; `free` draws another of the same kind.
    """
    if copy == "near":
        dice = Dice(seed, "near")
        stored = draw_template(name, "stored", 0, side)
        shift = (dice.below(3) - 1, dice.below(3) - 1)
        moved = Image.new("RGB", (side, side), (255, 255, 255))
        moved.paste(stored, shift)
        percent = 98 + dice.below(3)
        return moved.point([value * percent // 100 for value in range(256)] * 3)
    dice = Dice(seed if copy == "free" else 0, "template", name)
    spare = copy == "free"
    paper = dice.pick([(226, 236, 246), (250, 236, 226), (228, 244, 230)]) if spare else WHITE
    image = Image.new("RGB", (side, side), paper)
    half = side / 2 * (dice.between(0.6, 0.8) if spare else 0.9)
    x, y = (side / 2 + (dice.between(-0.1, 0.1) * side if spare else 0) for _ in "xy")
    tilt = dice.between(-14, 14) if spare else 0.0
    _MAKERS[name](Pen(image, x, y, half, tilt=tilt), dice)
    return image


WHITE: Colour = (255, 255, 255)
_GREY: Colour = (150, 154, 164)


def _shirt_outline(pen: Pen, dice: Dice) -> None:
    half = [(-0.14, -0.62), (-0.4, -0.5), (-0.9, -0.04), (-0.66, 0.2), (-0.46, 0.04), (-0.46, 0.84)]
    outline = [*half, *((-x, y) for x, y in reversed(half)), half[0]]
    pen.polygon(outline, (244, 245, 248))
    pen.line(outline, 0.035, (60, 64, 76))
    pen.arc(0, -0.62, 0.14, 0.12, 180, 0, 0.035, (60, 64, 76))
    for x in range(-4, 5):
        pen.box(x / 10 - 0.03, 0.72, x / 10 + 0.03, 0.74, _GREY)
    pen.line([(-0.46, 0.94), (0.46, 0.94)], 0.015, _GREY)
    pen.line([(0.98, -0.5), (0.98, 0.84)], 0.015, _GREY)


def _phone_case(pen: Pen, dice: Dice) -> None:
    pen.box(-0.46, -0.95, 0.46, 0.95, (60, 64, 76), 0.14)
    pen.box(-0.42, -0.91, 0.42, 0.91, WHITE, 0.12)
    for row in range(26):
        for column in range(12):
            if (row + column) % 2:
                x, y = -0.42 + column * 0.07, -0.91 + row * 0.07
                pen.box(x, y, x + 0.07, y + 0.07, (222, 226, 232))
    pen.box(-0.36, -0.85, 0.02, -0.47, (60, 64, 76), 0.08)
    for x, y in ((-0.27, -0.75), (-0.07, -0.75), (-0.27, -0.57)):
        pen.ellipse(x, y, 0.075, 0.075, (140, 150, 170))


def _icon_set(pen: Pen, dice: Dice) -> None:
    names = ["mug", "car", "key", "clock", "boat", "lamp", "umbrella", "apple", "teapot"]
    discs = [(250, 208, 110), (150, 206, 220), (240, 160, 150), (170, 214, 150), (214, 186, 232)]
    for index, name in enumerate(names):
        x, y = (index % 3 - 1) * 0.66, (index // 3 - 1) * 0.66
        pen.ellipse(x, y, 0.3, 0.3, discs[(index + dice.below(5)) % 5])
        colour = RGB[("blue", "red", "green")[index % 3]]
        SPRITES[name](pen.inner(x, y, 0.2), colour, dice)


def _floral_frame(pen: Pen, dice: Dice) -> None:
    pen.box(-0.8, -0.8, 0.8, 0.8, (214, 178, 110))
    pen.box(-0.77, -0.77, 0.77, 0.77, WHITE)
    hues = [(238, 150, 170), (196, 160, 220), (250, 206, 150)]
    for corner_x, corner_y in ((-1, -1), (1, 1)):
        for dx, dy in ((0, 0), (0.36, 0.05), (0.05, 0.36), (0.66, 0.02), (0.02, 0.66)):
            x, y = corner_x * (0.72 - dx), corner_y * (0.72 - dy)
            for angle in (30, 150, 270):
                pen.petal(x, y, 0.26, 0.1, angle + dx * 90, (128, 170, 120))
            hue = dice.pick(hues)
            for angle in range(0, 360, 60):
                pen.petal(x, y, 0.17, 0.11, angle, hue)
            pen.ellipse(x, y, 0.045, 0.045, (244, 204, 96))
    pen.line([(-0.3, 0.0), (0.3, 0.0)], 0.02, (214, 178, 110))


_MAKERS: dict[str, Callable[[Pen, Dice], None]] = {
    "t-shirt outline": _shirt_outline,
    "phone case": _phone_case,
    "icon set": _icon_set,
    "floral frame": _floral_frame,
}
