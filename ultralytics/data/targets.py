"""Target: what is known about an image besides its pixels, in a form that follows the image through augmentations.

A transform draws its parameters once, changes the image and calls each target of the sample; it never asks what kind a
target is. A task brings the kinds it needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import default_collate

from ultralytics.utils.ops.letterbox import LetterboxGeometry, Window

if TYPE_CHECKING:
    from typing_extensions import Self


class Target(ABC):
    """What is known about one image.

    Each method returns a target. It may share arrays with this one, which stays as it is; only `paste` may change it.
    Sizes are (height, width). Matrices and coordinates are on the scale of pixel edges: the first pixel
    spans 0..1, so its centre is at 0.5 and a size is a coordinate. Windows are rows and columns with both ends given;
    they may be empty.
    """

    __slots__ = ()

    @abstractmethod
    def warp(self, matrix: np.ndarray, size: tuple[int, int]) -> Self:
        """Follow the image through a 3x3 matrix into an image of another size; what leaves that image is dropped.

        The image need not cover the whole result. What the target says elsewhere is never seen: `paste` takes only
        pixels that the image covers.
        """

    @abstractmethod
    def flip(self, axis: int) -> Self:
        """Follow a mirrored image: axis 0 swaps top and bottom, 1 left and right."""

    @abstractmethod
    def crop(self, window: Window) -> Self:
        """Follow the image into a part of it."""

    @abstractmethod
    def blank(self, size: tuple[int, int]) -> Self:
        """Make the target of an image of nothing but padding."""

    @abstractmethod
    def paste(self, other: Self, window: Window, mask: np.ndarray | None = None) -> Self:
        """Follow an image into which another one is pasted.

        Like `+=`, this may write into the arrays of this target and return it, so it is called only on what the caller
        has made by `blank` or `copy`: a mosaic then needs one array for all of its tiles.

        Args:
            other: the target of what is pasted, of the window's size.
            window: where it goes.
            mask: (height, width) of the window, uint8; only pixels that are not 0 are replaced. None replaces all.
        """

    @abstractmethod
    def mix(self, other: Self, weight: float) -> Self:
        """Follow an image blended with another of its size: `weight` of this one, 1 - `weight` of the other."""

    @abstractmethod
    def to_item(self) -> dict[str, Any]:
        """Make what the batch holds, by its keys; tensors share no memory with this target."""

    @abstractmethod
    def to_argument(self) -> Any:
        """Copy what a user's augmentation gets as the argument that is named like this target."""

    @abstractmethod
    def from_argument(self, value: Any) -> Self:
        """Take what a user's augmentation made of the argument.

        Raises:
            ValueError: it does not fit. The text completes "it must be …".
        """

    def copy(self) -> Self:
        """Make a target that shares no array with this one."""
        return deepcopy(self)

    @staticmethod
    def collate(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Join what `to_item` made of the samples of a batch; see `stack`."""
        return stack(items)

    def letterbox(self, geometry: LetterboxGeometry) -> Self:
        """Follow the image as it is resized and padded."""
        gain_h, gain_w = geometry.gain
        resized = self.warp(np.diag([gain_w, gain_h, 1.0]), geometry.new_size)
        return self.blank(geometry.shape).paste(resized, geometry.window)

    def choose_regions(self, rng: np.random.Generator, count: int, area: tuple[float, float]) -> np.ndarray | None:
        """Draw pieces of the image that are worth pasting into another one, for `CopyPaste`.

        Args:
            rng: random numbers.
            count: how many pieces are tried.
            area: smallest and largest share of the image that a piece may cover.

        Returns:
            (height, width) uint8, 1 where a piece is and 0 elsewhere; None from a kind of target that knows of none.
        """
        return None


def stack(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Join items with the same keys: tensors are stacked, the rest become lists.

    Tensors of different types are made float32, as images of 8 bits are where others of the batch have 16.
    """
    batch: dict[str, Any] = {}
    for key, first in items[0].items():
        values = [item[key] for item in items]
        # torch's own function, because in a worker it stacks straight into shared memory.
        batch[key] = default_collate(_alike(values)) if isinstance(first, torch.Tensor) else values
    return batch


def require_like(given: np.ndarray, made: Any) -> np.ndarray:
    """Return `made` if it is an array of the shape and type of `given`.

    Raises:
        ValueError: it is not; see `Target.from_argument`.
    """
    if isinstance(made, np.ndarray) and made.shape == given.shape and made.dtype == given.dtype:
        return made
    raise ValueError(f"an array like the one given: {given.dtype} {given.shape}")


def _alike(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    alike = all(tensor.dtype == tensors[0].dtype for tensor in tensors)
    return tensors if alike else [tensor.float() for tensor in tensors]
