"""Cameras and network streams: one thread each, which keeps the latest frame, or the last few.

A live picture does not wait: frames that come faster than they are used are thrown away and counted.
"""

from __future__ import annotations

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
    """

    live = True

    def __init__(
        self, locations: Sequence[str | int], *, vid_stride: int, buffered: bool, channels: int, timeout: float
    ) -> None:
        super().__init__(len(locations))
        self.dropped: dict[str, int] = {}
        self._locations = locations
        self._stride, self._channels, self._timeout = vid_stride, channels, timeout
        self._size = BUFFER if buffered else 1

    def _batches(self) -> Generator[list[Frame], None, None]:
        names = [_name(location) for location in self._locations]
        streams = [
            Ahead(self._frames(index, location), self._size, drop=True)
            for index, location in enumerate(self._locations)
        ]
        try:
            while batch := [frame for pair in zip(names, streams, strict=True) if (frame := self._next(*pair))]:
                yield batch
        finally:
            for stream in streams:
                stream.channel.end()
            for name, stream in zip(names, streams, strict=True):
                stream.close(self._timeout)
                self.dropped[name] = stream.channel.dropped
                if stream.channel.dropped:
                    LOGGER.info(f"'{name}': {stream.channel.dropped} frames came too fast and were dropped.")

    def _frames(self, index: int, location: str | int) -> Generator[Frame, None, None]:
        """Open a stream and read it to its end; runs in the stream's thread."""
        name, number = _name(location), 0
        try:
            with open_video(location, timeout=self._timeout) as capture:
                fps = frame_rate(capture, self._stride)
                for number, image in read_frames(capture, stride=self._stride, channels=self._channels):
                    if image is not None:
                        yield Frame(path=name, index=index, total=self.total, image=image, frame=number, fps=fps)
        except (ImageError, MissingFile) as error:
            raise SourceError(str(error)) from error
        if not number:
            raise SourceError(f"'{name}' ended without a frame.")

    def _next(self, name: str, stream: Ahead[Frame]) -> Frame | None:
        try:
            return stream.channel.get(self._timeout)
        except TimeoutError as error:
            raise SourceError(
                f"'{name}' has sent no frame for {self._timeout:g} seconds. Is it running and reachable?"
            ) from error


def _name(location: str | int) -> str:
    return f"camera{location}" if isinstance(location, int) else shown(location)
