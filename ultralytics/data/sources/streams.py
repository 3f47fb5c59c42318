"""Cameras and network streams: one thread each, which keeps the latest frame, or the last few.

A live picture does not wait: frames that come faster than they are used are thrown away and counted. What has an end,
such as a recording behind an address, is a video and is read whole. A stream that falls silent or breaks off is left
out, and is an error only when no other is left.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence

import numpy as np

from ultralytics.data.sources.ahead import Prefetcher
from ultralytics.data.sources.files import ReadOptions
from ultralytics.data.sources.frame import Frame, Source
from ultralytics.data.sources.video import broke_off, open_video, silence
from ultralytics.data.sources.web import shown
from ultralytics.errors import ImageError, MissingFile, SourceError
from ultralytics.utils.log import LOGGER

BUFFER = 30
"""Frames that wait where the stream is buffered."""
_GRACE = 1.0  # seconds that a batch waits for a late frame, and the end for a thread


class StreamSource(Source):
    """Several live streams; each batch has one frame of every stream that has a new one.

    Args:
        locations: numbers of cameras, addresses of streams.
        reading: which frames are taken, with 1 or 3 channels, and how long to wait for one before the stream is lost.
        buffered: keep the last frames in order instead of the latest one alone.

    Attributes:
        dropped: number of frames of each stream that were thrown away, known when reading has ended.
        broken: number of frames of each stream that could not be decoded; a stream without any is not listed.
    """

    live = is_long = True

    def __init__(self, locations: Sequence[str | int], reading: ReadOptions, *, buffered: bool) -> None:
        super().__init__(len(locations))
        self.dropped: dict[str, int] = {}
        self.broken: dict[str, int] = {}
        self._locations, self._reading = locations, reading
        self._size = BUFFER if buffered else 1

    def _batches(self) -> Generator[list[Frame], None, None]:
        self.skipped.clear()
        streams = [
            _Stream(location, self._reading, self._size, index=index, total=self.total)
            for index, location in enumerate(self._locations)
        ]
        running = streams
        try:
            while running:
                until = time.monotonic() + min(_GRACE, self._reading.timeout)
                frames = [self._next(stream, until) for stream in running]
                if batch := [frame for frame in frames if frame is not None]:
                    yield batch
                running = [stream for stream in running if not stream.over]
        finally:
            self._end(streams)
        if len(self.skipped) == len(streams):
            raise SourceError("\n  ".join(reason for _, reason in self.skipped))

    def _next(self, stream: _Stream, until: float) -> Frame | None:
        """Wait for the next frame of a stream; None if there is none yet, or if it has ended or is lost."""
        try:
            frame = stream.channel.get(max(until - time.monotonic(), 0.0))
        except TimeoutError:
            if stream.heard is None or time.monotonic() - stream.heard < self._reading.timeout:
                return None  # the others need not wait for it
            reason = silence(stream.name, self._reading.timeout)
        except SourceError as error:
            reason = str(error)
        else:
            stream.heard, stream.over = time.monotonic(), frame is None
            return frame
        stream.over = True
        self.skipped.append((stream.name, reason))
        if len(self.skipped) < self.total:
            LOGGER.warning(f"{reason} Going on with the other streams.")
        return None

    def _end(self, streams: Sequence[_Stream]) -> None:
        """Stop all threads; one that waits for a silent server is left to end by itself."""
        for stream in streams:
            stream.channel.end()
        until = time.monotonic() + _GRACE
        for stream in streams:
            stream.close(max(until - time.monotonic(), 0.0))
        self.dropped = {stream.name: stream.channel.dropped for stream in streams}
        self.broken = {stream.name: stream.broken for stream in streams if stream.broken}
        for name, count in self.dropped.items():
            if count:
                LOGGER.info(f"'{name}': frames that came too fast and were dropped: {count}.")
        for name, count in self.broken.items():
            LOGGER.warning(f"'{name}': frames that could not be decoded and were left out: {count}.")


class _Stream(Prefetcher[Frame]):
    """One stream, read in a thread of its own.

    Attributes:
        name: what messages and results call it.
        broken: number of frames that could not be decoded, so far.
        heard: when it was opened or its last frame was taken, by the monotonic clock; None while it is being opened,
            which has its own limit: OpenCV opens one after the other, and a dead one must not use up another's time.
        over: no more frames come.
    """

    def __init__(self, location: str | int, reading: ReadOptions, size: int, *, index: int, total: int) -> None:
        self.name = f"camera{location}" if isinstance(location, int) else shown(location)
        self.broken, self.over = 0, False
        self.heard: float | None = None
        self._location, self._reading = location, reading
        self._index, self._total = index, total
        super().__init__(self._frames(), size, drop=True)

    def _frames(self) -> Generator[Frame, None, None]:
        """Open the stream and read it to its end; runs in the thread.

        Raises:
            SourceError: it cannot be opened, fell silent or broke off.
        """
        number, stride = 0, self._reading.vid_stride
        try:
            with open_video(self._location, timeout=self._reading.timeout) as film:
                fps, self.heard = film.fps(stride), time.monotonic()
                self.channel.drop = film.stated is None
                for number, image in film.frames(stride=stride, channels=self._reading.channels):
                    if image is None:
                        self.broken += 1
                    else:
                        yield self._frame(image, number, fps)
        except (ImageError, MissingFile) as error:
            raise SourceError(str(error)) from error
        if film.stated is None or not number:
            raise SourceError(broke_off(self.name, number))

    def _frame(self, image: np.ndarray, number: int, fps: float | None) -> Frame:
        return Frame(path=self.name, index=self._index, total=self._total, image=image, frame=number, fps=fps)
