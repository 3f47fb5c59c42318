"""One process per GPU: the same command again, under torchrun."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import distributed

from ultralytics.cfg import Config
from ultralytics.cfg.loader import dump
from ultralytics.errors import ConfigError, TrainingError
from ultralytics.utils import LOGGER, RANK
from ultralytics.utils.torch_utils import gpu_indices


def needs_launch(config: Config) -> bool:
    """Tell whether several GPUs are asked for and this is not yet one of their processes."""
    return RANK < 0 and len(gpu_indices(config.device)) > 1


def launch(config: Config, save_dir: Path) -> None:
    """Train in one process per GPU and wait for them; the first that fails ends all.

    Callbacks and classes given in Python live in this process only, so they have no part in such a run.

    Raises:
        TrainingError: a process failed; its own message stands above.
    """
    count = len(gpu_indices(config.device))
    if config.batch < count or config.batch % count:
        raise ConfigError(f"batch={config.batch} does not divide among {count} GPUs. Use a multiple of {count}.")
    with tempfile.TemporaryDirectory() as folder:
        options = Path(folder) / "args.yaml"
        dump(config.replace(save_dir=str(save_dir)), options)
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}",
                   "-m", "ultralytics", config.mode, f"cfg={options}"]  # fmt: skip
        LOGGER.info(f"Starting {count} processes: {' '.join(command)}")
        code = subprocess.run(command, check=False).returncode
    if code:
        raise TrainingError(f"A training process failed (exit code {code}); its message stands above.")


_meetings = itertools.count()


@functools.cache
def _meeting_place() -> tuple[distributed.Store, int, int]:
    """Find the store all processes know, this one's rank, and their number; it stays open for the next meeting."""
    return next(iter(distributed.rendezvous("env://")))  # type: ignore[no-untyped-call, no-any-return]


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the processes of a distributed run for the block; alone, or where the caller has joined them, do nothing."""
    if RANK < 0 or int(os.environ.get("WORLD_SIZE", "1")) == 1 or distributed.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    store, rank, size = _meeting_place()
    corner = distributed.PrefixStore(f"meeting-{next(_meetings)}", store)  # what earlier ones left would be in the way
    distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo", store=corner, rank=rank, world_size=size
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()
