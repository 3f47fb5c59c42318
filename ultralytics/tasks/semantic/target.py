"""ClassMapTarget: a class id for every pixel, which follows the image without ever being interpolated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from ultralytics.data.augment.geometry import warp_array
from ultralytics.data.targets import Target, require_like
from ultralytics.utils.ops.letterbox import LetterboxGeometry, Window, letterbox

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(slots=True, eq=False)
class ClassMapTarget(Target):
    """A class id for every pixel of the image. A pixel of a result takes the id its centre falls on.

    Attributes:
        ids: (H, W) uint8, or uint16 when the dataset has more than 255 classes.
        ignore_index: the id that takes no part in loss or metrics, and that of padding: 255, or 65535 for uint16 maps.
    """

    ids: np.ndarray
    ignore_index: int = 255

    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Self:
        """Take the id under the centre of each pixel; beyond the image, that of its nearest pixel.

        Padding there would be wrong: where a centre falls on the very border, OpenCV's rounding looks one pixel beyond
        it, and a line of ignored pixels would be seen along the image.
        """
        return self._with(warp_array(self.ids, matrix, size, cv2.INTER_NEAREST))

    def flip(self, axis: int) -> Self:
        """Mirror the map."""
        return self._with(cv2.flip(self.ids, axis))  # OpenCV counts the axes as numpy does

    def crop(self, window: Window) -> Self:
        """Cut out a part, as a view."""
        return self._with(self.ids[window])

    def blank(self, size: tuple[int, int]) -> Self:
        """Make a map of ignored pixels."""
        return self._with(np.full(size, self.ignore_index, self.ids.dtype))

    def paste(self, other: Self, window: Window, mask: np.ndarray | None = None) -> Self:
        """Replace ids, in place."""
        if mask is None:
            self.ids[window] = other.ids
        else:
            cv2.copyTo(other.ids, mask, self.ids[window])
        return self

    def mix(self, other: Self, weight: float) -> Self:
        """Take the map of the stronger image: ids cannot be blended."""
        return self if weight >= 0.5 else other

    def letterbox(self, geometry: LetterboxGeometry) -> Self:
        """Resize and pad."""
        # The exact kind: OpenCV's other nearest neighbour moves labels by up to half a pixel of the source.
        interpolation = cv2.INTER_NEAREST_EXACT
        return self._with(letterbox(self.ids, geometry, value=self.ignore_index, interpolation=interpolation))

    def to_item(self) -> dict[str, torch.Tensor]:
        """Make `semantic_mask`: (H, W) uint8, or int32 for maps of more than 255 classes."""
        dtype = np.uint8 if self.ids.dtype == np.uint8 else np.int32  # torch computes little with uint16
        return {"semantic_mask": torch.from_numpy(self.ids.astype(dtype, order="C"))}

    def to_argument(self) -> np.ndarray:
        """Copy the ids."""
        return self.ids.copy()

    def from_argument(self, value: Any) -> Self:
        """Take new ids."""
        return self._with(require_like(self.ids, value))

    def choose_regions(self, rng: np.random.Generator, count: int, area: tuple[float, float]) -> np.ndarray:
        """Draw connected regions, each around a random pixel of a class drawn from those present.

        So rare classes are chosen as often as common ones (after Ghiasi et al. 2021, for class maps).
        """
        chosen = np.zeros(self.ids.shape, np.uint8)
        for class_id in rng.permutation(self._classes())[:count]:
            chosen |= self._region_of(class_id, area, rng)
        return chosen

    def _with(self, ids: np.ndarray) -> Self:
        """Make a map of other ids."""
        return type(self)(ids, self.ignore_index)  # `dataclasses.replace` is slower than a small flip

    def _classes(self) -> np.ndarray:
        """List the ids that occur, without the ignored one."""
        counts = np.bincount(self.ids.ravel(), minlength=self.ignore_index + 1)
        counts[self.ignore_index] = 0
        return np.flatnonzero(counts)

    def _region_of(self, class_id: int, area: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
        """Mark the connected region around a random pixel of a class with 1; nothing if its size does not suit."""
        pixels = np.flatnonzero(self.ids == class_id)
        row, column = divmod(int(pixels[rng.integers(len(pixels))]), self.ids.shape[1])
        # A copy, because floodFill wants to write, even where it fills only the mask; and it does not take uint16.
        ids: np.ndarray = self.ids.astype(np.uint8 if self.ids.dtype == np.uint8 else np.int32)
        region = np.zeros((ids.shape[0] + 2, ids.shape[1] + 2), np.uint8)
        flags = 8 | cv2.FLOODFILL_MASK_ONLY | 1 << 8  # 8 neighbours; 1 is written into the mask
        covered, *_ = cv2.floodFill(ids, region, (column, row), 0, flags=flags)
        smallest, largest = (share * ids.size for share in area)
        return region[1:-1, 1:-1] * (smallest <= covered <= largest)
