"""What every part of a result can do: move, index, draw, list and describe itself.

A payload is a data type, not a task: `Results` holds any mix of them and asks each one the same questions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ultralytics.utils.ops.masks import Polygon
from ultralytics.utils.plotting.annotator import Annotator

if TYPE_CHECKING:
    from typing_extensions import Self

Array: TypeAlias = "Tensor | np.ndarray"


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How payloads draw themselves.

    Attributes:
        names: class names by id.
        palette: (N, 3) uint8 RGB, row = class id.
        alpha: strength of tints, 0-1.
        legend: explain the colours in the picture.
        contours: draw the borders of areas.
    """

    names: Mapping[int, str]
    palette: np.ndarray
    alpha: float = 0.5
    legend: bool = True
    contours: bool = False


class Shape(NamedTuple):
    """One area of a result, as geographic software wants it: an outline in pixels and what is known about it."""

    polygon: Polygon
    properties: dict[str, Any]


class Payload(ABC):
    """One part of a result: boxes, masks, a class map.

    A payload never changes: moving, converting and indexing return another one.

    Attributes:
        data: the main array.
        orig_shape: (height, width) of the image it belongs to.
    """

    data: Array
    orig_shape: tuple[int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the main array."""
        return tuple(self.data.shape)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move to a device or dtype, as `Tensor.to`; numpy arrays become tensors.

        A dtype reaches only arrays of its kind: ids stay whole numbers when confidences become float16.
        """
        return self.map(lambda array: _to(array, *args, **kwargs))

    def cpu(self) -> Self:
        """Move tensors to main memory."""
        return self.map(lambda array: array.cpu() if isinstance(array, Tensor) else array)

    def cuda(self, device: int | str | torch.device = "cuda") -> Self:
        """Move to a CUDA device."""
        return self.to(f"cuda:{device}" if isinstance(device, int) else device)

    def numpy(self) -> Self:
        """Turn tensors into numpy arrays."""
        return self.map(as_numpy)

    @abstractmethod
    def map(self, function: Callable[[Array], Array]) -> Self:
        """Return a payload whose arrays have each gone through `function`."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of items that can be indexed."""

    @abstractmethod
    def __getitem__(self, index: Any) -> Self:
        """Select items by number, slice or mask.

        Raises:
            IndexError: there is no such item.
        """

    def __iter__(self) -> Iterator[Self]:
        return (self[number] for number in range(len(self)))

    @abstractmethod
    def draw(self, canvas: Annotator, style: Style) -> None:
        """Draw onto a picture."""

    @abstractmethod
    def rows(self, names: Mapping[int, str], *, normalize: bool) -> list[dict[str, Any]]:
        """List what was found as plain values that JSON can hold.

        Args:
            names: class names by id.
            normalize: give coordinates relative to the image's size.
        """

    @abstractmethod
    def describe(self, names: Mapping[int, str]) -> str:
        """Say in a few words what was found."""

    def with_names(self, names: Mapping[int, str]) -> Self:
        """Return this payload knowing class names, unless it has its own or needs none."""
        return self

    def shapes(self, names: Mapping[int, str], *, simplify: float = 0.0, min_area: float = 0.0) -> list[Shape]:
        """List the areas found as polygons; a payload without areas has none."""
        return []

    def annotations(self, names: Mapping[int, str]) -> list[dict[str, Any]]:
        """List the areas found as COCO annotations with run lengths; a payload without areas has none."""
        return []

    def save_labels(self, path: Path) -> Path | None:
        """Write the labels this payload amounts to, in the form training reads; None if there is no such form."""
        return None


def as_numpy(array: Array) -> np.ndarray:
    """View an array in main memory as numpy; bfloat16, which numpy lacks, becomes float32."""
    if not isinstance(array, Tensor):
        return array
    array = array.detach().cpu()
    return (array.float() if array.dtype == torch.bfloat16 else array).numpy()


def as_tensor(array: Array) -> Tensor:
    """View an array as a tensor; uint16, which torch can hardly compute with, becomes int32."""
    if isinstance(array, Tensor):
        return array
    return torch.from_numpy(np.ascontiguousarray(array.astype(np.int32) if array.dtype == np.uint16 else array))


def selected(index: Any, count: int) -> np.ndarray:
    """Resolve an index of any kind to the numbers of the items it selects.

    Raises:
        IndexError: it is out of range, or a mask of another length.
    """
    if isinstance(index, Tensor):
        index = index.cpu().numpy()
    if not isinstance(index, slice) and np.size(index) == 0:
        index = np.zeros(0, dtype=np.int64)  # an empty list or tensor is of type float
    return np.atleast_1d(np.arange(count)[index])


def _to(array: Array, *args: Any, **kwargs: Any) -> Tensor:
    tensor = as_tensor(array)
    moved = tensor.to(*args, **kwargs)
    return moved if moved.is_floating_point() == tensor.is_floating_point() else tensor.to(moved.device)
