"""Tiles of an image too large for the network, and their logits put together again.

Tiles begin at multiples of the network's stride, so the logits of all of them fall on one lattice over the image. They
are joined there, eight times smaller than the image, and only then reduced to class ids: a seam can be no sharper than
the network's own outputs are. The lattice is made from top to bottom and handed on in bands; only the rows that later
tiles still touch are kept, so memory follows the width of the image and not its height.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from ultralytics.errors import ModelError
from ultralytics.utils.ops.letterbox import LetterboxGeometry, Window

_GAUSS_WIDTH = 1 / 8  # of a tile, as is usual for patch-wise prediction


@dataclass(frozen=True, slots=True)
class TileAxis:
    """How one side of an image is cut.

    Attributes:
        size: pixels of the image.
        tile: pixels of a tile; the last one may reach beyond the image, where it is padded.
        starts: first pixel of each tile, ascending.

    Example:
        >>> TileAxis.plan(1000, tile=512, overlap=0.25, stride=32)
        TileAxis(size=1000, tile=512, starts=(0, 384, 512))
    """

    size: int
    tile: int
    starts: tuple[int, ...]

    @classmethod
    def plan(cls, size: int, *, tile: int, overlap: float, stride: int, shrink: bool = True) -> TileAxis:
        """Cut a side so that every tile begins at a multiple of the stride and neighbours overlap enough.

        Args:
            size: pixels of the image, at least 1.
            tile: pixels of a tile, a multiple of the stride.
            overlap: least share of a tile that the next one covers too, in [0, 1).
            stride: largest stride of the network.
            shrink: an image smaller than a tile makes a smaller tile.
        """
        covered = math.ceil(size / stride) * stride
        if covered <= tile:
            return cls(size, covered if shrink else tile, (0,))
        step = max(math.floor(tile * (1 - overlap) / stride), 1) * stride
        # The last tile ends where the image does: its pixels are worth more than padding.
        return cls(size, tile, (*range(0, covered - tile, step), covered - tile))

    @property
    def covered(self) -> int:
        """Pixels that the tiles cover, padding included."""
        return self.starts[-1] + self.tile

    def shares(self, ratio: int, blend: str) -> list[Tensor]:
        """Say by how much each tile moves the lattice points below it from what earlier tiles said to what it says.

        Moving step by step gives the weighted mean, and leaves a point on which all tiles agree exactly as it is.

        Args:
            ratio: pixels between lattice points.
            blend: "none" takes a point from the tile in which it lies farthest from an edge; "linear" weighs by that
                distance; "gauss" by the distance to the centre, steeply. Edges of the image are no edges of a tile.

        Returns:
            One (tile // ratio,) float32 tensor in [0, 1] per tile; 1 where it is the first to have a say.
        """
        length = self.tile // ratio
        places = [slice(start // ratio, start // ratio + length) for start in self.starts]
        depths = [self._depth(number, length) for number in range(len(self.starts))]
        if blend == "none":
            deepest = torch.zeros(self.covered // ratio, dtype=torch.float64)
            weights = []
            for place, depth in zip(places, depths, strict=True):
                deepest[place] = torch.maximum(deepest[place], depth)
            for place, depth in zip(places, depths, strict=True):
                weights.append((depth == deepest[place]).double())
                deepest[place][weights[-1] > 0] = math.inf  # of equals, the first
        elif blend == "linear":
            weights = depths
        else:
            weights = [(-0.5 * ((length / 2 - depth) / (length * _GAUSS_WIDTH)) ** 2).exp() for depth in depths]
        total = torch.zeros(self.covered // ratio, dtype=torch.float64)
        shares = []
        for place, weight in zip(places, weights, strict=True):
            total[place] += weight
            shares.append(torch.where(weight > 0, weight / total[place], 0.0).float())
        return shares

    def _depth(self, number: int, length: int) -> Tensor:
        """Measure how far the lattice points of a tile are from its edges, at most half a tile."""
        place = torch.arange(length, dtype=torch.float64) + 0.5
        before = place if number > 0 else torch.full_like(place, math.inf)
        after = length - place if number < len(self.starts) - 1 else torch.full_like(place, math.inf)
        return torch.minimum(before, after).clamp(max=length / 2)


@dataclass(frozen=True, slots=True)
class TileGrid:
    """The tiles of an image, row by row."""

    rows: TileAxis
    columns: TileAxis

    @classmethod
    def plan(cls, size: tuple[int, int], *, tile: int, overlap: float, stride: int, shrink: bool = True) -> TileGrid:
        """Cut an image of (height, width); see `TileAxis.plan`."""
        return cls(*(TileAxis.plan(side, tile=tile, overlap=overlap, stride=stride, shrink=shrink) for side in size))

    def __len__(self) -> int:
        return len(self.rows.starts) * len(self.columns.starts)

    def windows(self) -> Iterator[Window]:
        """List the rows and columns of each tile, cut off where the image ends."""
        for top in self.rows.starts:
            for left in self.columns.starts:
                yield (
                    slice(top, min(top + self.rows.tile, self.rows.size)),
                    slice(left, min(left + self.columns.tile, self.columns.size)),
                )

    def ratio(self, logits: Tensor, stride: int) -> int:
        """Find how many pixels lie between the logits of a tile, (C, h, w).

        Raises:
            ModelError: the logits of neighbouring tiles do not fall on one lattice.
        """
        height, width = logits.shape[1:]
        ratio = self.rows.tile // height
        if (height * ratio, width * ratio) != (self.rows.tile, self.columns.tile) or stride % ratio:
            raise ModelError(
                f"The network makes {height}x{width} logits of a tile of {self.rows.tile}x{self.columns.tile}; tiles "
                f"can be joined where the ratio divides the stride {stride}. Predict without tile=."
            )
        return ratio


@dataclass(frozen=True, slots=True)
class Band:
    """Rows of the image for which all logits are known.

    Attributes:
        rows: rows of the image.
        logits: (1, C, h, w) part of the lattice, with the neighbouring rows that interpolation needs.
        ratio: pixels between lattice points.
        geometry: where the band lies on that part, as if it were an image that was padded and not resized.
    """

    rows: slice
    logits: Tensor
    ratio: int
    geometry: LetterboxGeometry

    @property
    def own(self) -> Tensor:
        """The part of the lattice over the band itself, without what interpolation needs beside it."""
        rows, columns = self.geometry.window
        begin, end, right = rows.start // self.ratio, -(-rows.stop // self.ratio), -(-columns.stop // self.ratio)
        return self.logits[:, :, begin:end, :right]


def stitch(grid: TileGrid, tiles: Iterable[Tensor], *, stride: int, blend: str) -> Iterator[Band]:
    """Join the logits of tiles and yield them in bands from top to bottom that together cover the image.

    Reducing each band gives the same as reducing the whole lattice: a band begins and ends at a lattice row's edge, and
    holds one more row above and below.

    Args:
        grid: how the image is cut.
        tiles: (C, h, w) logits of each tile, row by row.
        stride: largest stride of the network.
        blend: how overlapping tiles are joined: "none", "linear", "gauss"; see `TileAxis.shares`.

    Raises:
        ModelError: the logits of neighbouring tiles do not fall on one lattice.
    """
    source = iter(tiles)
    lattice = None
    for row in range(len(grid.rows.starts)):
        side_by_side = list(islice(source, len(grid.columns.starts)))
        lattice = lattice or _Lattice(grid, grid.ratio(side_by_side[0], stride), blend)
        lattice.add(row, side_by_side)
        if (band := lattice.band(row)) is not None:
            yield band


class _Lattice:
    """The rows of the lattice that are still needed.

    `open` holds them from row `top` on; image rows over lattice rows before `done` have been handed on.
    """

    def __init__(self, grid: TileGrid, ratio: int, blend: str) -> None:
        self.grid, self.ratio = grid, ratio
        self.down = grid.rows.shares(ratio, blend)
        self.across = grid.columns.shares(ratio, blend)
        self.height, self.width = grid.rows.covered // ratio, grid.columns.covered // ratio
        self.top = self.done = 0
        self.open: Tensor | None = None

    def add(self, row: int, tiles: list[Tensor]) -> None:
        """Lay a row of tiles (C, h, w) onto the lattice."""
        channels, height, width = tiles[0].shape
        strip = tiles[0].new_zeros(channels, height, self.width)
        for left, share, tile in zip(self.grid.columns.starts, self.across, tiles, strict=True):
            place = left // self.ratio
            _mix(strip[:, :, place : place + width], tile, share, dim=2)
        below = self.grid.rows.starts[row] // self.ratio - self.top
        if self.open is None:
            self.open = strip
            return
        fresh = below + height - self.open.shape[1]
        self.open = torch.cat([self.open, strip.new_zeros(channels, fresh, self.width)], dim=1)
        _mix(self.open[:, below:], strip, self.down[row], dim=1)

    def band(self, row: int) -> Band | None:
        """Hand on what the tiles below the given row of tiles leave alone; None if that is nothing yet."""
        if self.open is None:
            return None
        last = row == len(self.grid.rows.starts) - 1
        # The pixels over the last finished row reach into the next one, which is not finished.
        stop = self.height if last else self.grid.rows.starts[row + 1] // self.ratio - 1
        if stop <= self.done:
            return None
        begin, end = max(self.done - 1, 0), min(stop + 1, self.height)
        rows = slice(self.done * self.ratio, min(stop * self.ratio, self.grid.rows.size))
        logits = self.open[None, :, begin - self.top : end - self.top]
        size = rows.stop - rows.start, self.grid.columns.size
        above = rows.start - begin * self.ratio
        geometry = LetterboxGeometry.padded(
            size,
            top=above,
            bottom=(end - begin) * self.ratio - above - size[0],
            right=self.width * self.ratio - size[1],
        )
        self.done = stop
        keep = max(stop - 1, 0)
        self.open = self.open[:, keep - self.top :]
        self.top = keep
        return Band(rows, logits, self.ratio, geometry)


def _mix(target: Tensor, values: Tensor, share: Tensor, *, dim: int) -> None:
    """Move `target` (C, h, w) towards `values` by a share (n,) along `dim`; where that is 0, `values` are ignored."""
    touched = torch.nonzero(share)[:, 0]
    if not len(touched):
        return
    begin, count = int(touched[0]), int(touched[-1] - touched[0]) + 1
    target, values, share = target.narrow(dim, begin, count), values.narrow(dim, begin, count), share[begin:][:count]
    if bool((share == 1).all()):
        target.copy_(values)
    else:
        target.lerp_(values, share.view(-1, *[1] * (2 - dim)).to(target))
