"""The one progress bar."""

from __future__ import annotations

import io

import pytest

from ultralytics.utils import progress as module
from ultralytics.utils.progress import progress


def test_the_items_pass_through_and_the_end_is_shown() -> None:
    output = io.StringIO()
    assert list(progress(iter("abc"), desc="reading", total=3, file=output)) == ["a", "b", "c"]
    last = output.getvalue().rstrip().split("\r")[-1]
    assert last.startswith("reading: 100%")
    assert "3/3" in last


def test_a_bar_can_be_moved_by_hand() -> None:
    with progress(desc="fetching", total=10, file=io.StringIO()) as bar:
        bar.update(4)
        assert bar.n == 4


def test_other_ranks_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_main_process", lambda: False)
    output = io.StringIO()
    assert list(progress(range(3), file=output)) == [0, 1, 2]
    assert output.getvalue() == ""


def test_what_would_not_stay_is_not_drawn_where_there_is_no_terminal() -> None:
    output = io.StringIO()
    assert list(progress(range(3), leave=False, file=output)) == [0, 1, 2]
    assert output.getvalue() == ""


def test_a_bar_that_ctrl_c_left_half_made_goes_in_silence() -> None:
    kind = type(progress(range(3), disable=True))
    kind.__new__(kind).__del__()  # an error in it is printed as "Exception ignored"
