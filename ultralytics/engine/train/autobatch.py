"""The batch size that fills a share of the GPU's memory, found by measuring real training steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch

from ultralytics.errors import ConfigError
from ultralytics.utils.log import LOGGER

DEFAULT_BATCH = 16
_DEFAULT_SHARE = 0.6
_LARGEST = 1024
_PROBED = (1, 2, 4, 8, 16)


def resolve_batch(batch: float, device: torch.device, step: Callable[[int], None]) -> int:
    """Turn the option `batch` into a number of images.

    Args:
        batch: a positive whole number is taken as it is; -1 fills 60 % of the GPU's memory, a fraction that share.
        device: where training runs; only CUDA can be measured, others get 16.
        step: runs forward and backward on that many images, with the loss; it must let go of what it made.

    Raises:
        ConfigError: the value is neither, or not even one image fits.
    """
    if batch >= 1 and float(batch).is_integer():
        return int(batch)
    if batch != -1 and not 0 < batch < 1:
        raise ConfigError(f"batch={batch} is no batch size. Give a whole number of images, -1, or a share like 0.7.")
    if device.type != "cuda":
        LOGGER.info(f"batch={batch} measures GPU memory, of which '{device}' has none; using batch={DEFAULT_BATCH}.")
        return DEFAULT_BATCH
    return _measure(device, _DEFAULT_SHARE if batch == -1 else batch, step)


def require_statistics(batches: Iterable[tuple[int, tuple[float, float]]], *, stride: int, batch: int) -> None:
    """Refuse batches from which batch normalisation cannot learn: one image that is one pixel at the largest stride.

    Args:
        batches: number of images and (height, width) of each batch.
        stride: largest stride of the network.
        batch: images of a full batch of this process, for the message.

    Raises:
        ConfigError: a batch is too small; the message says what to change.
    """
    for images, (height, width) in batches:
        if images * math.ceil(height / stride) * math.ceil(width / stride) < 2:
            which = "A batch" if batch == 1 else f"The last batch, a single image after those of {batch},"
            raise ConfigError(
                f"{which} of {width:.0f} x {height:.0f} pixels is one pixel at the network's largest stride, {stride}; "
                f"batch normalisation needs two. Use imgsz={2 * stride} or more, or a batch that leaves no one alone."
            )


def fitting_batch(used: Mapping[int, int], limit: float, largest: int = _LARGEST) -> int:
    """Find the largest batch whose memory stays below a limit, on the straight line through measurements.

    Args:
        used: bytes by number of images; at least one.
        limit: bytes.
        largest: most images to return; at least 1 is returned.
    """
    if len(used) == 1:
        ((images, size),) = used.items()
        return int(np.clip(limit * images // size, 1, largest))
    slope, base = np.polyfit(list(used.keys()), list(used.values()), deg=1)
    return int(np.clip((limit - base) // slope, 1, largest)) if slope > 0 else largest


def _measure(device: torch.device, share: float, step: Callable[[int], None]) -> int:
    """Run steps of growing size until one does not fit, and extend the line."""
    used: dict[int, int] = {}
    largest = _LARGEST
    limit = share * torch.cuda.get_device_properties(device).total_memory
    limit = min(limit, torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device))
    for images in _PROBED:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        try:
            step(images)
        except torch.cuda.OutOfMemoryError:
            largest = images // 2
            break
        used[images] = torch.cuda.max_memory_reserved(device)
    torch.cuda.empty_cache()
    if not used:
        raise ConfigError(f"Not even one image fits into the memory of {device}. Use a smaller imgsz= or model.")
    batch = fitting_batch(used, limit, largest)
    LOGGER.info(f"batch={batch} fills about {share:.0%} of the memory of {device} (measured: {used}).")
    return batch
