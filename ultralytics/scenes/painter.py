"""Painting a scene, far to near, into one raster of surface numbers.

Every polygon gets a number; class, colour and distance of a pixel are looked up from the number that stands there in
the end. Image and class map are two readings of the same raster, so they agree to the pixel by construction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import repeat

import cv2
import numpy as np

from ultralytics.scenes.classes import StreetClass
from ultralytics.scenes.light import Colour, Light, toned
from ultralytics.scenes.world import NEAR, OVERSAMPLE, Camera, Point

_SHIFT = 4
"""Binary digits of a pixel in polygon corners: cv2 draws with sub-pixel corners."""

_LIMIT = 1 << 14
"""Corners are kept within this many pixels of the origin, well inside cv2's fixed-point range."""

_UP = (0.0, 1.0, 0.0)


class Painter:
    """A raster of surface numbers and the table of what they mean.

    Attributes:
        camera: how the world is seen.
        light: how it is lit.
    """

    def __init__(self, camera: Camera, light: Light) -> None:
        self.camera = camera
        self.light = light
        self._strokes: list[tuple[np.ndarray, Iterable[int]]] = []
        self._shadows: list[np.ndarray] = []
        self._kinds = [int(StreetClass.SKY)]
        self._colours: list[Colour] = [(0.0, 0.0, 0.0)]
        self._depths = [0.0]

    @property
    def kinds(self) -> np.ndarray:
        """Class id of each surface, (N,) uint8."""
        return np.array(self._kinds, np.uint8)

    @property
    def colours(self) -> np.ndarray:
        """Colour of each surface, (N, 3) uint8 BGR; the sky's is black."""
        rounded = np.clip(np.array(self._colours) + 0.5, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(rounded[:, ::-1])

    @property
    def depths(self) -> np.ndarray:
        """Distance of each surface in metres, (N,) float32; NaN for flat ground, whose distance depends on the row."""
        return np.array(self._depths, np.float32)

    def face(
        self, kind: StreetClass, colour: Colour, points: np.ndarray, *, normal: Point | None = None, glow: bool = False
    ) -> None:
        """Paint plane polygons of one face, shaded by where the face looks.

        Args:
            kind: class of the surface.
            colour: its own colour.
            points: (K, 3) or (N, K, 3) world corners, all in one plane.
            normal: unit normal; None: the one that looks to the camera.
            glow: the face shines by itself.
        """
        polygons = points.reshape(-1, *points.shape[-2:])
        if not len(polygons):
            return
        near, far = float(polygons[0, 0, 2]), float(polygons[-1, 2, 2])
        if max(near, far) <= NEAR:
            return
        if not glow:
            colour = toned(colour, self.light.on(normal or self._normal(polygons[0])))
        self._strokes.append((polygons, repeat(self._number(kind, colour, (near + far) / 2))))

    def sheet(self, kind: StreetClass, colour: Colour, points: np.ndarray, shades: Sequence[float] = (1.0,)) -> None:
        """Paint upright shapes that face the camera, of something round or thin that has no one normal.

        Args:
            kind: class of the surface.
            colour: its own colour.
            points: (N, K, 3) world corners, all at one distance.
            shades: brightness of each of the N polygons.
        """
        brightness = self.light.ambient + 0.6 * self.light.direct
        depth = float(points[0, 0, 2])
        if depth > NEAR:
            numbers = [self._number(kind, toned(colour, shade * brightness), depth) for shade in shades]
            self._strokes.append((points, numbers))

    def ground(self, kind: StreetClass, colour: Colour, points: np.ndarray) -> None:
        """Paint polygons (K, 2) or (N, K, 2) of (x, z) that lie on the ground."""
        number = self._number(kind, toned(colour, self.light.on(_UP)), np.nan)
        self._strokes.append((_on_ground(points.reshape(-1, *points.shape[-2:])), repeat(number)))

    def cast_shadow(self, footprint: np.ndarray, height: float) -> None:
        """Darken the ground under a body and where it keeps the sun off.

        Args:
            footprint: (4, 2) ground corners (x, z).
            height: how tall it stands, metres.
        """
        x, up, z = self.light.sun
        reach = min(height, 20.0) / max(up, 0.3) if self.light.shadow else 0.0
        points = np.concatenate((footprint, footprint - np.array((x, z)) * reach))
        self._shadows.append(_on_ground(points))

    def pixel(self, depth: float) -> float:
        """Size in metres of a picture's pixel at a distance: what is thinner would be seen in pieces."""
        return OVERSAMPLE * depth / self.camera.focal

    def raster(self) -> np.ndarray:
        """Paint everything said so far: (H, W) uint16 surface numbers; 0 is the sky."""
        raster = np.zeros(self.camera.shape, np.uint16)
        # One projection of all corners at once: a scene has thousands of polygons of four.
        corners = self._corners(np.concatenate([polygons.reshape(-1, 3) for polygons, _ in self._strokes]))
        start = 0
        for polygons, numbers in self._strokes:
            count, size = polygons.shape[:2]
            stop = start + count * size
            for polygon, number in zip(corners[start:stop].reshape(count, size, 2), numbers, strict=False):
                cv2.fillPoly(raster, [polygon], number, cv2.LINE_8, _SHIFT)
            start = stop
        return raster

    def shadow(self) -> np.ndarray:
        """Paint the shadows: (H, W) uint8, 255 where the sun does not reach the ground."""
        shadow = np.zeros(self.camera.shape, np.uint8)
        for corners in self._corners(np.array(self._shadows)) if self._shadows else ():
            cv2.fillConvexPoly(shadow, cv2.convexHull(corners), 255, cv2.LINE_8, _SHIFT)
        return shadow

    def _number(self, kind: StreetClass, colour: Colour, depth: float) -> int:
        self._kinds.append(int(kind))
        self._colours.append(colour)
        self._depths.append(depth)
        return len(self._kinds) - 1

    def _corners(self, points: np.ndarray) -> np.ndarray:
        raster = self.camera.project(points)
        raster -= 0.5
        np.minimum(np.maximum(raster, -_LIMIT, out=raster), _LIMIT, out=raster)
        raster *= 1 << _SHIFT
        corners: np.ndarray = np.rint(raster, out=raster).astype(np.int32)
        return corners

    def _normal(self, polygon: np.ndarray) -> Point:
        """Unit normal of a polygon, on the camera's side of it."""
        x, y, z = polygon[0].tolist()
        (ax, ay, az), (bx, by, bz) = (polygon[1:3] - polygon[0:2]).tolist()
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        eye_x, eye_y, eye_z = self.camera.eye_for(z)
        towards = nx * (eye_x - x) + ny * (eye_y - y) + nz * (eye_z - z)
        length = math.copysign(math.sqrt(nx * nx + ny * ny + nz * nz), towards)
        return nx / length, ny / length, nz / length


def _on_ground(points: np.ndarray) -> np.ndarray:
    """World points of (x, z) on the ground."""
    world = np.zeros((*points.shape[:-1], 3))
    world[..., 0::2] = points
    return world
