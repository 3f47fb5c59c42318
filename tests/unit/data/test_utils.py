"""The known import path."""

from __future__ import annotations

from pathlib import Path

from ultralytics.data.utils import IMG_FORMATS, VID_FORMATS, check_det_dataset, img2label_paths


def test_a_dataset_is_a_plain_dict(make_dataset):
    file = make_dataset()
    data = check_det_dataset(str(file))
    assert data["names"] == {0: "ground", 1: "disc", 2: "bar"}
    assert (data["nc"], data["channels"], data["masks_dir"], data["test"]) == (3, 3, "masks", None)
    assert data["train"] == str(file.parent / "images" / "train")


def test_labels_mirror_images():
    assert img2label_paths(["/images/set/images/train/a.jpg"]) == [str(Path("/images/set/labels/train/a.txt"))]


def test_formats_are_disjoint_and_lower_case():
    assert {"png", "jpg", "tif"} <= IMG_FORMATS
    assert not IMG_FORMATS & VID_FORMATS
    assert all(name == name.lower() for name in IMG_FORMATS | VID_FORMATS)
