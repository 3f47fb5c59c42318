"""A plain folder as a dataset."""

from __future__ import annotations

import numpy as np
import pytest

from ultralytics.data.description.spec import DatasetSpec
from ultralytics.errors import DatasetError


@pytest.fixture
def root(tmp_path, write_image):
    """A folder of 12 images and masks of the classes 0 to 2."""
    for number in range(12):
        write_image(tmp_path / "images" / f"{number}.jpg", np.zeros((8, 8, 3), np.uint8))
        write_image(tmp_path / "masks" / f"{number}.png", np.full((8, 8), number % 3, np.uint8))
    return tmp_path


def test_classes_are_found_and_a_part_is_held_out(root):
    spec = DatasetSpec.load(root)
    assert spec.names == {0: "class_0", 1: "class_1", 2: "class_2"}
    train, val = set(spec.images("train")), set(spec.images("val"))
    assert val
    assert len(train) > len(val)
    assert len(train | val) == 12
    assert DatasetSpec.load(root) == spec


def test_split_folders_are_used(root):
    for kind in ("images", "masks"):
        for split in ("train", "valid"):
            (root / kind / split).mkdir()
        for path in list((root / kind).glob("*.*")):
            path.rename(path.parent / ("valid" if path.stem in {"0", "5"} else "train") / path.name)
    spec = DatasetSpec.load(root)
    assert sorted(image.stem for image in spec.images("val")) == ["0", "5"]
    assert len(spec.images("train")) == 10


def test_masks_of_0_and_255_are_two_classes(root, write_image):
    for number in range(12):
        write_image(root / "masks" / f"{number}.png", np.full((8, 8), 255 * (number % 2), np.uint8))
    spec = DatasetSpec.load(root)
    assert spec.num_classes == 2
    assert spec.label_table()[[0, 255]].tolist() == [0, 1]


def test_255_beside_other_ids_is_ignored(root, write_image):
    write_image(root / "masks" / "0.png", np.full((8, 8), 255, np.uint8))
    assert DatasetSpec.load(root).num_classes == 3


def test_a_folder_that_is_no_dataset_says_what_is_missing(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="neither a dataset YAML nor a folder 'images'"):
        DatasetSpec.load(tmp_path / "empty")


def test_masks_beside_images_with_a_table_of_classes(tmp_path, write_image):
    for split, count in (("train", 3), ("valid", 2)):
        for number in range(count):
            write_image(tmp_path / split / f"{number}.rf.0a.jpg", np.zeros((8, 8, 3), np.uint8))
            write_image(tmp_path / split / f"{number}.rf.0a_mask.png", np.full((8, 8), number % 2, np.uint8))
        (tmp_path / split / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, crack\n")
    spec = DatasetSpec.load(tmp_path)
    assert spec.names == {0: "background", 1: "crack"}
    assert spec.background == 0
    assert [image.name for image in spec.images("val")] == ["0.rf.0a.jpg", "1.rf.0a.jpg"]
    find = spec.label_finder()
    assert find(spec.images("train")[2]) == tmp_path / "train" / "2.rf.0a_mask.png"
    (tmp_path / "valid" / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, hole\n")
    with pytest.raises(DatasetError, match="1 is 'hole' here and 'crack' in another split"):
        DatasetSpec.load(tmp_path)
    (tmp_path / "valid" / "_classes.csv").write_text("x\nbackground\n")
    with pytest.raises(DatasetError, match="'background' is not 'number, class'"):
        DatasetSpec.load(tmp_path)


def test_lists_of_stems_in_the_layout_of_voc(tmp_path, write_image):
    for stem in ("2007_1", "2007_2", "2007_3"):
        write_image(tmp_path / "JPEGImages" / f"{stem}.jpg", np.zeros((8, 8, 3), np.uint8))
        write_image(tmp_path / "SegmentationClass" / f"{stem}.png", np.full((8, 8), int(stem[-1]), np.uint8))
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_1\n2007_3\n")
    (lists / "val.txt").write_text("2007_2\n")
    spec = DatasetSpec.load(tmp_path)
    assert spec.num_classes == 4
    assert [image.stem for image in spec.images("train")] == ["2007_1", "2007_3"]
    (image,) = spec.images("val")
    assert spec.label_finder()(image) == tmp_path / "SegmentationClass" / "2007_2.png"
