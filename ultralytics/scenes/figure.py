"""Two ways to draw upright things: figures that face the camera, and panels that stand where they stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ultralytics.scenes.classes import StreetClass
from ultralytics.scenes.light import Colour
from ultralytics.scenes.painter import Painter
from ultralytics.scenes.world import CIRCLE, Point, Span, rectangles


class Figure:
    """A flat drawing that stands upright at a place and faces the camera.

    Its coordinates are metres: u to the right of its middle, v up from the ground.
    """

    def __init__(self, painter: Painter, x: float, z: float, *, scale: float = 1.0, mirrored: bool = False) -> None:
        self._painter = painter
        self._x, self._z, self._scale = x, z, scale
        self._sign = -scale if mirrored else scale

    def shape(self, kind: StreetClass, colour: Colour, points: object, shade: float = 1.0) -> None:
        """Paint a polygon of (u, v) corners."""
        self.shapes(kind, colour, np.array(points, np.float64)[None], (shade,))

    def shapes(self, kind: StreetClass, colour: Colour, polygons: np.ndarray, shades: Sequence[float]) -> None:
        """Paint polygons (N, K, 2) of (u, v) corners, each with its own brightness."""
        world = np.empty((*polygons.shape[:-1], 3))
        world[..., 0] = self._x + self._sign * polygons[..., 0]
        world[..., 1] = self._scale * polygons[..., 1]
        world[..., 2] = self._z
        self._painter.sheet(kind, colour, world, shades)

    def box(self, kind: StreetClass, colour: Colour, low: Span, high: Span) -> None:
        """Paint a rectangle between two opposite corners."""
        (u0, v0), (u1, v1) = low, high
        self.shape(kind, colour, ((u0, v0), (u1, v0), (u1, v1), (u0, v1)))

    def disc(self, kind: StreetClass, colour: Colour, centre: Span, radius: float, shade: float = 1.0) -> None:
        """Paint a disc."""
        self.shape(kind, colour, CIRCLE * radius + centre, shade)

    def limb(
        self, kind: StreetClass, colour: Colour, start: Span, stop: Span, thick: float, shade: float = 1.0
    ) -> None:  # fmt: skip
        """Paint a bar from one point to another, never thinner than a pixel of the picture."""
        (u0, v0), (u1, v1) = start, stop
        half = max(thick, self._painter.pixel(self._z) / self._scale) / 2
        stretch = half / (math.hypot(u1 - u0, v1 - v0) or 1.0)
        du, dv = (v0 - v1) * stretch, (u1 - u0) * stretch
        corners = ((u0 + du, v0 + dv), (u1 + du, v1 + dv), (u1 - du, v1 - dv), (u0 - du, v0 - dv))
        self.shape(kind, colour, corners, shade)

    def shadow(self, half_width: float, height: float) -> None:
        """Cast its shadow."""
        w = half_width * self._scale
        x, z = self._x, self._z
        corners = np.array([(x - w, z - 0.15), (x + w, z - 0.15), (x + w, z + 0.15), (x - w, z + 0.15)])
        self._painter.cast_shadow(corners, height * self._scale)


@dataclass(frozen=True, slots=True)
class Panel:
    """An upright plane of one class, on which rectangles are painted: u metres along it, v metres up from the ground.

    Attributes:
        painter: where to paint.
        kind: class of everything on it.
        origin: world point of (0, 0).
        along: unit vector of u.
    """

    painter: Painter
    kind: StreetClass
    origin: Point
    along: Point

    def paint(self, colour: Colour, us: Sequence[Span], vs: Sequence[Span]) -> None:
        """Paint the grid of rectangles with these (start, stop) columns and rows."""
        self.painter.face(self.kind, colour, self.grid(us, vs))

    def grid(self, us: Sequence[Span], vs: Sequence[Span]) -> np.ndarray:
        """Corners (N, 4, 3) of such a grid."""
        return rectangles(self.origin, self.along, (0.0, 1.0, 0.0), us, vs)
