"""COCO annotation files into class-id PNGs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ultralytics.data.convert.files import class_ids, convert_files, read_json, shape_classes, write_ids, write_names
from ultralytics.data.description.spec import NO_POLYGON
from ultralytics.errors import DatasetError
from ultralytics.utils.ops.masks import drawn_area, fill_rings, rle_decode


def coco(*, annotations: Path, target: Path, background: int | str | None = None) -> str:
    """Draw the instances of a COCO annotation file as class-id PNGs, one for each image, by its `file_name`.

    The class ids are 0, 1, 2 … in the order of COCO's category ids, which have gaps; with a single category 1 is the
    object. `names.yaml` beside the masks holds the names of all ids, with the class `background` where one is added.
    Smaller instances are drawn over larger ones, polygons and run lengths alike.

    Args:
        annotations: COCO JSON with `images`, `annotations` and `categories`.
        target: folder to write to.
        background: what no instance covers, as in a dataset YAML: add (a class of its own, the rule for several
            categories), ignore, or a class.

    Returns:
        What was written, and what the ids mean.

    Raises:
        MissingFile: there is no such file.
        DatasetError: it is no COCO file, or some of its images could not be drawn.
    """
    content = read_json(annotations)
    try:
        names = {row["id"]: str(row["name"]) for row in sorted(content["categories"], key=lambda row: row["id"])}
        shapes = _images(content["images"])
        rows_of: defaultdict[Any, list[Mapping[str, Any]]] = defaultdict(list)
        for row in content["annotations"]:
            rows_of[row["image_id"]].append(row)
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"'{annotations}' is not a COCO annotation file: {error!r}.") from error
    numbers = {category: number for number, category in enumerate(names)}
    spec = shape_classes({"names": list(names.values())}, background, str(annotations))

    def convert(file: Path, made: Path) -> None:
        images, shape = shapes[file]
        rows = [row for image in images for row in rows_of[image]]
        raw = draw_instances(rows, numbers, shape, background=NO_POLYGON)
        write_ids(made, class_ids(raw, spec, str(file)))

    line = convert_files(convert, list(shapes), desc="COCO to ids", target=target)
    return f"{line}\n{write_names(target, spec)}"


def _images(rows: Sequence[Mapping[str, Any]]) -> dict[Path, tuple[list[Any], tuple[int, int]]]:
    """Read the ids and the (height, width) of each image; one that is listed twice has the instances of both rows."""
    images: dict[Path, tuple[list[Any], tuple[int, int]]] = {}
    for row in rows:
        file, shape = _relative(row["file_name"]), (int(row["height"]), int(row["width"]))
        ids, known = images.setdefault(file, ([], shape))
        if shape != known:
            sizes = f"{known[1]}x{known[0]} and {shape[1]}x{shape[0]}"
            raise ValueError(f"the image '{file}' is listed with two sizes, {sizes}")
        if row["id"] not in ids:
            ids.append(row["id"])
    return images


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
    for number, drawing in sorted(drawings, key=lambda item: -drawn_area(item[1])):
        if drawing.dtype == bool:
            ids[drawing] = number
        else:
            fill_rings(ids, [drawing], number)
    return ids


def _drawings(segmentation: Any, shape: tuple[int, int]) -> list[np.ndarray]:
    """Read run lengths, polygons or a list of these as (H, W) bool masks and (N, 2) float corners."""
    parts = [segmentation] if isinstance(segmentation, Mapping) else segmentation
    drawings = []
    for part in parts:
        if isinstance(part, Mapping):
            mask = rle_decode({"size": part["size"], "counts": part["counts"]})
            if mask.shape != shape:
                raise ValueError(f"its mask is {mask.shape[1]}x{mask.shape[0]}, the image {shape[1]}x{shape[0]}.")
            drawings.append(mask)
        elif len(polygon := np.array(part, np.float64).reshape(-1, 2)) >= 3:
            drawings.append(polygon)
    return drawings


def _relative(file_name: str) -> Path:
    """Refuse names that would be written outside the target."""
    path = PurePosixPath(file_name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise ValueError(f"the file name '{file_name}' leads out of the folder")
    return Path(path)
