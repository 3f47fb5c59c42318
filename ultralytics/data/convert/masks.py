"""Masks that are colour pictures into class ids, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ultralytics.data.convert.files import Color, below, convert_files, find_files, read_colors, write_ids, write_image
from ultralytics.data.imread import IMG_FORMATS, image_header, read_ids, read_image
from ultralytics.errors import DatasetError, ImageError

_SHOWN = 8


def colors_to_ids(*, source: Path, target: Path, data: Path, ignore_unknown: bool = False) -> str:
    """Turn a folder of colour masks into class-id PNGs of the same names.

    Args:
        source: folder of colour masks, searched with its subfolders.
        target: folder to write to.
        data: dataset YAML with `names` and `colors: {name: [red, green, blue]}` (or a `palette` in class order).
        ignore_unknown: pixels of a colour that is not listed become ignored; else their file is refused.

    Returns:
        One line that says what was written.

    Raises:
        DatasetError: some masks could not be converted; unknown colours are listed with their number of pixels.
    """
    table = read_colors(data)

    def convert(file: Path, made: Path) -> None:
        if image_header(file).kind == "JPEG":
            raise ImageError(f"'{file}' is a JPEG: lossy compression changes colours. Save masks as PNG.")
        ids, unknown = ids_from_colors(read_image(file)[..., ::-1], table)
        if unknown and not ignore_unknown:
            raise DatasetError(f"'{file}' holds colours that '{data}' does not list: {_list(unknown)}.")
        write_ids(made, ids)

    files = find_files(source, IMG_FORMATS)
    return convert_files(convert, files, desc="Colours to ids", target=target, names=below(source, files))


def ids_to_colors(*, source: Path, target: Path, data: Path) -> str:
    """Turn a folder of class-id masks into RGB PNGs, to be looked at or for programs that need colours.

    Args:
        source: folder of class-id masks, searched with its subfolders.
        target: folder to write to.
        data: dataset YAML with `names` and `colors` (or a `palette` in class order); a class of several colours gets
            the first of them, an id that is no class the colour of `ignore`, else black.

    Returns:
        One line that says what was written.

    Raises:
        DatasetError: some masks could not be converted.
    """
    palette = _palette(read_colors(data))

    def convert(file: Path, made: Path) -> None:
        ids = np.minimum(read_ids(file), len(palette) - 1)
        write_image(made, palette[ids][..., ::-1])

    files = find_files(source, IMG_FORMATS)
    return convert_files(convert, files, desc="Ids to colours", target=target, names=below(source, files))


def ids_from_colors(
    image: np.ndarray, table: Mapping[Color, int | None]
) -> tuple[np.ndarray, dict[Color, int]]:  # fmt: skip
    """Look up the class of every pixel of a colour mask.

    Args:
        image: (H, W, 3) uint8 RGB.
        table: class id of each colour (red, green, blue), None for ignored.

    Returns:
        ids (H, W), uint8 with 255 for ignored and unknown, or uint16 with 65535 if there are ids above 254; and the
        number of pixels of each colour that is not in the table, the most frequent first.
    """
    ignore = 255 if max((number or 0 for number in table.values()), default=0) < 255 else 65535
    codes = image.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    present, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    ids = np.full(len(present), ignore, np.uint8 if ignore == 255 else np.uint16)
    unknown = {}
    for i, code in enumerate(present.tolist()):
        color = (code >> 16, code >> 8 & 255, code & 255)
        if color not in table:
            unknown[color] = int(counts[i])
        elif (number := table[color]) is not None:
            ids[i] = number
    ranked = dict(sorted(unknown.items(), key=lambda item: -item[1]))
    return ids[inverse].reshape(codes.shape), ranked


def _palette(table: Mapping[Color, int | None]) -> np.ndarray:
    """Colours (N + 1, 3) uint8 RGB of the ids; the last row is for everything that is no class."""
    size = max((number for number in table.values() if number is not None), default=-1) + 1
    palette = np.zeros((size + 1, 3), np.uint8)
    for color, number in reversed(list(table.items())):
        palette[size if number is None else number] = color
    return palette


def _list(unknown: Mapping[Color, int]) -> str:
    listed = ", ".join(f"{list(color)} ({count:,} pixels)" for color, count in list(unknown.items())[:_SHOWN])
    return listed + (f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else "")
