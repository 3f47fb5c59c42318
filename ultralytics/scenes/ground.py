"""What lies flat: grass, sidewalks, the road with its markings, tram tracks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ultralytics.scenes.classes import StreetClass
from ultralytics.scenes.layout import CROSS_STREET, CROSSWALK, LANE, Layout, Side
from ultralytics.scenes.light import Colour, pick, toned
from ultralytics.scenes.painter import Painter
from ultralytics.scenes.world import CIRCLE, FAR, NEAR, Span, rectangles

ASPHALT: tuple[Colour, ...] = ((112, 112, 116), (98, 98, 104), (124, 122, 122))
PAVING: tuple[Colour, ...] = ((188, 176, 170), (176, 168, 160), (198, 182, 172))
GRASS: tuple[Colour, ...] = ((142, 156, 76), (156, 150, 90), (124, 148, 74))
KERB: Colour = (208, 206, 202)
PAINT: Colour = (228, 228, 222)
GRAVEL: Colour = (128, 112, 92)
SLEEPER: Colour = (92, 78, 64)
RAIL: Colour = (176, 172, 168)


def paint_ground(painter: Painter, rng: np.random.Generator, layout: Layout) -> None:
    """Paint the ground from one side of the street to the other."""
    paving, asphalt = pick(rng, PAVING), pick(rng, ASPHALT)
    painter.ground(StreetClass.TERRAIN, pick(rng, GRASS), _patches([(-2 * FAR, 2 * FAR)], [(NEAR, FAR)]))
    for side in layout.sides:
        _sidewalk(painter, side, paving)
        if side.track:
            _track(painter, side.sign * (side.edge - side.track / 2))
    _road(painter, rng, layout, asphalt)
    _markings(painter, layout)


def _sidewalk(painter: Painter, side: Side, paving: Colour) -> None:
    kerb, stop = side.sign * side.kerb, side.sign * (side.green if side.verge or side.track else side.edge + 0.3)
    painter.ground(StreetClass.SIDEWALK, paving, _strip(kerb, stop))
    joints = [(z, z + 0.05) for z in np.arange(2.0, 30.0, 1.5)]
    painter.ground(StreetClass.SIDEWALK, toned(paving, 0.88), _patches([(kerb, stop)], joints))
    painter.ground(StreetClass.SIDEWALK, KERB, _strip(kerb, kerb + side.sign * 0.22))


def _track(painter: Painter, middle: float) -> None:
    painter.ground(StreetClass.TERRAIN, GRAVEL, _strip(middle - 1.4, middle + 1.4))
    sleepers = [(z, z + 0.25) for z in np.arange(2.0, 40.0, 0.8)]
    painter.ground(StreetClass.TERRAIN, SLEEPER, _patches([(middle - 1.2, middle + 1.2)], sleepers))
    for x in (middle - 0.72, middle + 0.72):
        painter.ground(StreetClass.TERRAIN, RAIL, _strip(x - 0.06, x + 0.06))


def _road(painter: Painter, rng: np.random.Generator, layout: Layout, asphalt: Colour) -> None:
    """Paint the carriageway with mended patches and manhole covers, and the street that crosses it."""
    road, left, right = StreetClass.ROAD, -layout.left.kerb, layout.right.kerb
    painter.ground(road, asphalt, _strip(left, right))
    for _ in range(int(rng.integers(2, 6))):
        x, z = rng.uniform(left, right - 2.0), rng.uniform(3.0, 40.0)
        patch = _patches([(x, min(x + rng.uniform(0.8, 3.0), right))], [(z, z + rng.uniform(1.0, 9.0))])
        painter.ground(road, toned(asphalt, rng.uniform(0.86, 1.06)), patch)
    for _ in range(int(rng.integers(0, 3))):
        cover = CIRCLE * 0.32 + (rng.uniform(left + 0.6, right - 0.6), rng.uniform(4.0, 20.0))
        painter.ground(road, toned(asphalt, 0.7), cover)
    if layout.has_crossing:
        painter.ground(road, asphalt, _patches([(-90.0, 90.0)], [(layout.crossing, layout.crossing + CROSS_STREET)]))


def _markings(painter: Painter, layout: Layout) -> None:
    road = StreetClass.ROAD
    between = [LANE * (i + 0.5) for i in range(-layout.left.lanes, layout.right.lanes)]
    dashes = [(z, z + 2.5) for z in np.arange(2.0, 110.0, 6.0) if layout.block(z) != 1]
    painter.ground(road, PAINT, _patches([(x - 0.07, x + 0.07) for x in between], dashes))
    for side in layout.sides:
        x = side.sign * (side.kerb - side.parking - 0.15)
        painter.ground(road, PAINT, _strip(x, x + side.sign * 0.12))
    if layout.has_crossing:
        bars = np.arange(0.5 - layout.left.kerb, layout.right.kerb - 0.6, 1.0)
        crosswalk = (layout.crossing - CROSSWALK, layout.crossing - 0.9)
        painter.ground(road, PAINT, _patches([(x, x + 0.5) for x in bars], [crosswalk]))


def _strip(x0: float, x1: float) -> np.ndarray:
    """Corners (K, 2) of the ground between two lines along the whole street, many enough to follow its bend."""
    z = np.geomspace(NEAR, FAR, 32)
    return np.concatenate((np.column_stack((np.full(32, x0), z)), np.column_stack((np.full(32, x1), z))[::-1]))


def _patches(xs: Sequence[Span], zs: Sequence[Span]) -> np.ndarray:
    """Corners (N, 4, 2) of a grid of rectangles on the ground."""
    return rectangles((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), xs, zs)[..., 0::2]
