"""Where labels are looked for when none is where the description says."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ultralytics.data.description.rules import LabelRule, apply_keys, infer_rules, is_two_tone
from ultralytics.data.description.spec import DatasetSpec

_SHAPE = (40, 48)


@pytest.fixture
def build(tmp_path, write_image):
    """Make files of a dataset by name: 'p' for a photograph, 'm' for a mask, text for a label file."""
    rng = np.random.default_rng(0)
    square = np.zeros(_SHAPE, np.uint8)
    square[8:24, 8:24] = 1

    def make(files: dict[str, str], yaml: str) -> DatasetSpec:
        for name, content in files.items():
            path = tmp_path / name
            if content == "p":
                write_image(path, rng.integers(0, 256, (*_SHAPE, 3), dtype=np.uint8))
            elif content == "m":
                write_image(path, square)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        (tmp_path / "data.yaml").write_text(f"names: [a, b]\n{yaml}\n")
        return DatasetSpec.load(tmp_path / "data.yaml")

    return make


def _best(spec: DatasetSpec) -> LabelRule:
    images = spec.images("train")
    rule = infer_rules(spec, images)[0]
    find = apply_keys(spec, rule.keys).label_finder()
    assert any(find(image) for image in images)
    return rule


_NUMBERS = range(3)
_PLAIN = "train: images/train"


@pytest.mark.parametrize(
    ("image", "label", "yaml", "keys"),
    [
        ("images/train/{}.jpg", "annotations/train/{}.png", _PLAIN, {"masks_dir": "annotations"}),
        ("images/train/{}.jpg", "annotations/train/{}.tif", _PLAIN, {"masks_dir": "annotations"}),
        ("train/images/{}.png", "train/gt/{}.png", "train: train/images", {"masks_dir": "gt"}),
        ("JPEG/{}.jpg", "Class/{}.png", "train: JPEG", {"images_dir": "JPEG", "masks_dir": "Class"}),
        ("day/{}.jpg", "gt/day/{}.png", "train: day", {"masks_dir": "gt"}),
        ("train/{}.jpg", "train/{}_mask.png", "train: train", {"masks_dir": ".", "mask_suffix": "_mask.png"}),
        ("train/{}.jpg", "train/{}.png", "train: train", {"masks_dir": ".", "mask_suffix": ".png"}),
        (
            "all/00{}_image.png", "all/00{}_annotation.png", "train: all",
            {"masks_dir": ".", "image_suffix": "_image.png", "mask_suffix": "_annotation.png"},
        ),
        (
            "images/{}_rgb.png", "masks/{}_ids.png", "train: images",
            {"masks_dir": "masks", "image_suffix": "_rgb.png", "mask_suffix": "_ids.png"},
        ),
        (
            "images/{}.jpg", "gt/{}-labels.png", "train: images\nmasks_dir: nowhere\nimage_suffix: _x.jpg",
            {"masks_dir": "gt", "mask_suffix": "-labels.png", "image_suffix": None},
        ),
    ],
)  # fmt: skip
def test_masks_elsewhere_are_found_and_the_keys_lead_to_them(build, image, label, yaml, keys):
    files = {image.format(n): "p" for n in _NUMBERS} | {label.format(n): "m" for n in _NUMBERS}
    rule = _best(build(files, yaml))
    assert rule.keys == keys
    assert (rule.matched, rule.total) == (3, 3)
    assert "2 values" in rule.what


def test_polygons_beside_an_empty_masks_folder_are_found(build, tmp_path):
    row = "0 0.1 0.1 0.9 0.1 0.9 0.9\n"
    (tmp_path / "masks").mkdir()
    files = {f"images/{n}.jpg": "p" for n in _NUMBERS} | {f"labels/{n}.txt": row for n in _NUMBERS}
    rule = _best(build(files, "train: images"))
    assert rule.keys == {"masks_dir": "none"}
    assert rule.what == "polygons"


def test_photographs_boxes_and_notes_are_not_taken_for_labels(build):
    files = {f"images/{n}.jpg": "p" for n in _NUMBERS} | {f"previews/{n}.png": "p" for n in _NUMBERS}
    files |= {f"labels2/{n}.txt": "0 0.5 0.5 0.1 0.1\n" for n in _NUMBERS} | {
        f"notes/{n}.txt": "a note" for n in _NUMBERS
    }
    spec = build(files, "train: images")
    assert infer_rules(spec, spec.images("train")) == []


def test_labels_that_no_key_reaches_are_still_named(build, tmp_path):
    files = {f"images/train/{n}.jpg": "p" for n in _NUMBERS} | {f"flat/{n}.png": "m" for n in _NUMBERS}
    spec = build(files, "train: images/train")
    (rule,) = infer_rules(spec, spec.images("train"))
    assert rule.keys == {}
    assert rule.folder == tmp_path / "flat"


def test_a_smoothed_or_lossy_mask_is_two_tone_and_a_photograph_is_not():
    mask = np.zeros(_SHAPE, np.uint8)
    mask[8:24, 8:24] = 255
    lossy = cv2.imdecode(cv2.imencode(".jpg", mask)[1], cv2.IMREAD_GRAYSCALE)
    assert is_two_tone(mask)
    assert is_two_tone(cv2.GaussianBlur(mask, (3, 3), 0))
    assert is_two_tone(lossy)
    assert not is_two_tone(np.arange(256, dtype=np.uint8))
    assert not is_two_tone(mask // 255)


def test_masks_in_the_folder_of_images_are_never_images(build, tmp_path):
    files = {f"train/{n}.png": "p" for n in _NUMBERS} | {f"train/{n}_mask.png": "m" for n in range(5)}
    spec = build(files, "train: train\nmask_suffix: _mask.png")
    assert spec.masks_dir == "."
    assert [image.name for image in spec.images("train")] == ["0.png", "1.png", "2.png"]
    find = spec.label_finder()
    assert [find(image).name for image in spec.images("train")] == ["0_mask.png", "1_mask.png", "2_mask.png"]


def test_a_folder_of_both_images_and_masks_gives_its_images(build, tmp_path):
    files = {f"train/images/{n}.jpg": "p" for n in _NUMBERS} | {f"train/masks/{n}.png": "m" for n in range(5)}
    spec = build(files, "train: train")
    assert {image.parent for image in spec.images("train")} == {tmp_path / "train" / "images"}


def test_equal_stems_beside_each_other_are_image_and_mask(build):
    files = {f"train/{n}.jpg": "p" for n in _NUMBERS} | {f"train/{n}.png": "m" for n in _NUMBERS}
    spec = build(files, "train: train\nmasks_dir: .")
    assert {image.suffix for image in spec.images("train")} == {".jpg"}


@pytest.mark.parametrize(
    ("written", "polygons"), [("", False), ("masks_dir: none", True), ("masks_dir: masks/", False)]
)
def test_masks_win_over_polygons_beside_them_and_it_is_said(build, caplog, written, polygons):
    caplog.set_level("INFO", logger="ultralytics")
    row = "0 0.1 0.1 0.9 0.1 0.9 0.9\n"
    files = {"images/0.jpg": "p", "masks/0.png": "m", "labels/0.txt": row}
    spec = build(files, f"train: images\n{written}")
    assert spec.uses_polygons == polygons
    assert ("side by side" in caplog.text) == (not written)
    assert Path(spec.label_finder()(spec.images("train")[0])).suffix == (".txt" if polygons else ".png")


def test_numbered_images_of_few_colours_are_not_each_others_masks(tmp_path, write_image):
    for number in range(6):
        write_image(tmp_path / "images" / f"plan_{number}.png", np.full((*_SHAPE, 3), number, np.uint8))
    (tmp_path / "data.yaml").write_text("names: [a]\ntrain: images\n")
    spec = DatasetSpec.load(tmp_path / "data.yaml")
    assert infer_rules(spec, spec.images("train")) == []
