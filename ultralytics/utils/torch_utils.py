"""Devices, random numbers and the process-wide switches of torch. Thread counts are the user's and never touched."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.utils.deterministic
from torch import nn

from ultralytics.errors import DeviceError

Device = str | int | Sequence[int] | torch.device | None
"""What a user may call a device: "cpu", "mps", 0, "0", "cuda:0", [0, 1], "0,1", -1 (the GPU with most free memory)."""


def select_device(device: Device = None) -> torch.device:
    """Choose where to run; None takes the first GPU if there is one, else the CPU.

    Of several GPUs, this process gets the one of its `LOCAL_RANK` in a distributed run, else the first.

    Raises:
        DeviceError: there is no such device here; the message lists those there are.
    """
    name = _device_name(device)
    if name in {"cpu", "mps"}:
        if name == "mps" and not torch.backends.mps.is_available():
            raise DeviceError(_no_such_device(device))
        return torch.device(name)
    indices = gpu_indices(device)
    if not indices:
        return torch.device("cpu")
    return torch.device("cuda", indices[int(os.environ.get("LOCAL_RANK", "0")) % len(indices)])


def gpu_indices(device: Device) -> list[int]:
    """List the GPUs a user asked for, each needing a process of its own; empty for the CPU and Apple's GPU.

    Raises:
        DeviceError: one of them does not exist here, or the value names no device.
    """
    name = _device_name(device)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name in {"cpu", "mps"}:
        return []
    if name in {"", "cuda"}:
        if name and not count:
            raise DeviceError(_no_such_device(device))
        ranks = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return list(range(min(count, ranks)))
    parts = [part.strip().removeprefix("cuda:") for part in name.split(",") if part.strip()]
    if parts == ["-1"] and count:
        return [max(range(count), key=lambda index: torch.cuda.mem_get_info(index)[0])]
    if not parts or not all(part.isdecimal() and int(part) < count for part in parts):
        raise DeviceError(_no_such_device(device))
    if len(set(parts)) < len(parts):
        raise DeviceError(f"device={device!r} names a GPU twice.")
    return [int(part) for part in parts]


def _device_name(device: Device) -> str:
    if device is None:
        return ""
    if isinstance(device, Sequence) and not isinstance(device, str):
        return ",".join(map(str, device))
    return str(device).strip().strip("[]()").lower()


def _no_such_device(device: Device) -> str:
    names = ["cpu"]
    if torch.backends.mps.is_available():
        names.append("mps")
    if torch.cuda.is_available():
        names += [f"{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    hint = "" if torch.cuda.is_available() else " This PyTorch sees no CUDA GPU."
    return f"device={device!r} does not exist here. There are: {', '.join(names)}.{hint}"


def seed_everything(seed: int) -> None:
    """Seed the random numbers of Python, NumPy and torch on all devices."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextlib.contextmanager
def deterministic_mode(enabled: bool) -> Iterator[None]:
    """Make torch choose algorithms that give the same bits each time; all switches are put back at the end.

    An operation without such an algorithm warns and runs.
    """
    if not enabled:
        yield
        return
    cudnn, memory = torch.backends.cudnn, cast(Any, torch.utils.deterministic)
    algorithms = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    switches = cudnn.deterministic, cudnn.benchmark, memory.fill_uninitialized_memory
    workspace = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when a process first uses it
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling every new tensor with NaN is a debugging aid that would cost a pass over memory.
    cudnn.deterministic, cudnn.benchmark, memory.fill_uninitialized_memory = True, False, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(algorithms[0], warn_only=algorithms[1])
        cudnn.deterministic, cudnn.benchmark, memory.fill_uninitialized_memory = switches
        if workspace is None:
            os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


def autocast(device: torch.device, enabled: bool = True) -> contextlib.AbstractContextManager[Any]:
    """Compute the block in mixed half precision on CUDA; other devices keep full precision."""
    if device.type != "cuda":
        return contextlib.nullcontext()
    return torch.autocast("cuda", dtype=torch.float16, enabled=enabled)


def unwrap_model(model: nn.Module) -> nn.Module:
    """Take a network out of what distributed training and `torch.compile` put around it."""
    while True:
        if isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


def rng_state() -> dict[str, Any]:
    """Take down the state of every random generator as tensors and plain data."""
    twister: Any = np.random.get_state(legacy=False)
    version, words, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": {
            "key": torch.tensor(twister["state"]["key"].astype(np.int64)),
            "pos": int(twister["state"]["pos"]),
            "has_gauss": int(twister["has_gauss"]),
            "gauss": float(twister["gauss"]),
        },
        "python": [version, torch.tensor(words), gauss],
    }


def set_rng_state(state: Mapping[str, Any]) -> None:
    """Go on with random numbers where `rng_state` was taken; GPU states are left out if there are other GPUs now."""
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    twister = state["numpy"]
    key = twister["key"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", key, twister["pos"], twister["has_gauss"], twister["gauss"]))
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
