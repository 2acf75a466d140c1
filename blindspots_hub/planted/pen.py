"""Vector drawing in a unit box, onto an image or onto a mask.

Everything is a polygon with integer corners: Pillow's other primitives have changed between
versions, and a scene must be drawn bit for bit alike on all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from copy import copy
from itertools import pairwise

from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

_CORNERS = 36
_CIRCLE = [
    (math.cos(2 * math.pi * i / _CORNERS), math.sin(2 * math.pi * i / _CORNERS))
    for i in range(_CORNERS)
]
_CAP = _CIRCLE[::4]


def tone(colour: Colour, percent: int) -> Colour:
    """`colour` at `percent` of its brightness; above 100 it goes towards white."""
    if percent <= 100:
        r, g, b = (channel * percent // 100 for channel in colour)
    else:
        r, g, b = (c + (255 - c) * (percent - 100) // 100 for c in colour)
    return r, g, b


class Pen:
    """Draws in coordinates where the box [-1, 1]² is centred at (`x`, `y`) with half-side `half`.

    y points down. `mirror` flips left and right, `tilt` turns by degrees. On an image of mode "L"
    every colour becomes 255: the same sprite draws its own mask. `line_width` scales every line's.
    """

    def __init__(
        self,
        image: Image.Image,
        x: float,
        y: float,
        half: float,
        tilt: float = 0.0,
        mirror: bool = False,
        line_width: float = 1.0,
    ) -> None:
        self._image = image
        self._line_width = line_width
        self._draw = ImageDraw.Draw(image)
        self._mask = image.mode == "L"
        self._half = half
        cos, sin = math.cos(math.radians(tilt)) * half, math.sin(math.radians(tilt)) * half
        flip = -1.0 if mirror else 1.0
        self._xx, self._xy, self._yx, self._yy = flip * cos, -sin, flip * sin, cos
        self._x, self._y = x, y

    def inner(self, x: float, y: float, scale: float) -> Pen:
        """A pen for a smaller box of half-side `scale` centred at (x, y) of this one."""
        pen = copy(self)
        ((pen._x, pen._y),) = self._exact([(x, y)])
        pen._half = self._half * scale
        for name in ("_xx", "_xy", "_yx", "_yy"):
            setattr(pen, name, getattr(self, name) * scale)
        return pen

    def _exact(self, points: Iterable[Point]) -> list[Point]:
        xx, xy, yx, yy, x, y = self._xx, self._xy, self._yx, self._yy, self._x, self._y
        return [(x + xx * u + xy * v, y + yx * u + yy * v) for u, v in points]

    def _place(self, points: Iterable[Point]) -> list[tuple[int, int]]:
        return [(round(x), round(y)) for x, y in self._exact(points)]

    def polygon(self, points: Iterable[Point], fill: Colour) -> None:
        """A filled polygon."""
        self._draw.polygon(self._place(points), fill=255 if self._mask else fill)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        """A filled ellipse around (x, y)."""
        self.polygon([(x + rx * c, y + ry * s) for c, s in _CIRCLE], fill)

    def petal(
        self, x: float, y: float, length: float, width: float, angle: float, fill: Colour
    ) -> None:
        """An ellipse that starts at (x, y) and points along `angle` degrees."""
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        half, side = length / 2, width / 2
        self.polygon(
            [
                (
                    x + cos * half * (1 + c) - sin * side * s,
                    y + sin * half * (1 + c) + cos * side * s,
                )
                for c, s in _CIRCLE[::2]
            ],
            fill,
        )

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour, r: float = 0.0) -> None:
        """A filled rectangle with corners rounded by radius `r`."""
        if not r:
            self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill)
            return
        points = []
        for index, (c, s) in enumerate(_CIRCLE[::2]):
            quarter = index * 4 // len(_CIRCLE[::2])
            points.append(
                (
                    (x1 - r if quarter in (0, 3) else x0 + r) + r * c,
                    (y1 - r if quarter in (0, 1) else y0 + r) + r * s,
                )
            )
        self.polygon(points, fill)

    def line(self, points: Sequence[Point], width: float, fill: Colour) -> None:
        """A line of `width` through `points`, its joints and ends round where that can be seen."""
        side = width * self._line_width / 2
        for (x0, y0), (x1, y1) in pairwise(points):
            length = math.hypot(x1 - x0, y1 - y0) or 1.0
            dx, dy = (x1 - x0) / length * side, (y1 - y0) / length * side
            self.polygon(
                [(x0 - dy, y0 + dx), (x1 - dy, y1 + dx), (x1 + dy, y1 - dx), (x0 + dy, y0 - dx)],
                fill,
            )
        if side * self._half > 2.5:
            for x, y in points:
                self.polygon([(x + side * c, y + side * s) for c, s in _CAP], fill)

    def arc(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        start: float,
        end: float,
        width: float,
        fill: Colour,
    ) -> None:
        """Part of an ellipse's outline from `start` to `end` degrees, clockwise from the right."""
        steps = max(4, int(abs(end - start) / 18))
        angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
        self.line([(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles], width, fill)

    def shade(self, points: Iterable[Point], fill: Colour, alpha: int) -> None:
        """A polygon that covers what lies below it by `alpha` of 255."""
        corners = self._place(points)
        if self._mask:
            self._draw.polygon(corners, fill=255)
            return
        left = max(0, min(x for x, _ in corners))
        top = max(0, min(y for _, y in corners))
        right = min(self._image.width, 1 + max(x for x, _ in corners))
        bottom = min(self._image.height, 1 + max(y for _, y in corners))
        if left >= right or top >= bottom:
            return
        veil = Image.new("L", (right - left, bottom - top), 0)
        ImageDraw.Draw(veil).polygon([(x - left, y - top) for x, y in corners], fill=alpha)
        self._image.paste(fill, (left, top, right, bottom), veil)


def oval(x: float, y: float, rx: float, ry: float) -> list[Point]:
    """Corners of an ellipse, for `Pen.shade`."""
    return [(x + rx * c, y + ry * s) for c, s in _CIRCLE]
