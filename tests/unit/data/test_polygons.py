"""YOLO polygon files."""

from __future__ import annotations

import os

import numpy as np
import pytest

from ultralytics.data.polygons import read_polygons
from ultralytics.errors import DatasetError


def _read(tmp_path, text: str | bytes):
    path = tmp_path / "a.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_polygons(path)


def test_rows_become_polygons(tmp_path):
    polygons, left_out = _read(tmp_path, "0 0 0 1 0 1 1\n\n7.0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8\r\n")
    assert [polygon.label for polygon in polygons] == [0, 7]
    assert polygons[0].points.tolist() == [[0, 0], [1, 0], [1, 1]]
    assert len(polygons[1].points) == 4
    assert left_out == []


def test_an_empty_file_has_no_polygons(tmp_path):
    assert _read(tmp_path, "") == ([], [])


def test_a_box_is_left_out_and_named(tmp_path):
    polygons, left_out = _read(tmp_path, "0 0 0 1 0 1 1\n0 0.5 0.5 0.2 0.2\n")
    assert len(polygons) == 1
    assert left_out == ["row 2 has 2 points (a box?); an outline needs 3"]


def test_rounding_beyond_the_border_is_clipped(tmp_path):
    polygons, _ = _read(tmp_path, "0 -0.001 0 1.00001 0 1 1\n")
    np.testing.assert_array_equal(polygons[0].points[:2], [[0, 0], [1, 0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 0 1 0 1 1\n0 0.1 abc 0.6 0.1 0.6 0.6", r"a\.txt', row 2: '0 0\.1 abc .* is not a row of numbers\.$"),
        ("0,0.1,0.1,0.6,0.1,0.6,0.6", "Separate numbers by spaces, not commas"),
        ("1.5 0 0 1 0 1 1", "the class is 1.5; a whole number"),
        ("-1 0 0 1 0 1 1", "the class is -1"),
        ("0 -0.2 0 1 0 1 1", "the coordinate -0.2 is outside"),
        ("0 100 50 120 60 110 80", "the coordinate 120 is outside"),
        ("0 0 0 1 0 1 1 0.5", "7 coordinates; x and y come in pairs"),
        ("0 nan 0 1 0 1 1", "NaN or infinity"),
        (b"\xff\xfe\x93\x80" * 20, "is not a text file"),
    ],
)
def test_a_row_that_cannot_be_meant_refuses_the_file(tmp_path, text, message):
    with pytest.raises(DatasetError, match=message):
        _read(tmp_path, text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(DatasetError, match="pipe, socket or device"):
        read_polygons(tmp_path / "a.txt")
