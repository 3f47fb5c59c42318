"""The probabilities of all classes at the size of the image, from logits at the network's stride, band by band."""

from __future__ import annotations

import torch
from torch import Tensor

from ultralytics.nn.kernels.interpolation import Taps, taps
from ultralytics.nn.kernels.upsample_argmax import CPU_BUFFER, DEVICE_BUFFER


@torch.no_grad()
def class_probabilities(
    logits: Tensor,
    ids: Tensor,
    *,
    region: tuple[float, float, float, float] | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Compute the softmax of interpolated logits, agreeing with a class map.

    Half precision makes ties of what differs; where the class in `ids` would not be the arg-max for that, it gets the
    next larger number. Memory beyond the result is bounded.

    Args:
        logits: (C, h, w) floating point; one channel is a binary problem, of which the foreground's probability comes.
        ids: (H, W) what `class_map` made of them; pixels with an id that is no class are left as they are.
        region: as for `class_map`.
        temperature: what logits are divided by, > 0.

    Returns:
        (C, H, W) float16 in [0, 1].
    """
    top, left, height, width = (0.0, 0.0, *logits.shape[1:]) if region is None else region
    rows = taps(ids.shape[0], logits.shape[1], start=top, length=height, device=logits.device)
    columns = taps(ids.shape[1], logits.shape[2], start=left, length=width, device=logits.device)
    result = torch.empty(len(logits), *ids.shape, dtype=torch.float16, device=logits.device)
    buffer = CPU_BUFFER if logits.device.type == "cpu" else DEVICE_BUFFER
    step = max(1, buffer // (len(logits) * ids.shape[1]))
    for start in range(0, len(rows), step):
        band = slice(start, start + step)
        z = _upsample(logits, rows[band], columns).div_(temperature)
        if len(z) == 1:
            result[:, band] = z.sigmoid_()
        else:
            result[:, band] = z.softmax(0)
            _agree(result[:, band], ids[band].long())
    return result


def _upsample(logits: Tensor, rows: Taps, columns: Taps) -> Tensor:
    """Interpolate in the order of sums of `class_map`, so that rounding is the same."""
    span = rows.span()
    source, rows = logits[:, span].float(), rows.shift(-span.start)
    left = source.index_select(2, columns.low)
    across = source.index_select(2, columns.high).sub_(left).mul_(columns.weight).add_(left)
    above = across.index_select(1, rows.low)
    return across.index_select(1, rows.high).sub_(above).mul_(rows.weight[:, None]).add_(above)


def _agree(probabilities: Tensor, ids: Tensor) -> None:
    """Make the class in `ids` (r, W) the only maximum of (C, r, W) half-precision numbers, in place."""
    best = probabilities.amax(0)
    shared = (probabilities == best).sum(0) > 1
    known = (ids >= 0) & (ids < len(probabilities))
    row, column = torch.nonzero(known & (shared | (probabilities.argmax(0) != ids)), as_tuple=True)
    # The bits of positive half-precision numbers are ordered as the numbers are.
    raised = (best[row, column].view(torch.int16) + 1).view(torch.float16)
    probabilities[ids[row, column], row, column] = raised
