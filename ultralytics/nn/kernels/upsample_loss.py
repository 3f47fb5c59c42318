"""Cross-entropy and Dice on bilinearly upsampled logits, without the upsampled logits.

The values are those of upsampling the logits to the size of the mask (`align_corners=False`) and taking the losses
there. Both are sums over pixels, so the work is done in strips of mask rows: it needs the memory of two strips at any
batch and image size, and on a CPU a strip stays in its cache, which makes this several times faster than the plain way.

Per pixel i with softmax p_i, label t and class weight w_t, over the labelled pixels of the whole batch:

    ce   = sum_i w_t (-log p_it) / max(sum_i w_t, 1)
    dice = mean_k 1 - (2 I_k + 1) / (P_k + T_k + 1)      I_k = sum_{i: t=k} p_ik   P_k = sum_i p_ik   T_k = #{i: t=k}

With a_k = (2 I_k + 1) / (K (P_k + T_k + 1)^2), b_k = 2 / (K (P_k + T_k + 1)), A_i = sum_k a_k p_ik the gradients are

    d ce / d z_ik   = w_t (p_ik - [k = t]) / max(sum_i w_t, 1)
    d dice / d z_ik = p_ik (a_k - A_i + b_t p_it) - [k = t] b_t p_it

Dice: Milletari et al., "V-Net", 2016 (arXiv:1606.04797), with sums instead of squares below the line and smoothing 1.

Letters in shapes: B images, C classes, (h, w) logits, (H, W) mask, R rows of a strip, n rows of logits beneath it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ultralytics.errors import DatasetError, ModelError, TrainingError
from ultralytics.nn.kernels.interpolation import matrix, taps
from ultralytics.nn.kernels.parallel import available_workers, run_in_threads, split_evenly

CPU_STRIP = 1 << 19
"""Numbers in one strip on a CPU: 2 MiB, which its cache holds; more only where two rows of logits need more."""

DEVICE_STRIP = 1 << 25
"""The same on an accelerator: 128 MiB, enough to keep it busy."""


def upsampled_ce_dice(
    logits: Tensor,
    mask: Tensor,
    *,
    ignore_index: int = 255,
    class_weights: Tensor | None = None,
    dice: bool = True,
    absent_classes: bool = True,
) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy and the Dice loss of logits that are upsampled to the size of the mask.

    One channel is a binary problem: cross-entropy of the sigmoid, Dice of the foreground, class weights unused.
    Computed in float32 whatever the dtype of the logits, also under autocast; two runs give the same bits. Where every
    pixel is ignored, losses and gradient are exactly 0. The gradient cannot be differentiated again.

    Args:
        logits: (B, C, h, w) floating point.
        mask: (B, H, W) integer class ids in [0, C), in {0, 1} if C = 1, or `ignore_index`.
        ignore_index: id of the pixels that take no part.
        class_weights: (C,) factors of the cross-entropy, never of the Dice loss.
        dice: False for the cross-entropy alone, at half the cost; the Dice loss returned is 0.
        absent_classes: whether classes without a labelled pixel enter the Dice mean.

    Raises:
        ModelError: the shapes do not belong together.
        DatasetError: the mask holds an id that is neither a class nor `ignore_index`.
    """
    if logits.ndim != 4 or mask.ndim != 3 or len(logits) != len(mask) or mask.is_floating_point():
        raise ModelError(
            f"Logits {tuple(logits.shape)} and {mask.dtype} mask {tuple(mask.shape)} do not belong together: "
            f"give (B, C, h, w) logits and an integer (B, H, W) mask."
        )
    binary = logits.shape[1] == 1
    if binary:
        # sigmoid(z) is the softmax of (0, z): two classes, of which Dice looks at the second.
        logits, class_weights = torch.cat([torch.zeros_like(logits), logits], dim=1), None
    _check_labels(mask, logits.shape[1], ignore_index)
    if class_weights is not None:
        class_weights = class_weights.detach().to(logits.device, torch.float32)
    counted = torch.ones(logits.shape[1], device=logits.device)
    counted[: int(binary)] = 0
    options = _Options(ignore_index, dice, absent_classes, torch.is_grad_enabled() and logits.requires_grad)
    with torch.autocast(logits.device.type, enabled=False):
        ce, dice_loss = _UpsampledLoss.apply(logits, mask, class_weights, counted, options)  # type: ignore[no-untyped-call]
    return ce, dice_loss


def _check_labels(mask: Tensor, num_classes: int, ignore_index: int) -> None:
    """Find ids that would index past the classes; on an accelerator the look would make every step wait for it."""
    if mask.numel() == 0 or mask.device.type != "cpu":
        return
    low, high = torch.aminmax(torch.where(mask == ignore_index, 0, mask))
    if low < 0 or high >= num_classes:
        wrong = int(low) if low < 0 else int(high)
        raise DatasetError(
            f"A mask holds the id {wrong}: allowed are 0 to {num_classes - 1} and {ignore_index} (ignored). "
            f"Map it with 'label_mapping' in the dataset YAML, or set the number of classes."
        )


@dataclass(frozen=True, slots=True)
class _Options:
    """What does not change from pixel to pixel."""

    ignore_index: int
    dice: bool
    absent_classes: bool
    differentiable: bool


class _UpsampledLoss(torch.autograd.Function):
    """Cross-entropy makes its gradient on the way; Dice needs its sums for that, so with it backward sweeps again."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, mask: Tensor, weights: Tensor | None, counted: Tensor, options: _Options
    ) -> tuple[Tensor, Tensor]:
        ctx.options, ctx.dtype = options, logits.dtype
        sweeps = _sweeps(logits, mask, options.ignore_index)
        if not options.dice:
            job = partial(_cross_entropy, weights=weights, differentiable=options.differentiable)
            ce, norm = _add_up(run_in_threads(job, sweeps, logits.device))
            norm.clamp_(min=1)
            ctx.save_for_backward(_join(sweeps, logits.shape).div_(norm) if options.differentiable else None)
            return ce / norm, torch.zeros_like(ce)
        sums = run_in_threads(partial(_sums, weights=weights), sweeps, logits.device)
        ce, norm, overlap, predicted, labelled = _add_up(sums)
        norm.clamp_(min=1)
        if not options.absent_classes:
            counted = counted * (labelled > 0)
        share = counted / counted.sum().clamp(min=1)
        union = predicted + labelled + 1
        score = (2 * overlap + 1) / union
        ctx.save_for_backward(logits, mask, weights, norm, share * score / union, 2 * share / union)
        return ce / norm, (share * (1 - score)).sum()

    @staticmethod
    def backward(ctx: Any, grad_ce: Tensor, grad_dice: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise TrainingError("The upsampled loss has no second derivative: do not pass create_graph=True.")
        if not ctx.options.dice:
            return (ctx.saved_tensors[0] * grad_ce).to(ctx.dtype), None, None, None, None
        logits, mask, weights, norm, a, b = ctx.saved_tensors
        with torch.autocast(logits.device.type, enabled=False):
            sweeps = _sweeps(logits, mask, ctx.options.ignore_index)
            job = partial(_gradient, weights=weights, scale=grad_ce / norm, a=a * grad_dice, b=b * grad_dice)
            run_in_threads(job, sweeps, logits.device)
        return _join(sweeps, logits.shape).to(ctx.dtype), None, None, None, None


def _cross_entropy(sweep: _Sweep, weights: Tensor | None, differentiable: bool) -> tuple[Tensor, ...]:
    """Sum the weighted cross-entropy and the weights; leave the gradient of the former in the sweep."""
    rows = []
    for strip in sweep:
        weight = strip.pixel_weights(weights)
        rows.append((strip.cross_entropy(weight), weight.sum()))
        if differentiable:
            gradient = strip.exponentials.mul_(weight / strip.total).scatter_add_(0, strip.target, -weight[None])
            sweep.fold(strip, gradient)
    return _add_up(rows)


def _sums(sweep: _Sweep, weights: Tensor | None) -> tuple[Tensor, ...]:
    """Sum the weighted cross-entropy, the weights, and per class I, P and T (see the head of the file)."""
    rows = []
    for strip in sweep:
        weight = strip.pixel_weights(weights)
        inverse = strip.valid / strip.total
        predicted = torch.mv(strip.exponentials.flatten(1), inverse.flatten())
        overlap = strip.sum_by_label(inverse.mul_(strip.at_label.exp()))
        labelled = strip.sum_by_label(strip.valid)
        rows.append((strip.cross_entropy(weight), weight.sum(), overlap, predicted, labelled))
    return _add_up(rows)


def _gradient(sweep: _Sweep, weights: Tensor | None, scale: Tensor, a: Tensor, b: Tensor) -> None:
    """Leave the gradient of scale * ce + dice in the sweep; a and b are those of the head of the file."""
    scratch = torch.empty_like(sweep.buffer)
    for strip in sweep:
        inverse = strip.valid / strip.total
        mean_a = torch.mv(strip.exponentials.flatten(1).T, a).view_as(inverse).mul_(inverse)
        pull = b[strip.target[0]].mul_(strip.at_label.exp().mul_(inverse)).add_(strip.pixel_weights(weights) * scale)
        factor = scratch[: strip.exponentials.numel()].view_as(strip.exponentials)
        torch.add(a[:, None, None], pull - mean_a, out=factor)
        gradient = strip.exponentials.mul_(inverse).mul_(factor).scatter_add_(0, strip.target, -pull[None])
        sweep.fold(strip, gradient)


def _add_up(rows: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Add tuples of tensors, element by element and in order."""
    return tuple(torch.stack(column).sum(0) for column in zip(*rows, strict=True))


def _join(sweeps: list[_Sweep], shape: torch.Size) -> Tensor:
    """Add the sweeps' gradients in the order of the images."""
    result = torch.zeros(shape, device=sweeps[0].gradient.device)
    for sweep in sweeps:
        result[sweep.images] += sweep.gradient
    return result


@dataclass(frozen=True, slots=True)
class _Band:
    """Rows of the mask, the rows of logits beneath them, and the (R, n) matrix that resizes one to the other."""

    rows: slice
    source: slice
    vertical: Tensor


@dataclass(frozen=True, slots=True)
class _Strip:
    """A band of one image: its labels, and its softmax as exponentials over their total.

    Attributes:
        image: index in the batch.
        band: rows.
        target: (1, R, W) int64 labels, 0 where ignored.
        valid: (R, W) float, 1 where labelled.
        exponentials: (C, R, W) exp(z - max z), in a buffer that the next strip uses again.
        total: (R, W) their sum over the classes.
        at_label: (R, W) z - max z of the label.
    """

    image: int
    band: _Band
    target: Tensor
    valid: Tensor
    exponentials: Tensor
    total: Tensor
    at_label: Tensor

    def pixel_weights(self, weights: Tensor | None) -> Tensor:
        """Return the class weight of each pixel (R, W), 0 where ignored."""
        return self.valid if weights is None else weights[self.target[0]].mul_(self.valid)

    def cross_entropy(self, weight: Tensor) -> Tensor:
        """Sum the cross-entropy of the pixels, each times its weight."""
        return self.total.log().sub_(self.at_label).mul_(weight).sum()

    def sum_by_label(self, values: Tensor) -> Tensor:
        """Sum (R, W) values over the pixels of each label: (C,)."""
        if values.device.type == "cpu":
            num_classes = len(self.exponentials)
            return torch.bincount(self.target.flatten(), values.flatten(), minlength=num_classes).float()
        # Elsewhere bincount adds in no fixed order; here every class has its own plane.
        return torch.zeros_like(self.exponentials).scatter_(0, self.target, values[None]).sum((1, 2))


def _sweeps(logits: Tensor, mask: Tensor, ignore_index: int) -> list[_Sweep]:
    """Cut a batch into strips, and share these out among as many sweeps as can run at a time."""
    _, classes, height, width = logits.shape
    images, rows, columns = mask.shape
    device = logits.device
    budget = CPU_STRIP if device.type == "cpu" else DEVICE_STRIP
    # Not below the height of two rows of logits: bands that meet within a row both resize it.
    count = max(1, min(-(-classes * rows * columns // budget), height // 2, rows))
    bands = []
    for start, stop in pairwise(rows * part // count for part in range(count + 1)):
        axis = taps(rows, height)[start:stop]
        bands.append(_Band(slice(start, stop), axis.span(), matrix(axis, axis.span()).to(device)))
    horizontal = matrix(taps(columns, width), slice(0, width)).to(device)
    strips = [(image, band) for image in range(images) for band in bands]
    logits = logits.detach().float()
    shares = split_evenly(strips, available_workers(device))
    return [_Sweep(logits, mask, ignore_index, horizontal, share) for share in shares]


class _Sweep:
    """One pass over some strips of a batch, and the gradient that is gathered on the way.

    Attributes:
        images: the images these strips belong to.
        gradient: (images, C, h, w), what `fold` has added up.
        buffer: what the strips share; its size is that of the largest.
    """

    def __init__(
        self, logits: Tensor, mask: Tensor, ignore_index: int, horizontal: Tensor, strips: Sequence[tuple[int, _Band]]
    ) -> None:
        self.logits, self.mask, self.ignore_index = logits, mask, ignore_index
        self.horizontal, self.strips = horizontal, strips
        self.images = slice(strips[0][0], strips[-1][0] + 1)
        self.gradient = torch.zeros(logits[self.images].shape, device=logits.device)
        largest = max(len(band.vertical) for _, band in strips)
        self.buffer = torch.empty(logits.shape[1] * largest * mask.shape[2], device=logits.device)

    def __iter__(self) -> Iterator[_Strip]:
        for image, band in self.strips:
            labels = self.mask[image, band.rows]
            valid = labels != self.ignore_index
            target = torch.where(valid, labels, 0).long()[None]
            z = self._upsample(image, band)
            z.sub_(z.amax(0))
            at_label = z.gather(0, target)[0]
            yield _Strip(image, band, target, valid.float(), z.exp_(), z.sum(0), at_label)

    def _upsample(self, image: int, band: _Band) -> Tensor:
        rows = torch.matmul(self.logits[image, :, band.source], self.horizontal.T)
        shape = (len(rows), len(band.vertical), rows.shape[2])
        return torch.matmul(band.vertical, rows, out=self.buffer[: math.prod(shape)].view(shape))

    def fold(self, strip: _Strip, gradient: Tensor) -> None:
        """Carry the gradient of a strip's pixels (C, R, W) back to the logits."""
        rows = torch.matmul(strip.band.vertical.T, gradient)
        target = self.gradient[strip.image - self.images.start, :, strip.band.source]
        target += torch.matmul(rows, self.horizontal)
