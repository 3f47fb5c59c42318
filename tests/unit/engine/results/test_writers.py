"""Class-id PNGs, tables and GeoJSON read back as what was written."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ultralytics.engine.results.base import Shape
from ultralytics.engine.results.writers import geojson, rounded, rows_to_csv, rows_to_frame, write_class_map
from ultralytics.errors import ConfigError, MissingDependency
from ultralytics.utils.imports import available
from ultralytics.utils.ops.masks import Polygon


def read(path: Path) -> np.ndarray:
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize(
    ("ids", "ignore_index", "depth"),
    [
        (np.array([[0, 1, 255]], np.uint8), 255, np.uint8),
        (np.array([[0, 1, 255]], np.int64), 255, np.uint8),
        (np.array([[0, 300]], np.int32), 255, np.uint16),
        (np.array([[0, 1]], np.int32), 65535, np.uint16),
        (np.array([[0, 65535]], np.uint16), 65535, np.uint16),
    ],
)
def test_ids_survive_at_the_depth_they_need(tmp_path: Path, ids: np.ndarray, ignore_index: int, depth: type) -> None:
    file = write_class_map(tmp_path / "new" / "ids.png", ids, ignore_index)
    assert read(file).dtype == depth
    assert np.array_equal(read(file), ids)


def test_a_name_without_an_ending_gets_one(tmp_path: Path) -> None:
    assert write_class_map(tmp_path / "ids", np.zeros((1, 1), np.uint8)) == tmp_path / "ids.png"


def test_palette_png_holds_ids_and_shows_colours(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 255]], np.uint8)
    file = write_class_map(
        tmp_path / "p.png", ids, mode="palette", palette=np.array([[1, 2, 3], [250, 0, 9]], np.uint8)
    )
    with Image.open(file) as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), ids)
        assert np.asarray(image.convert("RGB"))[0].tolist() == [[1, 2, 3], [250, 0, 9], [0, 0, 0]]


@pytest.mark.parametrize(
    ("name", "ids", "mode", "message"),
    [
        ("a.jpg", [[0]], "ids", "ends in .png"),
        ("a.png", [[0]], "colour", "Unknown mode"),
        ("a.png", [[300]], "palette", 'Use mode="ids"'),
        ("a.png", [[-1]], "ids", "ids -1 to -1"),
        ("a.png", [[70000]], "ids", "0 to 65535"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path: Path, name: str, ids: list, mode: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        write_class_map(tmp_path / name, np.array(ids), mode=mode)
    assert list(tmp_path.iterdir()) == []


def test_rounded_reaches_nested_fractions() -> None:
    assert rounded({"a": 0.123456, "b": [1, 0.98765], "c": {"d": 0.55555}}, 2) == {
        "a": 0.12,
        "b": [1, 0.99],
        "c": {"d": 0.56},
    }


def test_csv_quotes_and_fills_gaps() -> None:
    rows = [{"name": "a, b", "class": 0}, {"name": "c", "class": 1, "confidence": 0.5}]
    assert rows_to_csv(rows) == 'name,class,confidence\n"a, b",0,\nc,1,0.5\n'
    assert rows_to_csv([]) == ""


def test_data_frame_or_the_line_that_installs_one() -> None:
    if available("polars") or available("pandas"):
        assert list(rows_to_frame([{"name": "road", "class": 0}]).columns) == ["name", "class"]
    else:
        with pytest.raises(MissingDependency, match="pip install polars"):
            rows_to_frame([])


class TestGeoJSON:
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], np.int32)
    hole = np.array([[1, 1], [2, 1], [2, 2], [1, 2]], np.int32)
    shape = Shape(Polygon(square, [hole]), {"name": "road"})

    @staticmethod
    def turn(ring: list[list[float]]) -> float:
        """Twice the signed area: positive counterclockwise where y points up."""
        return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring))

    def test_rings_are_closed_and_turn_as_the_standard_says(self) -> None:
        for transform in (None, (2.0, 0.0, 500.0, 0.0, -2.0, 900.0)):
            (feature,) = json.loads(geojson([self.shape], transform))["features"]
            outer, inner = feature["geometry"]["coordinates"]
            assert outer[0] == outer[-1]
            assert len(outer) == 5
            assert self.turn(outer) > 0 > self.turn(inner)
            assert feature["properties"] == {"name": "road"}

    def test_coordinates_follow_the_transform(self) -> None:
        collection = json.loads(geojson([self.shape], (2.0, 0.0, 500.0, 0.0, -2.0, 900.0), crs="EPSG:32633"))
        outer = collection["features"][0]["geometry"]["coordinates"][0]
        assert {tuple(point) for point in outer} == {(500, 900), (508, 900), (508, 892), (500, 892)}
        assert collection["crs"]["properties"]["name"] == "EPSG:32633"
