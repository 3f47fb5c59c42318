"""Where things are and how they are seen: a pinhole camera over a flat, gently bending street, and small geometry.

World coordinates are metres: x to the right, y up from the ground, z ahead of the camera. Pictures are y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEAR = 1.0
"""Nothing is drawn closer than this, metres."""

FAR = 400.0
"""Where the ground ends, metres."""

OVERSAMPLE = 3
"""Raster pixels per picture pixel and axis: colours are averaged, the class is the middle one's; so it is odd."""

Point = tuple[float, float, float]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera that looks along the street.

    Attributes:
        shape: (height, width) of the raster, pixels.
        focal: focal length, pixels.
        centre: column of the vanishing point, pixels.
        horizon: row of the horizon, pixels.
        eye: height above the ground, metres.
        bend: how far the street drifts to the right, metres per squared metre of distance.
    """

    shape: tuple[int, int]
    focal: float
    centre: float
    horizon: float
    eye: float
    bend: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Map world points (..., 3) to raster coordinates (..., 2) as (column, row)."""
        z = np.maximum(points[..., 2], NEAR)
        raster = np.empty((*points.shape[:-1], 2))
        raster[..., 0] = self.centre + self.focal * (points[..., 0] / z + self.bend * z)
        raster[..., 1] = self.horizon + self.focal * (self.eye - points[..., 1]) / z
        return raster

    def eye_for(self, z: float) -> Point:
        """Where the camera stands as seen from a distance: the street bends, which moves it aside."""
        return -self.bend * z * z, self.eye, 0.0

    def ground_depth(self, rows: np.ndarray) -> np.ndarray:
        """Distance of the ground seen in each raster row, metres; `FAR` from the horizon upwards."""
        below = np.maximum(rows - self.horizon, self.focal * self.eye / FAR)
        return self.focal * self.eye / below


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an object stands and which way it faces.

    Its own coordinates are (along, up, across): `along` points forward from its rear, `across` to its right.

    Attributes:
        x: world position of the middle of its rear, metres to the right.
        z: the same, metres ahead.
        forward: unit vector (x, z) it faces: (0, 1) drives away from the camera, (0, -1) comes towards it.
    """

    x: float
    z: float
    forward: tuple[float, float] = (0.0, 1.0)

    def vector(self, along: float, up: float, across: float) -> Point:
        """Turn a vector into the world."""
        sin, cos = self.forward
        return along * sin + across * cos, up, along * cos - across * sin

    def point(self, along: float, up: float, across: float) -> Point:
        """Turn a point into the world."""
        x, y, z = self.vector(along, up, across)
        return x + self.x, y, z + self.z

    def local(self, point: Point) -> Point:
        """Turn a world point into (along, up, across)."""
        sin, cos = self.forward
        dx, dz = point[0] - self.x, point[2] - self.z
        return dx * sin + dz * cos, point[1], dx * cos - dz * sin


def unit_circle(corners: int) -> np.ndarray:
    """Corners (K, 2) of a regular polygon of radius 1; rounded, so that every platform draws the same."""
    angles = np.arange(corners) * (2 * np.pi / corners)
    return np.round(np.stack((np.cos(angles), np.sin(angles)), axis=-1), 6)


CIRCLE = unit_circle(14)


def rectangles(origin: Point, along: Point, up: Point, us: Sequence[Span], vs: Sequence[Span]) -> np.ndarray:
    """Lay a grid of rectangles (N, 4, 3) on the plane through `origin` spanned by `along` and `up`.

    Args:
        origin: a world point of the plane.
        along: vector of one unit of u.
        up: vector of one unit of v.
        us: (start, stop) of each column.
        vs: (start, stop) of each row.
    """
    corners = [(a, c, 1.0, b, c, 1.0, b, d, 1.0, a, d, 1.0) for a, b in us for c, d in vs]
    grid: np.ndarray = np.array(corners, np.float64).reshape(-1, 4, 3) @ np.array((along, up, origin))
    return grid


def spaced(length: float, pitch: float, size: float, margin: float = 0.5) -> list[Span]:
    """Spread spans of a given size evenly over a length, about one per `pitch`, `margin` away from the ends."""
    count = max(int((length - 2 * margin) / pitch), 0)
    if count == 0:
        return []
    step = (length - 2 * margin) / count
    return [(margin + step * (i + 0.5) - size / 2, margin + step * (i + 0.5) + size / 2) for i in range(count)]
