"""YOLO polygon labels into class-id PNGs, and back.

Polygons run through the middle of the outermost pixels of a region and include them, as label tools draw them; with
`simplify=0` a mask turned into polygons and drawn again is the same mask.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ultralytics.data.convert.files import (
    below,
    class_ids,
    convert_files,
    find_files,
    shape_classes,
    write_ids,
    write_names,
)
from ultralytics.data.description.document import read_description
from ultralytics.data.description.spec import NO_POLYGON
from ultralytics.data.imread import IMG_FORMATS, image_size, read_ids
from ultralytics.data.polygons import read_polygons
from ultralytics.errors import DatasetError
from ultralytics.utils.files import write_atomic
from ultralytics.utils.log import LOGGER
from ultralytics.utils.ops.masks import polygons_to_class_map


def polygons_to_ids(
    *,
    images: Path,
    labels: Path,
    target: Path,
    data: Path | None = None,
    classes: int | None = None,
    background: int | str | None = None,
) -> str:
    """Draw YOLO polygon labels as class-id PNGs: the very targets of a training with the polygons.

    Smaller polygons are drawn over larger ones. `names.yaml` beside the masks holds the names of all ids, with the
    class `background` where one is added.

    Args:
        images: folder of images, searched with its subfolders; they give the sizes.
        labels: folder of text files with the same relative names; an image without one has no object.
        target: folder to write to.
        data: dataset YAML of the polygons: its `names`, `background`, `label_mapping` and `ignore_index` hold.
        classes: number of classes, where there is no YAML.
        background: what no polygon covers, as in the YAML: add (a class of its own), ignore, or a class.

    Returns:
        What was written, and what the ids mean.

    Raises:
        DatasetError: neither or both of `data` and `classes` are given, or some labels could not be drawn.
    """
    if (data is None) == (classes is None):
        raise DatasetError(
            "Say which classes the polygons have: either data=dataset.yaml (their names and background rule), "
            "or classes=N (N of them; one class: 0 background, 1 object; several: a background class is added)."
        )
    description = {"nc": classes} if data is None else read_description(data)
    spec = shape_classes(description, background, f"classes={classes}" if data is None else str(data))

    def convert(file: Path, made: Path) -> None:
        relative = file.relative_to(images)
        label, shape = labels / relative.with_suffix(".txt"), image_size(file)
        polygons, left_out = read_polygons(label) if label.is_file() else ([], [])
        for note in left_out:
            LOGGER.warning(f"'{label}': {note}; it is left out.")
        raw = polygons_to_class_map(
            [polygon.points * shape[::-1] for polygon in polygons],
            [polygon.label for polygon in polygons],
            shape,
            background=NO_POLYGON,
            dtype=np.uint16,
        )
        write_ids(made, class_ids(raw, spec, str(label)))

    files = find_files(images, IMG_FORMATS)
    line = convert_files(convert, files, desc="Polygons to ids", target=target, names=below(images, files))
    return f"{line}\n{write_names(target, spec)}"


def ids_to_polygons(
    *, source: Path, target: Path, ignore: list[int] | None = None, classes: int | None = None, simplify: float = 0.0
) -> str:
    """Outline the regions of class-id masks as YOLO polygon labels, text files of the same names.

    Args:
        source: folder of class-id masks, searched with its subfolders.
        target: folder to write to.
        ignore: ids that get no polygons, such as the background; None for 255 alone.
        classes: number of classes; only 1 makes a difference: id 1 is the object, class 0, and 0 is the background.
        simplify: greatest distance in pixels by which a line may leave the true outline; 0 keeps it exact.

    Returns:
        One line that says what was written.

    Raises:
        DatasetError: some masks could not be converted.
    """
    if simplify < 0:
        raise DatasetError(f"simplify={simplify} is not a distance in pixels; 0 or more is needed.")
    ignored = ({255} if ignore is None else set(ignore)) | ({0} if classes == 1 else set())

    def convert(file: Path, made: Path) -> None:
        ids = read_ids(file)
        size = np.array(ids.shape[::-1])
        rows = []
        for number in sorted(set(np.unique(ids).tolist()) - ignored):
            for ring in outlines(ids == number, simplify=simplify):
                points = " ".join(f"{value:.6g}" for value in (ring / size).ravel().tolist())
                rows.append(f"{number - (classes == 1)} {points}")
        write_atomic(made, "".join(f"{row}\n" for row in rows).encode())

    files = find_files(source, IMG_FORMATS)
    names = below(source, files)
    return convert_files(convert, files, desc="Ids to polygons", target=target, suffix=".txt", names=names)


def outlines(mask: np.ndarray, *, simplify: float = 0.0) -> list[np.ndarray]:
    """Outline the regions of a mask, each as one closed line that cuts its way to the holes.

    Args:
        mask: (H, W) bool; pixels that touch in a corner are one region.
        simplify: greatest distance in pixels by which a line may leave the true outline.

    Returns:
        (N, 2) int32 pixel positions x, y of each region, N >= 3.
    """
    contours, hierarchy = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return []
    rings = [contour[:, 0] for contour in contours]
    parents = hierarchy[0, :, 3].tolist()
    holes: dict[int, list[np.ndarray]] = {i: [] for i, parent in enumerate(parents) if parent < 0}
    for ring, parent in zip(rings, parents, strict=True):
        if parent >= 0:
            holes[parent].append(ring)
    return [_simplified(_cut_open(rings[i], inner), simplify) for i, inner in holes.items()]


def _cut_open(exterior: np.ndarray, holes: list[np.ndarray]) -> np.ndarray:
    """Join a region's outline and those of its holes into one line.

    From the leftmost pixel of a hole's outline one walks left through the region until the nearest line that was
    already joined, and back: all these pixels belong to the region, so nothing else is drawn.
    """
    line = exterior
    for hole in sorted(holes, key=lambda ring: int(ring[:, 0].min())):
        start = int(hole[:, 0].argmin())
        x, y = hole[start]
        same_row = np.flatnonzero((line[:, 1] == y) & (line[:, 0] <= x))
        nearest = int(same_row[line[same_row, 0].argmax()])
        detour = np.roll(hole, -start, axis=0)
        line = np.concatenate((line[: nearest + 1], detour, detour[:1], line[nearest:]))
    return line


def _simplified(line: np.ndarray, tolerance: float) -> np.ndarray:
    """Leave out corners that are none, or nearly none; at least three stay."""
    if tolerance > 0:
        line = cv2.approxPolyDP(line[:, None], tolerance, closed=True)[:, 0]
    step_in, step_out = line - np.roll(line, 1, axis=0), np.roll(line, -1, axis=0) - line
    straight = (step_in[:, 0] * step_out[:, 1] == step_in[:, 1] * step_out[:, 0]) & (
        (step_in * step_out).sum(axis=1) > 0
    )
    line = line[~straight]
    return line if len(line) >= 3 else np.resize(line, (3, 2))
