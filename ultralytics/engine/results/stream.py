"""Results that are made while they are read: of videos and cameras, of which memory could not hold all."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

from ultralytics.utils.log import LOGGER

Item = TypeVar("Item")


class ResultStream(Iterator[Item], Generic[Item]):
    """Results one after the other; what has been read is not kept, and nothing happens before the first is asked for.

    Args:
        results: makes them.
        source: what messages call the source.

    Example:
        >>> for result in YOLO("best.pt")("drive.mp4"):  # doctest: +SKIP
        ...     print(result.verbose())
    """

    def __init__(self, results: Generator[Item, None, None], source: str) -> None:
        self._results, self._source, self._asked = results, source, False

    def __next__(self) -> Item:
        self._asked = True
        return next(self._results)

    def __getitem__(self, index: object) -> Item:
        raise TypeError(
            f"The results of {self._source} come one by one, as there may be more than memory holds: iterate over "
            "them. stream=False makes a list of all."
        )

    def close(self) -> None:
        """Stop: what is being written is finished, and the source is released."""
        self._asked = True
        self._results.close()

    def __del__(self) -> None:
        if not self._asked:
            LOGGER.warning(
                f"Nothing was predicted on {self._source}: its results come one by one and none was asked for. "
                "Iterate over what predict() returns, or give stream=False for a list of all."
            )
