"""Pictures that a program hands over one by one: a generator, a queue, a camera with a library of its own."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
from PIL import Image

from ultralytics.data.sources.frame import Frame, FrameSource
from ultralytics.data.sources.memory import array_of
from ultralytics.errors import SourceError


class GeneratedSource(FrameSource):
    """The pictures of an iterator, taken when they are needed: it can be read once, and may never end.

    Args:
        pictures: (H, W, C) uint8 BGR arrays or PIL images, of any size.
        batch: pictures per batch.
        channels: channels of an image.
    """

    is_long = True

    def __init__(self, pictures: Iterator[np.ndarray | Image.Image], *, batch: int, channels: int) -> None:
        super().__init__(1, batch=batch, ahead=False)  # who makes the pictures may be bound to this thread
        self._pictures, self._channels = pictures, channels

    def _frames(self) -> Generator[Frame, None, None]:
        for number, picture in enumerate(self._pictures):
            name = f"image{number}"
            if not isinstance(picture, (np.ndarray, Image.Image)):
                raise SourceError(
                    f"{name}: a {type(picture).__name__} came where an (H, W, C) uint8 BGR array or a PIL image is "
                    "needed."
                )
            image = array_of(picture, self._channels, name)
            yield Frame(path=image.path, index=number, total=number + 1, image=image.image, missing=image.missing)
