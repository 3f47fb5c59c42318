"""One picture on its way to the network, and what all sources of pictures have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ultralytics.data.measured import fill_missing
from ultralytics.data.sources.ahead import read_ahead

if TYPE_CHECKING:
    from typing_extensions import Self


def _no_image() -> np.ndarray:
    return np.empty((0, 0, 3), np.uint8)


@dataclass(slots=True, kw_only=True, eq=False)
class Frame:
    """A picture and where it came from.

    Attributes:
        path: file, address, or a made-up name such as "image0" for data in memory.
        index: position of the file, stream or array among those of the source.
        total: number of them.
        image: (H, W, C) uint8 or uint16, BGR for three channels; empty where there is a tensor.
        missing: (H, W) bool, true where nothing was measured (see `data.measured`); None if everything was.
        tensor: (C, H, W) float32 RGB from 0 to 1, of a tensor source.
        frame: number of the frame in its video or stream, from 1; None for a still picture.
        fps: frames per second of the video that these frames make; None if unknown.
    """

    path: str
    index: int = 0
    total: int = 1
    image: np.ndarray = field(default_factory=_no_image)
    missing: np.ndarray | None = None
    tensor: Tensor | None = None
    frame: int | None = None
    fps: float | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        height, width = self.image.shape[:2] if self.tensor is None else self.tensor.shape[1:]
        return height, width

    @property
    def label(self) -> str:
        """What a log line calls it: "image 2/5 street.jpg", "video 1/1 (frame 30) clip.mp4"."""
        place = f"{self.index + 1}/{self.total}"
        return f"image {place} {self.path}" if self.frame is None else f"video {place} (frame {self.frame}) {self.path}"

    @property
    def filled(self) -> np.ndarray:
        """The picture as a network sees it, with grey where nothing was measured."""
        return fill_missing(self.image, self.missing)

    def original(self) -> np.ndarray:
        """The picture as (H, W, C), BGR for three channels, made from the tensor as uint8 where there is one."""
        if self.tensor is None:
            return self.image
        pixels = (self.tensor.detach().float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        return np.ascontiguousarray(pixels[..., ::-1] if pixels.shape[2] == 3 else pixels)


class Source(ABC):
    """Pictures in batches: iterate over it, and close it or use it in a `with` block.

    Attributes:
        total: number of files, streams or arrays.
        count: number of frames; None where only reading tells (videos, streams).
        files: paths of the files, where they are known before anything is read.
        live: frames come at their own pace and without end (cameras, network streams, the screen).
        is_long: there may be more frames than memory holds (live ones, videos, generators).
        skipped: (what, why) of everything that could not be read, so far.
    """

    files: Sequence[str] = ()
    live: bool = False
    is_long: bool = False

    def __init__(self, total: int) -> None:
        self.total = total
        self.count: int | None = None
        self.skipped: list[tuple[str, str]] = []
        self._running: Generator[list[Frame], None, None] | None = None

    def __iter__(self) -> Iterator[list[Frame]]:
        self.close()
        self._running = self._batches()
        return self._running

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and release files, cameras and threads; iterating again starts over."""
        if self._running is not None:
            self._running.close()
            self._running = None

    @abstractmethod
    def _batches(self) -> Generator[list[Frame], None, None]:
        """Yield batches; everything that was opened is released when the generator is closed."""


class FrameSource(Source):
    """A source whose frames come one after the other.

    Args:
        total: number of files or arrays.
        batch: frames per batch; the last one may have fewer.
        ahead: read in a thread of its own while the last batch is being worked on.
    """

    def __init__(self, total: int, *, batch: int, ahead: bool) -> None:
        super().__init__(total)
        self._batch, self._ahead = batch, ahead

    @abstractmethod
    def _frames(self) -> Generator[Frame, None, None]:
        """Yield frames; runs in another thread when reading ahead."""

    def _batches(self) -> Generator[list[Frame], None, None]:
        frames = read_ahead(self._frames(), 2 * self._batch) if self._ahead else self._frames()
        with closing(frames):
            batch = []
            for frame in frames:
                batch.append(frame)
                if len(batch) == self._batch:
                    yield batch
                    batch = []
            if batch:
                yield batch
