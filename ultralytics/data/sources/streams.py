"""Cameras and network streams: one thread each, which keeps the latest frame, or the last few.

A live picture does not wait: frames that come faster than they are used are thrown away and counted. A stream that
falls silent is left out, and is an error only when no other is left.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence

from ultralytics.data.sources.ahead import Ahead
from ultralytics.data.sources.frame import Frame, Source
from ultralytics.data.sources.video import frame_rate, open_video, read_frames
from ultralytics.data.sources.web import shown
from ultralytics.errors import ImageError, MissingFile, SourceError
from ultralytics.utils.log import LOGGER

BUFFER = 30
"""Frames that wait where the stream is buffered."""


class StreamSource(Source):
    """Several live streams; each batch has one frame of every stream that still runs.

    Args:
        locations: numbers of cameras, addresses of streams.
        vid_stride: every how manieth frame is taken.
        buffered: keep the last frames in order instead of the latest one alone.
        channels: channels of a frame, 1 or 3.
        timeout: seconds to wait for the next frame before the stream counts as lost.

    Attributes:
        dropped: number of frames of each stream that were thrown away, known when reading has ended.
        broken: number of frames of each stream that could not be decoded; a stream without any is not listed.
    """

    live = True

    def __init__(
        self, locations: Sequence[str | int], *, vid_stride: int, buffered: bool, channels: int, timeout: float
    ) -> None:
        super().__init__(len(locations))
        self.dropped: dict[str, int] = {}
        self.broken: dict[str, int] = {}
        self._locations = locations
        self._stride, self._channels, self._timeout = vid_stride, channels, timeout
        self._size = BUFFER if buffered else 1

    def _batches(self) -> Generator[list[Frame], None, None]:
        self.skipped.clear()
        self.broken.clear()
        names = [_name(location) for location in self._locations]
        streams = [
            Ahead(self._frames(index, location), self._size, drop=True)
            for index, location in enumerate(self._locations)
        ]
        running = list(zip(names, streams, strict=True))
        try:
            while running:
                heard = [(pair, self._next(*pair)) for pair in running]
                running = [pair for pair, frame in heard if frame is not None]
                if batch := [frame for _, frame in heard if frame is not None]:
                    yield batch
        finally:
            for stream in streams:
                stream.channel.end()
            for name, stream in zip(names, streams, strict=True):
                stream.close(self._timeout)
                self.dropped[name] = stream.channel.dropped
                self._tell_losses(name)
        if len(self.skipped) == len(streams):
            raise SourceError("\n  ".join(reason for _, reason in self.skipped))

    def _frames(self, index: int, location: str | int) -> Generator[Frame, None, None]:
        """Open a stream and read it to its end; runs in the stream's thread."""
        name, number, since = _name(location), 0, time.monotonic()
        try:
            with open_video(location, timeout=self._timeout) as capture:
                fps = frame_rate(capture, self._stride)
                for number, image in read_frames(capture, stride=self._stride, channels=self._channels):
                    if image is None:
                        self.broken[name] = self.broken.get(name, 0) + 1
                    else:
                        yield Frame(path=name, index=index, total=self.total, image=image, frame=number, fps=fps)
                    since = time.monotonic()
        except (ImageError, MissingFile) as error:
            raise SourceError(str(error)) from error
        if time.monotonic() - since >= self._timeout:  # to OpenCV, silence is an end
            raise SourceError(self._silence(name))
        if not number:
            raise SourceError(f"'{name}' ended without a frame.")

    def _next(self, name: str, stream: Ahead[Frame]) -> Frame | None:
        """Wait for the next frame of a stream; None if it has ended or is lost."""
        try:
            return stream.channel.get(self._timeout)
        except TimeoutError:
            reason = self._silence(name)
        except SourceError as error:
            reason = str(error)
        self.skipped.append((name, reason))
        if len(self.skipped) < self.total:
            LOGGER.warning(f"{reason} Going on with the other streams.")
        return None

    def _silence(self, name: str) -> str:
        return f"'{name}' has sent no frame for {self._timeout:g} seconds. Is it running and reachable?"

    def _tell_losses(self, name: str) -> None:
        if self.dropped[name]:
            LOGGER.info(f"'{name}': frames that came too fast and were dropped: {self.dropped[name]}.")
        if self.broken.get(name):
            LOGGER.warning(f"'{name}': frames that could not be decoded and were left out: {self.broken[name]}.")


def _name(location: str | int) -> str:
    return f"camera{location}" if isinstance(location, int) else shown(location)
