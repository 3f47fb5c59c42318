"""LabelMe annotations into class ids."""

from __future__ import annotations

import base64
import json

import cv2
import numpy as np
import pytest

from ultralytics.data.convert.labelme import draw_labelme, labelme
from ultralytics.data.imread import read_ids
from ultralytics.errors import DatasetError

IDS = {"road": 0, "car": 1}


def _annotation(*shapes):
    return {
        "version": "5.0.1", "imagePath": "a.jpg", "imageHeight": 10, "imageWidth": 12,
        "shapes": [{"label": label, "shape_type": kind, "points": points} for label, kind, points in shapes],
    }  # fmt: skip


def _draw(*shapes):
    return draw_labelme(_annotation(*shapes), IDS, background=255, name="a.json")


def test_shapes_are_drawn_the_smaller_ones_last():
    ids = _draw(("car", "rectangle", [[6, 4], [2, 1]]), ("road", "polygon", [[0, 0], [11, 0], [11, 9], [0, 9]]))
    assert ids.shape == (10, 12)
    assert (ids[1:5, 2:7] == 1).all()
    assert (ids == 1).sum() == 20
    assert (ids != 255).all()


def test_a_circle_is_its_centre_and_a_point_on_it():
    ids = _draw(("car", "circle", [[5, 5], [5, 8]]))
    y, x = np.mgrid[:10, :12]
    distance = np.hypot(x - 5, y - 5)
    assert (ids[distance <= 2.5] == 1).all()
    assert (ids[distance > 3.6] == 255).all()


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (("van", "polygon", [[0, 0], [5, 0], [5, 5]]), "Unknown class 'van'.*Known: car, road"),
        (("car", "line", [[0, 0], [5, 0]]), "a line of 2 points has no area"),
        (("car", "polygon", [[0, 0], [5, 0]]), "a polygon of 2 points"),
        (("car", "polygon", [["x", 0], [5, 0], [5, 5]]), "could not convert"),
    ],
)
def test_what_cannot_be_drawn_is_named(shape, told):
    with pytest.raises(DatasetError, match=told):
        _draw(shape)


def test_a_folder_is_converted_by_the_names_of_a_description(tmp_path):
    (tmp_path / "json" / "sub").mkdir(parents=True)
    content = _annotation(("car", None, [[0, 0], [11, 0], [11, 9], [0, 9]]))
    (tmp_path / "json" / "sub" / "a.json").write_text(json.dumps(content))
    (tmp_path / "data.yaml").write_text("names: [road, car]\n")
    labelme(source=tmp_path / "json", target=tmp_path / "ids", data=tmp_path / "data.yaml")
    assert (read_ids(tmp_path / "ids" / "sub" / "a.png") == 1).all()


@pytest.mark.parametrize(("yaml", "rest", "inside"), [("names: [car]", 0, 1), ("names: [road, car]", 2, 1)])
def test_what_no_shape_covers_is_what_a_training_with_the_shapes_would_take(tmp_path, yaml, rest, inside):
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "a.json").write_text(json.dumps(_annotation(("car", "rectangle", [[6, 4], [2, 1]]))))
    (tmp_path / "data.yaml").write_text(yaml)
    labelme(source=tmp_path / "json", target=tmp_path / "ids", data=tmp_path / "data.yaml")
    ids = read_ids(tmp_path / "ids" / "a.png")
    assert (ids[1:5, 2:7] == inside).all()
    assert (ids == rest).sum() == 10 * 12 - 20


@pytest.mark.parametrize("text", ["[1, 2]", "{", '{"shapes": []}', "\xff"])
def test_files_of_another_kind_are_named(tmp_path, text):
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    (tmp_path / "data.yaml").write_text("names: [road]\n")
    with pytest.raises(DatasetError, match=r"a\.json"):
        labelme(source=tmp_path, target=tmp_path / "ids", data=tmp_path / "data.yaml")


def _mask(crop, left, top, label="car"):
    png = cv2.imencode(".png", crop)[1].tobytes()
    height, width = crop.shape
    points = [[left, top], [left + width - 1, top + height - 1]]
    return {"label": label, "shape_type": "mask", "points": points, "mask": base64.b64encode(png).decode()}


@pytest.mark.parametrize("value", [1, 255])
def test_masks_are_drawn_where_their_box_lies_in_the_order_of_size(value):
    annotation = _annotation(("road", "rectangle", [[0, 0], [11, 9]]))
    crop = np.zeros((3, 4), np.uint8)
    crop[0, 1:] = crop[2, 0] = value
    annotation["shapes"].insert(0, _mask(crop, 5, 6))
    ids = draw_labelme(annotation, IDS, background=255, name="a.json")
    expected = np.zeros((10, 12), int)
    expected[6:9, 5:9] = crop > 0
    np.testing.assert_array_equal(ids, expected)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (_mask(np.ones((3, 4), np.uint8), 9, 0), "beyond the image"),
        ({**_mask(np.ones((3, 4), np.uint8), 0, 0), "points": [[0, 0], [5, 5]]}, "does not fit its box"),
        ({**_mask(np.ones((3, 4), np.uint8), 0, 0), "mask": "AAAA"}, "its mask"),
        ({**_mask(np.ones((3, 4), np.uint8), 0, 0), "mask": "?"}, "not a usable LabelMe"),
        ({"label": "car", "shape_type": "mask", "points": [[0, 0], [1, 1]]}, "'mask'"),
    ],
)
def test_a_mask_that_cannot_be_meant_is_refused(shape, told):
    annotation = _annotation()
    annotation["shapes"] = [shape]
    with pytest.raises(DatasetError, match=told):
        draw_labelme(annotation, IDS, background=255, name="a.json")
