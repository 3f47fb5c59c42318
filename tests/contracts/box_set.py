"""BoxSet: a kind of target that the package does not know, written as a task of another repository would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ultralytics.data.targets import Target
from ultralytics.utils.ops.letterbox import Window


@dataclass(slots=True, eq=False)
class BoxSet(Target):
    """A third kind of target: labelled boxes.

    Attributes:
        xyxy: (N, 4) left, top, right, bottom on the scale of pixel edges.
        labels: (N,) ids.
        size: (height, width) of the image.
    """

    xyxy: np.ndarray
    labels: np.ndarray
    size: tuple[int, int]

    def _moved(self, xyxy: np.ndarray, size: tuple[int, int]) -> BoxSet:
        xyxy = np.clip(xyxy, 0, [*size[::-1]] * 2)
        kept = (xyxy[:, 2:] - xyxy[:, :2]).min(axis=1) > 0
        return BoxSet(xyxy[kept], self.labels[kept], size)

    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> BoxSet:
        """Bound the warped corners; a box that reaches behind the viewer may be anywhere."""
        corners = self.xyxy[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
        x, y, depth = np.moveaxis(np.dstack([corners, np.ones(corners.shape[:2])]) @ matrix.T, -1, 0)
        points = np.stack([x, y], axis=-1) / np.where(depth > 0, depth, np.nan)[..., None]
        xyxy = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
        return self._moved(np.where(np.isnan(xyxy), [0, 0, *size[::-1]], xyxy), size)

    def flip(self, axis: int) -> BoxSet:
        """Exchange the two ends."""
        xyxy, low, side = self.xyxy.copy(), 1 - axis, self.size[axis]
        xyxy[:, [low, low + 2]] = side - self.xyxy[:, [low + 2, low]]
        return replace(self, xyxy=xyxy)

    def crop(self, window: Window) -> BoxSet:
        """Move and cut off."""
        rows, columns = window
        shift = [columns.start, rows.start] * 2
        return self._moved(self.xyxy - shift, (rows.stop - rows.start, columns.stop - columns.start))

    def blank(self, size: tuple[int, int]) -> BoxSet:
        """Make a set without boxes."""
        return BoxSet(np.zeros((0, 4)), np.zeros(0, int), size)

    def paste(self, other: BoxSet, window: Window, mask: np.ndarray | None = None) -> BoxSet:
        """Drop what is hidden, and add what of the other boxes is seen."""
        rows, columns = window
        hidden = np.zeros(self.size, bool)
        hidden[window] = True if mask is None else mask > 0
        own = [not hidden[_pixels(box)].all() for box in self.xyxy]
        if mask is not None:
            bounds = np.array([bounds_of(mask, box) for box in other.xyxy], float).reshape(-1, 4)
            other = other._moved(bounds, other.size)
        shifted = other.xyxy + [columns.start, rows.start] * 2
        return self._and(self.xyxy[own], self.labels[own], shifted, other.labels)

    def mix(self, other: BoxSet, weight: float) -> BoxSet:
        """Show the boxes of both."""
        return self._and(self.xyxy, self.labels, other.xyxy, other.labels)

    def _and(self, xyxy: np.ndarray, labels: np.ndarray, others: np.ndarray, other_labels: np.ndarray) -> BoxSet:
        return replace(self, xyxy=np.concatenate([xyxy, others]), labels=np.concatenate([labels, other_labels]))

    def choose_regions(self, rng: np.random.Generator, count: int, area: tuple[float, float]) -> np.ndarray:
        """Draw boxes, whatever they cover."""
        chosen = np.zeros(self.size, np.uint8)
        for number in rng.permutation(len(self.xyxy))[:count]:
            chosen[_pixels(self.xyxy[number])] = 1
        return chosen

    def to_item(self) -> dict[str, Any]:
        """Make `boxes`: (N, 5) label and box."""
        return {"boxes": torch.from_numpy(np.column_stack([self.labels, self.xyxy]))}

    @staticmethod
    def collate(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Make one (sum of N, 5) tensor, and the image each row belongs to."""
        counts = torch.tensor([len(item["boxes"]) for item in items])
        owners = torch.arange(len(items)).repeat_interleave(counts)
        return {"boxes": torch.cat([item["boxes"] for item in items]), "box_image": owners}

    def to_argument(self) -> np.ndarray:
        """Copy the boxes."""
        return self.xyxy.copy()

    def from_argument(self, value: Any) -> BoxSet:
        """Take one box for each that was given."""
        if np.shape(value) != self.xyxy.shape:
            raise ValueError(f"{len(self.xyxy)} boxes")
        return self._moved(value, self.size)


def _pixels(box: np.ndarray) -> Window:
    """Rows and columns of the pixels whose centre a box covers."""
    left, top, right, bottom = np.ceil(box - 0.5).astype(int).tolist()
    return slice(top, bottom), slice(left, right)


def bounds_of(mask: np.ndarray, box: np.ndarray) -> tuple[int, int, int, int]:
    """Bound the part of a box that a mask shows; nothing where it shows none."""
    rows, columns = _pixels(box)
    seen_rows, seen_columns = np.nonzero(mask[rows, columns])
    if not len(seen_rows):
        return 0, 0, 0, 0
    left, top = columns.start + seen_columns.min(), rows.start + seen_rows.min()
    return left, top, columns.start + seen_columns.max() + 1, rows.start + seen_rows.max() + 1
