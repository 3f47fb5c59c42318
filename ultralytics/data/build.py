"""The loader: batches of a dataset, read ahead by worker processes that live as long as it does."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import multiprocessing
from torch.utils.data import DataLoader

from ultralytics.data.dataset import BaseDataset
from ultralytics.data.samplers import EpochBatchSampler
from ultralytics.utils import LOGGER
from ultralytics.utils.dist import world_size
from ultralytics.utils.env import num_cores


class EpochLoader(DataLoader[Any]):
    """A `DataLoader` whose order and randomness depend on the epoch only, not on what ran before.

    Use it in a `with` block, or call `close` to end its workers.
    """

    batch_sampler: EpochBatchSampler

    def set_epoch(self, epoch: int, mix: bool = True) -> None:
        """Choose the epoch of the next iteration, and whether its samples may be joined."""
        self.batch_sampler.set_epoch(epoch, mix)

    def close(self) -> None:
        """End the workers; a later iteration starts new ones."""
        iterator, self._iterator = self._iterator, None
        if iterator is not None and hasattr(iterator, "_shutdown_workers"):
            iterator._shutdown_workers()

    def __enter__(self) -> EpochLoader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def build_dataloader(
    dataset: BaseDataset,
    batch: int,
    *,
    workers: int,
    shuffle: bool,
    seed: int,
    rank: int = -1,
    drop_last: bool = False,
    pin_memory: bool = False,
) -> EpochLoader:
    """Make the loader of a dataset.

    An error in a worker is raised here with the worker's traceback; its message names the file.

    Args:
        dataset: what is loaded. If its batches take the shape of their images, neighbours stay together.
        batch: samples in a batch of this process; images at their own size come one by one.
        workers: processes that read ahead; 0 reads in this one.
        shuffle: whether the order changes from epoch to epoch (training).
        seed: with the epoch it decides the order.
        rank: index of this process among those of a distributed run, -1 if it is the only one.
        drop_last: whether a last batch that is not full is left out.
        pin_memory: whether batches are put where a CUDA device can fetch them; useful only then.
    """
    batch = 1 if dataset.imgsz is None else max(batch, 1)
    if dataset.rect:
        dataset.regroup(batch)
    sampler = EpochBatchSampler(
        len(dataset),
        batch,
        seed=seed,
        shuffle=shuffle,
        together=bool(dataset.rect) or not shuffle,  # batches are the same, whatever the number of processes
        drop_last=drop_last,
        rank=max(rank, 0),
        world_size=world_size() if rank >= 0 else 1,
    )
    workers = _usable_workers(min(workers, len(sampler), num_cores()))
    generator = torch.Generator().manual_seed(
        seed
    )  # the loader would draw from the global one, and disturb the model's
    return EpochLoader(
        dataset,
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=dataset.collate,
        pin_memory=pin_memory,
        worker_init_fn=_start_worker,
        generator=generator,
        persistent_workers=workers > 0,
        multiprocessing_context=_start_method() if workers else None,
    )


def _start_worker(worker: int) -> None:
    """Prepare a worker process: one thread, and seeds for augmentations that draw from global generators."""
    cv2.setNumThreads(0)
    seed = torch.initial_seed() % 2**32
    random.seed(seed)
    np.random.seed(seed)


def _start_method() -> str:
    """Fork where the system's default is a fork server: the cache in memory is then shared without any copy."""
    default = multiprocessing.get_start_method()
    return "fork" if default == "forkserver" else default


def _usable_workers(workers: int) -> int:
    """Fall back to no workers where a started process would run the user's script again."""
    if workers > 0 and _start_method() == "spawn" and _main_is_unguarded():
        LOGGER.warning(
            "workers=0 is used: worker processes import the main script, which has no "
            "`if __name__ == '__main__':` around what it does."
        )
        return 0
    return max(workers, 0)


def _main_is_unguarded() -> bool:
    """Tell whether importing the main script would do what it does when it is run."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file is None or getattr(main, "__spec__", None) is not None or Path(file).suffix != ".py":
        return False
    try:
        return "__name__" not in Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
