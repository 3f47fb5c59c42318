"""Videos, cameras and streams as OpenCV opens them."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from ultralytics.data.sources.web import is_url, shown
from ultralytics.errors import ImageError, MissingFile, SourceError
from ultralytics.utils.files import is_special

_MAX_FPS = 1000.0
_MOST_BROKEN = 100  # frames in a row
_WHOLE = 0.9
_PATIENCE = 1.0  # seconds; a device or server that is gone answers slowly


@contextmanager
def open_video(location: str | int, *, timeout: float) -> Generator[VideoReader, None, None]:
    """Open a video file, an address or a camera, and release it in the end.

    Args:
        location: file, address, or number of a camera.
        timeout: seconds that an address or camera may take to open, and each of its frames to come.

    Raises:
        MissingFile: there is no such file.
        ImageError: it cannot be opened as a video, or not in time.
    """
    asked, is_file = time.monotonic(), isinstance(location, str) and not is_url(location)
    if isinstance(location, str) and not is_file:
        wait = math.ceil(timeout * 1000)
        waits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait)
        capture = cv2.VideoCapture(location, cv2.CAP_FFMPEG, waits)
        name = shown(location)
    else:
        if isinstance(location, str):
            _check_file(location)
        capture = cv2.VideoCapture(location)
        name = location if isinstance(location, str) else f"camera{location}"
    try:
        if not capture.isOpened():
            if not is_file and time.monotonic() - asked >= timeout:
                raise ImageError(silence(name, timeout))
            raise ImageError(f"'{name}' cannot be opened as a video. Is it there, and in no other program's use?")
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        yield VideoReader(capture, name, math.inf if is_file else timeout)
    finally:
        capture.release()


class VideoReader:
    """A video that is open.

    Args:
        capture: reads it.
        name: what messages call it.
        timeout: seconds that a frame may take to come; infinite for a file, which nobody sends.

    Attributes:
        stated: number of frames by the header, or as its duration tells; None for what has no end, as live pictures.
    """

    def __init__(self, capture: cv2.VideoCapture, name: str, timeout: float) -> None:
        self._capture, self._name, self._timeout = capture, name, timeout
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.stated = round(count) if count > 0 else None

    def fps(self, stride: int) -> float | None:
        """Frames per second that are read with a stride; None if the header says nothing sensible."""
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        return fps / stride if 0 < fps <= _MAX_FPS else None

    def frames(self, *, stride: int, channels: int) -> Iterator[tuple[int, np.ndarray | None]]:
        """Read to the real end, whatever the header says of it.

        Args:
            stride: every how manieth frame is decoded, beginning with the first.
            channels: 1 or 3.

        Yields:
            The number of the frame from 1 and its (H, W, C) uint8 image, None if it cannot be read or decoded.

        Raises:
            SourceError: a video cannot have so many channels.
            ImageError: what is sent fell silent, or broke off before its end.
        """
        if channels not in {1, 3}:
            raise SourceError(f"A video has 3 channels or 1, but the model takes {channels}. Predict on image files.")
        number = 0
        for number, grabbed in enumerate(self._grabs(), start=1):
            if (number - 1) % stride == 0:
                decoded, image = self._capture.retrieve() if grabbed else (False, None)
                yield number, with_channels(image, channels) if decoded and image is not None else None
        if number and self.stated is not None and math.isfinite(self._timeout) and number <= _WHOLE * self.stated:
            raise ImageError(broke_off(self._name, number))

    def _grabs(self) -> Iterator[bool]:
        """Fetch frame by frame; OpenCV reports a broken one as it does the end, so what counts is if others follow."""
        broken, since = 0, time.monotonic()
        while broken < _MOST_BROKEN and time.monotonic() - since < _PATIENCE:
            asked = time.monotonic()
            grabbed = self._capture.grab()
            if time.monotonic() - asked >= self._timeout:  # OpenCV gives up, then hands out old frames it still has
                raise ImageError(silence(self._name, self._timeout))
            if grabbed:
                yield from [False] * broken
                yield True
                broken, since = 0, time.monotonic()
            else:
                broken += 1


def broke_off(name: str, frames: int) -> str:
    """Say that a server or camera went away."""
    return f"'{name}' broke off after {frames} frames. Is it still running and reachable?"


def silence(name: str, timeout: float) -> str:
    """Say that a server or camera keeps one waiting."""
    return f"'{name}' has sent no frame for {timeout:g} seconds. Is it running and reachable?"


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Give a grey or BGR picture one channel or three."""
    have = 1 if image.ndim == 2 else image.shape[2]
    if have != channels:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if channels == 3 else cv2.COLOR_BGR2GRAY)
    return image[..., None] if image.ndim == 2 else image


def _check_file(location: str) -> None:
    """Say what is wrong before OpenCV fails on it with nothing but "not opened", or crashes on the name."""
    path = Path(location)
    if is_special(path):
        raise ImageError(f"'{location}' is a pipe, socket or device, not a file.")
    if not path.is_file():
        raise MissingFile(f"'{location}' does not exist.")
    if not path.stat().st_size:
        raise ImageError(f"'{location}' is empty (0 bytes).")
    try:
        location.encode()
    except UnicodeEncodeError as error:
        raise ImageError(f"The name of {location!r} is not valid text. Rename the file.") from error
