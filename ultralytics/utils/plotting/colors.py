"""Palettes: one colour per class, distinct for any number of classes, also for eyes that do not see red or green.

A palette is (N, 3) uint8 RGB, row = class id. The default one is computed, not listed: after a few hand-picked colours
each next one is the candidate farthest from all before it, so a longer palette starts with the shorter one.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from ultralytics.errors import ConfigError, unknown_name

PaletteLike: TypeAlias = "str | np.ndarray | Sequence[Sequence[int]] | Mapping[int, Sequence[int]]"

CITYSCAPES = np.array(
    [
        (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153), (250, 170, 30),
        (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142),
        (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32),
    ],
    dtype=np.uint8,
)  # fmt: skip
"""The colours Cityscapes publishes for its 19 evaluated classes."""

_NAMED = {"cityscapes": CITYSCAPES}

# The first colours of most plots: Okabe and Ito's set for colour-blind readers, without black and a little brighter.
_FIRST = np.array(
    [(0, 114, 198), (230, 159, 0), (0, 158, 115), (213, 74, 30), (204, 110, 175), (240, 228, 66), (86, 190, 240)]
)
_SEARCHED = 256
_AT_ONCE = 32  # colours searched for, doubled until they are enough: most datasets have few classes
_LEVELS = np.arange(0, 256, 17)  # of each channel, for the colours to choose from

# How full, protanope and deuteranope eyes see linear RGB (Machado, Oliveira and Fernandes 2009), and how much a
# difference counts there: with a cone missing all colours draw closer, yet those eyes should decide who comes first.
_EYES = (
    (1.0, np.eye(3)),
    (
        2.0,
        np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    ),
    (2.0, np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]])),
)

# Ottosson 2020: OKLab, where the distance of two colours is about what people call their difference.
_RGB_TO_CONES = np.array(
    [
        [0.4122214708, 0.2119034982, 0.0883024619],
        [0.5363325363, 0.6806995451, 0.2817188376],
        [0.0514459929, 0.1073969566, 0.6299787005],
    ]
)
_CONES_TO_LAB = np.array(
    [
        [0.2104542553, 1.9779984951, 0.0259040371],
        [0.7936177850, -2.4285922050, 0.7827717662],
        [-0.0040720468, 0.4505937099, -0.8086757660],
    ]
)


def colors(index: int, bgr: bool = False) -> tuple[int, int, int]:
    """Return the default colour of a class id, as RGB or BGR."""
    index = int(index)
    red, green, blue = (int(value) for value in default_palette(index + 1)[index])
    return (blue, green, red) if bgr else (red, green, blue)


@functools.lru_cache(maxsize=32)
def default_palette(num_classes: int) -> np.ndarray:
    """Return `num_classes` distinct colours, always the same; the array is shared and cannot be written.

    The first 256 are chosen for distance from each other; the rest merely differ.
    """
    at_once = _AT_ONCE
    while at_once < min(num_classes, _SEARCHED):
        at_once *= 2
    near = _searched_palette(at_once)
    palette = near[:num_classes]
    if num_classes > _SEARCHED:
        # Multiplying by an odd number permutes the 24-bit colours: all differ, and neighbours are far apart.
        codes = (np.arange(1, num_classes + 1, dtype=np.int64) * 0x9E3779B1) % (1 << 24)
        taken = near.astype(np.int64) @ (1 << 16, 1 << 8, 1)
        codes = codes[~np.isin(codes, taken)][: num_classes - len(near)]
        palette = np.concatenate([near, np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)])
    palette = palette.astype(np.uint8)
    palette.setflags(write=False)
    return palette


def resolve_palette(palette: PaletteLike | None, num_classes: int) -> np.ndarray:
    """Turn what a user or a dataset gives as a palette into (num_classes, 3) uint8 RGB.

    Args:
        palette: name of a published palette, rows of RGB, colours by class id, or None for the default one. Classes
            that it does not reach keep their default colour.
        num_classes: rows wanted.

    Raises:
        ConfigError: the name is not known, or the rows are not RGB values of 0-255.
    """
    result = default_palette(num_classes).copy()
    if palette is None:
        return result
    if isinstance(palette, str):
        if palette.lower() not in _NAMED:
            raise ConfigError(unknown_name("palette", palette, _NAMED))
        palette = _NAMED[palette.lower()]
    by_class = palette if isinstance(palette, Mapping) else dict(enumerate(palette))
    for class_id, color in by_class.items():
        if 0 <= int(class_id) < num_classes:
            result[int(class_id)] = _checked(color, class_id)
    return result


def _checked(color: object, class_id: object) -> np.ndarray:
    values = np.asarray(color)
    if values.shape != (3,) or values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 255:
        raise ConfigError(f"The colour of class {class_id} is {color!r}; a colour is three whole numbers 0-255 (RGB).")
    return values.astype(np.uint8)


@functools.lru_cache
def _searched_palette(num_colors: int) -> np.ndarray:
    """Choose colours one by one, each the farthest from those before in the eye that tells them apart least."""
    candidates = np.stack(np.meshgrid(_LEVELS, _LEVELS, _LEVELS, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = _oklab(candidates / 255)
    lightness, chroma = lab[:, 0], np.hypot(lab[:, 1], lab[:, 2])
    # Near-black, near-white and grey would pass for shadow, glare or a pixel without a class.
    candidates = candidates[(lightness > 0.45) & (lightness < 0.93) & (chroma > 0.07)]
    seen = _as_seen(candidates)
    distance = np.linalg.norm(seen[:, :, None] - _as_seen(_FIRST)[:, None], axis=-1).min(axis=(0, 2))
    chosen = list(_FIRST)
    while len(chosen) < num_colors:
        farthest = int(distance.argmax())
        chosen.append(candidates[farthest])
        distance = np.minimum(distance, np.linalg.norm(seen - seen[:, farthest, None], axis=-1).min(axis=0))
    return np.array(chosen)


def _as_seen(rgb: np.ndarray) -> np.ndarray:
    """Place (N, 3) RGB 0-255 in the colour space of each eye: (3, N, 3), comparable by distance."""
    return np.stack([weight * _oklab(rgb / 255, eye) for weight, eye in _EYES])


def _oklab(rgb: np.ndarray, eye: np.ndarray | None = None) -> np.ndarray:
    """Convert (N, 3) sRGB 0-1 to OKLab, after what `eye` makes of it."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if eye is not None:
        linear = np.clip(linear @ eye.T, 0, 1)
    lab: np.ndarray = np.cbrt(linear @ _RGB_TO_CONES) @ _CONES_TO_LAB
    return lab
