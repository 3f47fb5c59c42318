"""YOLO polygons into class ids and back."""

from __future__ import annotations

import logging

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ultralytics.data.convert.polygons import ids_to_polygons, outlines, polygons_to_ids
from ultralytics.data.imread import read_ids
from ultralytics.errors import DatasetError
from ultralytics.scenes import scene
from ultralytics.utils import YAML


def _draw(shape, rings):
    mask = np.zeros(shape, np.uint8)
    for ring in rings:
        cv2.fillPoly(mask, [ring], 1)
    return mask > 0


@pytest.fixture
def image(tmp_path, write_image):
    return write_image(tmp_path / "images" / "train" / "a.png", np.zeros((10, 20, 3), np.uint8))


def _run(tmp_path, **options):
    folders = {"images": tmp_path / "images", "labels": tmp_path / "labels", "target": tmp_path / "ids"}
    return polygons_to_ids(**folders, **options)


def _convert(tmp_path, **options):
    _run(tmp_path, **options)
    return read_ids(tmp_path / "ids" / "train" / "a.png")


def _names(tmp_path):
    return YAML.load(tmp_path / "ids" / "names.yaml")["names"]


def _label(tmp_path, text):
    file = tmp_path / "labels" / "train" / "a.txt"
    file.parent.mkdir(parents=True)
    file.write_text(text)


def test_smaller_polygons_are_drawn_over_larger_ones(tmp_path, image):
    _label(tmp_path, "2 0.25 0.4 0.35 0.4 0.35 0.6 0.25 0.6\n1 0 0 0.5 0 0.5 0.9 0 0.9\n")
    ids = _convert(tmp_path, classes=3, background="ignore")
    expected = np.full((10, 20), 255)
    expected[:10, :11] = 1
    expected[4:7, 5:8] = 2
    np.testing.assert_array_equal(ids, expected)


def test_one_class_is_0_and_1(tmp_path, image):
    _label(tmp_path, "0 0 0 0.5 0 0.5 0.9 0 0.9\n")
    told = _run(tmp_path, classes=1)
    ids = read_ids(tmp_path / "ids" / "train" / "a.png")
    assert ids.dtype == np.uint8
    assert (ids[:, :11] == 1).all()
    assert (ids[:, 11:] == 0).all()
    assert "Id 0 is what no shape covers" in told
    assert "1 is the object" in told


@pytest.mark.parametrize(
    ("yaml", "options", "rest", "names"),
    [
        ("names: [road, car]", {}, 2, ["road", "car", "background"]),
        ("names: [road, car]\nbackground: ignore", {}, 255, ["road", "car"]),
        ("names: [road, car]\nbackground: road", {}, 0, ["road", "car"]),
        ("names: [road, car]\nbackground: ignore", {"background": "car"}, 1, ["road", "car"]),
        ("names: [car]\nbackground: ignore", {}, 255, ["car"]),
        ("nc: 300", {}, 300, [*(f"class_{number}" for number in range(300)), "background"]),
    ],
)
def test_what_no_polygon_covers_follows_the_rule_of_the_dataset(tmp_path, image, yaml, options, rest, names):
    (tmp_path / "data.yaml").write_text(yaml)
    assert (_convert(tmp_path, data=tmp_path / "data.yaml", **options) == rest).all()
    assert list(_names(tmp_path).values()) == names


def test_a_label_mapping_of_the_dataset_is_applied(tmp_path, image):
    (tmp_path / "data.yaml").write_text("names: [road, car]\nlabel_mapping: {1: 0, 7: 1, 3: ignore_label}")
    _label(tmp_path, "1 0 0 0.2 0 0.2 0.9 0 0.9\n7 0.3 0 0.5 0 0.5 0.9 0.3 0.9\n3 0.6 0 0.8 0 0.8 0.9 0.6 0.9\n")
    ids = _convert(tmp_path, data=tmp_path / "data.yaml")
    assert ids[5, [2, 8, 14, 19]].tolist() == [0, 1, 255, 2]


def test_the_classes_must_be_said_once(tmp_path, image):
    for options in ({}, {"classes": 2, "data": tmp_path / "data.yaml"}):
        with pytest.raises(DatasetError, match=r"data=dataset\.yaml.*or classes=N"):
            _run(tmp_path, **options)
    with pytest.raises(DatasetError, match="classes=0"):
        _run(tmp_path, classes=0)


def test_a_polygon_of_no_class_is_named(tmp_path, image):
    _label(tmp_path, "5 0 0 0.5 0 0.5 0.9 0 0.9\n")
    with pytest.raises(DatasetError, match=r"a\.txt' holds objects of the class 5; class ids are 0 to 1"):
        _run(tmp_path, classes=2)


def test_rows_that_are_no_area_are_left_out_and_named(tmp_path, image, caplog):
    _label(tmp_path, "0 0.1 0.1 0.5 0.5\n")
    with caplog.at_level(logging.WARNING, logger="ultralytics"):
        assert (_convert(tmp_path, classes=3) == 3).all()
    assert "row 1 has 2 points" in caplog.text


def test_a_label_that_cannot_be_meant_is_an_error(tmp_path, image):
    _label(tmp_path, "0 0.1 0.1 0.5 x 0.5 0.9\n")
    with pytest.raises(DatasetError, match=r"1 of 1 files.*\n.*a\.txt', row 1"):
        _run(tmp_path, classes=1)


def test_a_background_that_is_no_class_is_refused(tmp_path, image):
    with pytest.raises(DatasetError, match="background: '9' is not a class"):
        _run(tmp_path, classes=2, background=9)


def test_a_square_is_outlined_through_its_corner_pixels():
    mask = np.zeros((8, 9), bool)
    mask[2:5, 3:8] = True
    (ring,) = outlines(mask)
    assert sorted(map(tuple, ring.tolist())) == [(3, 2), (3, 4), (7, 2), (7, 4)]


def test_a_single_pixel_still_has_three_corners():
    mask = np.zeros((5, 5), bool)
    mask[1, 4] = True
    assert [ring.tolist() for ring in outlines(mask)] == [[[4, 1]] * 3]


def test_nothing_has_no_outline():
    assert outlines(np.zeros((4, 4), bool)) == []


@settings(deadline=None, max_examples=300)
@given(arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))), st.integers(1, 3))
def test_outlines_drawn_again_are_the_mask(mask, size):
    mask = np.kron(mask, np.ones((size, size), bool))
    np.testing.assert_array_equal(_draw(mask.shape, outlines(mask)), mask)


def test_simplified_outlines_have_fewer_corners_and_stay_near():
    y, x = np.mgrid[:100, :100]
    mask = (x - 50) ** 2 + (y - 50) ** 2 < 1600
    (exact,), (rough,) = outlines(mask), outlines(mask, simplify=2.0)
    assert len(rough) < len(exact) / 3
    ring = np.hypot(x - 50, y - 50)
    assert (_draw(mask.shape, [rough]) != mask)[np.abs(ring - 40) > 4].sum() == 0


def test_a_mask_survives_the_way_to_polygons_and_back(tmp_path, write_image):
    image, ids = scene(1, (120, 160))
    ids[10:14, 20:60] = 255
    write_image(tmp_path / "images" / "train" / "a.png", image)
    write_image(tmp_path / "masks" / "train" / "a.png", ids)
    ids_to_polygons(source=tmp_path / "masks", target=tmp_path / "labels")
    np.testing.assert_array_equal(_convert(tmp_path, classes=19, background="ignore"), ids)


def test_ignored_ids_get_no_polygons(tmp_path, write_image):
    write_image(tmp_path / "masks" / "a.png", np.array([[0, 0, 5], [0, 0, 5], [255, 255, 5]], np.uint8))
    ids_to_polygons(source=tmp_path / "masks", target=tmp_path / "labels", ignore=[0, 255])
    rows = (tmp_path / "labels" / "a.txt").read_text().splitlines()
    assert [row.split()[0] for row in rows] == ["5"]


def test_a_negative_distance_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="simplify=-1"):
        ids_to_polygons(source=tmp_path, target=tmp_path / "labels", simplify=-1)


def test_a_mask_of_one_class_survives_both_ways(tmp_path, image, write_image):
    mask = np.zeros((10, 20), np.uint8)
    mask[2:7, 3:12] = 1
    write_image(tmp_path / "masks" / "train" / "a.png", mask)
    ids_to_polygons(source=tmp_path / "masks", target=tmp_path / "labels", classes=1)
    assert (tmp_path / "labels" / "train" / "a.txt").read_text().startswith("0 ")
    np.testing.assert_array_equal(_convert(tmp_path, classes=1), mask)
