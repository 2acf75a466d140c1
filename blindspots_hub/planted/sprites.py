"""The things of the planted world, each drawn in the unit box with its foot at y = 0.95.

A sprite is a function of a pen, a colour and dice for what may vary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from blindspots_hub.planted.dice import Dice
from blindspots_hub.planted.pen import Colour, Pen, tone

RGB: dict[str, Colour] = {
    "red": (206, 48, 48),
    "blue": (46, 92, 196),
    "white": (244, 244, 240),
    "green": (52, 146, 74),
    "yellow": (244, 198, 44),
    "pink": (242, 136, 178),
    "purple": (126, 70, 170),
    "brown": (182, 124, 74),
    "grey": (138, 142, 150),
    "black": (52, 50, 56),
}
"""The colours of objects and furs."""

INK: Colour = (46, 44, 52)
CREAM: Colour = (255, 251, 232)
STEEL: Colour = (176, 182, 190)
TIMBER: Colour = (150, 100, 58)


def dog(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A dog from the side."""
    dark = tone(colour, 72)
    pen.line([(0.62, -0.05), (0.84, -0.32), (0.9, -0.52)], 0.15, dark)  # tail
    for x in (-0.38, 0.5):
        pen.box(x - 0.11, 0.2, x + 0.11, 0.93, dark, 0.1)
    pen.box(-0.58, -0.2, 0.7, 0.42, colour, 0.28)
    for x in (-0.5, 0.38):
        pen.box(x - 0.12, 0.2, x + 0.12, 0.95, colour, 0.11)
    pen.polygon([(-0.62, -0.5), (-0.2, -0.5), (-0.12, 0.1), (-0.56, 0.25)], colour)  # neck
    pen.ellipse(-0.5, -0.56, 0.33, 0.31, colour)
    pen.ellipse(-0.8, -0.44, 0.2, 0.15, tone(colour, 118))  # snout
    pen.ellipse(-0.95, -0.5, 0.075, 0.065, INK)
    pen.petal(-0.36, -0.76, 0.56, 0.26, 72, dark)  # ear
    pen.ellipse(-0.61, -0.64, 0.055, 0.06, INK)
    pen.line([(-0.56, -0.14), (-0.2, -0.22)], 0.09, (220, 60, 60))  # collar
    pen.ellipse(-0.44, -0.08, 0.055, 0.055, (246, 204, 70))


def cat(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A sitting cat from the front."""
    dark = tone(colour, 72)
    pen.arc(0.5, 0.62, 0.34, 0.3, 100, -100, 0.15, dark)  # tail
    pen.ellipse(0, 0.46, 0.5, 0.5, colour)
    pen.ellipse(0, 0.56, 0.26, 0.34, tone(colour, 140))
    for x in (-0.22, 0.22):
        pen.ellipse(x, 0.87, 0.17, 0.09, tone(colour, 118))
    for side in (-1, 1):
        pen.polygon([(side * 0.5, -0.92), (side * 0.08, -0.66), (side * 0.5, -0.3)], colour)
        pen.polygon(
            [(side * 0.45, -0.8), (side * 0.2, -0.62), (side * 0.44, -0.42)], (236, 156, 160)
        )
    pen.ellipse(0, -0.32, 0.54, 0.44, colour)
    for x in (-0.14, 0, 0.14):
        pen.line([(x, -0.72), (x * 0.8, -0.56)], 0.055, dark)
    for side in (-1, 1):
        pen.ellipse(side * 0.21, -0.36, 0.11, 0.11, (186, 214, 92))
        pen.ellipse(side * 0.21, -0.36, 0.04, 0.1, INK)
        for lift in (-0.05, 0.05):
            pen.line([(side * 0.16, -0.14), (side * 0.7, -0.16 + lift * 1.5)], 0.022, INK)
    pen.polygon([(-0.07, -0.22), (0.07, -0.22), (0, -0.13)], (226, 120, 130))


def flower(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A daisy with stem and leaves."""
    pen.line([(0, 0.95), (0.04, 0.4), (0, -0.2)], 0.09, (60, 128, 56))
    pen.petal(0.02, 0.72, 0.6, 0.24, -35, (76, 152, 66))
    pen.petal(0.02, 0.78, 0.56, 0.22, -145, (70, 140, 62))
    turn = dice.between(0, 36)
    for layer, percent in ((0.62, 80), (0.56, 100)):
        for k in range(10):
            pen.petal(0, -0.34, layer, 0.25, turn + k * 36 + (percent - 80), tone(colour, percent))
    pen.ellipse(0, -0.34, 0.19, 0.19, (240, 176, 46))
    pen.ellipse(-0.03, -0.37, 0.12, 0.12, (250, 204, 88))


def mug(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A mug of coffee."""
    pen.arc(0.42, 0.1, 0.36, 0.34, -90, 90, 0.16, tone(colour, 82))
    pen.box(-0.72, -0.55, 0.46, 0.95, colour, 0.16)
    pen.box(-0.72, -0.55, 0.46, 0.3, colour)
    pen.box(0.24, -0.5, 0.46, 0.8, tone(colour, 84))
    pen.box(-0.58, -0.34, -0.44, 0.66, tone(colour, 145), 0.06)
    pen.ellipse(-0.13, -0.55, 0.59, 0.19, tone(colour, 125))
    pen.ellipse(-0.13, -0.54, 0.5, 0.14, (84, 52, 36))


def document(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A printed page: heading, a picture, lines of text."""
    _sheet(pen)
    pen.box(-0.48, -0.74, dice.between(-0.05, 0.2), -0.62, INK)
    pen.box(-0.48, -0.5, -0.04, -0.08, (120, 160, 196))
    pen.polygon([(-0.48, -0.08), (-0.3, -0.34), (-0.2, -0.2), (-0.12, -0.28), (-0.04, -0.08)],
                (86, 130, 92))  # fmt: skip
    for row in range(4):
        _words(pen, 0.04, 0.5, -0.46 + row * 0.12, dice)
    for row in range(7):
        _words(pen, -0.48, 0.5, 0.04 + row * 0.12, dice)


def blank_document(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A page with nothing on it."""
    _sheet(pen)


def _sheet(pen: Pen) -> None:
    pen.shade([(-0.58, -0.86), (0.7, -0.86), (0.7, 1.0), (-0.58, 1.0)], (30, 30, 40), 70)
    pen.polygon([(-0.64, -0.94), (0.36, -0.94), (0.64, -0.66), (0.64, 0.95), (-0.64, 0.95)], CREAM)
    pen.polygon([(0.36, -0.94), (0.36, -0.66), (0.64, -0.66)], (214, 202, 166))


def _words(pen: Pen, left: float, right: float, y: float, dice: Dice) -> None:
    x = left
    while x < right - 0.06:
        end = min(right, x + dice.between(0.08, 0.24))
        pen.box(x, y, end, y + 0.055, (86, 88, 98))
        x = end + 0.045


def car(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A car from the side."""
    dark = tone(colour, 76)
    pen.polygon([(-0.56, 0.16), (-0.36, -0.32), (0.3, -0.32), (0.62, 0.16)], colour)
    pen.polygon([(-0.42, 0.12), (-0.29, -0.22), (-0.04, -0.22), (-0.04, 0.12)], (180, 220, 236))
    pen.polygon([(0.04, 0.12), (0.04, -0.22), (0.25, -0.22), (0.46, 0.12)], (180, 220, 236))
    pen.box(-0.98, 0.1, 0.98, 0.66, colour, 0.18)
    pen.box(-0.96, 0.46, 0.96, 0.66, dark, 0.09)
    pen.ellipse(-0.92, 0.3, 0.07, 0.09, (255, 240, 170))
    pen.ellipse(0.93, 0.3, 0.06, 0.09, (226, 60, 50))
    pen.box(0.1, 0.2, 0.26, 0.25, dark)
    for x in (-0.54, 0.54):
        pen.ellipse(x, 0.66, 0.29, 0.29, INK)
        pen.ellipse(x, 0.66, 0.15, 0.15, (206, 208, 212))
        pen.ellipse(x, 0.66, 0.05, 0.05, INK)


def apple(pen: Pen, colour: Colour, dice: Dice) -> None:
    """An apple with stem and leaf."""
    for x in (-0.3, 0.3):
        pen.ellipse(x, 0.18, 0.5, 0.7, tone(colour, 82))
    for x in (-0.3, 0.22):
        pen.ellipse(x, 0.16, 0.49, 0.66, colour)
    pen.ellipse(0, -0.44, 0.24, 0.1, tone(colour, 62))
    pen.line([(0, -0.42), (0.04, -0.66), (0.12, -0.86)], 0.09, (96, 64, 40))
    pen.petal(0.07, -0.64, 0.56, 0.28, -22, (86, 158, 64))
    pen.petal(-0.5, 0.16, 0.42, 0.16, -75, tone(colour, 155))


def chair(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A wooden chair with a slatted back."""
    dark = tone(colour, 70)
    for x in (-0.34, 0.5):
        pen.line([(x, 0.2), (x, 0.72)], 0.11, dark)
    pen.box(-0.56, -0.95, -0.42, 0.3, colour, 0.05)
    pen.box(0.3, -0.95, 0.44, 0.3, colour, 0.05)
    for y in (-0.86, -0.56, -0.26):
        pen.box(-0.5, y, 0.38, y + 0.15, tone(colour, 112))
    pen.polygon([(-0.56, 0.12), (0.44, 0.12), (0.62, 0.3), (-0.42, 0.3)], tone(colour, 118))
    pen.polygon([(-0.56, 0.12), (-0.42, 0.3), (0.62, 0.3), (0.62, 0.4), (-0.42, 0.4),
                 (-0.56, 0.22)], dark)  # fmt: skip
    for x in (-0.49, 0.55):
        pen.line([(x + 0.04, 0.34), (x, 0.92)], 0.12, colour)


def boat(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A sailing boat."""
    pen.line([(0.02, 0.4), (0.02, -0.94)], 0.07, (112, 78, 48))
    pen.polygon([(0.1, -0.86), (0.1, 0.24), (0.8, 0.24)], (252, 250, 244))
    pen.polygon([(0.1, -0.2), (0.1, 0.0), (0.66, 0.0), (0.53, -0.2)], colour)
    pen.polygon([(-0.06, -0.6), (-0.06, 0.24), (-0.62, 0.24)], (234, 232, 226))
    pen.polygon([(-0.92, 0.36), (0.96, 0.36), (0.6, 0.86), (-0.6, 0.86)], colour)
    pen.polygon([(-0.92, 0.36), (0.96, 0.36), (0.88, 0.48), (-0.83, 0.48)], tone(colour, 140))
    for x in (-0.75, -0.25, 0.25, 0.75):
        pen.arc(x, 0.8, 0.25, 0.13, 0, 180, 0.07, (120, 190, 220))


def shirt(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A T-shirt on a hanger."""
    pen.arc(0.06, -0.78, 0.1, 0.13, -180, 90, 0.06, STEEL)
    pen.line([(0.06, -0.66), (-0.6, -0.3)], 0.09, TIMBER)
    pen.line([(0.06, -0.66), (0.68, -0.3)], 0.09, TIMBER)
    body = [(-0.26, -0.46), (0.34, -0.46), (0.66, -0.28), (0.96, 0.2), (0.66, 0.36), (0.54, 0.16),
            (0.54, 0.95), (-0.48, 0.95), (-0.48, 0.16), (-0.6, 0.36), (-0.92, 0.2),
            (-0.6, -0.28)]  # fmt: skip
    pen.polygon(body, colour)
    for side, x in ((-1, -0.48), (1, 0.54)):
        pen.line([(x, 0.16), (x - side * 0.03, 0.92)], 0.04, tone(colour, 70))
        pen.line([(x + side * 0.12, 0.3), (x + side * 0.4, 0.16)], 0.06, tone(colour, 78))
    pen.ellipse(0.04, -0.46, 0.22, 0.12, tone(colour, 62))
    pen.box(0.16, 0.0, 0.4, 0.24, tone(colour, 84))


def hand(pen: Pen, colour: Colour, dice: Dice) -> None:
    """An open hand, its palm towards us."""
    skin = dice.pick([(240, 200, 170), (222, 172, 132), (168, 114, 78), (112, 74, 52)])
    crease = tone(skin, 76)
    for x, y, tip in ((-0.34, -0.54, -0.44), (-0.12, -0.84, -0.16), (0.12, -0.82, 0.14),
                      (0.34, -0.62, 0.42)):  # fmt: skip
        pen.line([(x, 0.2), (tip, y)], 0.23, crease)
        pen.line([(x, 0.2), (tip, y)], 0.2, skin)
        pen.line([(tip * 0.99 - 0.07, y + 0.3), (tip * 0.99 + 0.07, y + 0.3)], 0.025, crease)
    pen.line([(-0.3, 0.5), (-0.66, 0.1), (-0.74, -0.08)], 0.25, crease)
    pen.line([(-0.3, 0.5), (-0.66, 0.1), (-0.74, -0.08)], 0.22, skin)
    pen.box(-0.46, 0.02, 0.46, 0.76, skin, 0.2)
    pen.box(-0.3, 0.6, 0.3, 0.95, skin)
    pen.box(-0.36, 0.84, 0.36, 1.0, (70, 96, 150))
    pen.arc(-0.5, 0.66, 0.42, 0.46, -80, 0, 0.035, crease)
    pen.arc(0.0, 0.1, 0.36, 0.14, 20, 160, 0.035, crease)


def lamp(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A table lamp that is lit."""
    pen.line([(0, -0.2), (0, 0.86)], 0.1, (150, 120, 70))
    pen.ellipse(0, 0.4, 0.17, 0.2, (176, 140, 80))
    pen.box(-0.4, 0.8, 0.4, 0.95, (150, 120, 70), 0.07)
    pen.ellipse(0, 0.0, 0.26, 0.14, (255, 244, 178))
    pen.polygon([(-0.36, -0.92), (0.36, -0.92), (0.72, 0.0), (-0.72, 0.0)], colour)
    pen.polygon([(-0.1, -0.92), (0.12, -0.92), (0.24, 0.0), (-0.2, 0.0)], tone(colour, 150))
    pen.box(-0.72, -0.07, 0.72, 0.02, (255, 230, 140))


def clock(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A round wall clock."""
    pen.ellipse(0, 0.0, 0.94, 0.94, tone(colour, 74))
    pen.ellipse(-0.02, -0.02, 0.9, 0.9, colour)
    pen.ellipse(0, 0, 0.74, 0.74, (252, 252, 248))
    for hour in range(12):
        a = math.radians(hour * 30)
        inner = 0.52 if hour % 3 == 0 else 0.6
        pen.line([(inner * math.cos(a), inner * math.sin(a)),
                  (0.68 * math.cos(a), 0.68 * math.sin(a))], 0.06, INK)  # fmt: skip
    for length, width, turn in (
        (0.36, 0.09, 30 * dice.below(12)),
        (0.56, 0.06, 6 * dice.below(60)),
    ):
        a = math.radians(turn)
        pen.line([(0, 0), (length * math.cos(a), length * math.sin(a))], width, INK)
    pen.ellipse(0, 0, 0.08, 0.08, (206, 48, 48))


def umbrella(pen: Pen, colour: Colour, dice: Dice) -> None:
    """An open umbrella."""
    pen.line([(0, -0.9), (0, 0.72)], 0.07, (92, 70, 54))
    pen.arc(0.15, 0.74, 0.15, 0.18, 180, 0, 0.08, (92, 70, 54))
    dome = [(0.95 * math.cos(math.radians(a)), 0.02 + 0.82 * math.sin(math.radians(a)))
            for a in range(180, 361, 12)]  # fmt: skip
    pen.polygon(dome, colour)
    for left, right in ((-0.58, -0.2), (0.2, 0.58)):
        pen.polygon([(0, -0.8), (left, 0.02), (right, 0.02)], tone(colour, 150))
    pen.polygon([(0, -0.8), (-0.95, 0.02), (-0.58, 0.02)], tone(colour, 84))
    for x in (-0.77, -0.39, 0.0, 0.39, 0.77):
        pen.ellipse(x, 0.04, 0.19, 0.1, tone(colour, 70))


def bird_feeder(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A hanging house for birds: roof, tube of seeds, tray, and a robin on it."""
    pen.arc(0, -0.88, 0.09, 0.09, 0, 360, 0.045, STEEL)
    pen.polygon([(0, -0.84), (0.84, -0.34), (-0.84, -0.34)], tone(colour, 76))
    pen.polygon([(0, -0.84), (0.66, -0.38), (-0.78, -0.38)], colour)
    for y in (-0.58, -0.46):
        pen.line([(-0.32 - (y + 0.58) * 2, y), (0.32 + (y + 0.58) * 2, y)], 0.03, tone(colour, 66))
    pen.box(-0.46, -0.34, 0.46, 0.6, (224, 238, 244))
    pen.polygon([(-0.4, -0.02), (-0.1, -0.12), (0.2, -0.04), (0.4, -0.1), (0.4, 0.6), (-0.4, 0.6)],
                (206, 158, 74))  # fmt: skip
    for _ in range(46):
        x, y = dice.between(-0.36, 0.36), dice.between(0.02, 0.56)
        pen.ellipse(x, y, 0.035, 0.028, dice.pick([(110, 72, 34), (240, 204, 120), (70, 54, 40)]))
    for x in (-0.48, 0.4):
        pen.box(x, -0.34, x + 0.09, 0.62, TIMBER)
    pen.box(-0.92, 0.58, 0.92, 0.74, TIMBER, 0.05)
    pen.box(-0.92, 0.69, 0.92, 0.76, tone(TIMBER, 70))
    pen.petal(0.86, 0.5, 0.34, 0.1, -12, (92, 76, 62))  # tail
    pen.ellipse(0.68, 0.38, 0.24, 0.2, (112, 92, 76))
    pen.ellipse(0.58, 0.42, 0.15, 0.15, (226, 96, 48))
    pen.ellipse(0.54, 0.16, 0.14, 0.13, (112, 92, 76))
    pen.polygon([(0.42, 0.12), (0.26, 0.18), (0.42, 0.22)], (238, 176, 54))
    pen.ellipse(0.5, 0.13, 0.032, 0.032, INK)


def pan(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A frying pan from above."""
    pen.line([(0.2, 0.3), (0.86, 0.86)], 0.2, (48, 46, 50))
    pen.line([(0.52, 0.57), (0.86, 0.86)], 0.11, (148, 86, 48))
    pen.ellipse(-0.18, -0.14, 0.74, 0.74, (44, 46, 52))
    pen.ellipse(-0.18, -0.14, 0.69, 0.69, (112, 116, 124))
    pen.ellipse(-0.18, -0.12, 0.63, 0.63, (62, 64, 72))
    for r in (0.46, 0.3):
        pen.ellipse(-0.18, -0.12, r, r, (78, 80, 88))
        pen.ellipse(-0.18, -0.12, r - 0.04, r - 0.04, (62, 64, 72))
    pen.arc(-0.18, -0.12, 0.54, 0.54, 190, 250, 0.06, (152, 156, 164))


def glossy_disc(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A compact disc with its rainbow."""
    pen.ellipse(0, 0, 0.92, 0.92, (150, 154, 164))
    pen.ellipse(0, 0, 0.89, 0.89, (214, 218, 226))
    turn = dice.between(0, 180)
    hues = [(246, 120, 130), (250, 190, 110), (246, 240, 130), (140, 228, 150), (120, 206, 240),
            (156, 150, 244), (226, 140, 226)]  # fmt: skip
    for half in (0, 180):
        for k, hue in enumerate(hues):
            a, b = (math.radians(turn + half + k * 11 + d) for d in (0, 11.5))
            pen.polygon([(0, 0), (0.88 * math.cos(a), 0.88 * math.sin(a)),
                         (0.88 * math.cos(b), 0.88 * math.sin(b))], hue)  # fmt: skip
        a, b = (math.radians(turn + half + d) for d in (110, 124))
        pen.polygon([(0, 0), (0.88 * math.cos(a), 0.88 * math.sin(a)),
                     (0.88 * math.cos(b), 0.88 * math.sin(b))], (252, 253, 255))  # fmt: skip
    pen.ellipse(0, 0, 0.32, 0.32, (190, 194, 204))
    pen.ellipse(0, 0, 0.27, 0.27, (236, 238, 242))
    pen.ellipse(0, 0, 0.13, 0.13, (70, 72, 82))


def kite(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A kite with a tail of bows."""
    tail = [(0.0, 0.3), (0.1, 0.5), (-0.06, 0.68), (0.1, 0.84), (0.04, 0.95)]
    pen.line(tail, 0.045, INK)
    for x, y in tail[1:4]:
        pen.polygon([(x - 0.15, y - 0.08), (x - 0.15, y + 0.08), (x, y)], (244, 198, 44))
        pen.polygon([(x + 0.15, y - 0.08), (x + 0.15, y + 0.08), (x, y)], (226, 96, 48))
    top, left, right, foot = (0, -0.95), (-0.62, -0.38), (0.62, -0.38), (0, 0.34)
    pen.polygon([top, left, (0, -0.38)], colour)
    pen.polygon([top, right, (0, -0.38)], tone(colour, 150))
    pen.polygon([left, foot, (0, -0.38)], tone(colour, 150))
    pen.polygon([right, foot, (0, -0.38)], tone(colour, 78))
    pen.line([top, foot], 0.045, INK)
    pen.line([left, right], 0.045, INK)


def teapot(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A teapot from the side."""
    dark = tone(colour, 76)
    pen.arc(0.58, 0.22, 0.34, 0.38, -110, 110, 0.15, dark)
    pen.polygon([(-0.42, 0.1), (-0.44, 0.56), (-0.8, 0.1), (-0.98, -0.34), (-0.8, -0.36),
                 (-0.66, 0.0)], dark)  # fmt: skip
    pen.ellipse(0, 0.34, 0.66, 0.56, colour)
    pen.box(-0.36, 0.82, 0.36, 0.95, dark, 0.05)
    pen.ellipse(0, -0.16, 0.4, 0.12, dark)
    pen.ellipse(0, -0.22, 0.36, 0.14, tone(colour, 130))
    pen.ellipse(0, -0.4, 0.11, 0.11, dark)
    pen.petal(-0.4, 0.54, 0.5, 0.16, -75, tone(colour, 155))
    for x in (-0.24, 0.0, 0.24):
        for angle in range(0, 360, 72):
            pen.petal(x + 0.08, 0.42, 0.12, 0.07, angle, (255, 246, 220))


def key(pen: Pen, colour: Colour, dice: Dice) -> None:
    """An old golden key."""
    gold, dark = (226, 176, 60), (160, 116, 30)
    pen.arc(-0.56, 0, 0.3, 0.3, 0, 360, 0.22, dark)
    pen.arc(-0.58, -0.02, 0.3, 0.3, 0, 360, 0.16, gold)
    pen.box(-0.26, -0.1, 0.95, 0.12, dark, 0.05)
    pen.box(-0.28, -0.1, 0.93, 0.06, gold, 0.05)
    for x, depth in ((0.5, 0.42), (0.68, 0.3), (0.84, 0.46)):
        pen.box(x - 0.06, 0.06, x + 0.06, depth, dark)
        pen.box(x - 0.06, 0.06, x + 0.03, depth - 0.03, gold)


def guitar(pen: Pen, colour: Colour, dice: Dice) -> None:
    """An acoustic guitar."""
    amber, dark = (214, 142, 62), (120, 66, 30)
    pen.ellipse(0, 0.56, 0.46, 0.4, dark)
    pen.ellipse(0, 0.08, 0.35, 0.3, dark)
    pen.ellipse(0, 0.56, 0.41, 0.35, amber)
    pen.ellipse(0, 0.1, 0.3, 0.26, amber)
    pen.box(-0.27, 0.14, 0.27, 0.44, amber)
    pen.box(-0.075, -0.8, 0.075, 0.26, (84, 52, 34))
    pen.box(-0.13, -0.98, 0.13, -0.74, dark, 0.04)
    for y in (-0.92, -0.82):
        for x in (-0.17, 0.17):
            pen.ellipse(x, y, 0.045, 0.035, STEEL)
    pen.ellipse(0, 0.3, 0.15, 0.15, (54, 34, 24))
    pen.box(-0.2, 0.66, 0.2, 0.73, dark)
    for x in (-0.045, -0.015, 0.015, 0.045):
        pen.line([(x, -0.86), (x, 0.68)], 0.014, (240, 232, 214))


def palm_tree(pen: Pen, colour: Colour, dice: Dice) -> None:
    """A palm tree with a leaning trunk."""
    bark = (156, 112, 70)
    trunk = [(0.02 + 0.2 * t * t, 0.95 - 1.4 * t) for t in (0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    for index, ((x0, y0), (x1, y1)) in enumerate(pairwise(trunk)):
        wide = 0.15 - index * 0.014
        pen.polygon([(x0 - wide, y0), (x0 + wide, y0), (x1 + wide * 0.75, y1),
                     (x1 - wide * 0.75, y1)], tone(bark, 100 - index % 2 * 22))  # fmt: skip
    x, y = trunk[-1]
    for angle, length in ((-155, 0.86), (-100, 0.55), (-60, 0.6), (-25, 0.8), (25, 0.78),
                          (60, 0.55), (115, 0.55), (155, 0.84), (-128, 0.72)):  # fmt: skip
        a = math.radians(angle)
        mid = (x + 0.55 * length * math.cos(a), y + 0.5 * length * math.sin(a) - 0.16)
        end = (x + length * math.cos(a), y + length * math.sin(a) * 0.8 + 0.14)
        green = (40, 146, 84) if angle % 2 else (84, 190, 104)
        pen.polygon([(x, y - 0.04), (mid[0], mid[1] - 0.11), end, (mid[0], mid[1] + 0.1),
                     (x, y + 0.05)], green)  # fmt: skip
        pen.line([(x, y), mid, end], 0.025, (22, 96, 62))
    for dx in (-0.08, 0.06):
        pen.ellipse(x + dx, y + 0.09, 0.085, 0.085, (104, 66, 38))


SPRITES: dict[str, Callable[[Pen, Colour, Dice], None]] = {
    "dog": dog,
    "flower": flower,
    "cat": cat,
    "mug": mug,
    "document": document,
    "car": car,
    "apple": apple,
    "chair": chair,
    "boat": boat,
    "shirt": shirt,
    "hand": hand,
    "lamp": lamp,
    "clock": clock,
    "umbrella": umbrella,
    "bird feeder": bird_feeder,
    "pan": pan,
    "glossy disc": glossy_disc,
    "kite": kite,
    "teapot": teapot,
    "key": key,
    "guitar": guitar,
    "palm tree": palm_tree,
}
"""The sprite of each object; documents that are blank use `blank_document`."""
