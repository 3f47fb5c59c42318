"""LabelMe JSON files into class-id PNGs."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.data.convert.files import (
    below,
    class_ids,
    convert_files,
    find_files,
    read_json,
    shape_classes,
    write_ids,
    write_names,
)
from ultralytics.data.description.document import read_description
from ultralytics.data.description.spec import NO_POLYGON
from ultralytics.data.imread import decode_image
from ultralytics.errors import DatasetError, unknown_name
from ultralytics.utils.ops.masks import polygons_to_class_map

_CIRCLE_CORNERS = 64


def labelme(*, source: Path, target: Path, data: Path, background: int | str | None = None) -> str:
    """Draw LabelMe annotations as class-id PNGs of the same names; smaller shapes are drawn over larger ones.

    Polygons, rectangles, circles and masks are drawn; points and lines have no area and are refused by name.
    `names.yaml` beside the masks holds the names of all ids, with the class `background` where one is added.

    Args:
        source: folder of JSON files, searched with its subfolders.
        target: folder to write to.
        data: dataset YAML whose `names` are the labels used.
        background: what no shape covers, as in the YAML: add (a class of its own), ignore, or a class.

    Returns:
        What was written, and what the ids mean.

    Raises:
        DatasetError: some files could not be converted.
    """
    spec = shape_classes(read_description(data), background, str(data))
    ids_by_name = {spec.names[number]: number for number in spec.label_ids}

    def convert(file: Path, made: Path) -> None:
        raw = draw_labelme(read_json(file), ids_by_name, background=NO_POLYGON, name=str(file))
        write_ids(made, class_ids(raw, spec, str(file)))

    files = find_files(source, {"json"})
    line = convert_files(convert, files, desc="LabelMe to ids", target=target, names=below(source, files))
    return f"{line}\n{write_names(target, spec)}"


def draw_labelme(
    annotation: Mapping[str, Any], ids_by_name: Mapping[str, int], *, background: int, name: str
) -> np.ndarray:  # fmt: skip
    """Draw the content of one LabelMe file as an (H, W) uint16 map of class ids.

    Raises:
        DatasetError: it is no LabelMe annotation, or a label is not among the names.
    """
    try:
        shape = int(annotation["imageHeight"]), int(annotation["imageWidth"])
        rows = annotation["shapes"]
        labels = [row["label"] for row in rows]
        drawings = [_drawing(row, shape) for row in rows]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"'{name}' is not a usable LabelMe annotation: {error}.") from error
    for label in labels:
        if label not in ids_by_name:
            raise DatasetError(f"'{name}': {unknown_name('class', label, ids_by_name)}")
    classes = [ids_by_name[label] for label in labels]
    return polygons_to_class_map(drawings, classes, shape, background=background, dtype=np.uint16)


def _drawing(row: Mapping[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """Read a shape as (N, 2) corners, or as an (H, W) bool mask; raises ValueError for one that cannot be drawn."""
    kind, points = row.get("shape_type") or "polygon", np.array(row["points"], np.float64).reshape(-1, 2)
    if kind != "mask":
        return _corners(kind, points)
    # The corners of a box of whole pixels, both inside, and what lies in it as a PNG in base 64.
    crop = decode_image(base64.b64decode(row["mask"], validate=True), 1, name="its mask")[..., 0] != 0
    (left, top), (right, bottom) = points.round().astype(int).tolist()
    if crop.shape != (bottom - top + 1, right - left + 1):
        raise ValueError(f"a mask of {crop.shape[1]}x{crop.shape[0]} pixels does not fit its box")
    if left < 0 or top < 0 or bottom >= shape[0] or right >= shape[1]:
        raise ValueError("a mask reaches beyond the image")
    mask = np.zeros(shape, bool)
    mask[top : bottom + 1, left : right + 1] = crop
    return mask


def _corners(kind: str, points: np.ndarray) -> np.ndarray:
    """Corners of a shape; raises ValueError for one without an area."""
    if kind in {"polygon", "rectangle"} and len(points) >= 3:
        return points
    if kind == "rectangle" and len(points) == 2:
        (x0, y0), (x1, y1) = points
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    if kind == "circle" and len(points) == 2:
        angles = np.linspace(0, 2 * np.pi, _CIRCLE_CORNERS, endpoint=False)
        radius = float(np.hypot(*(points[1] - points[0])))
        corners: np.ndarray = points[0] + radius * np.column_stack((np.cos(angles), np.sin(angles)))
        return corners
    raise ValueError(f"a {kind} of {len(points)} points has no area that could be drawn")
