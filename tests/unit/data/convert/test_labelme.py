"""LabelMe annotations into class ids."""

from __future__ import annotations

import json

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
