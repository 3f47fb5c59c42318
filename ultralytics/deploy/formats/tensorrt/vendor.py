"""The vendor's package and the GPU it needs: found, of a version that is known here, and with its words kept."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from ultralytics.errors import MissingDependency, RuntimeUnavailable
from ultralytics.utils.imports import require
from ultralytics.utils.log import LOGGER

INSTALL = "pip install tensorrt --extra-index-url https://pypi.nvidia.com"
"""PyPI's package fetches its libraries from that index itself, where the machine can reach it."""

MIN_VERSION = 10
"""Strongly typed networks and 64-bit integers; before it a network's precisions were the builder's choice."""


def load_tensorrt() -> ModuleType:
    """Import TensorRT.

    Raises:
        MissingDependency: it is not installed, its libraries are not, or it is too old.
    """
    try:
        tensorrt = require("tensorrt")
    except MissingDependency as error:
        raise MissingDependency(
            f"TensorRT is needed for engine files, and is not here. Install it: {INSTALL}"
        ) from error
    except (OSError, RuntimeError) as error:  # the package is there, and NVIDIA's libraries are not
        raise MissingDependency(
            f"TensorRT is installed without its libraries ({error}). Install it: {INSTALL}"
        ) from error
    version = str(getattr(tensorrt, "__version__", "0"))
    if int(version.partition(".")[0]) < MIN_VERSION:
        raise MissingDependency(
            f"TensorRT {version} is too old: {MIN_VERSION} or newer is needed. Install it: {INSTALL}"
        )
    return tensorrt


def find_gpu(device: str) -> Any:
    """Return a `torch.device`.

    Args:
        device: "cuda:0" and the like.

    Raises:
        RuntimeUnavailable: it is no GPU, or is not here.
    """
    import torch

    if not device.startswith("cuda"):
        raise RuntimeUnavailable(f"device={device}: engine files run on NVIDIA GPUs only. Use device=0.")
    if not torch.cuda.is_available():
        raise RuntimeUnavailable(
            "Engine files are made and run on an NVIDIA GPU, with a torch that has CUDA; torch finds none here "
            f"(torch {torch.__version__})."
        )
    found = torch.device(device)
    if (found.index or 0) >= torch.cuda.device_count():
        raise RuntimeUnavailable(f"device={device} is not here: there are {torch.cuda.device_count()} GPUs.")
    return found


def make_logger(tensorrt: Any, words: list[str]) -> Any:
    """Make a logger for TensorRT that appends its errors to `words`; the rest is for debugging."""
    errors = {tensorrt.ILogger.Severity.INTERNAL_ERROR, tensorrt.ILogger.Severity.ERROR}

    class Logger(tensorrt.ILogger):
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            LOGGER.debug("TensorRT: %s", message)
            if severity in errors:
                words.append(message)

    return Logger()
