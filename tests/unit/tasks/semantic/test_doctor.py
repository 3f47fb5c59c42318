"""The doctor's findings on labels that are wrong in the ways labels are wrong."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from ultralytics.data.description.spec import DatasetSpec
from ultralytics.errors import ConfigError, DatasetError
from ultralytics.tasks.semantic.dataset import SemanticDataset
from ultralytics.tasks.semantic.doctor import DoctorReport, diagnose


def _kinds(report: DoctorReport, severity: str) -> set[str]:
    return {finding.kind for finding in report.problems if finding.severity == severity}


def test_good_labels_are_good(make_dataset, caplog):
    caplog.set_level("INFO", logger="ultralytics")
    report = diagnose(make_dataset())
    assert report.ok
    assert report.problems == []
    assert "No problems found." in report.text()
    assert "train: 4 of 4 images usable" in report.text()
    report.raise_for_errors()
    assert "nc=3, background=none, ignore=255" in caplog.text


def test_binary_masks_of_0_and_255_are_recognised_and_repaired(make_dataset):
    file = make_dataset("names: [ground, disc]", ids=(0, 0, 255))
    report = diagnose(file)
    assert not report.ok
    assert _kinds(report, "error") == {"binary 0/255"}
    assert report.suggested_label_map == {255: 1}
    with pytest.raises(DatasetError, match=r"only 0 and 255.*label_mapping: \{255: 1\}.*label_map=auto"):
        report.raise_for_errors()
    repaired = diagnose(file, label_map="auto")
    assert repaired.ok
    ground, disc = repaired.class_pixels("train")
    assert disc < ground
    total = sum(repaired.class_pixels(split).sum() for split in ("train", "val"))
    share = (disc + repaired.class_pixels("val")[1]) / total
    assert f"255 covers {share:.1%} of the pixels and becomes the object 'disc'" in repaired.text()
    dataset = SemanticDataset(repaired.spec, "train", imgsz=24, train=True)
    assert set(np.unique(dataset[0].targets["mask"].ids)) == {0, 1}


@pytest.mark.parametrize("names", ["[disc]", "[ground, disc]"])
@pytest.mark.parametrize("ignored", ["", "ignore_index: none", "ignore_index: 7"])
def test_0_and_255_whatever_is_ignored(make_dataset, names, ignored):
    report = diagnose(make_dataset(f"names: {names}\n{ignored}", ids=(0, 0, 255)))
    assert report.suggested_label_map == {255: 1}
    assert _kinds(report, "error") == {"binary 0/255"}
    assert "unknown ids" not in report.text()
    assert ("255 is no class id" in report.text()) == bool(ignored)


def test_0_and_255_with_a_mapping_are_no_fault(make_dataset):
    yaml = "names: [ground, disc]\nignore_index: none\nlabel_mapping: {255: 1}"
    report = diagnose(make_dataset(yaml, ids=(0, 255)))
    assert report.suggested_label_map is None
    assert report.ok


def test_255_on_most_pixels_is_not_surely_the_object(make_dataset):
    file = make_dataset("names: [disc]", ids=(0, 255, 255, 255))
    for label_map in (None, "auto"):
        report = diagnose(file, label_map=label_map)
        assert report.suggested_label_map is None
        told = r"255 covers 7\d\.\d% of the pixels.*\{255: 1\}'.* if 255 is the object, .*\{0: 1, 255: 0\}' if 0 is"
        with pytest.raises(DatasetError, match=told):
            report.raise_for_errors()
    for mapping in ({255: 1}, {0: 1, 255: 0}):
        report = diagnose(file, label_map=mapping)
        assert report.ok
        assert (report.class_pixels("train").argmax() == 1) == (mapping == {255: 1})


def test_real_void_beside_two_classes_is_no_fault(make_dataset):
    assert diagnose(make_dataset("names: [ground, disc]", ids=(0, 1, 255))).ok


def test_one_based_ids_are_recognised_and_repaired(make_dataset):
    file = make_dataset(ids=(1, 2, 3))
    report = diagnose(file)
    assert _kinds(report, "error") == {"one-based ids"}
    assert report.suggested_label_map == {1: 0, 2: 1, 3: 2}
    repaired = diagnose(file, label_map="auto")
    assert repaired.ok
    assert repaired.class_pixels("train").sum() == 4 * 24 * 36
    assert diagnose(file, label_map={1: 0, 2: 1, 3: 2}).ok


def test_ids_out_of_range_stop_and_are_named(make_dataset):
    mask = np.zeros((24, 36), np.uint8)
    mask[5, 7] = 204
    report = diagnose(make_dataset(masks={"train/1": mask}))
    assert not report.ok
    assert report.suggested_label_map is None
    with pytest.raises(DatasetError, match=r"1\.png' holds id 204 \(1 pixels, first at row 5, column 7\)"):
        report.raise_for_errors()
    assert "left out" not in report.text()
    assert "train: 3 of 4 images without a fault; the errors below stop a training" in report.text()


def test_a_few_unusable_images_are_a_warning_and_all_of_them_an_error(make_dataset):
    report = diagnose(make_dataset(masks={"train/1": np.zeros((24, 36, 3), np.uint8)}))
    assert report.ok
    assert _kinds(report, "warning") == {"images left out"}
    assert "1.png' has 3 channels" in report.text()
    masks = {f"train/{number}": np.zeros((24, 36, 3), np.uint8) for number in range(4)}
    with pytest.raises(DatasetError, match="4 of 4 train images cannot be used"):
        diagnose(make_dataset(masks=masks, name="all")).raise_for_errors()


def test_a_missing_split_is_said_before_training(make_dataset):
    file = make_dataset()
    file.write_text(file.read_text().replace("images/val", "images/nothing"))
    with pytest.raises(DatasetError, match=r"the val images '.*nothing' do not exist"):
        diagnose(file).raise_for_errors()


def test_classes_without_pixels_are_named(make_dataset):
    masks = {f"train/{number}": np.zeros((24, 36), np.uint8) for number in range(4)}
    masks |= {f"val/{number}": np.full((24, 36), 1, np.uint8) for number in range(2)}
    report = diagnose(make_dataset("names: [ground, disc, bar]", masks=masks))
    text = report.text()
    assert "Classes in val that train never shows: disc." in text
    assert "Classes without a pixel in train and val: bar." in text
    assert "hold a single class" in text
    assert report.ok


def test_labels_that_are_all_ignored_are_named(make_dataset):
    void = np.full((24, 36), 255, np.uint8)
    report = diagnose(make_dataset(masks={"train/2": void, "val/0": void, "val/1": void}))
    assert report.ok
    assert "1 train labels hold only ignored pixels: " in report.text()
    assert "No validation label holds a pixel of any class" in report.text()
    nothing = diagnose(make_dataset(masks={f"train/{n}": void for n in range(4)}, name="void"))
    assert _kinds(nothing, "error") == {"nothing labelled"}


def test_copies_between_the_splits_are_leaks(make_dataset):
    file = make_dataset()
    images = file.parent / "images"
    (images / "val" / "1.png").write_bytes((images / "train" / "3.png").read_bytes())
    report = diagnose(file)
    assert _kinds(report, "warning") == {"leakage"}
    file.write_text(file.read_text().replace("images/val", "images/train"))
    assert _kinds(diagnose(file), "warning") == {"val is train"}


def test_masks_without_an_image_are_orphans(make_dataset, write_image):
    file = make_dataset()
    write_image(file.parent / "masks" / "train" / "99.png", np.zeros((24, 36), np.uint8))
    report = diagnose(file)
    assert _kinds(report, "warning") == {"label without image"}
    assert "99.png" in report.text()


def test_images_beside_their_masks_are_no_orphans(make_dataset):
    file = make_dataset("names: [ground, disc, bar]\nmask_suffix: _mask.png")
    for mask in list((file.parent / "masks").rglob("*.png")):
        mask.rename(file.parent / "images" / mask.parent.name / f"{mask.stem}_mask.png")
    shutil.rmtree(file.parent / "masks")
    assert diagnose(file).problems == []
    (file.parent / "images" / "train" / "0.png").unlink()
    report = diagnose(file)
    assert _kinds(report, "warning") == {"label without image"}
    assert "0_mask.png" in report.text()


def test_rare_classes_get_the_weights_of_the_formula(make_dataset):
    rare = np.zeros((24, 36), np.uint8)
    rare[0, :4] = 1
    masks = {f"train/{number}": rare for number in range(4)} | {f"val/{number}": rare for number in range(2)}
    report = diagnose(make_dataset("names: [ground, disc]", masks=masks))
    shares = np.array([860, 4]) / 864
    expected = 1 / np.log(1.02 + shares)
    np.testing.assert_allclose(report.class_weights, expected / expected.mean())
    assert "Rare classes: disc 0.46%" in report.text()


def test_polygon_files_are_diagnosed_too(make_dataset):
    file = make_dataset("names: [a, b]")
    root = file.parent
    for split, count in (("train", 4), ("val", 2)):
        (root / "labels" / split).mkdir(parents=True)
        for number in range(count):
            (root / "masks" / split / f"{number}.png").unlink()
            text = f"{1 + number % 2} 0.1 0.1 0.9 0.1 0.9 0.9\n1 0.1 0.1 0.2 0.2\n"
            (root / "labels" / split / f"{number}.txt").write_text(text)
        (root / "masks" / split).rmdir()
    (root / "masks").rmdir()
    report = diagnose(file)
    assert _kinds(report, "error") == {"one-based ids"}
    assert "row 2 has 2 points" in report.text()
    repaired = diagnose(file, label_map="auto")
    assert repaired.ok
    assert repaired.spec.names[2] == "background"
    assert (repaired.class_pixels("train") > 0).all()


def test_a_description_can_be_given_and_a_wrong_repair_is_refused(make_dataset):
    spec = DatasetSpec.load(make_dataset())
    assert diagnose(spec).ok
    with pytest.raises(ConfigError, match="label_map='car' is given"):
        diagnose(spec, label_map="car")
    with pytest.raises(DatasetError, match="sends 1 to 9"):
        diagnose(spec, label_map={1: 9})


def test_names_that_occur_twice_are_pointed_out(make_dataset):
    assert "more than once: a." in diagnose(make_dataset("names: [a, b, a]")).text()


@pytest.mark.parametrize("names", ["[car]", "[road, car]"])
def test_a_dataset_without_a_single_label_stops_and_names_the_folder_of_masks(make_dataset, names):
    file = make_dataset(f"names: {names}", ids=(0, 1))
    (file.parent / "masks").rename(file.parent / "annotations")
    report = diagnose(file)
    assert _kinds(report, "error") == {"no labels"}
    assert report.repair == {"masks_dir": "annotations"}
    with pytest.raises(DatasetError, match=r"any of the 4 train and 2 val images") as caught:
        report.raise_for_errors()
    assert "masks_dir: annotations" in str(caught.value)
    for split in ("train", "val"):
        with pytest.raises(DatasetError, match="masks_dir: annotations"):
            SemanticDataset(report.spec, split, imgsz=24, train=split == "train")


def test_a_split_without_labels_beside_one_with_labels_stops_too(make_dataset):
    report = diagnose(make_dataset(masks={"val/0": None, "val/1": None}))
    assert _kinds(report, "error") == {"no labels"}
    assert "any of the 2 val images" in report.text()


def test_two_images_of_one_mask_are_an_error_once(make_dataset, write_image):
    file = make_dataset()
    for number in range(4):
        write_image(file.parent / "images" / "train" / f"{number}.jpg", np.zeros((24, 36, 3), np.uint8))
    report = diagnose(file)
    assert "shared label" in _kinds(report, "error")
    text = report.text()
    assert "4 label files are read for several images" in text
    assert "3.png' for" not in text
    assert "and 1 more" in text


def test_a_fault_of_many_files_is_said_once_with_three_of_them(make_dataset):
    bad = {f"train/{number}": np.full((24, 36), 9, np.uint8) for number in range(30)}
    report = diagnose(make_dataset(masks=bad, counts=(40, 2)))
    text = report.text()
    assert sum("holds id 9" in line for line in text.splitlines()) == 3
    assert "and 27 more" in text
    assert sum("holds id 9" in line for line in report.text(verbose=True).splitlines()) == 30


def test_some_images_without_polygons_are_one_warning(make_dataset, caplog):
    file = make_dataset("names: [a]\nmasks_dir: none", counts=(8, 1))
    for name in ("train/0", "train/1", "val/0"):
        label = file.parent / "labels" / f"{name}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 0.1 0.1 0.9 0.1 0.9 0.9\n")
    report = diagnose(file)
    assert report.ok
    text = report.text()
    assert "6 x image without a label file" in text
    assert sum("does not exist" in line for line in text.splitlines()) == 3
    SemanticDataset(report.spec, "train", imgsz=24, train=True)
    assert "6 x image without a label file" in caplog.text


def _listed(make_dataset):
    file = make_dataset()
    file.write_text(file.read_text().replace("train: images/train", "train: train.txt"))
    rows = [f"images/train/{number}.png" for number in range(4)]
    (file.parent / "train.txt").write_text("\n".join([*rows, "gone.png", rows[0], ""]))
    return file


def test_a_list_with_a_missing_file_is_used_without_it_and_named_once(make_dataset, caplog):
    report = diagnose(_listed(make_dataset))
    assert report.ok
    assert _kinds(report, "warning") == {"images left out"}
    assert "1 of 5 train images cannot be used" in report.text()
    assert report.text().count("gone.png") == 1
    report.raise_for_errors()
    assert len(SemanticDataset(report.spec, "train", imgsz=24, train=True)) == 4
    assert caplog.text.count("gone.png") == 1


def test_strict_stops_where_an_image_would_be_left_out(make_dataset):
    for file in (_listed(make_dataset), make_dataset(masks={"train/0": None}, name="unmasked")):
        report = diagnose(file, strict=True)
        assert _kinds(report, "error") == {"images left out"}
        with pytest.raises(DatasetError, match="strict=True"):
            SemanticDataset(report.spec, "train", imgsz=24, train=True)
    assert diagnose(make_dataset(name="good"), strict=True).ok


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_in_place_of_images_and_masks_are_not_waited_for(make_dataset):
    file = make_dataset(masks={"train/0": None})
    os.mkfifo(file.parent / "masks" / "train" / "0.png")
    os.mkfifo(file.parent / "images" / "train" / "9.png")
    report = diagnose(file)
    assert report.ok
    assert "1 of 4 train images cannot be used" in report.text()
    assert "pipe, socket or device" in report.text()
