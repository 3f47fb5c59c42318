"""SemanticMask: the class of every pixel of one image, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ultralytics.engine.results.base import Array, Payload, Shape, Style, as_numpy, as_tensor, selected
from ultralytics.engine.results.writers import write_class_map
from ultralytics.errors import ConfigError, unknown_name
from ultralytics.utils.ops.masks import RLE, Polygon, mask_to_polygons, rle_encode
from ultralytics.utils.plotting.annotator import Annotator, LegendEntry, borders, nearest_index

if TYPE_CHECKING:
    from typing_extensions import Self

_HISTOGRAM_PIXELS = 1 << 24  # OpenCV counts in float32, which is exact so far
_DESCRIBED = 6


class SemanticMask(Payload):
    """A class id for every pixel.

    A model of one class predicts 1 where that class is and 0 elsewhere. Everything here that speaks of classes then
    speaks of class 0, the only one with a name, and leaves the background out.

    Args:
        data: (H, W) whole numbers.
        orig_shape: (height, width) of the image.
        confidence: (H, W) probability of the predicted class, as a fraction or as uint8 0-255.
        entropy: (H, W) entropy of the class probabilities, the same way.
        probs: (num_classes, H, W) probabilities.
        names: class names by id, or in order.
        ignore_index: id of pixels without a class; None is 255, or 65535 where there are more than 255 names.

    Example:
        >>> mask = SemanticMask(np.array([[0, 0, 1], [0, 2, 255]], np.uint8), (2, 3), names=["road", "car", "sky"])
        >>> mask.area()
        {0: 3, 1: 1, 2: 1}
    """

    def __init__(
        self,
        data: Array,
        orig_shape: Sequence[int] | None = None,
        *,
        confidence: Array | None = None,
        entropy: Array | None = None,
        probs: Array | None = None,
        names: Mapping[int, str] | Sequence[str] | None = None,
        ignore_index: int | None = None,
    ) -> None:
        ids = data if isinstance(data, Tensor) else np.asarray(data)
        if ids.ndim != 2 or not _is_whole(ids):
            raise ConfigError(
                f"A class map is (height, width) whole numbers; got {ids.dtype} of shape {tuple(ids.shape)}. "
                "Take the arg-max over the classes first."
            )
        self.data: Array = ids
        height, width = orig_shape[:2] if orig_shape is not None else ids.shape
        self.orig_shape = (int(height), int(width))
        self.confidence = confidence
        self.entropy = entropy
        self.probs = probs
        self.names = dict(names) if isinstance(names, Mapping) else dict(enumerate(names or ()))
        self._ignore_index = ignore_index

    def __repr__(self) -> str:
        return f"SemanticMask({self.shape[0]}x{self.shape[1]}: {self.describe(self.names)})"

    def __len__(self) -> int:
        return int(self.data.shape[0] > 0)

    def __getitem__(self, index: Any) -> Self:
        """Return this map for an index that selects it, else one of no pixels."""
        if len(selected(index, len(self))):
            return self
        return self.map(lambda array: array[..., :0, :])

    def map(self, function: Callable[[Array], Array]) -> Self:
        """Return a mask whose arrays (ids, confidence, entropy, probabilities) have each gone through `function`."""
        return self._of(function, self.orig_shape)

    def with_names(self, names: Mapping[int, str]) -> Self:
        """Return this mask knowing class names, unless it has its own."""
        if self.names:
            return self
        mask = self.map(lambda array: array)
        mask.names = dict(names)
        return mask

    def resize(self, shape: tuple[int, int]) -> Self:
        """Bring the map to (height, width); each pixel takes all its values from the nearest one."""
        index = nearest_index(self.shape, shape)
        return self._of(lambda array: array[(..., *index)], shape)

    def crop(self, xyxy: Sequence[float]) -> Self:
        """Cut out a rectangle given in pixels; what lies outside the map is left out.

        Raises:
            ConfigError: nothing of the rectangle lies inside the map.
        """
        height, width = self.shape
        left, top, right, bottom = (max(0, round(float(value))) for value in xyxy)
        right, bottom = min(right, width), min(bottom, height)
        if left >= right or top >= bottom:
            raise ConfigError(f"The box {tuple(xyxy)} covers nothing of a map of {height}x{width} (x1, y1, x2, y2).")
        return self._of(lambda array: array[..., top:bottom, left:right], (bottom - top, right - left))

    @property
    def ignore_index(self) -> int:
        """Id of pixels without a class."""
        return self._ignore_index if self._ignore_index is not None else 255 if len(self.names) <= 255 else 65535

    @property
    def classes(self) -> list[int]:
        """Ids of the classes that are present."""
        return list(self.area())

    def area(self) -> dict[int, int]:
        """Count the pixels of each class that is present."""
        return self._area(self.names)

    def coverage(self) -> dict[int, float]:
        """Give each present class's share of the image in percent; ignored pixels belong to the image."""
        total = max(1, self.shape[0] * self.shape[1])
        return {class_id: 100 * pixels / total for class_id, pixels in self.area().items()}

    def binary(self, cls: int | str) -> Array:
        """Mark the pixels of one class, (H, W) bool.

        Args:
            cls: id, or name.

        Raises:
            ConfigError: no class has this name.
        """
        if isinstance(cls, str):
            ids = {name: class_id for class_id, name in self.names.items()}
            if cls not in ids:
                raise ConfigError(unknown_name("class", cls, ids))
            cls = ids[cls]
        return self.data == _id_of(cls, self.names)

    def boundary(self) -> Array:
        """Mark the pixels that touch, side by side, a pixel of another id, (H, W) bool."""
        edge = borders(as_numpy(self.data))
        return as_tensor(edge).to(self.data.device) if isinstance(self.data, Tensor) else edge

    def polygons(self, simplify: float = 0.0, min_area: float = 0.0) -> dict[int, list[Polygon]]:
        """Outline the regions of each present class, holes included.

        Args:
            simplify: distance in pixels a line may leave the true outline; at 0, filling gives the map back exactly.
            min_area: regions of fewer pixels are left out.
        """
        ids = as_numpy(self.data)
        return {
            class_id: mask_to_polygons(ids == _id_of(class_id, self.names), simplify=simplify, min_area=min_area)
            for class_id in self.classes
        }

    def rle(self) -> dict[int, RLE]:
        """Write the area of each present class as COCO run lengths: {"size": [height, width], "counts": text}."""
        ids = as_numpy(self.data)
        return {class_id: rle_encode(ids == _id_of(class_id, self.names)) for class_id in self.classes}

    def save(self, path: str | Path, mode: str = "ids", palette: np.ndarray | None = None) -> Path:
        """Write the ids to a PNG, see `writers.write_class_map`; row of the palette = class."""
        if palette is not None and len(self.names) == 1:
            palette = np.stack([np.zeros_like(palette[0]), palette[0]])
        return write_class_map(path, as_numpy(self.data), self.ignore_index, mode, palette)

    def save_labels(self, path: Path) -> Path:
        """Write the map as training reads it: a class-id PNG beside where a text file would be."""
        return self.save(path.with_name(f"{path.name.removesuffix('.txt')}.png"))

    def draw(self, canvas: Annotator, style: Style) -> None:
        """Tint every pixel that has a class; background of a one-class model and ignored pixels stay as they are."""
        if not len(self):
            return
        ids = as_numpy(self.data)
        if len(style.names) == 1:
            # The only class becomes id 0; the background and ignored pixels get ids the palette does not reach.
            ids = np.where(ids == 1, np.uint8(0), np.uint8(255))
        canvas.class_map(ids, style.palette, alpha=style.alpha, contours=style.contours)
        if style.legend:
            shares = [
                (class_id, share) for class_id, share in self._shares(style.names) if class_id < len(style.palette)
            ]
            canvas.legend(
                [
                    LegendEntry(_bgr(style.palette[class_id]), _name(class_id, style.names), _percent(share))
                    for class_id, share in shares
                ]
            )

    def rows(self, names: Mapping[int, str], *, normalize: bool = False) -> list[dict[str, Any]]:
        """List the present classes with their pixels, their share of the image and, where known, mean confidence."""
        total = max(1, self.shape[0] * self.shape[1])
        means = self._mean_confidence()
        rows: list[dict[str, Any]] = [
            {"name": _name(class_id, names), "class": class_id, "pixel_ratio": pixels / total, "pixels": pixels}
            for class_id, pixels in self._area(names).items()
        ]
        if means is not None:
            for row in rows:
                row["confidence"] = float(means[_id_of(row["class"], names)])
        return rows

    def describe(self, names: Mapping[int, str]) -> str:
        """Name the largest classes: "road 41.2%, car 8.0%"."""
        shares = self._shares(names)
        parts = [f"{_name(class_id, names)} {_percent(share)}" for class_id, share in shares[:_DESCRIBED]]
        if len(shares) > _DESCRIBED:
            parts.append(f"{len(shares) - _DESCRIBED} more")
        return ", ".join(parts) or "no class"

    def shapes(self, names: Mapping[int, str], *, simplify: float = 0.0, min_area: float = 0.0) -> list[Shape]:
        """List the regions of all classes as polygons with name, class and area."""
        return [
            Shape(polygon, {"name": _name(class_id, names), "class": class_id, "pixels": polygon.area})
            for class_id, polygons in self.polygons(simplify, min_area).items()
            for polygon in polygons
        ]

    def annotations(self, names: Mapping[int, str]) -> list[dict[str, Any]]:
        """List the area of each present class as a COCO annotation with run lengths."""
        areas = self.area()
        return [
            {"category_id": class_id, "category": _name(class_id, names), "area": areas[class_id], "segmentation": rle}
            for class_id, rle in self.rle().items()
        ]

    def _of(self, function: Callable[[Array], Array], orig_shape: tuple[int, int]) -> Self:
        maps = {
            name: None if array is None else function(array)
            for name, array in (("confidence", self.confidence), ("entropy", self.entropy), ("probs", self.probs))
        }
        return type(self)(function(self.data), orig_shape, **maps, names=self.names, ignore_index=self._ignore_index)

    def _area(self, names: Mapping[int, str]) -> dict[int, int]:
        """Count pixels by class; without names every id but the ignored one is a class."""
        counts = count_ids(as_numpy(self.data))
        known = names or range(len(counts))
        areas = {class_id: _id_of(class_id, names) for class_id in known if class_id != self.ignore_index}
        return {class_id: int(counts[i]) for class_id, i in sorted(areas.items()) if i < len(counts) and counts[i]}

    def _shares(self, names: Mapping[int, str]) -> list[tuple[int, float]]:
        """Pair each present class with its share of the image, 0-1, largest first."""
        total = max(1, self.shape[0] * self.shape[1])
        areas = self._area(names)
        return [(class_id, areas[class_id] / total) for class_id in sorted(areas, key=lambda i: (-areas[i], i))]

    def _mean_confidence(self) -> np.ndarray | None:
        """Average the confidence over the pixels of each id."""
        if self.confidence is None:
            return None
        ids, confidence = as_numpy(self.data).ravel(), as_numpy(self.confidence).ravel()
        scale = 255 if confidence.dtype == np.uint8 else 1
        known = ids >= 0
        sums = np.bincount(ids[known], weights=confidence[known].astype(np.float32))
        means: np.ndarray = sums / (scale * np.maximum(np.bincount(ids[known]), 1))
        return means


def count_ids(ids: np.ndarray) -> np.ndarray:
    """Count how often each id 0-65535 occurs in a map, exactly; entries beyond the last one present may be missing."""
    if ids.dtype != np.uint8 and ids.size and ids.min() >= 0 and ids.max() <= 255:
        ids = ids.astype(np.uint8)
    if ids.dtype != np.uint8:
        flat = ids.ravel().astype(np.int64)
        return np.bincount(flat[(flat >= 0) & (flat < 1 << 16)])
    counts = np.zeros(256, dtype=np.int64)
    rows = max(1, _HISTOGRAM_PIXELS // max(1, ids.shape[1]))
    for top in range(0, ids.shape[0], rows):
        band = np.ascontiguousarray(ids[top : top + rows])
        counts += cv2.calcHist([band], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    return counts


def _is_whole(array: Array) -> bool:
    if isinstance(array, Tensor):
        return not (array.is_floating_point() or array.is_complex() or array.dtype == torch.bool)
    return array.dtype.kind in "iu"


def _id_of(class_id: int, names: Mapping[int, str]) -> int:
    """Return the id that stands for a class in the map: itself, but 1 for the only class of a one-class model."""
    return 1 if len(names) == 1 and class_id in names else class_id


def _name(class_id: int, names: Mapping[int, str]) -> str:
    return str(names.get(class_id, class_id))


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.0005 else "<0.1%"


def _bgr(rgb: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in rgb)
    return blue, green, red
