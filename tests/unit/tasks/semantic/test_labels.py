"""From label files to raw ids, and the survey of a split."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ultralytics.data.description.spec import NO_POLYGON, DatasetSpec
from ultralytics.errors import ImageError
from ultralytics.tasks.semantic.labels import UNKNOWN_COLOR, LabelReader


def test_colours_become_class_ids(tmp_path, write_image):
    rgb = np.array([[[128, 64, 128], [0, 0, 255]], [[9, 9, 9], [1, 2, 3]]], np.uint8)
    path = write_image(tmp_path / "a.png", rgb[..., ::-1])
    reader = LabelReader(False, tuple(sorted({(128 << 16) + (64 << 8) + 128: 0, 255: 2, 0x090909: -1}.items())))
    assert reader(path, (2, 2)).tolist() == [[0, 2], [65535, UNKNOWN_COLOR]]
    deep = write_image(tmp_path / "deep.png", rgb[..., ::-1].astype(np.uint16) * 257)
    assert reader(deep, (2, 2)).tolist() == [[0, 2], [65535, UNKNOWN_COLOR]]
    with pytest.raises(ImageError, match="lossy compression changes colours"):
        reader(write_image(tmp_path / "a.jpg", rgb), (2, 2))


def test_polygons_are_drawn_small_over_large(tmp_path):
    label = tmp_path / "a.txt"
    label.write_text("1 0.4 0.4 0.6 0.4 0.6 0.6 0.4 0.6\n0 0 0 1 0 1 1 0 1\n")
    ids = LabelReader(polygons=True)(label, (40, 80))
    assert (ids[0, 0], ids[20, 40], ids[39, 79]) == (0, 1, 0)
    label.write_text("")
    assert (LabelReader(polygons=True)(label, (4, 8)) == NO_POLYGON).all()
    assert (LabelReader(polygons=True)(tmp_path / "absent.txt", (4, 8)) == NO_POLYGON).all()


def test_polygons_and_masks_of_a_scene_give_the_same_classes(tmp_path, write_image):
    square = "0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75"
    mask = np.full((32, 32), 2, np.uint8)
    cv2.fillPoly(mask, [np.array([[8, 8], [24, 8], [24, 24], [8, 24]])], 1)
    for kind, suffix in (("polygons", "txt"), ("masks", "png")):
        root = tmp_path / kind
        for split in ("train", "val"):
            write_image(root / "images" / split / "0.png", np.zeros((32, 32, 3), np.uint8))
            label = root / ("masks" if suffix == "png" else "labels") / split / f"0.{suffix}"
            label.parent.mkdir(parents=True, exist_ok=True)
            if suffix == "txt":
                label.write_text(f"1 {square}")
            else:
                write_image(label, mask)
        names = "[a, b]" if suffix == "txt" else "[a, b, background]"
        (root / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames: {names}\n")
    specs = [DatasetSpec.load(tmp_path / kind) for kind in ("polygons", "masks")]
    assert specs[0].names == specs[1].names
    labels = [tmp_path / "polygons/labels/train/0.txt", tmp_path / "masks/masks/train/0.png"]
    maps = [
        spec.label_table()[LabelReader.from_spec(spec)(label, (32, 32))]
        for spec, label in zip(specs, labels, strict=True)
    ]
    np.testing.assert_array_equal(*maps)
