"""Cars, trucks, buses and trams: side profiles pulled out to their width, with windows, wheels and lights on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ultralytics.scenes.classes import StreetClass
from ultralytics.scenes.light import Colour, pick, toned
from ultralytics.scenes.painter import Painter
from ultralytics.scenes.world import CIRCLE, Placement, Span, rectangles, spaced

GLASS: Colour = (44, 54, 64)
TYRE: Colour = (30, 30, 32)
HUB: Colour = (128, 130, 134)
STEEL: Colour = (50, 50, 54)
PLATE: Colour = (226, 226, 216)
RED_LIGHT: Colour = (205, 28, 30)
WHITE_LIGHT: Colour = (252, 248, 224)

CAR_PAINT: tuple[Colour, ...] = (
    (232, 232, 234), (186, 190, 196), (104, 108, 116), (40, 42, 48), (172, 30, 36), (36, 74, 150),
    (30, 92, 70), (206, 170, 70), (118, 62, 40), (70, 130, 178),
)  # fmt: skip
CARGO_PAINT: tuple[Colour, ...] = ((238, 238, 234), (206, 208, 210), (58, 108, 74), (66, 98, 150), (150, 118, 84))
CAB_PAINT: tuple[Colour, ...] = ((214, 90, 30), (238, 238, 238), (44, 84, 160), (160, 30, 34), (60, 130, 90))
BUS_PAINT: tuple[Colour, ...] = ((240, 190, 30), (200, 34, 40), (240, 200, 60), (214, 60, 40))
TRAM_PAINT: tuple[tuple[Colour, Colour], ...] = (
    ((240, 240, 236), (30, 130, 120)),
    ((236, 234, 226), (60, 50, 140)),
    ((150, 210, 205), (246, 246, 240)),
)

Profile = Sequence[Span]
"""Corners (along, up) of a body seen from its right, from the rear bottom over the roof to the front bottom."""

CAR_SHAPES: tuple[tuple[Profile, tuple[int, int], Profile], ...] = (
    (
        [(0.0, 0.28), (0.0, 0.92), (0.6, 0.98), (1.2, 1.42), (2.7, 1.44), (3.45, 0.98), (4.4, 0.84), (4.46, 0.28)],
        (2, 4),
        [(0.85, 1.0), (1.3, 1.36), (2.65, 1.37), (3.2, 1.0)],
    ),
    (
        [(0.0, 0.28), (0.0, 0.95), (0.4, 1.46), (2.3, 1.52), (3.05, 1.02), (3.85, 0.86), (3.9, 0.28)],
        (1, 3),
        [(0.45, 1.02), (0.6, 1.4), (2.2, 1.44), (2.8, 1.04)],
    ),
    (
        [(0.0, 0.32), (0.0, 1.05), (0.15, 1.86), (3.4, 1.9), (4.1, 1.1), (4.7, 0.95), (4.75, 0.32)],
        (1, 3),
        [(0.3, 1.12), (0.4, 1.7), (3.2, 1.74), (3.75, 1.14)],
    ),
)
"""Saloon, hatchback and van: profile, the edges of it that hold glass, and the side window."""


class Body:
    """A profile pulled out to a width, standing somewhere in the world; only faces that look to the camera are painted.

    Attributes:
        length: distance from its rear to the front end of the profile, metres.
        near: whether it is close enough for small parts to be seen.
    """

    def __init__(
        self, painter: Painter, kind: StreetClass, placement: Placement, profile: Profile, half_width: float
    ) -> None:
        self.length = profile[-1][0]
        self._painter, self._kind, self._placement = painter, kind, placement
        self._profile, self._half = profile, half_width
        middle = placement.point(self.length / 2, 0.0, 0.0)
        self._eye = placement.local(painter.camera.eye_for(middle[2]))
        self.near = middle[2] < 55.0

    def paint(self, colours: Sequence[Colour], side: Colour) -> None:
        """Paint the faces along the profile, the farthest first, then the side that is seen.

        Args:
            colours: one per edge of the profile.
            side: colour of both sides.
        """
        edges = list(zip(self._profile[:-1], self._profile[1:], colours, strict=True))
        for start, stop, colour in edges if self._eye[0] > self.length / 2 else reversed(edges):
            self.edge(colour, start, stop, ((-self._half, self._half),))
        self.flank(side, np.array([self._profile]))

    def edge(self, colour: Colour, start: Span, stop: Span, across: Sequence[Span], *, glow: bool = False) -> None:
        """Paint strips of the face between two corners (along, up) of a profile."""
        (a0, u0), (a1, u1) = start, stop
        da, du = a1 - a0, u1 - u0
        if (a0 - self._eye[0]) * du + (self._eye[1] - u0) * da <= 0:
            return
        scale = 1 / math.hypot(da, du)
        vector = self._placement.vector
        strips = rectangles(
            self._placement.point(a0, u0, 0.0), vector(da, du, 0.0), vector(0.0, 0.0, 1.0), ((0.0, 1.0),), across
        )
        self._painter.face(self._kind, colour, strips, normal=vector(-du * scale, da * scale, 0.0), glow=glow)

    def flank(self, colour: Colour, shapes: np.ndarray) -> None:
        """Paint shapes (N, K, 2) of (along, up) on whichever side of the body is seen."""
        if abs(self._eye[2]) <= self._half:
            return
        sign = math.copysign(1.0, self._eye[2])
        x, _, z = self._placement.point(0.0, 0.0, sign * self._half)
        sin, cos = self._placement.forward
        world = np.empty((*shapes.shape[:2], 3))
        world[..., 0] = x + shapes[..., 0] * sin
        world[..., 1] = shapes[..., 1]
        world[..., 2] = z + shapes[..., 0] * cos
        self._painter.face(self._kind, colour, world, normal=self._placement.vector(0.0, 0.0, sign))

    def panes(self, colour: Colour, alongs: Sequence[Span], ups: Sequence[Span]) -> None:
        """Paint a grid of rectangles on the side that is seen."""
        grid = rectangles((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), alongs, ups)
        self.flank(colour, grid[..., :2])

    def wheels(self, radius: float, positions: Sequence[float]) -> None:
        """Put wheels on the side that is seen."""
        centres = np.array([(a, radius) for a in positions])[:, None, :]
        self.flank(TYRE, centres + CIRCLE * radius)
        if self.near:
            self.flank(HUB, centres + CIRCLE * radius * 0.52)

    def underside(self, radius: float, low: float) -> None:
        """Paint axles and tyres between the body and the ground; call it before `paint`."""
        outer, inner = self._half * 0.96, self._half * 0.68
        for start, stop in (((0.25, 0.0), (0.25, low)), ((self.length - 0.25, low), (self.length - 0.25, 0.0))):
            self.edge(TYRE, start, stop, ((-outer, -inner), (inner, outer)))
            (a0, u0), (a1, u1) = start, stop
            self.edge(TYRE, (a0, max(u0, radius * 0.5)), (a1, max(u1, radius * 0.5)), ((-outer, outer),))

    def shadow(self) -> None:
        """Cast the shadow of the whole body."""
        w = self._half
        footprint = ((0.0, -w), (0.0, w), (self.length, w), (self.length, -w))
        corners = [self._placement.point(along, 0.0, across) for along, across in footprint]
        self._painter.cast_shadow(np.array(corners)[:, [0, 2]], max(up for _, up in self._profile))


def car(painter: Painter, rng: np.random.Generator, at: Placement) -> None:
    """Paint a saloon, a hatchback or a van."""
    paint = pick(rng, CAR_PAINT)
    profile, glass, side_window = CAR_SHAPES[np.searchsorted((0.45, 0.8), rng.random())]
    half = rng.uniform(0.84, 0.92)
    body = Body(painter, StreetClass.CAR, at, profile, half)
    body.shadow()
    body.underside(0.32, 0.34)
    body.paint([paint] * (len(profile) - 1), paint)
    for i in glass:
        (a0, u0), (a1, u1) = profile[i : i + 2]
        da, du = (a1 - a0) * 0.1, (u1 - u0) * 0.1
        body.edge(GLASS, (a0 + da, u0 + du), (a1 - da, u1 - du), ((-half * 0.84, half * 0.84),))
    body.flank(GLASS, np.array([side_window]))
    body.wheels(0.32, (0.82, body.length - 0.85))
    corners, lit = ((-half * 0.95, -half * 0.58), (half * 0.58, half * 0.95)), painter.light.lamps
    rear, front = -0.01, body.length + 0.01
    if body.near or lit:
        body.edge(RED_LIGHT, (rear, 0.68), (rear, 0.86), corners, glow=lit)
        body.edge(WHITE_LIGHT, (front, 0.76), (front, 0.6), corners, glow=lit)
    if body.near:
        body.edge(PLATE, (rear, 0.42), (rear, 0.54), ((-0.27, 0.27),))
        body.edge(PLATE, (front, 0.5), (front, 0.38), ((-0.27, 0.27),))


def truck(painter: Painter, rng: np.random.Generator, at: Placement) -> None:
    """Paint a lorry: a cab and a box without windows."""
    top, split = rng.uniform(3.0, 3.6), rng.uniform(4.6, 6.2)
    nose = split + 2.1
    chassis = Body(painter, StreetClass.TRUCK, at, [(0.1, 0.45), (0.1, 0.95), (nose, 0.95), (nose, 0.4)], 1.1)
    chassis.shadow()
    chassis.underside(0.48, 0.5)
    chassis.paint([STEEL] * 3, STEEL)
    parts: list[Callable[[], None]] = [
        lambda: _cab(painter, at, split + 0.1, nose, pick(rng, CAB_PAINT)),
        lambda: _cargo(painter, at, split, top, pick(rng, CARGO_PAINT)),
    ]
    for part in parts if at.forward[1] >= 0 else reversed(parts):
        part()
    chassis.wheels(0.48, (0.95, 1.95, nose - 1.1))


def _cab(painter: Painter, at: Placement, back: float, nose: float, paint: Colour) -> None:
    profile = [(back, 0.42), (back, 2.75), (nose - 0.35, 2.85), (nose - 0.02, 1.6), (nose, 0.42)]
    cab = Body(painter, StreetClass.TRUCK, at, profile, 1.18)
    cab.paint([paint] * 4, paint)
    cab.edge(GLASS, (nose - 0.32, 2.7), (nose - 0.05, 1.68), ((-1.02, 1.02),))
    window = [(back + 0.6, 1.65), (back + 0.6, 2.55), (nose - 0.4, 2.55), (nose - 0.2, 1.65)]
    cab.flank(GLASS, np.array([window]))
    cab.edge(STEEL, (nose + 0.01, 1.35), (nose + 0.01, 0.95), ((-0.85, 0.85),))
    corners = ((-1.05, -0.7), (0.7, 1.05))
    cab.edge(WHITE_LIGHT, (nose + 0.01, 0.8), (nose + 0.01, 0.6), corners, glow=painter.light.lamps)


def _cargo(painter: Painter, at: Placement, length: float, top: float, paint: Colour) -> None:
    box = Body(painter, StreetClass.TRUCK, at, [(0.0, 0.92), (0.0, top), (length, top), (length, 0.92)], 1.25)
    box.shadow()
    box.paint([paint] * 3, paint)
    ribs = [(a, a + 0.06) for a in np.arange(0.7, length - 0.3, 0.7)]
    box.panes(toned(paint, 0.88), ribs, ((1.0, top - 0.08),))
    box.edge(STEEL, (-0.01, 1.0), (-0.01, top - 0.1), ((-0.03, 0.03), (-0.7, -0.66), (0.66, 0.7)))
    box.edge(RED_LIGHT, (-0.02, 0.94), (-0.02, 1.12), ((-1.2, -0.8), (0.8, 1.2)), glow=painter.light.lamps)


def bus(painter: Painter, rng: np.random.Generator, at: Placement) -> None:
    """Paint a city bus: one box with a band of windows."""
    paint = pick(rng, BUS_PAINT)
    length, top, lit = rng.uniform(9.5, 12.0), 3.1, painter.light.lamps
    body = Body(painter, StreetClass.BUS, at, [(0.0, 0.32), (0.0, top), (length, top), (length, 0.32)], 1.27)
    body.shadow()
    body.underside(0.46, 0.36)
    body.paint([paint] * 3, paint)
    body.panes((236, 214, 150) if lit else (96, 120, 134), spaced(length, 1.35, 1.15, 0.3), ((1.35, 2.5),))
    doors = ((length - 2.4, length - 1.3), (length * 0.45, length * 0.45 + 1.2))
    body.panes(STEEL, doors, ((0.42, 2.5),))
    body.panes((244, 244, 240), ((0.0, length),), ((1.02, 1.16),))
    rear, front = -0.01, length + 0.01
    body.edge(GLASS, (rear, 1.6), (rear, 2.55), ((-1.05, 1.05),))
    body.edge(STEEL, (rear, 0.45), (rear, 0.7), ((-1.1, 1.1),))
    body.edge(RED_LIGHT, (rear, 0.85), (rear, 1.2), ((-1.2, -0.98), (0.98, 1.2)), glow=lit)
    body.edge(GLASS, (front, 2.55), (front, 1.05), ((-1.14, 1.14),))
    body.edge((250, 160, 40), (front, 2.98), (front, 2.68), ((-0.8, 0.8),), glow=True)
    body.edge(WHITE_LIGHT, (front, 0.82), (front, 0.6), ((-1.15, -0.8), (0.8, 1.15)), glow=True)
    body.wheels(0.46, (2.4, length - 2.7))


def tram(painter: Painter, rng: np.random.Generator, at: Placement) -> None:
    """Paint a tram of two or three cars."""
    upper, lower = pick(rng, TRAM_PAINT)
    pitch, cars = rng.uniform(8.0, 10.0), int(rng.integers(2, 4))
    for i in reversed(range(cars)) if at.forward[1] >= 0 else range(cars):
        x, _, z = at.point(i * pitch, 0.0, 0.0)
        _tram_car(painter, Placement(x, z, at.forward), pitch - 0.35, upper, lower)


def _tram_car(painter: Painter, at: Placement, length: float, upper: Colour, lower: Colour) -> None:
    profile = [(0.0, 0.3), (0.0, 1.3), (0.3, 3.35), (length - 0.3, 3.35), (length, 1.3), (length, 0.3)]
    body, lit = Body(painter, StreetClass.TRAIN, at, profile, 1.25), painter.light.lamps
    body.shadow()
    body.underside(0.3, 0.32)
    body.paint([lower, upper, (110, 112, 116), upper, lower], upper)
    body.panes(lower, ((0.0, length),), ((0.3, 1.25),))
    body.panes((240, 222, 160) if lit else (48, 66, 84), ((0.35, length - 0.35),), ((1.55, 2.65),))
    body.panes(upper, spaced(length, 1.9, 0.12), ((1.55, 2.65),))
    body.panes((206, 60, 40), spaced(length, 3.6, 1.2, 0.6), ((0.4, 2.75),))
    for start, stop in (((0.05, 1.45), (0.26, 2.9)), ((length - 0.26, 2.9), (length - 0.05, 1.45))):
        body.edge(GLASS, start, stop, ((-1.05, 1.05),))
    corners = ((-1.05, -0.8), (0.8, 1.05))
    body.edge(RED_LIGHT, (-0.01, 0.8), (-0.01, 1.0), corners, glow=True)
    body.edge(WHITE_LIGHT, (length + 0.01, 1.0), (length + 0.01, 0.8), corners, glow=True)
