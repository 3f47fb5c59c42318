"""A TensorFlow function of one input and one output that takes images channels last; called with ours."""

from __future__ import annotations

from typing import Any

import numpy as np

from ultralytics.errors import RuntimeUnavailable
from ultralytics.utils.imports import require


def start_tensorflow(device: str, threads: int) -> tuple[Any, str]:
    """Import TensorFlow and tell it what it may use.

    Returns:
        The module, and its own name of the device.

    Raises:
        RuntimeUnavailable: the device is not here, or TensorFlow cannot use it.
        MissingDependency: TensorFlow is not installed.
    """
    tensorflow = require("tensorflow", why="run its models")
    devices = tensorflow.config.list_physical_devices("GPU")
    if not device.startswith("cuda"):
        tensorflow.config.set_visible_devices([], "GPU")
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        return tensorflow, "/CPU:0"
    index = int(device.partition(":")[2] or 0)
    if index >= len(devices):
        raise RuntimeUnavailable(
            f"device={device}: TensorFlow sees {len(devices)} GPUs here. It needs NVIDIA's CUDA libraries of its own "
            "version (pip install tensorflow[and-cuda]); or use device=cpu."
        )
    return tensorflow, f"/GPU:{index}"


def call(tensorflow: Any, device: str, function: Any, images: np.ndarray) -> np.ndarray:
    """Run a batch (B, C, H, W); returns ids (B, H, W) or numbers (B, classes, H, W).

    Args:
        tensorflow: the module.
        device: its name of the device.
        function: takes a tensor (B, H, W, C) and returns one, channels last.
        images: float32 in [0, 1].
    """
    with tensorflow.device(device):
        output = function(tensorflow.constant(images.transpose(0, 2, 3, 1))).numpy()
    return np.ascontiguousarray(output.transpose(0, 3, 1, 2)) if output.ndim == 4 else output
