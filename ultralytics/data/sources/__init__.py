"""Anything a user may predict on, as an iterator over batches of frames."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from ultralytics.data.imread import IMG_FORMATS, VID_FORMATS
from ultralytics.data.sources.files import Item, ItemSource, ReadOptions, files_of, item_of, read_lines, suffix_of
from ultralytics.data.sources.frame import Frame, Source
from ultralytics.data.sources.generated import GeneratedSource
from ultralytics.data.sources.memory import TensorSource, array_of
from ultralytics.data.sources.screen import ScreenSource
from ultralytics.data.sources.streams import StreamSource
from ultralytics.data.sources.web import is_http, is_image_address, is_url
from ultralytics.errors import SourceError

__all__ = ["Frame", "Source", "load_source"]

_SCREEN = re.compile(r"screen(\s+-?\d+)*")


def load_source(
    source: Any,
    *,
    batch: int = 1,
    vid_stride: int = 1,
    stream_buffer: bool = False,
    channels: int = 3,
    timeout: float = 30.0,
) -> Source:
    """Make an iterator over what a user wants to predict on; files and cameras are opened when it is iterated over.

    Args:
        source: path of an image or video, a folder (not its subfolders), a pattern (`**` for any depth), a `.txt` or
            `.csv` list, a `.streams` list, an address, the number of a camera, "screen", a PIL image, an
            (H, W, C) uint8 BGR array, a (B, C, H, W) RGB tensor from 0 to 1, a list of images and paths, or a
            generator of images.
        batch: frames per batch; live streams give one frame of each stream, a tensor all its images.
        vid_stride: every how manieth frame of videos and streams is taken.
        stream_buffer: keep the last frames of live streams in order instead of taking the latest.
        channels: channels of an image.
        timeout: seconds to wait for a server, or for the next frame of a stream.

    Raises:
        MissingFile: the path does not exist.
        SourceError: it is nothing one can predict on, or holds no image and no video.

    Example:
        >>> with load_source("street.jpg") as source:  # doctest: +SKIP
        ...     for frames in source:
        ...         print(frames[0].label, frames[0].image.shape)
    """
    if batch < 1 or vid_stride < 1:
        raise SourceError(f"batch={batch} and vid_stride={vid_stride} must be 1 or more.")
    reading = ReadOptions(channels=channels, vid_stride=vid_stride, timeout=timeout)
    if isinstance(source, Tensor):
        return TensorSource(source)
    if isinstance(source, Iterator):
        return GeneratedSource(source, batch=batch, channels=channels)
    if (live := _live(source, timeout)) is not None:
        return StreamSource(live, reading, buffered=stream_buffer)
    if isinstance(source, str) and _SCREEN.fullmatch(source.strip()):
        return ScreenSource(source.strip(), channels=channels)
    listed = source if isinstance(source, (list, tuple)) else [source]
    if not listed:
        raise SourceError("The list of sources is empty.")
    items = [item for number, one in enumerate(listed) for item in _items(one, number, reading)]
    in_memory = not any(isinstance(one, (str, os.PathLike)) for one in listed)
    return ItemSource(items, batch=batch, ahead=not in_memory)


def _live(source: Any, timeout: float) -> list[str | int] | None:
    """Cameras and streams that a source stands for; None if it is none."""
    if isinstance(source, int) and not isinstance(source, bool):
        return [source]
    if not isinstance(source, (str, os.PathLike)):
        return None
    text = os.fspath(source).strip()
    if text.lower().endswith(".streams") and Path(text).is_file():
        rows = read_lines(Path(text))
        if not rows:
            raise SourceError(f"'{text}' names no stream. Write one address or camera number in each row.")
        return [_camera_or_address(row) for row in rows]
    return [_camera_or_address(text)] if text.isdecimal() or _is_stream(text, timeout) else None


def _camera_or_address(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def _is_stream(text: str, timeout: float) -> bool:
    """Tell a stream's address from that of a file; the server is asked where the suffix does not say."""
    if not is_url(text) or suffix_of(text) in IMG_FORMATS | VID_FORMATS:
        return False
    return not is_http(text) or not is_image_address(text, timeout=timeout)


def _items(source: Any, number: int, reading: ReadOptions) -> list[Item]:
    """Files and arrays that one source stands for."""
    if isinstance(source, (str, os.PathLike)):
        text = os.fspath(source)
        return [item_of(text, reading)] if is_url(text) else files_of(Path(text).expanduser(), reading)
    if isinstance(source, (np.ndarray, Image.Image)):
        return [array_of(source, reading.channels, f"image{number}")]
    raise SourceError(
        f"A {type(source).__name__} is nothing one can predict on. Give a path, an address, a camera number, "
        "a PIL image, an (H, W, C) uint8 BGR array, a (B, C, H, W) tensor, a list of images and paths, or a generator "
        "of images."
    )
