"""From logits at the network's stride to class maps of any size: exact, fast, in little memory.

The map is the arg-max of bilinearly upsampled logits (`align_corners=False`), but the upsampled logits are never made.
Bilinear interpolation is a convex combination of the four logits around a pixel, so where these agree on the class,
every pixel between them has it. Only the cells that a class boundary crosses need arithmetic, and there only the
classes that can win. Such a cell is cut into blocks, whose corner pixels are compared in the same way, so that work
follows the length of the boundary. Where nearly all cells are such (noise), all pixels are computed instead.

Peak memory beyond logits and result stays below 64 MiB on a CPU, at any size and number of classes.

What equals what: a computed pixel is lerp(lerp(top), lerp(bottom)) in float32, whatever the dtype of the logits and
whichever way it was reached. `interpolate(...).argmax(1)` gives the same map but for pixels where two classes tie to
within the rounding of that sum. Exact ties go to the first class, and NaN counts as the maximum, as with `argmax`.

Letters in shapes: B images, C classes, (h, w) logits, (H, W) map, (n, m) logits beneath a tile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ultralytics.errors import ModelError
from ultralytics.nn.kernels.cells import BoundaryCells, Cells, boundary
from ultralytics.nn.kernels.interpolation import Taps, taps
from ultralytics.nn.kernels.parallel import available_workers, run_in_threads, split_evenly

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

MAX_BOUNDARY = 0.5
"""Share of boundary cells above which computing every pixel of a tile is about as fast, or faster."""

BLOCK = 8
"""Pixels along either side of the blocks that a boundary cell is cut into."""

INFINITY = 1e30
"""What an infinite logit counts as, since infinity times a weight of 0 is none."""

Tile = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class ClassMapResult:
    """A class map and, where asked for, how sure it is.

    Attributes:
        ids: (B, H, W) class ids: uint8 up to 256 classes, int16 up to 32768, else int32; {0, 1} of a single channel.
        confidence: (B, H, W) probability of the class in `ids`, as float16 in [0, 1] or as uint8 in [0, 255].
        entropy: (B, H, W) entropy of the class probabilities over its maximum, the same way.
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
    dtype: torch.dtype = torch.float16,
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
        dtype: of confidence and entropy, float16 or uint8; the latter holds 255 times the value, in half the memory.

    Raises:
        ModelError: the logits are not (B, C, h, w), the dtype is another, or a size or the temperature is not above 0.

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
    _check_dtype(dtype)
    confidences, entropies = empty(dtype) if confidence else None, empty(dtype) if entropy else None
    workers, budget = _workers(logits, ids.numel())

    def reduce(share: Sequence[tuple[int, Tile]]) -> None:
        reduction = _Reduction(rows, columns, logits, threshold, budget)
        for image, tile in share:
            patch = reduction.patch(logits[image], tile)
            reduction.classify(patch, ids[image])
            if confidence or entropy:
                targets = [None if result is None else result[image][tile] for result in (confidences, entropies)]
                reduction.rate(patch, temperature, *targets)

    tiles = list(_tiles(size, _tile_area(rows, columns, logits.shape[1], budget)))
    work = [(image, tile) for image in range(len(logits)) for tile in tiles]
    run_in_threads(reduce, split_evenly(work, workers), logits.device)
    return ClassMapResult(ids, confidences, entropies)


def _check_dtype(dtype: torch.dtype) -> None:
    if dtype not in (torch.float16, torch.uint8):
        raise ModelError(f"Confidence and entropy are float16 or uint8, not {dtype}.")


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
    return max(1, min(4 * budget, budget * len(rows) * len(columns) // beneath))


@dataclass(frozen=True, slots=True)
class _Patch:
    """A tile of the map, the logits (C, n, m) beneath it, and its taps on them."""

    tile: Tile
    logits: Tensor
    rows: Taps
    columns: Taps


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
        rows, columns = rows.shift(-rows.span().start), columns.shift(-columns.span().start)
        return _Patch(tile, logits, rows.to(self.device), columns.to(self.device))

    def load(self, number: int, logits: Tensor) -> Tensor:
        """Copy logits into a buffer, contiguous and in float32."""
        z = self.scratch(number, *logits.shape)
        # Two dimensions, where they can be had without a copy: transposing these is what torch has fast code for.
        flat = logits.stride(1) == logits.shape[2] * logits.stride(2)
        (z.flatten(1) if flat else z).copy_(logits.flatten(1) if flat else logits)
        return z

    def corners(self, patch: _Patch, ids: Tensor) -> bool:
        """Write the class of each logit vector beneath a tile into `ids` (n, m), and tell whether all are finite."""
        step = max(1, self.budget // (self.classes * ids.shape[1]))
        finite = True
        for start in range(0, len(ids), step):
            z = self.load(0, patch.logits[:, start : start + step])
            finite = finite and bool(z.sum().isfinite())
            self.decide(z, finite, out=ids[start : start + step])
        return finite

    def classify(self, patch: _Patch, image: Tensor) -> None:
        """Write the class ids of a tile into the map (H, W)."""
        target = image[patch.tile]
        ids = torch.empty(patch.logits.shape[1:], dtype=image.dtype, device=self.device)
        finite = self.corners(patch, ids)
        rows, columns = Cells.from_taps(patch.rows), Cells.from_taps(patch.columns)
        mixed = boundary(ids, rows, columns)
        if not finite or len(mixed) > MAX_BOUNDARY * len(rows) * len(columns):
            for part in self.parts(patch):
                z = self.upsample(patch, part)
                self.decide(z, finite, out=target[part])
            return
        step = max(1, self.budget // (4 * self.classes))
        fields = [
            BoundaryCells.from_logits(patch.logits, cells, rows, columns, ids.dtype)
            for cells in mixed.split(step)
            if len(cells)
        ]
        rows, columns = rows.split(BLOCK), columns.split(BLOCK)
        ids = _repeat(ids, columns.low).index_select(0, rows.low)
        if max(rows.blocks, columns.blocks) > 1:
            fields = [block for field in fields for block in field.split(rows, columns, ids, self.threshold)]
        ids = _repeat(ids, columns.owner(target.shape[1]))
        torch.index_select(ids, 0, rows.owner(target.shape[0]), out=target)
        top, left = patch.tile[0].start, patch.tile[1].start
        for field in fields:
            field.fill(rows.shift(top), columns.shift(left), image, self.threshold)

    def decide(self, z: Tensor, finite: bool, out: Tensor) -> Tensor:
        """Write the class of each logit vector along the first dimension into `out`; what is in `z` is lost."""
        if self.classes == 1:
            return torch.gt(z[0], self.threshold, out=out.view(torch.bool))
        if not finite or self.device.type != "cpu":
            return out.copy_(z.argmax(0))
        if self.classes == 2:
            return out.copy_(z[1] > z[0])
        # Mark the maxima, number the classes downwards, take the highest: on a CPU ten times faster than argmax.
        countdown = self.countdown.view(-1, *[1] * out.ndim)
        return out.copy_(self.classes - z.eq_(z.amax(0)).mul_(countdown).amax(0))

    def parts(self, patch: _Patch) -> Iterator[Tile]:
        """Cut a tile into parts whose upsampled logits fit a buffer."""
        return _tiles((len(patch.rows), len(patch.columns)), self.budget // self.classes)

    def upsample(self, patch: _Patch, part: Tile) -> Tensor:
        """Compute the logits (C, rows, columns) of some of a tile's pixels, in buffer 0."""
        rows, columns = patch.rows[part[0]], patch.columns[part[1]]
        source = rows.span()
        logits = self.load(2, patch.logits[:, source]).clamp_(-INFINITY, INFINITY)
        left = _repeat(logits, columns.low)
        across = _repeat(logits, columns.high).sub_(left).mul_(columns.weight).add_(left)
        shape = self.classes, len(rows), len(columns)
        top, z = self.scratch(1, *shape), self.scratch(0, *shape)
        torch.index_select(across, 1, rows.low - source.start, out=top)
        torch.index_select(across, 1, rows.high - source.start, out=z)
        return z.sub_(top).mul_(rows.weight[:, None]).add_(top)

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
                _store(chosen / total, confidence[part])
            if entropy is not None:
                nats = total.log() - e.mul_(z).sum(0).div_(total)
                _store(nats.div_(math.log(len(z))).clamp_(0, 1), entropy[part])


def _store(shares: Tensor, out: Tensor) -> None:
    """Write numbers in [0, 1], whole 255ths of them where only whole numbers fit; what is in `shares` is lost."""
    out.copy_(shares if out.is_floating_point() else shares.mul_(255).round_())


def _repeat(values: Tensor, columns: Tensor) -> Tensor:
    """Select columns (last dimension); `gather` is several times faster at it on a CPU than `index_select`."""
    return values.gather(-1, columns.expand(*values.shape[:-1], -1))
