"""Reading ahead: in order, bounded, and over when it is over."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.data.sources.ahead import BoundedQueue, read_ahead


class Reader:
    """A generator of numbers that notes how far it got, and where."""

    def __init__(self, count: int, fail_at: int | None = None) -> None:
        self.count, self.fail_at = count, fail_at
        self.given = 0
        self.closed_in: threading.Thread | None = None

    def __call__(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                if number == self.fail_at:
                    raise OSError("broken")
                self.given += 1
                yield number
        finally:
            self.closed_in = threading.current_thread()


@given(st.lists(st.integers()), st.integers(1, 5))
def test_items_come_in_order(items, depth):
    assert list(read_ahead((item for item in items), depth)) == items


def test_the_reader_waits_for_its_user():
    reader = Reader(1000)
    ahead = read_ahead(reader(), 3)
    for number in range(20):
        assert next(ahead) == number
        assert reader.given <= number + 1 + 3 + 1  # taken, waiting, and one in the reader's hand
    ahead.close()
    assert reader.given < 30


def test_an_error_comes_after_the_items_before_it():
    reader = Reader(10, fail_at=3)
    ahead = read_ahead(reader(), 2)
    assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="broken"):
        next(ahead)
    assert reader.closed_in is not threading.main_thread()


@pytest.mark.parametrize("taken", [1, 5])
def test_closing_ends_the_thread_and_closes_the_reader_in_it(taken):
    reader = Reader(1000)
    before = threading.active_count()
    ahead = read_ahead(reader(), 2)
    for _ in range(taken):
        next(ahead)
    ahead.close()
    assert threading.active_count() == before
    assert reader.closed_in not in {None, threading.current_thread()}


def test_an_exception_of_the_user_ends_the_thread():
    before = threading.active_count()

    def use() -> None:
        for _ in read_ahead(Reader(1000)(), 2):
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert threading.active_count() == before


def test_a_dropping_channel_keeps_the_latest():
    channel: BoundedQueue[int] = BoundedQueue(2, drop=True)
    assert all(channel.put(number) for number in range(5))
    assert (channel.get(), channel.get(), channel.dropped) == (3, 4, 3)


def test_waiting_has_an_end():
    with pytest.raises(TimeoutError):
        BoundedQueue(1).get(0.01)


def test_after_the_end_what_waits_is_still_given():
    channel: BoundedQueue[int] = BoundedQueue(2)
    channel.put(1)
    channel.end()
    assert not channel.put(2)
    assert (channel.get(), channel.get(), channel.get()) == (1, None, None)
