"""Decoded samples kept in memory or on disk, so that later epochs decode nothing; batches do not change by it.

Both stores are filled before training and check beforehand that everything fits. Arrays are kept at the size at which
they are used, labels included.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ultralytics.errors import DatasetError
from ultralytics.utils import LOGGER
from ultralytics.utils.env import memory_available, user_cache_folder
from ultralytics.utils.parallel import in_threads

_MEMORY_SHARE = 0.6  # of what is free now; the rest is for the network and for workers
_DISK_RESERVE = 1 << 30

Arrays = tuple[np.ndarray, ...]


class ArraySpec(NamedTuple):
    """Shape and type of an array that is to be stored."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape)) * self.dtype.itemsize


class ArrayStore(ABC):
    """Keeps the decoded arrays of every sample of a dataset."""

    place: str

    @abstractmethod
    def get(self, index: int) -> Arrays:
        """Return copies of the arrays of a sample."""

    def fill(self, decode: Callable[[int], Arrays], count: int) -> None:
        """Decode all samples in threads and keep them."""
        for _ in in_threads(lambda index: self._put(index, decode), range(count), desc=f"caching in {self.place}"):
            pass

    @abstractmethod
    def _put(self, index: int, decode: Callable[[int], Arrays]) -> None:
        """Decode and keep one sample."""


class RamStore(ArrayStore):
    """One block of memory for all arrays: it never grows, and worker processes share it instead of copying it.

    Raises:
        DatasetError: the arrays do not fit into the memory that is free now.
    """

    place = "ram"

    def __init__(self, specs: Sequence[Sequence[ArraySpec]]) -> None:
        self._specs = specs
        sizes = [sum(spec.size for spec in group) for group in specs]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        needed, free = int(self._starts[-1]), memory_available()
        if free is not None and needed > _MEMORY_SHARE * free:
            raise DatasetError(
                f"cache=ram needs {_gib(needed)} for {len(specs)} images; of the {_gib(free)} that are free, "
                f"{_MEMORY_SHARE:.0%} may be used. Use cache=disk, a smaller imgsz, or no cache."
            )
        # A tensor, because torch hands its memory to worker processes by reference also where they are not forked.
        self._memory = torch.empty(needed, dtype=torch.uint8)

    def get(self, index: int) -> Arrays:
        """Return copies of the arrays of a sample."""
        return tuple(view.copy() for view in self._views(index))

    def _put(self, index: int, decode: Callable[[int], Arrays]) -> None:
        for view, array in zip(self._views(index), decode(index), strict=True):
            view[...] = array

    def _views(self, index: int) -> Arrays:
        memory, start, views = self._memory.numpy(), int(self._starts[index]), []
        for spec in self._specs[index]:
            views.append(memory[start : start + spec.size].view(spec.dtype).reshape(spec.shape))
            start += spec.size
        return tuple(views)


class DiskStore(ArrayStore):
    """Uncompressed `.npy` files, named by the content they were made from, so that none is ever out of date.

    They lie in `.cache` inside the dataset, or in the user's cache folder where the dataset cannot be written to.

    Args:
        root: folder of the dataset.
        keys: for each sample, what its arrays are made from (files with their times, size, label meaning).
        specs: what will be stored.

    Raises:
        DatasetError: the disk has no room.
    """

    place = "disk"

    def __init__(self, root: Path, keys: Sequence[str], specs: Sequence[Sequence[ArraySpec]]) -> None:
        self._folder = _writable_folder(root)
        self._names = [
            hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest() for key in keys
        ]
        self._parts = len(specs[0]) if specs else 0
        missing = [group for name, group in zip(self._names, specs, strict=True) if not self._file(name, 0).exists()]
        needed, free = sum(spec.size for group in missing for spec in group), shutil.disk_usage(self._folder).free
        if needed > free - _DISK_RESERVE:
            raise DatasetError(
                f"cache=disk needs {_gib(needed)} in '{self._folder}', where {_gib(free)} are free. "
                "Make room, use a smaller imgsz, or no cache."
            )
        LOGGER.info(f"cache=disk: {len(missing)} of {len(specs)} images to decode, kept in '{self._folder}'.")

    def get(self, index: int) -> Arrays:
        """Return the arrays of a sample."""
        return tuple(np.load(self._file(self._names[index], part)) for part in range(self._parts))

    def _put(self, index: int, decode: Callable[[int], Arrays]) -> None:
        files = [self._file(self._names[index], part) for part in range(self._parts)]
        if all(file.exists() for file in files):
            return
        for file, array in zip(files, decode(index), strict=True):
            temporary = file.with_suffix(f".{os.getpid()}.tmp")
            with temporary.open("wb") as stream:
                np.save(stream, array)
            temporary.replace(file)

    def _file(self, name: str, part: int) -> Path:
        return self._folder / f"{name}-{part}.npy"


def _writable_folder(root: Path) -> Path:
    for folder in (root / ".cache", user_cache_folder() / "arrays"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    raise DatasetError(
        f"cache=disk: neither '{root}' nor '{user_cache_folder()}' can be written to. Use cache=ram or none."
    )


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
