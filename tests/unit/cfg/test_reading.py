from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.cfg.reading import either, names_of, read_as


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        (bool, "true", True),
        (bool, "False", False),
        (bool, "no", False),
        (int, "12", 12),
        (int, "-1", -1),
        (float, "1e-3", 0.001),
        (float, "3", 3.0),
        (str, "007", "007"),
        (str, "None", "None"),
        (str | None, "None", None),
        (int | None, "null", None),
        (bool | str, "ram", "ram"),
        (bool | str, "yes", True),
        (int | float, "0.5", 0.5),
        (int | list[int], "640", 640),
        (int | list[int], "[480, 640]", [480, 640]),
        (int | list[int], "(480,640)", [480, 640]),
        (list[int] | None, "3", [3]),
        (list[int], "1,2,3", [1, 2, 3]),
        (list[str], "['a', \"b\"]", ["a", "b"]),
        (list[float] | str | None, "auto", "auto"),
        (list[float] | str | None, "[1,0.5]", [1.0, 0.5]),
        (Path, "~/data", Path.home() / "data"),
    ],
)
def test_text_is_read_as_its_type(hint, text, value):
    read = read_as(hint, text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (str | None, Path("a") / "b", str(Path("a") / "b")),
        (int | list[int], (480, 640), [480, 640]),
        (int, np.int64(3), 3),
        (float, np.float32(0.5), 0.5),
        (bool, np.True_, True),
        (list[int], np.array([1, 2]), [1, 2]),
        (list[float], torch.tensor([1.0, 2.0]), [1.0, 2.0]),
        (str, 7, "7"),
    ],
)
def test_values_of_libraries_become_plain(hint, value, expected):
    read = read_as(hint, value)
    assert read == expected
    assert type(read) is type(expected)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, True),
        (int, "true"),
        (int, 1.0),
        (int, "1.5"),
        (float, False),
        (float, "nan"),
        (float, math.inf),
        (float, 10**400),
        (float, [1.0]),
        (bool, 1),
        (bool, "1"),
        (str, True),
        (str, ["a"]),
        (str, None),
        (int, None),
        (list[int], "1,x"),
        (int | list[int], [[1]]),
        (int | None, object()),
    ],
)
def test_what_does_not_fit_is_refused(hint, value):
    with pytest.raises(ValueError, match="cannot be read"):
        read_as(hint, value)


def test_anything_stays_itself():
    array = np.zeros(2)
    assert read_as(Any, array) is array


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.lists(st.integers()))
def test_a_printed_value_is_read_back(value):
    hint = list[int] if isinstance(value, list) else type(value)
    assert read_as(hint, str(value)) == value


@given(st.text())
def test_no_text_is_taken_for_code(text):
    for hint in (int, float, bool, list[int]):
        try:
            value = read_as(hint, text)
        except ValueError:
            continue
        assert isinstance(value, int | float | list)


def test_types_have_names_for_people():
    assert names_of(bool | None) == ["true", "false", "none"]
    assert names_of(int | list[int]) == ["a whole number", "a list of whole numbers"]
    assert either(["a", "b", "c"]) == "a, b or c"
    assert either(["a"]) == "a"
