"""Pictures of the screen."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from ultralytics.data.sources.frame import Frame, FrameSource
from ultralytics.data.sources.video import with_channels
from ultralytics.errors import SourceError
from ultralytics.utils.imports import require


class ScreenSource(FrameSource):
    """A screen, or a part of it, over and over.

    Args:
        text: "screen", then the number of the screen, then left, top, width and height in pixels; what is left out
            means the whole first screen.
        channels: channels of a frame, 1 or 3.

    Raises:
        SourceError: the text has other numbers; when it is read: there is no such screen, or none at all.
        MissingDependency: the package `mss` is not installed.
    """

    live = is_long = True

    def __init__(self, text: str, *, channels: int) -> None:
        super().__init__(1, batch=1, ahead=False)
        numbers = [int(word) for word in text.split()[1:]]
        if len(numbers) not in {0, 1, 4, 5}:
            raise SourceError(
                f"'{text}' has {len(numbers)} numbers. Write 'screen', 'screen 1', 'screen 100 100 640 480' "
                "or 'screen 1 100 100 640 480' (screen, left, top, width, height)."
            )
        self._screen = numbers[0] if len(numbers) in {1, 5} else 0
        self._part = numbers[-4:] if len(numbers) >= 4 else None
        self._text, self._channels = text, channels
        self._mss = require("mss", extra="screen", why="take pictures of the screen")

    def _frames(self) -> Generator[Frame, None, None]:
        with self._opened() as grabber:
            screens = grabber.monitors[1:]  # the first entry is all screens together
            if not 0 <= self._screen < len(screens):
                raise SourceError(f"'{self._text}': there is no screen {self._screen}; there are {len(screens)}.")
            area = dict(screens[self._screen])
            if self._part is not None:
                left, top, width, height = self._part
                area.update(left=area["left"] + left, top=area["top"] + top, width=width, height=height)
            number = 0
            while True:
                number += 1
                image = np.ascontiguousarray(np.asarray(grabber.grab(area))[..., :3])
                yield Frame(path=f"screen{self._screen}", image=with_channels(image, self._channels), frame=number)

    def _opened(self) -> Any:
        open_screens = getattr(self._mss, "MSS", None) or self._mss.mss  # the name before version 10.2
        try:
            return open_screens()
        except self._mss.ScreenShotError as error:
            raise SourceError(f"'{self._text}': there is no screen to take pictures of ({error}).") from error
