"""From a painted raster to a photograph and its class map."""

from __future__ import annotations

import cv2
import numpy as np

from ultralytics.scenes.classes import StreetClass
from ultralytics.scenes.light import Light
from ultralytics.scenes.painter import Painter
from ultralytics.scenes.world import OVERSAMPLE

_GRAIN = {
    StreetClass.ROAD: (9, 5, 5), StreetClass.SIDEWALK: (7, 4, 4), StreetClass.BUILDING: (4, 3, 5),
    StreetClass.WALL: (6, 5, 8), StreetClass.FENCE: (5, 4, 3), StreetClass.VEGETATION: (16, 18, 8),
    StreetClass.TERRAIN: (14, 12, 10), StreetClass.POLE: (3, 2, 2),
}  # fmt: skip
_GRAIN_REST = (3, 2, 2)
"""Strength of fine, middle and coarse texture, grey levels."""

_GRAIN_SIZES = (1, 3, 16)
"""Size of the spots of each texture, pixels."""


def render(painter: Painter, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make the picture (H, W, 3) uint8 BGR and the class ids (H, W) uint8 of a painted scene."""
    light, raster = painter.light, painter.raster()
    middle = raster[OVERSAMPLE // 2 :: OVERSAMPLE, OVERSAMPLE // 2 :: OVERSAMPLE]
    ids = painter.kinds[middle]
    depth = painter.depths[middle]
    flat = np.isnan(depth)
    rows = np.arange(len(ids), dtype=np.float64) * OVERSAMPLE + OVERSAMPLE // 2
    depth = np.where(flat, painter.camera.ground_depth(rows)[:, None], depth).astype(np.float32)

    image = _shrink(np.take(painter.colours, raster, axis=0))
    shadow = cv2.blur(_shrink(painter.shadow()), (3, 3)) * (flat / np.float32(255))
    image *= 1 - np.float32(max(light.shadow, 0.3)) * shadow[..., None]
    image += _texture(ids, rng)[..., None] * (image / 255 + np.float32(0.25))
    skyline = np.array(light.skyline[::-1], np.float32)
    image += (skyline - image) * (depth / (depth + np.float32(light.haze)))[..., None]
    uncovered = _shrink((raster == 0).astype(np.uint8) * 255)[..., None] / 255
    image += uncovered * _sky(light, ids.shape, painter.camera.horizon / OVERSAMPLE, rng)
    return _expose(image, light, rng), ids


def _shrink(raster: np.ndarray) -> np.ndarray:
    height, width = raster.shape[:2]
    size = (width // OVERSAMPLE, height // OVERSAMPLE)
    return cv2.resize(raster, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _noise(shape: tuple[int, int], size: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise (H, W) float32 in -1..1 with spots of about `size` pixels."""
    height, width = shape
    coarse = rng.integers(0, 256, (height // size + 2, width // size + 2), dtype=np.uint8)
    fine = coarse if size == 1 else cv2.resize(coarse, None, fx=size, fy=size, interpolation=cv2.INTER_LINEAR)
    centred: np.ndarray = fine[:height, :width].astype(np.float32) - np.float32(127.5)
    return centred / np.float32(127.5)


def _texture(ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    strengths = np.array([_GRAIN.get(kind, _GRAIN_REST) for kind in StreetClass], np.float32)
    strengths[StreetClass.SKY] = 0
    height, width = ids.shape
    texture = np.zeros((height, width), np.float32)
    for strength, size in zip(strengths.T, _GRAIN_SIZES, strict=True):
        texture += strength[ids] * _noise((height, width), size, rng)
    return texture


def _sky(light: Light, shape: tuple[int, int], horizon: float, rng: np.random.Generator) -> np.ndarray:
    """A gradient with clouds."""
    height, width = shape
    rise = np.clip(1 - np.arange(height, dtype=np.float32) / max(horizon, 1.0), 0, 1)[:, None, None]
    zenith, skyline, cloud = (np.array(c[::-1], np.float32) for c in (light.zenith, light.skyline, light.cloud))
    sky = skyline + (zenith - skyline) * np.minimum(rise * np.float32(1.3), 1)
    narrow = (height, width // 2 + 1)  # clouds are twice as wide as they are tall
    field = np.zeros(narrow, np.float32)
    for size, weight in ((48, 0.6), (20, 0.35), (7, 0.16)):
        field += np.float32(weight) * _noise(narrow, size, rng)
    field = np.repeat(field, 2, axis=1)[:, :width]
    alpha = np.clip((field + np.float32(light.cover - 0.45)) * np.float32(2.2), 0, np.float32(0.85))
    clouded: np.ndarray = sky + (cloud - sky) * alpha[..., None]
    return clouded


def _expose(image: np.ndarray, light: Light, rng: np.random.Generator) -> np.ndarray:
    """Apply the camera: gain, contrast, falling off to the corners, a trace of blur and noise."""
    height, width = image.shape[:2]
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in (height, width))
    vignette = 1 - np.float32(rng.uniform(0.05, 0.2)) * (y[:, None] ** 2 + x**2) / 2
    gain = np.array(light.gain[::-1], np.float32) * np.float32(rng.uniform(0.9, 1.08))
    image = image * vignette[..., None] * gain
    contrast = np.float32(rng.uniform(0.92, 1.1))
    image = (image - 110) * contrast + 110
    if rng.random() < 0.3:
        image = cv2.blur(image, (2, 2))
    noise = rng.integers(-5, 6, (height, width, 1), dtype=np.int8)
    exposed: np.ndarray = np.clip(image + noise + np.float32(0.5), 0, 255).astype(np.uint8)
    return exposed
