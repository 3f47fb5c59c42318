"""Results that are made while they are read: of videos and cameras, of which memory could not hold all."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TypeVar

from ultralytics.utils.log import LOGGER

Item = TypeVar("Item")


class ResultStream(Iterator[Item]):
    """Results one after the other; what has been read is not kept, and nothing happens before the first is asked for.

    Args:
        results: makes them.

    Example:
        >>> for result in YOLO("best.pt")("drive.mp4"):  # doctest: +SKIP
        ...     print(result.verbose())
    """

    def __init__(self, results: Generator[Item, None, None]) -> None:
        self._results, self._asked = results, False

    def __next__(self) -> Item:
        self._asked = True
        return next(self._results)

    def __getitem__(self, index: object) -> Item:
        raise TypeError(
            "The results of a video, camera or generator come one by one, as there may be more than memory holds: "
            "iterate over them. stream=False makes a list of all."
        )

    def close(self) -> None:
        """Stop: what is being written is finished, and the source is released."""
        self._asked = True
        self._results.close()

    def __del__(self) -> None:
        if not self._asked:
            LOGGER.warning(
                "Nothing was predicted: the results of a video, camera or generator come one by one, and none was "
                "asked for. Iterate over what predict() returns, or give stream=False for a list of all."
            )
