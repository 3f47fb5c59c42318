"""COCO annotation files into class ids."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from ultralytics.data.convert.coco import coco, draw_instances
from ultralytics.data.imread import read_ids
from ultralytics.errors import DatasetError, MissingFile
from ultralytics.utils.ops.masks import rle_encode


def _square(left, top, size):
    return [left, top, left + size, top, left + size, top + size, left, top + size]


def _content(*annotations, file_name="a.jpg"):
    return {
        "images": [{"id": 7, "file_name": file_name, "height": 8, "width": 9}],
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 3, "name": "car"}],
        "annotations": [{"id": number, "image_id": 7, **row} for number, row in enumerate(annotations)],
    }


def _convert(tmp_path, content, **options):
    (tmp_path / "instances.json").write_text(json.dumps(content))
    return coco(annotations=tmp_path / "instances.json", target=tmp_path / "ids", **options)


def test_instances_are_drawn_with_ids_without_gaps(tmp_path):
    content = _content(
        {"category_id": 90, "segmentation": [_square(2, 2, 2)]}, {"category_id": 3, "segmentation": [_square(1, 1, 5)]}
    )
    _convert(tmp_path, content)
    expected = np.full((8, 9), 2)
    expected[1:6, 1:6] = 0
    expected[2:4, 2:4] = 1
    np.testing.assert_array_equal(read_ids(tmp_path / "ids" / "a.png"), expected)
    assert yaml.safe_load((tmp_path / "ids" / "names.yaml").read_text()) == {
        "names": {0: "car", 1: "toothbrush", 2: "background"}
    }


@pytest.mark.parametrize("compress", [True, False])
def test_run_lengths_are_drawn_too(compress):
    mask = np.random.default_rng(0).random((8, 9)) < 0.4
    ids = draw_instances(
        [{"category_id": 3, "segmentation": rle_encode(mask, compress=compress), "iscrowd": 1}],
        {3: 6},
        (8, 9),
        background=0,
    )
    np.testing.assert_array_equal(ids, mask * 6)


def test_parts_of_an_instance_and_instances_without_a_mask(tmp_path):
    content = _content(
        {"category_id": 3, "segmentation": [_square(0, 0, 2), _square(5, 5, 2)]},
        {"category_id": 3, "bbox": [0, 0, 5, 5]},
        {"category_id": 3, "segmentation": []},
    )
    _convert(tmp_path, content, background="ignore")
    ids = read_ids(tmp_path / "ids" / "a.png")
    assert (ids == 0).sum() == 8
    assert (ids == 255).sum() == 8 * 9 - 8


def test_a_single_category_is_0_and_1(tmp_path):
    content = _content({"category_id": 3, "segmentation": [_square(0, 0, 2)]})
    content["categories"] = [{"id": 3, "name": "car"}]
    _convert(tmp_path, content)
    assert np.bincount(read_ids(tmp_path / "ids" / "a.png").ravel()).tolist() == [8 * 9 - 4, 4]


def test_folders_in_file_names_are_kept(tmp_path):
    _convert(tmp_path, _content(file_name="val/b.c.jpg"))
    assert (tmp_path / "ids" / "val" / "b.c.png").is_file()


@pytest.mark.parametrize("name", ["../evil.jpg", "/tmp/evil.jpg", "a/../../evil.jpg", "..\\evil.jpg", "C:\\evil.jpg"])
def test_file_names_that_lead_elsewhere_are_refused(tmp_path, name):
    with pytest.raises(DatasetError, match="leads out of the folder"):
        _convert(tmp_path, _content(file_name=name))
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"category_id": 5, "segmentation": [_square(0, 0, 2)]}, "annotation with id 0"),
        ({"category_id": 3, "segmentation": {"size": [8, 9]}}, "annotation with id 0.*counts"),
        ({"category_id": 3, "segmentation": {"size": [4, 4], "counts": [16]}}, "its mask is 4x4, the image 9x8"),
        ({"category_id": 3, "segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "annotation with id 0"),
    ],
)
def test_annotations_that_cannot_be_drawn_are_named(tmp_path, row, told):
    with pytest.raises(DatasetError, match=told):
        _convert(tmp_path, _content(row))


def test_other_files_are_named(tmp_path):
    with pytest.raises(MissingFile, match=r"nowhere\.json"):
        coco(annotations=tmp_path / "nowhere.json", target=tmp_path)
    with pytest.raises(DatasetError, match="not a COCO annotation file: KeyError"):
        _convert(tmp_path, {"images": []})


@pytest.mark.parametrize("compress", [True, False])
def test_a_list_of_run_lengths_and_polygons_is_drawn_whole(compress):
    mask = np.zeros((8, 9), bool)
    mask[:2, :3] = mask[6, 8] = True
    parts = [rle_encode(mask, compress=compress), _square(4, 4, 2)]
    ids = draw_instances([{"category_id": 3, "segmentation": parts}], {3: 6}, (8, 9), background=0)
    mask[4:6, 4:6] = True
    np.testing.assert_array_equal(ids, mask * 6)


def test_an_image_that_is_listed_twice_has_the_instances_of_both(tmp_path):
    content = _content({"category_id": 3, "segmentation": [_square(0, 0, 2)]}, file_name="day\\a.jpg")
    content["images"].append({"id": 8, "file_name": "day/a.jpg", "height": 8, "width": 9})
    content["images"].append(content["images"][0])
    content["annotations"].append({"id": 5, "image_id": 8, "category_id": 90, "segmentation": [_square(5, 5, 2)]})
    assert _convert(tmp_path, content).startswith("1 files converted")
    ids = read_ids(tmp_path / "ids" / "day" / "a.png")
    assert (ids[:2, :2] == 0).all()
    assert (ids[5:7, 5:7] == 1).all()
    content["images"][1]["height"] = 9
    with pytest.raises(DatasetError, match="listed with two sizes, 9x8 and 9x9"):
        _convert(tmp_path, content)
