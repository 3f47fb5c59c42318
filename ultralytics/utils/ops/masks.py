"""Regions of pixels in their other forms: polygons with holes, and run lengths (COCO's RLE).

Polygons follow the edges of pixels, not their centres: the polygon of a single pixel is a square of area 1, and filling
takes the pixels whose centre lies inside. Under this rule both directions are exact: the outline of a region, filled
again, is the region.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import cv2
import numpy as np

from ultralytics.errors import DatasetError

_DIRECTIONS = np.array([[3, 2, 1], [4, -1, 0], [5, 6, 7]])
"""Number of the step (dx, dy) at [dy + 1, dx + 1], counted anticlockwise on the screen from the step to the right."""

_EDGE_STARTS = np.array([[1, 1], [1, 0], [0, 0], [0, 1]], np.int32)
"""Corner (x, y) of pixel (0, 0) where its right, upper, left, lower edge begins on an anticlockwise walk around it."""


class Polygon(NamedTuple):
    """An outline and the outlines of the holes in it.

    Attributes:
        exterior: (N, 2) int32 corners x, y on pixel edges: 0..width, 0..height.
        holes: the same for each hole; a hole may touch the exterior in a corner.
    """

    exterior: np.ndarray
    holes: list[np.ndarray]

    @property
    def area(self) -> float:
        """Area in pixels, without the holes."""
        return ring_area(self.exterior) - sum(ring_area(hole) for hole in self.holes)


class RLE(TypedDict):
    """Run lengths as COCO stores them: column by column, the first run is of zeros."""

    size: list[int]
    counts: str | list[int]


def ring_area(ring: np.ndarray) -> float:
    """Area enclosed by (N, 2) corners of a closed line, whichever way around it goes."""
    x, y = np.asarray(ring, np.float64).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def fill_rings(ids: np.ndarray, rings: Sequence[np.ndarray], value: int) -> None:
    """Write `value` into each pixel of (H, W) `ids` whose centre lies inside an odd number of the rings.

    A centre that lies on a line belongs to the region on its right, or below: polygons with a common border neither
    overlap nor leave a gap.

    Args:
        ids: changed in place.
        rings: (N, 2) corners x, y of closed lines, on the scale of pixel edges; parts outside the map are cut off.
        value: what is written.
    """
    height, width = ids.shape
    start = np.concatenate(rings).astype(np.float64)
    end = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings]).astype(np.float64)
    left, top = np.clip(np.ceil(start.min(0) - 0.5), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(start.max(0) - 0.5), 0, (width, height)).astype(int)
    if left >= right or top >= bottom:
        return

    first, last = np.clip(np.ceil(np.sort([start[:, 1], end[:, 1]], axis=0) - 0.5), top, bottom).astype(int)
    counts = last - first  # rows whose centre line this side crosses
    side = np.repeat(np.arange(len(counts)), counts)
    row = np.arange(len(side)) - np.repeat(np.cumsum(counts) - counts, counts) + first[side]
    (x, y), (dx, dy) = start[side].T, (end - start)[side].T
    column = np.clip(np.ceil(x + (row + 0.5 - y) * dx / dy - 0.5), left, right).astype(int)

    crossings = np.zeros((bottom - top, right - left + 1), np.uint8)
    np.add.at(crossings, (row - top, column - left), 1)  # 256 crossings wrap to 0: still even
    inside = np.add.accumulate(crossings[:, :-1], axis=1, dtype=np.uint8) & 1
    ids[top:bottom, left:right][inside.view(bool)] = value


def polygons_to_class_map(
    polygons: Sequence[np.ndarray],
    classes: Sequence[int],
    shape: tuple[int, int],
    *,
    background: int,
    dtype: type[np.unsignedinteger] = np.uint8,
) -> np.ndarray:
    """Draw labelled polygons into an (H, W) map of class ids, larger ones first, so that small objects stay visible.

    Labels are not filled by the rule of this module: label tools write contours through pixel centres, and a person's
    thin outline should not vanish, so corners are rounded to pixels and those on the line count as inside.

    Args:
        polygons: (N, 2) corners x, y in pixels, 0..width and 0..height, or (height, width) bool masks.
        classes: the id of each.
        shape: (height, width).
        background: id of what no polygon covers.
        dtype: uint8 or uint16.
    """
    ids = np.full(shape, background, dtype)
    for index in sorted(range(len(polygons)), key=lambda index: -drawn_area(polygons[index])):
        if polygons[index].dtype == bool:
            ids[polygons[index]] = classes[index]
        else:
            cv2.fillPoly(ids, [np.round(polygons[index]).astype(np.int32)], classes[index])
    return ids


def drawn_area(drawing: np.ndarray) -> float:
    """Area in pixels of an (H, W) bool mask or of a polygon of (N, 2) corners."""
    return float(np.count_nonzero(drawing)) if drawing.dtype == bool else ring_area(drawing)


def mask_to_polygons(mask: np.ndarray, *, simplify: float = 0.0, min_area: float = 0.0) -> list[Polygon]:
    """Outline the regions of a mask; pixels that touch in a corner are one region.

    Args:
        mask: (H, W) bool, or anything whose non-zero pixels count.
        simplify: greatest distance in pixels by which a line may leave the true outline; at 0 it is exact.
        min_area: regions of fewer pixels are left out.
    """
    contours, hierarchy = cv2.findContours((mask != 0).view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return []
    rings = _outer_edges(contours)
    if simplify > 0:
        rings = [cv2.approxPolyDP(ring[:, None], simplify, closed=True)[:, 0] for ring in rings]
    parents = hierarchy[0, :, 3].tolist()
    polygons = {index: Polygon(ring, []) for index, ring in enumerate(rings) if parents[index] < 0 and len(ring) > 2}
    for ring, parent in zip(rings, parents, strict=True):
        if parent in polygons and len(ring) > 2:
            polygons[parent].holes.append(ring)
    return [polygon for polygon in polygons.values() if polygon.area >= min_area]


def _outer_edges(contours: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Turn OpenCV's contours, which step from pixel centre to pixel centre, into lines along the edges of these pixels.

    A contour is walked with the outside on its right hand. Looking around from a pixel, anticlockwise from the one the
    walk came from to the one it goes to, there are only outside pixels; each that shares an edge contributes it.
    """
    lengths = np.array([len(contour) for contour in contours])
    pixel = np.concatenate(contours)[:, 0]
    ring = np.repeat(np.arange(len(lengths)), lengths)
    before, after = _neighbours(lengths)
    dx, dy = (pixel[after] - pixel).T
    leaves = _DIRECTIONS[dy + 1, dx + 1]
    back = (leaves[before] + 4) % 8
    turn = (leaves - back - 1) % 8 + 1
    alone = lengths[ring] == 1
    back[alone], turn[alone] = 1, 8

    # Edges have even directions; at most four come after `back`, of which those before `back + turn` are crossed.
    edge = (back // 2 * 2 + 2)[:, None] + np.arange(0, 8, 2)
    crossed = edge < (back + turn)[:, None]
    heading = edge[crossed] % 8 // 2
    owner, _ = np.nonzero(crossed)
    edges = np.bincount(ring[owner], minlength=len(lengths))
    corner = np.flatnonzero(heading != heading[_neighbours(edges)[0]])
    points = pixel[owner[corner]] + _EDGE_STARTS[heading[corner]]
    corners = np.bincount(ring[owner[corner]], minlength=len(lengths))
    return np.split(points, np.cumsum(corners)[:-1])


def _neighbours(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the previous and next item of each, for closed chains of these lengths laid end to end."""
    index = np.arange(lengths.sum())
    ends = np.cumsum(lengths)
    before, after = index - 1, index + 1
    before[ends - lengths], after[ends - 1] = ends - 1, ends - lengths
    return before, after


def rle_counts(mask: np.ndarray) -> np.ndarray:
    """Lengths of the runs of equal pixels in a mask, column by column, beginning with the zeros (maybe none)."""
    flat = np.ravel(mask != 0, order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0] if not flat.size or not flat[0] else [0, 0], changes, [flat.size]])
    return np.diff(starts)


def rle_encode(mask: np.ndarray, *, compress: bool = True) -> RLE:
    """Write an (H, W) mask as COCO's run lengths.

    Args:
        mask: bool, or anything whose non-zero pixels count.
        compress: give the counts as COCO's ASCII string, else as a list of numbers.
    """
    counts = rle_counts(mask)
    return {"size": [int(side) for side in mask.shape], "counts": _to_text(counts) if compress else counts.tolist()}


def rle_decode(rle: RLE) -> np.ndarray:
    """Read COCO's run lengths, compressed or not, as an (H, W) bool mask.

    Raises:
        DatasetError: the runs do not fill the mask.
    """
    (height, width), counts = rle["size"], rle["counts"]
    runs = _from_text(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
    if (runs < 0).any() or runs.sum() != height * width:
        raise DatasetError(
            f"Run lengths for a mask of {height}x{width} add up to {runs.sum()}, not to {height * width} pixels. "
            "Check the RLE's 'size' and 'counts'."
        )
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape((height, width), order="F")


def _to_text(counts: np.ndarray) -> str:
    """Compress run lengths: differences to the run two before, in base 32, least digit first.

    Bit 5 of a digit says that another one follows, bit 4 of the last one is the sign; 48 is added to make it printable.
    """
    values = counts.copy()
    values[3:] -= counts[1:-2]
    digits = []
    going = np.ones(len(values), bool)
    while going.any():
        digit = values & 31
        values >>= 5
        follows = going & (values != np.where(digit & 16, -1, 0))
        digits.append(np.where(going, digit + 32 * follows + 48, 0))
        going = follows
    text = np.stack(digits, axis=1).ravel()
    return text[text > 0].astype(np.uint8).tobytes().decode("ascii")


def _from_text(text: str) -> np.ndarray:
    """Undo `_to_text`."""
    digits = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    last = np.flatnonzero(digits < 32)
    lengths = np.diff(last, prepend=-1)
    digits = digits[: lengths.sum()]
    place = np.arange(len(digits)) - np.repeat(last - lengths + 1, lengths)
    starts = last - lengths + 1
    values = np.add.reduceat((digits & 31) << 5 * place, starts) if len(starts) else np.zeros(0, np.int64)
    values -= np.where(digits[last] & 16, 1 << 5 * lengths, 0)
    values[1::2], values[2::2] = np.cumsum(values[1::2]), np.cumsum(values[2::2])
    return values
