"""The loader: batches of a dataset, read ahead by worker processes that live as long as it does."""

from __future__ import annotations

import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, multiprocessing
from torch.utils.data import DataLoader, get_worker_info

from ultralytics.data.dataset import BaseDataset
from ultralytics.data.samplers import EpochBatchSampler
from ultralytics.errors import TrainingError, UltralyticsError
from ultralytics.utils import LOGGER
from ultralytics.utils.dist import world_size
from ultralytics.utils.env import num_cores

_LIKELY_REASONS = {
    "SIGKILL": "a system that runs out of memory ends processes so",
    "SIGBUS": "the shared memory (/dev/shm) is probably full",
}


class EpochLoader(DataLoader[Any]):
    """A `DataLoader` whose order and randomness depend on the epoch only, not on what ran before.

    Use it in a `with` block, or call `close` to end its workers.
    """

    dataset: BaseDataset
    batch_sampler: EpochBatchSampler
    last_read: Tensor  # (workers,) index of the sample each worker read last, in shared memory; -1: none yet

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch names its own class of iterators
        """Iterate over the batches of the epoch.

        Raises:
            UltralyticsError: a sample cannot be made; the message names its file, the cause is the worker's traceback.
            TrainingError: a worker process died; the message names the signal, its likely reason and the last image.
        """
        batches: Iterator[Any] | None = None
        while True:
            try:
                with _when_a_child_ends(self._check_workers):
                    self._check_workers()
                    batches = super().__iter__() if batches is None else batches
                    batch = next(batches)
            except StopIteration:
                return
            except UltralyticsError as error:
                if (original := _as_raised_in_worker(error)) is None:
                    raise
                raise original from error
            except RuntimeError:  # torch has noticed first
                self._check_workers()
                raise
            yield batch

    def _check_workers(self) -> None:
        """Raise if a worker has died."""
        for number, worker in enumerate(getattr(self._iterator, "_workers", ())):
            if worker.exitcode is not None:
                last = int(self.last_read[number])
                raise TrainingError(
                    _death_message(worker.exitcode, self.dataset.pairs[last].image if last >= 0 else None)
                )

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
        shapes=dataset.shapes,
        drop_last=drop_last,
        rank=max(rank, 0),
        world_size=world_size() if rank >= 0 else 1,
    )
    workers = _usable_workers(min(workers, len(sampler), num_cores()))
    generator = torch.Generator().manual_seed(
        seed
    )  # the loader would draw from the global one, and disturb the model's
    last_read = torch.full((workers,), -1).share_memory_()
    loader = EpochLoader(
        dataset,
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=dataset.collate,
        pin_memory=pin_memory,
        worker_init_fn=partial(_start_worker, last_read),
        generator=generator,
        persistent_workers=workers > 0,
        multiprocessing_context=_start_method() if workers else None,
    )
    loader.last_read = last_read
    return loader


@contextmanager
def _when_a_child_ends(check: Callable[[], None]) -> Iterator[None]:
    """Call `check` at once when a child process ends, as long as the block runs.

    torch leaves a handler of this kind behind, which raises wherever the main thread is: in the middle of a training
    step. Here it goes with the block; what happens outside is found by the next `check`.
    """
    if not hasattr(signal, "SIGCHLD") or threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGCHLD)

    def handle(number: int, frame: FrameType | None) -> None:
        check()
        if callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGCHLD, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, previous or signal.SIG_DFL)


def _as_raised_in_worker(error: UltralyticsError) -> UltralyticsError | None:
    """Take an error's own message out of the worker's traceback, which torch makes the message of; None without one."""
    kind = type(error)
    _, marker, message = str(error).rpartition(f"\n{kind.__module__}.{kind.__qualname__}: ")
    return kind(message.strip()) if marker else None


def _death_message(exitcode: int, last_read: Path | None) -> str:
    """Say how a worker ended, why probably, and what to do."""
    how = {number.value: number.name for number in signal.Signals}.get(-exitcode, f"exit code {exitcode}")
    reason = _LIKELY_REASONS.get(how, "a library has probably crashed on an image")
    image = f" The last image it read is '{last_read}'." if last_read else ""
    return (
        f"A worker process that reads images died ({how}): {reason}.{image} Use fewer workers= (with 0 this process "
        "reads, and an error shows where it happens), a smaller imgsz= or batch=, or cache=disk instead of cache=ram."
    )


def _start_worker(last_read: Tensor, worker: int) -> None:
    """Prepare a worker process: one thread, and seeds for augmentations that draw from global generators."""
    get_worker_info().dataset.last_read = last_read[worker]  # type: ignore[union-attr]  # here is a worker
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
