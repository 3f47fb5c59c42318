"""Arrays in memory that two processes see, one copy from one to the other.

Memory has a name only until both have it, so that nothing is left behind however they end. (The standard library's
shared memory is tracked by a process that warns, and unlinks, when only one of two ends.)
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import uuid
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

PREFIX = "ultralytics-"
_ALIGNMENT = 64
_LENT_AT_MOST = 3  # each keeps a file descriptor; whoever collects results gets copies


class Segment:
    """A piece of memory with a name; `name` is a path, on Windows that of a mapping.

    Attributes:
        name: under which the other process opens it.
        size: in bytes.
    """

    def __init__(self, name: str, size: int, memory: mmap.mmap) -> None:
        self.name, self.size, self._memory = name, size, memory
        self._borrower: weakref.ref[np.ndarray] | None = None
        self._named = sys.platform != "win32"  # where a name goes away with the memory

    @classmethod
    def create(cls, size: int) -> Segment:
        """Make a segment of at least `size` bytes.

        Raises:
            OSError: there is no room for it.
        """
        size = -(-max(size, 1) // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        if sys.platform == "win32":
            name = f"{PREFIX}{uuid.uuid4().hex}"
            return cls(name, size, mmap.mmap(-1, size, tagname=name))
        places = [Path("/dev/shm"), Path(tempfile.gettempdir())]  # the first is memory, but small in containers
        error: OSError | None = None
        for place in places:
            try:
                return cls._create_file(place / f"{PREFIX}{uuid.uuid4().hex}", size)
            except OSError as reason:
                error = reason
        raise error or OSError("There is no place for shared memory.")

    @classmethod
    def _create_file(cls, path: Path, size: int) -> Segment:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):  # a full disk shall be an error here, not a crash where it is written to
                os.posix_fallocate(handle, 0, size)
            else:
                os.ftruncate(handle, size)
            return cls(str(path), size, mmap.mmap(handle, size))
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(handle)

    @classmethod
    def open(cls, description: dict[str, Any]) -> Segment:
        """Open what another process made and `describe`d."""
        name, size = description["name"], description["size"]
        if sys.platform == "win32":
            return cls(name, size, mmap.mmap(-1, size, tagname=name))
        with Path(name).open("r+b") as file:
            return cls(name, size, mmap.mmap(file.fileno(), size))

    def describe(self) -> dict[str, Any]:
        """Return what `open` takes, as plain data."""
        return {"name": self.name, "size": self.size}

    def forget_name(self) -> None:
        """Make it impossible to open it once more; those who have it keep it."""
        if self._named:
            Path(self.name).unlink(missing_ok=True)
            self._named = False

    def array(self, description: dict[str, Any], root: np.ndarray | None = None) -> np.ndarray:
        """Return an array that lies in it.

        Args:
            description: plain data with shape, dtype and offset.
            root: all its bytes, where the caller has them.
        """
        root = self.root() if root is None else root
        dtype, shape, offset = np.dtype(description["dtype"]), description["shape"], description["offset"]
        count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return root[offset : offset + count].view(dtype).reshape(shape)

    def root(self) -> np.ndarray:
        """All its bytes, uint8."""
        return np.frombuffer(self._memory, np.uint8)

    def lend(self, descriptions: Iterable[dict[str, Any]]) -> tuple[np.ndarray, ...]:
        """Return arrays that lie in it; it is `lent` until nobody has one of them, or a view of one, any more."""
        root = self.root()
        self._borrower = weakref.ref(root)
        return tuple(self.array(description, root) for description in descriptions)

    @property
    def lent(self) -> bool:
        """Whether somebody still has arrays that lie in it."""
        return self._borrower is not None and self._borrower() is not None


def laid_out(arrays: Iterable[np.ndarray]) -> tuple[list[dict[str, Any]], int]:
    """Describe arrays laid one after the other; also tells how many bytes they take."""
    descriptions, offset = [], 0
    for array in arrays:
        descriptions.append({"shape": list(array.shape), "dtype": array.dtype.str, "offset": offset})
        offset += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
    return descriptions, offset


class Sender:
    """Segments of the process that asks: one for what it sends, a few for what it gets."""

    def __init__(self) -> None:
        self._images: Segment | None = None
        self._outputs: list[Segment] = []
        self._size = 1
        self._dropped: list[str] = []

    def images(self, images: np.ndarray) -> dict[str, Any]:
        """Copy images into shared memory and describe where they lie."""
        (description,), size = laid_out([images])
        if self._images is None or self._images.size < size:
            self._drop(self._images)
            self._images = Segment.create(size)
        np.copyto(self._images.array(description), images)
        return {**description, "memory": self._images.describe()}

    def output(self, size: int = 1) -> Segment:
        """Find a segment for outputs of some bytes that nobody has arrays of, or make one."""
        self._size = max(self._size, size)
        for segment in [entry for entry in self._outputs if not entry.lent and entry.size < self._size]:
            self._outputs.remove(segment)
            self._drop(segment)
        for segment in self._outputs:
            if not segment.lent:
                return segment
        segment = Segment.create(self._size)
        self._outputs.append(segment)
        return segment

    def outputs(self, segment: Segment, descriptions: list[dict[str, Any]]) -> tuple[np.ndarray, ...]:
        """Return the arrays in a segment of `output`; they are the caller's."""
        if len(self._outputs) > _LENT_AT_MOST:
            self._outputs.remove(segment)
            self._drop(segment)
            return tuple(segment.array(description).copy() for description in descriptions)
        return segment.lend(descriptions)

    def dropped(self) -> list[str]:
        """Names of segments that the other process may forget; each is told once."""
        names, self._dropped = self._dropped, []
        return names

    def forget_names(self) -> None:
        """To be called when the other process has opened what it was told of, or never will."""
        for segment in (self._images, *self._outputs):
            if segment is not None:
                segment.forget_name()

    def _drop(self, segment: Segment | None) -> None:
        if segment is not None:
            segment.forget_name()
            self._dropped.append(segment.name)


class Receiver:
    """Segments of the process that answers."""

    def __init__(self) -> None:
        self._open: dict[str, Segment] = {}

    def meet(self, request: dict[str, Any]) -> None:
        """Open the segments that a request names, as their names go away with its answer; let go of forgotten ones."""
        for name in request["forget"]:
            self._open.pop(name, None)
        for description in (request["output"], request.get("images", {}).get("memory")):
            if description is not None and description["name"] not in self._open:
                self._open[description["name"]] = Segment.open(description)

    def array(self, description: dict[str, Any]) -> np.ndarray:
        """Return the array that `Sender.images` described, without a copy."""
        return self._open[description["memory"]["name"]].array(description)

    def write(self, outputs: Iterable[np.ndarray], segment: dict[str, Any]) -> dict[str, Any]:
        """Copy outputs into a segment and say where they lie, or how many bytes they need if it is too small."""
        outputs = tuple(outputs)
        descriptions, size = laid_out(outputs)
        target = self._open[segment["name"]]
        if size > target.size:
            return {"grow": size}
        root = target.root()
        for description, output in zip(descriptions, outputs, strict=True):
            np.copyto(target.array(description, root), output)
        return {"outputs": descriptions}
