"""From logits at the network's stride to class maps of any size: exact, fast, in little memory.

The map is the arg-max of bilinearly upsampled logits (`align_corners=False`), but the upsampled logits are never made.
Bilinear interpolation is a convex combination of the four logits around a pixel, so where these agree on the class,
every pixel between them has it. Only the cells that a class boundary crosses need arithmetic, and there only the
classes that can win. Where many cells are such (noise), all pixels are computed instead, tile by tile.

Peak memory beyond logits and result stays below 64 MiB on a CPU, at any size and number of classes.

What equals what: a computed pixel is lerp(lerp(top), lerp(bottom)) in float32, whatever the dtype of the logits and
whichever way it was reached. `interpolate(...).argmax(1)` gives the same map but for pixels where two classes tie to
within the rounding of that sum. Exact ties go to the first class, and NaN counts as the maximum, as with `argmax`.

Letters in shapes: B images, C classes, (h, w) logits, (H, W) map, (n, m) logits beneath a tile; N cells, each p rows of
q pixels, and the K classes that can win in one of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ultralytics.errors import ModelError
from ultralytics.nn.kernels.interpolation import Taps, taps
from ultralytics.nn.kernels.parallel import available_workers, deal, run_shares

CPU_BUFFER = 1 << 20
"""Numbers in one kind of working buffer on a CPU, all workers together: 4 MiB, which its cache holds."""

DEVICE_BUFFER = 1 << 24
"""The same on an accelerator: 64 MiB, enough to keep it busy."""

MAX_WORKERS = 4
"""Threads at most, since each has a part of the buffers only."""

MIN_PIXELS = 1 << 18
"""Pixels that are worth a thread of their own."""

MIN_PART = 1 << 11
"""Pixels whose logits must fit a worker's buffer: with fewer, calling torch costs more than what it does."""

MAX_BOUNDARY = 0.35
"""Share of boundary cells above which computing every pixel of a tile is faster."""

Tile = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class ClassMapResult:
    """A class map and, where asked for, how sure it is.

    Attributes:
        ids: (B, H, W) class ids: uint8 up to 256 classes, int16 up to 32768, else int32; {0, 1} of a single channel.
        confidence: (B, H, W) float16 probability of the class in `ids`, in [0, 1].
        entropy: (B, H, W) float16 entropy of the class probabilities over its maximum, in [0, 1].
    """

    ids: Tensor
    confidence: Tensor | None = None
    entropy: Tensor | None = None


@torch.no_grad()
def class_map(
    logits: Tensor,
    size: tuple[int, int],
    *,
    region: tuple[float, float, float, float] | None = None,
    threshold: float = 0.0,
    confidence: bool = False,
    entropy: bool = False,
    temperature: float = 1.0,
) -> ClassMapResult:
    """Reduce logits to class ids at another size, in one interpolation.

    Args:
        logits: (B, C, h, w) floating point; one channel is a binary problem.
        size: (height, width) of the map.
        region: (top, left, height, width) of the part of the logits that the map shows, in pixels of the logits and not
            necessarily whole, so that removing a letterbox and resizing to the source are one step. None for all.
        threshold: logit above which a single channel means class 1.
        confidence: also return the probability of the class of every pixel; costs an exponential per pixel and class.
        entropy: also return the entropy of every pixel, at the same cost.
        temperature: what logits are divided by before they become probabilities, > 0; ids do not depend on it.

    Raises:
        ModelError: the logits are not (B, C, h, w), or size, region or temperature are not above 0.

    Example:
        >>> class_map(torch.tensor([[[[0.0, 2.0]], [[1.0, 1.0]]]]), (1, 4)).ids
        tensor([[[1, 1, 0, 0]]], dtype=torch.uint8)
    """
    if logits.ndim != 4 or min(logits.shape[1:]) < 1:
        raise ModelError(f"A class map needs logits of shape (B, C, h, w), not {tuple(logits.shape)}.")
    top, left, height, width = (0.0, 0.0, *logits.shape[2:]) if region is None else region
    if min(*size, height, width, temperature) <= 0:
        raise ModelError(f"Size {size}, region {region} and temperature {temperature} of a class map must be above 0.")
    rows = taps(size[0], logits.shape[2], start=top, length=height)
    columns = taps(size[1], logits.shape[3], start=left, length=width)

    def empty(dtype: torch.dtype) -> Tensor:
        return torch.empty(len(logits), *size, dtype=dtype, device=logits.device)

    ids = empty(_id_type(logits.shape[1]))
    sure, doubt = empty(torch.float16) if confidence else None, empty(torch.float16) if entropy else None
    workers, budget = _workers(logits, ids.numel())

    def reduce(share: Sequence[tuple[int, Tile]]) -> None:
        reduction = _Reduction(rows, columns, logits, threshold, budget)
        for image, tile in share:
            patch = reduction.patch(logits[image], tile)
            reduction.classify(patch, ids[image])
            if confidence or entropy:
                targets = [None if result is None else result[image][tile] for result in (sure, doubt)]
                reduction.rate(patch, temperature, *targets)

    tiles = list(_tiles(size, _tile_area(rows, columns, logits.shape[1], budget)))
    work = [(image, tile) for image in range(len(logits)) for tile in tiles]
    run_shares(reduce, deal(work, workers), logits.device)
    return ClassMapResult(ids, sure, doubt)


def _id_type(num_classes: int) -> torch.dtype:
    if num_classes <= 256:
        return torch.uint8
    return torch.int16 if num_classes <= 1 << 15 else torch.int32


def _workers(logits: Tensor, pixels: int) -> tuple[int, int]:
    """Choose how many threads to use and how large a buffer each has, in numbers."""
    if logits.device.type != "cpu":
        return 1, DEVICE_BUFFER
    most = (
        available_workers(logits.device),
        MAX_WORKERS,
        pixels // MIN_PIXELS,
        CPU_BUFFER // (logits.shape[1] * MIN_PART),
    )
    workers = max(1, min(most))
    return workers, CPU_BUFFER // workers


def _tiles(size: tuple[int, int], area: int) -> Iterator[Tile]:
    """Cut a map into tiles of at most `area` pixels, as wide as leaves them 64 rows: rows are what is contiguous."""
    width = min(size[1], max(512, area // 64), area)
    height = max(1, area // width)
    for top in range(0, size[0], height):
        for left in range(0, size[1], width):
            yield slice(top, min(top + height, size[0])), slice(left, min(left + width, size[1]))


def _tile_area(rows: Taps, columns: Taps, num_classes: int, budget: int) -> int:
    """Choose how many pixels to classify at once, so that neither they nor the logits beneath exceed the budget."""
    beneath = num_classes * math.prod(int(axis.high[-1] - axis.low[0]) + 1 for axis in (rows, columns))
    return max(1, min(budget, budget * len(rows) * len(columns) // beneath))


@dataclass(frozen=True, slots=True)
class _Patch:
    """A tile of the map, the logits (C, n, m) beneath it, and its taps on them."""

    tile: Tile
    logits: Tensor
    rows: Taps
    columns: Taps


@dataclass(frozen=True, slots=True)
class _Cells:
    """The intervals between neighbouring logits along one axis, and the pixels in them.

    Attributes:
        low: (N,) logit at one end.
        high: (N,) logit at the other.
        pixels: (N, p) pixels of the map in each, the last one repeated where a cell has fewer than p.
        weight: (N, p) share of `high` in each.
    """

    low: Tensor
    high: Tensor
    pixels: Tensor
    weight: Tensor

    def take(self, index: Tensor) -> _Cells:
        """Select cells, with repetition."""
        return _Cells(self.low[index], self.high[index], self.pixels[index], self.weight[index])


def _groups(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return where each run of equal values starts and how long it is."""
    _, count = torch.unique_consecutive(values, return_counts=True)
    return count.cumsum(0) - count, count


def _cells(axis: Taps, start: int) -> _Cells:
    # Pixels outside the first logit's centre share its taps with the first interval, but would double its height.
    outside = (axis.low == 0) & (axis.weight == 0)
    first, count = _groups(axis.low - outside.long())
    within = torch.arange(int(count.max()), device=first.device)
    pixels = first[:, None] + torch.minimum(within, count[:, None] - 1)
    return _Cells(axis.low[first], axis.high[first], pixels + start, axis.weight[pixels])


def _boundary(corners: Tensor, rows: _Cells, columns: _Cells) -> Tensor:
    """Find the cells (N, 2) whose four corner classes differ."""
    top, bottom = corners.index_select(0, rows.low), corners.index_select(0, rows.high)
    upright, level = top == bottom, top[:, columns.low] == top[:, columns.high]
    return torch.nonzero(~(level & upright[:, columns.low] & upright[:, columns.high]))


class _Reduction:
    """What tiles have in common: the geometry of the map, and scratch buffers, as fresh memory costs more than sums."""

    def __init__(self, rows: Taps, columns: Taps, logits: Tensor, threshold: float, budget: int) -> None:
        self.rows, self.columns, self.threshold, self.device = rows, columns, threshold, logits.device
        self.classes = logits.shape[1]
        self.budget = max(budget, self.classes)
        self.buffers = torch.empty(3, self.budget, device=self.device)
        self.countdown = torch.arange(self.classes, 0, -1, dtype=torch.float32, device=self.device)

    def scratch(self, number: int, *shape: int) -> Tensor:
        """Return a buffer as a tensor of this shape; what it held is lost."""
        if math.prod(shape) > self.budget:
            return torch.empty(shape, device=self.device)
        return self.buffers[number, : math.prod(shape)].view(shape)

    def patch(self, plane: Tensor, tile: Tile) -> _Patch:
        """Cut out what one tile needs."""
        rows, columns = self.rows[tile[0]], self.columns[tile[1]]
        logits = plane[:, rows.span(), columns.span()]
        if logits.dtype != torch.float32 or not logits.is_contiguous():
            logits = self.scratch(2, *logits.shape).copy_(logits)
        rows, columns = rows.shift(-rows.span().start), columns.shift(-columns.span().start)
        return _Patch(tile, logits, rows.to(self.device), columns.to(self.device))

    def classify(self, patch: _Patch, image: Tensor) -> None:
        """Write the class ids of a tile into the map (H, W)."""
        corners = self.decide(self.scratch(0, *patch.logits.shape).copy_(patch.logits)).to(image.dtype)
        rows, columns = _cells(patch.rows, patch.tile[0].start), _cells(patch.columns, patch.tile[1].start)
        boundary = _boundary(corners, rows, columns)
        if len(boundary) > MAX_BOUNDARY * len(rows.low) * len(columns.low):
            for part in self.parts(patch):
                image[patch.tile][part] = self.decide(self.upsample(patch, part))
            return
        image[patch.tile] = _repeat(corners, patch.columns.low).index_select(0, patch.rows.low)
        step = max(1, self.budget // (4 * self.classes))
        for start in range(0, len(boundary), step):
            i, j = boundary[start : start + step].T
            self.classify_cells(patch.logits, rows.take(i), columns.take(j), image)

    def classify_cells(self, logits: Tensor, rows: _Cells, columns: _Cells, image: Tensor) -> None:
        """Write the class ids of the pixels of some cells into the map."""
        ends = [y * logits.shape[2] + x for y in (rows.low, rows.high) for x in (columns.low, columns.high)]
        corners = torch.stack([logits.flatten(1).index_select(1, end) for end in ends])
        # Within a cell a class is nowhere below its lowest corner nor above its highest.
        beaten = corners.amax(0) < corners.amin(0).amax(0)
        kept = torch.nonzero(~beaten.all(1))[:, 0]
        top_left, top_right, bottom_left, bottom_right = corners.index_select(1, kept)
        right, below = columns.weight.T, rows.weight.T
        top = (top_right - top_left)[:, None] * right + top_left[:, None]
        down = ((bottom_right - bottom_left)[:, None] * right + bottom_left[:, None]).sub_(top)
        place = rows.pixels.T[:, None] * image.shape[1] + columns.pixels.T
        step = max(1, self.budget // (len(kept) * len(right) * len(below)))
        for start in range(0, len(rows.low), step):
            part = slice(start, start + step)
            z = self.scratch(0, len(kept), *place[..., part].shape)
            torch.mul(down[:, None, :, part], below[:, None, part], out=z).add_(top[:, None, :, part])
            ids = self.decide(z, kept).to(image.dtype)
            image.view(-1).scatter_(0, place[..., part].flatten(), ids.flatten())

    def decide(self, z: Tensor, kept: Tensor | None = None) -> Tensor:
        """Return the class of each logit vector along the first dimension; what is in `z` is lost.

        Args:
            z: logits of the classes in `kept`, first dimension.
            kept: ascending class ids; None for all.
        """
        if self.classes == 1:
            return (z[0] > self.threshold).view(torch.uint8)
        best = z.amax(0) if self.device.type == "cpu" else None
        if best is None or best.isnan().any():
            ids = z.argmax(0)
            return ids if kept is None else kept[ids]
        # Mark the maxima, number the classes downwards, take the highest: on a CPU ten times faster than argmax.
        countdown = self.countdown if kept is None else self.countdown[kept]
        return self.classes - z.eq_(best).mul_(countdown.view(-1, *[1] * best.ndim)).amax(0)

    def parts(self, patch: _Patch) -> Iterator[Tile]:
        """Cut a tile into parts whose upsampled logits fit a buffer."""
        return _tiles((len(patch.rows), len(patch.columns)), self.budget // self.classes)

    def upsample(self, patch: _Patch, part: Tile) -> Tensor:
        """Compute the logits (C, rows, columns) of some of a tile's pixels, in buffer 0."""
        rows, columns = patch.rows[part[0]], patch.columns[part[1]]
        source = rows.span()
        logits = patch.logits[:, source]
        left = _repeat(logits, columns.low)
        across = _repeat(logits, columns.high).sub_(left).mul_(columns.weight).add_(left)
        z = self.scratch(0, self.classes, len(rows), len(columns))
        first, count = _groups(rows.low)
        ends = zip((rows.low[first] - source.start).tolist(), (rows.high[first] - source.start).tolist(), strict=True)
        pieces = zip(rows.weight.split(count.tolist()), z.split(count.tolist(), dim=1), strict=True)
        for (above, below), (weight, target) in zip(ends, pieces, strict=True):
            top = across[:, above, None]
            torch.mul(across[:, below, None] - top, weight[:, None], out=target).add_(top)
        return z

    def rate(self, patch: _Patch, temperature: float, confidence: Tensor | None, entropy: Tensor | None) -> None:
        """Write the probability of the class and the entropy of a tile's pixels, where asked for."""
        for part in self.parts(patch):
            z = self.upsample(patch, part)
            positive = z[0] > self.threshold
            if self.classes == 1:
                z = torch.cat([torch.zeros_like(z), z])
            z.sub_(z.amax(0)).div_(temperature)
            e = torch.exp(z, out=self.scratch(1, *z.shape))
            total = e.sum(0)
            if confidence is not None:
                chosen = torch.where(positive, e[1], e[0]) if self.classes == 1 else 1.0
                confidence[part] = chosen / total
            if entropy is not None:
                nats = total.log() - e.mul_(z).sum(0).div_(total)
                entropy[part] = nats.div_(math.log(len(z))).clamp_(0, 1)


def _repeat(values: Tensor, columns: Tensor) -> Tensor:
    """Select columns (last dimension); `gather` is several times faster at it on a CPU than `index_select`."""
    return values.gather(-1, columns.expand(*values.shape[:-1], -1))
