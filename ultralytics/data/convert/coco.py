"""COCO annotation files into class-id PNGs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ultralytics.data.convert.files import convert_files, read_json, write_ids
from ultralytics.errors import DatasetError
from ultralytics.utils import YAML
from ultralytics.utils.ops.masks import fill_rings, ring_area, rle_decode

NAMES_FILE = "names.yaml"


def coco(*, annotations: Path, target: Path, background: int | None = None) -> str:
    """Draw the instances of a COCO annotation file as class-id PNGs, one for each image, by its `file_name`.

    The class ids are 0, 1, 2 … in the order of COCO's category ids, which have gaps; `names.yaml` beside the masks says
    what they mean. Smaller instances are drawn over larger ones, polygons and run lengths alike.

    Args:
        annotations: COCO JSON with `images`, `annotations` and `categories`.
        target: folder to write to.
        background: id of what no instance covers; None for ignored (255, or 65535 with more than 255 categories).

    Returns:
        One line that says what was written.

    Raises:
        MissingFile: there is no such file.
        DatasetError: it is no COCO file, or some of its images could not be drawn.
    """
    content = read_json(annotations)
    try:
        names = {row["id"]: row["name"] for row in sorted(content["categories"], key=lambda row: row["id"])}
        shapes = {
            _relative(row["file_name"]): (row["id"], (int(row["height"]), int(row["width"])))
            for row in content["images"]
        }
        instances: defaultdict[Any, list[Mapping[str, Any]]] = defaultdict(list)
        for row in content["annotations"]:
            instances[row["image_id"]].append(row)
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"'{annotations}' is not a COCO annotation file: {error!r}.") from error
    numbers = {category: number for number, category in enumerate(names)}
    ignore = 255 if len(names) <= 255 else 65535

    def convert(file: Path) -> None:
        image, shape = shapes[file]
        ids = draw_instances(instances[image], numbers, shape, background=ignore if background is None else background)
        write_ids(target / file.with_suffix(".png"), ids)

    line = convert_files(convert, list(shapes), desc="COCO to ids", target=target)
    YAML.save(target / NAMES_FILE, {"names": dict(enumerate(names.values()))})
    return line


def draw_instances(
    instances: Sequence[Mapping[str, Any]], numbers: Mapping[Any, int], shape: tuple[int, int], *, background: int
) -> np.ndarray:  # fmt: skip
    """Draw COCO instances, the larger ones first, as an (H, W) uint16 map of class ids.

    Args:
        instances: rows of `annotations`; those without a segmentation are left out.
        numbers: class id of each category id.
        shape: (height, width).
        background: id of what no instance covers.

    Raises:
        DatasetError: an instance cannot be understood.
    """
    ids = np.full(shape, background, np.uint16)
    drawings = []
    for row in instances:
        try:
            number = numbers[row["category_id"]]
            drawings += [(number, drawing) for drawing in _drawings(row.get("segmentation") or [], shape)]
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"The annotation with id {row.get('id')} cannot be drawn: {error}") from error
    for number, drawing in sorted(drawings, key=lambda item: -_area(item[1])):
        if drawing.dtype == bool:
            ids[drawing] = number
        else:
            fill_rings(ids, [drawing], number)
    return ids


def _drawings(segmentation: Any, shape: tuple[int, int]) -> list[np.ndarray]:
    """Read a segmentation as one (H, W) bool mask, or as (N, 2) float corners of polygons."""
    if isinstance(segmentation, Mapping):
        mask = rle_decode({"size": segmentation["size"], "counts": segmentation["counts"]})
        if mask.shape != shape:
            raise ValueError(f"its mask is {mask.shape[1]}x{mask.shape[0]}, the image {shape[1]}x{shape[0]}.")
        return [mask]
    polygons = [np.array(flat, np.float64).reshape(-1, 2) for flat in segmentation]
    return [polygon for polygon in polygons if len(polygon) >= 3]


def _area(drawing: np.ndarray) -> float:
    return float(drawing.sum()) if drawing.dtype == bool else ring_area(drawing)


def _relative(file_name: str) -> Path:
    """Refuse names that would be written outside the target."""
    path = PurePosixPath(file_name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise ValueError(f"the file name '{file_name}' leads out of the folder")
    return Path(path)
