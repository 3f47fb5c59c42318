"""Cells of a grid of logits, the pixels in them, and which classes can win there.

Within a cell no class is below its lowest corner nor above its highest. Where the corners agree on the class, every
pixel between them has it, and elsewhere most classes are out of the running: two or three are left as a rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ultralytics.nn.kernels.interpolation import Taps

BATCH = 1 << 17
"""Pixels that are computed at once: few enough for a cache near the core, enough to be worth the calls."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The intervals between neighbouring logits along one axis, or pieces of them, and the pixels in each.

    Attributes:
        low: (N,) logit at one end.
        high: (N,) logit at the other.
        pixels: (p, N) pixels of the map in each, the last one repeated where a cell has fewer than p.
        weight: (p, N) share of `high` in each.
        blocks: how many of these, one after the other, make up a cell.
    """

    low: Tensor
    high: Tensor
    pixels: Tensor
    weight: Tensor
    blocks: int = 1

    @classmethod
    def from_taps(cls, axis: Taps) -> Cells:
        """Find the cells under the pixels of an axis."""
        # Pixels outside the first logit's centre share its taps with the first interval, but would double its height.
        outside = (axis.low == 0) & (axis.weight == 0)
        first, count = runs(axis.low - outside.long())
        within = torch.arange(int(count.max()), device=first.device)
        pixels = first + torch.minimum(within[:, None], count - 1)
        return cls(axis.low[first], axis.high[first], pixels, axis.weight[pixels])

    def __len__(self) -> int:
        return len(self.low)

    def split(self, length: int) -> Cells:
        """Cut each cell into equally many blocks of at most `length` pixels, one after the other."""
        height = len(self.pixels)
        count = -(-height // length)
        size = -(-height // count)
        index = torch.arange(count * size, device=self.low.device).clamp_(max=height - 1)
        ends = (self.low.repeat_interleave(count), self.high.repeat_interleave(count))
        pixels, weight = (
            values[index].view(count, size, -1).permute(1, 2, 0).reshape(size, -1)
            for values in (self.pixels, self.weight)
        )
        return Cells(*ends, pixels, weight, count)

    def frame(self) -> Tensor:
        """Return the weights of the first and the last pixel of each block of a cell, (2 * blocks, cells)."""
        ends = torch.stack([self.weight[0], self.weight[-1]]).view(2, -1, self.blocks)
        return ends.permute(2, 0, 1).reshape(2 * self.blocks, -1)

    def shift(self, offset: int) -> Cells:
        """Count pixels from elsewhere."""
        return replace(self, pixels=self.pixels + offset)

    def owner(self, length: int) -> Tensor:
        """Tell which of these each of the `length` pixels of the axis lies in."""
        result = torch.empty(length, dtype=torch.long, device=self.low.device)
        result[self.pixels] = torch.arange(len(self), device=self.low.device).expand_as(self.pixels)
        return result


def runs(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return where each run of equal values starts and how long it is."""
    _, count = torch.unique_consecutive(values, return_counts=True)
    return count.cumsum(0) - count, count


def boundary(ids: Tensor, rows: Cells, columns: Cells) -> Tensor:
    """Find the cells, (N, 2) row and column, whose four corners in `ids` (n, m) differ."""
    top, bottom = ids.index_select(0, rows.low), ids.index_select(0, rows.high)
    upright, level = top == bottom, top[:, columns.low] == top[:, columns.high]
    return torch.nonzero(~(level & upright[:, columns.low] & upright[:, columns.high]))


@dataclass(frozen=True, slots=True)
class BoundaryCells:
    """Some cells, or blocks of cells, and the classes that can win there; those with more of them come first.

    Attributes:
        row: (N,) index of the block among the rows of blocks.
        column: (N,) the same among columns.
        cell: (N,) the cell that it is a part of, which the next two are about.
        classes: (K, cells) ascending ids; a cell with fewer has them in front.
        corners: (2, 2, K, cells) their logits at the top left, top right, bottom left and bottom right.
        running: how many blocks have more than 0, 1, ... classes, as far as there are any.
    """

    row: Tensor
    column: Tensor
    cell: Tensor
    classes: Tensor
    corners: Tensor
    running: tuple[int, ...]

    @classmethod
    def from_logits(
        cls, logits: Tensor, cells: Tensor, rows: Cells, columns: Cells, dtype: torch.dtype
    ) -> BoundaryCells:
        """Find what decides some cells.

        Args:
            logits: (C, n, m) finite, of any strides.
            cells: (N, 2) row and column of the cells.
            rows: the rows of cells.
            columns: the columns of cells.
            dtype: type of class ids.
        """
        i, j = cells.T
        y = torch.cat([rows.low[i], rows.low[i], rows.high[i], rows.high[i]])
        x = torch.cat([columns.low[j], columns.high[j]]).repeat(2)
        # Classes last, as channels_last logits are, or nearly so.
        corners = logits.permute(1, 2, 0)[y, x].float().view(4, len(i), -1)
        able = corners.amax(0) >= corners.amin(0).amax(1, keepdim=True)
        count, order = able.sum(1).sort(descending=True)
        cell, found = torch.nonzero(able[order]).T
        rank = torch.arange(len(cell), device=cell.device) - (count.cumsum(0) - count)[cell]
        most = int(count[0])
        classes = found.new_zeros(most, len(i))
        classes[rank, cell] = found
        values = corners.view(4, -1).gather(1, (order * len(logits) + classes).view(1, -1).expand(4, -1))
        running = (count > torch.arange(most, device=count.device)[:, None]).sum(1)
        index = torch.arange(len(i), device=i.device)
        return cls(i[order], j[order], index, classes.to(dtype), values.view(2, 2, most, -1), tuple(running.tolist()))

    def parts(self, size: int) -> Iterator[BoundaryCells]:
        """Cut into contests of at most `size` cells."""
        if len(self.row) <= size:
            yield self
            return
        for start in range(0, len(self.row), size):
            part = slice(start, start + size)
            running = tuple(min(count - start, size) for count in self.running if count > start)
            yield replace(self, row=self.row[part], column=self.column[part], cell=self.cell[part], running=running)

    def split(self, rows: Cells, columns: Cells, ids: Tensor, threshold: float) -> Iterator[BoundaryCells]:
        """Cut the cells into blocks, of which those with corners that differ in class remain.

        Args:
            rows: the rows of blocks.
            columns: the columns of blocks.
            ids: (rows, columns) class of each block; those of blocks that are decided are written.
            threshold: as for `winners`.
        """
        below, right = rows.frame(), columns.frame()
        for part in self.parts(max(1, BATCH // (len(below) * len(right)))):
            frame = part.winners(below[:, part.row], right[:, part.column], threshold)
            frame = frame.view(rows.blocks, 2, columns.blocks, 2, -1)
            first = frame[:, 0, :, 0]
            differ = ((frame[:, 0, :, 1] != first) | (frame[:, 1, :, 0] != first)).logical_or_(
                frame[:, 1, :, 1] != first
            )
            row = part.row * rows.blocks + torch.arange(rows.blocks, device=ids.device)[:, None]
            column = part.column * columns.blocks + torch.arange(columns.blocks, device=ids.device)[:, None]
            ids[row[:, None], column] = first
            cell, i, j = torch.nonzero(differ.permute(2, 0, 1)).T.contiguous()
            if len(cell):
                running = torch.searchsorted(cell, torch.tensor(part.running, device=cell.device))
                running = running[running > 0]
                yield replace(
                    part,
                    row=row[i, cell],
                    column=column[j, cell],
                    cell=part.cell[cell],
                    running=tuple(running.tolist()),
                )

    def fill(self, rows: Cells, columns: Cells, image: Tensor, threshold: float) -> None:
        """Write the class of every pixel of the cells into a contiguous map (H, W)."""
        lines = rows.pixels * image.shape[1]
        for part in self.parts(max(1, BATCH // (len(rows.pixels) * len(columns.pixels)))):
            ids = part.winners(rows.weight[:, part.row], columns.weight[:, part.column], threshold)
            place = lines[:, None, part.row] + columns.pixels[:, part.column]
            image.view(-1).scatter_(0, place.flatten(), ids.flatten())

    def winners(self, below: Tensor, right: Tensor, threshold: float) -> Tensor:
        """Decide pixels of every cell.

        Args:
            below: (p, N) share of the bottom corners in each row of pixels.
            right: (q, N) share of the right corners in each column of pixels.
            threshold: logit above which a single channel means class 1.

        Returns:
            (p, q, N) class ids.
        """
        corners = self.corners[:, :, : len(self.running), None, self.cell]
        classes = self.classes[: len(self.running), self.cell]
        left, step = corners[:, 0], corners[:, 1] - corners[:, 0]
        top, down = (step * right).add_(left)
        down -= top
        below = below[:, None]
        best = torch.mul(down[0], below).add_(top[0])
        if len(self.running) == 1:
            return (best > threshold).to(classes.dtype)
        ids = classes[0].expand_as(best).contiguous()
        for base, slope, class_id, count in zip(top[1:], down[1:], classes[1:], self.running[1:], strict=True):
            z = torch.mul(slope[:, :count], below[..., :count]).add_(base[:, :count])
            leader, winner = best[..., :count], ids[..., :count]
            # Ids ascend, so the last class to take the lead has the highest; `where` is several times slower.
            torch.maximum(winner, (z > leader).view(torch.uint8).mul(class_id[:count]), out=winner)
            torch.maximum(leader, z, out=leader)
        return ids
