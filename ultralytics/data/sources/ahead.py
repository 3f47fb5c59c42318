"""Reading ahead: a generator runs in a thread of its own, a few items before whoever uses them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator
from typing import Generic, TypeVar

T = TypeVar("T")


class BoundedQueue(Generic[T]):
    """A queue between a reading thread and a user, either of whom may end it.

    Args:
        size: items that may wait.
        drop: where the queue is full, throw away the oldest item instead of waiting.

    Attributes:
        drop: as above; it may change while items pass.
        dropped: number of items thrown away.
    """

    def __init__(self, size: int, *, drop: bool = False) -> None:
        self.drop, self.dropped = drop, 0
        self._items: deque[T] = deque()
        self._size = size
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Hand an item over, waiting for room; False if nobody wants any more."""
        with self._changed:
            if self.drop and len(self._items) >= self._size:
                self._items.popleft()
                self.dropped += 1
            self._changed.wait_for(lambda: len(self._items) < self._size or self._ended)
            if not self._ended:
                self._items.append(item)
                self._changed.notify_all()
            return not self._ended

    def get(self, timeout: float | None = None) -> T | None:
        """Take the next item, waiting for it; None if there will be none.

        Raises:
            TimeoutError: none came in time.
            BaseException: whatever ended the reading thread.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._ended, timeout):
                raise TimeoutError
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                raise self._error
            return None

    def end(self, error: BaseException | None = None) -> None:
        """Say that no more items come (with the error that ended them), or that none are wanted."""
        with self._changed:
            self._ended, self._error = True, self._error or error
            self._changed.notify_all()


class Prefetcher(Generic[T]):
    """A thread that runs a generator ahead of its user, and closes it in the end.

    Args:
        items: what is read; it runs, and is closed, in the thread.
        depth: items that may wait.
        drop: where they are too many, throw away the oldest instead of waiting.

    Attributes:
        channel: where the items arrive.
    """

    def __init__(self, items: Generator[T, None, None], depth: int, *, drop: bool = False) -> None:
        self.channel: BoundedQueue[T] = BoundedQueue(depth, drop=drop)
        self._items = items
        self._thread = threading.Thread(target=self._read, name="read-ahead", daemon=True)
        self._thread.start()

    def close(self, timeout: float | None = None) -> None:
        """Stop reading and wait until the generator is closed, at most so many seconds."""
        self.channel.end()
        self._thread.join(timeout)

    def _read(self) -> None:
        try:
            for item in self._items:
                if not self.channel.put(item):
                    break
            self._items.close()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for items
            self.channel.end(error)
        else:
            self.channel.end()


def read_ahead(items: Generator[T, None, None], depth: int) -> Generator[T, None, None]:
    """Yield the items of a generator that runs up to `depth` items ahead in a thread.

    An error in the generator is raised here, after the items before it. When this generator is closed, the other one
    is closed too, in its own thread, before `close` returns.
    """
    ahead = Prefetcher(items, depth)
    try:
        while (item := ahead.channel.get()) is not None:
            yield item
    finally:
        ahead.close()
