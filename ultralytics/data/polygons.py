"""YOLO polygon labels: text files with a row `class x1 y1 x2 y2 ...` for each object, coordinates from 0 to 1.

A row that cannot be an area (two points) is left out and named; a file with a row that cannot be meant is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ultralytics.errors import DatasetError
from ultralytics.utils.files import read_regular

_TOLERANCE = 0.01  # label tools write 1.00001; anything further out is a mistake
_MAX_CLASS = 65533  # ids are 16 bits; the last two have meanings of their own


class Polygon(NamedTuple):
    """One labelled outline.

    Attributes:
        label: class id as written.
        points: (N, 2) float64 x, y from 0 to 1.
    """

    label: int
    points: np.ndarray


def read_polygons(path: Path) -> tuple[list[Polygon], list[str]]:
    """Read a label file.

    Returns:
        The polygons in the file's order, and what was wrong with rows that are left out.

    Raises:
        DatasetError: the file is no text, or a row cannot be understood.
    """
    try:
        rows = read_regular(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(f"'{path}' is not a text file.") from error
    except OSError as error:
        raise DatasetError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    polygons, left_out = [], []
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        try:
            label, points = _parse_row(row)
        except ValueError as error:
            raise DatasetError(f"'{path}', row {number}: {error}") from error
        if len(points) < 3:
            left_out.append(f"row {number} has {len(points)} points (a box?); an outline needs 3")
        else:
            polygons.append(Polygon(label, points))
    return polygons, left_out


def _parse_row(row: str) -> tuple[int, np.ndarray]:
    """Check one row."""
    try:
        values = np.array(row.split(), np.float64)
    except ValueError as error:
        hint = " Separate numbers by spaces, not commas." if "," in row else ""
        raise ValueError(f"'{row[:40]}' is not a row of numbers.{hint}") from error
    label, points = values[0], values[1:]
    if not np.isfinite(values).all():
        raise ValueError("it holds NaN or infinity.")
    if label != int(label) or not 0 <= label <= _MAX_CLASS:
        raise ValueError(f"the class is {label:g}; a whole number from 0 is needed.")
    if len(points) % 2:
        raise ValueError(f"it has {len(points)} coordinates; x and y come in pairs.")
    if len(points) and (points.min() < -_TOLERANCE or points.max() > 1 + _TOLERANCE):
        worst = points.min() if points.min() < -_TOLERANCE else points.max()
        raise ValueError(f"the coordinate {worst:g} is outside 0 to 1.")
    return int(label), points.clip(0, 1).reshape(-1, 2)
