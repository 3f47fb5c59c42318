"""What fix=true writes, and what it leaves as it is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ultralytics.data.description.spec import DatasetSpec
from ultralytics.errors import DatasetError
from ultralytics.tasks.semantic.dataset import SemanticDataset
from ultralytics.tasks.semantic.doctor import DoctorReport, diagnose


def _kinds(report: DoctorReport, severity: str) -> set[str]:
    return {finding.kind for finding in report.problems if finding.severity == severity}


def test_fix_writes_a_new_yaml_in_as_many_steps_as_it_takes(make_dataset):
    file = make_dataset("names: [no, disc]", ids=(0, 0, 0, 255))
    (file.parent / "masks").rename(file.parent / "gt")
    before = {path: path.read_bytes() for path in file.parent.rglob("*") if path.is_file()}
    report = diagnose(file, fix=True)
    assert report.ok
    written = file.with_name("data-fixed.yaml")
    assert report.spec.file == written
    assert str(written) in report.text()
    assert report.spec.masks_dir == "gt"
    assert report.spec.mapping == {255: 1}
    assert list(report.spec.names.values()) == ["no", "disc"]
    assert {path: path.read_bytes() for path in before} == before
    assert set(file.parent.rglob("*.*")) - set(before) == {written}
    assert diagnose(file, fix=True).spec.file == file.with_name("data-fixed-2.yaml")


def test_fix_without_a_remedy_writes_nothing(make_dataset):
    file = make_dataset()
    report = diagnose(file, fix=True)
    assert report.ok
    assert report.spec.file == file
    assert _kinds(report, "info") == {"nothing to repair"}
    assert [path.name for path in file.parent.glob("*.yaml")] == ["data.yaml"]


def _soft(kind: str) -> np.ndarray:
    mask = np.zeros((24, 36), np.uint8)
    cv2.circle(mask, (16, 12), 8, 255, -1)
    if kind == "smoothed":
        return cv2.GaussianBlur(mask, (3, 3), 0)
    return cv2.imdecode(cv2.imencode(".jpg", mask, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE)


@pytest.mark.parametrize("names", ["[disc]", "[ground, disc]"])
@pytest.mark.parametrize("kind", ["smoothed", "decoded", "jpg"])
def test_grey_levels_of_a_mask_lead_to_a_threshold(make_dataset, write_image, names, kind):
    keys = [f"{split}/{number}" for split, count in (("train", 4), ("val", 2)) for number in range(count)]
    file = make_dataset(f"names: {names}", masks={key: None if kind == "jpg" else _soft(kind) for key in keys})
    for key in keys if kind == "jpg" else []:
        write_image(file.parent / "masks" / f"{key}.jpg", _soft("decoded"))
    report = diagnose(file)
    assert _kinds(report, "error") == {"grey levels"}
    assert "threshold: 128" in report.text()
    fixed = diagnose(file, fix=True)
    assert fixed.ok
    dataset = SemanticDataset(fixed.spec, "val", imgsz=36, train=False)
    exact = np.zeros((24, 36), np.uint8)
    cv2.circle(exact, (16, 12), 8, 1, -1)
    assert np.mean(dataset.source_ids(0) != exact) < 0.03
    assert set(np.unique(dataset.source_ids(0))) == {0, 1}


def test_levels_of_a_photograph_are_not_thresholded(make_dataset):
    noise = np.random.default_rng(0).integers(0, 256, (24, 36), dtype=np.uint8)
    report = diagnose(make_dataset("names: [disc]", masks={f"train/{number}": noise for number in range(4)}))
    assert "threshold" not in report.repair


@pytest.mark.parametrize("yaml", ["names: [a, b, c]", "names: [a, b]\nmasks_dir: none", "names: [a]\nthreshold: 0"])
def test_a_threshold_is_for_two_classes_of_masks(make_dataset, yaml):
    with pytest.raises(DatasetError, match="threshold"):
        DatasetSpec.load(make_dataset(f"{yaml}\nthreshold: 128" if "threshold" not in yaml else yaml))


@pytest.mark.parametrize("end", ["", "_ids"])
def test_fix_writes_single_channel_copies_of_ids_in_colour_channels(make_dataset, end):
    ids = np.random.default_rng(1).integers(0, 3, (24, 36), dtype=np.uint8)
    masks = {f"train/{number}": np.repeat(ids[..., None], 3, axis=2) for number in range(3)}
    file = make_dataset("names: [a, b, c]" + (f"\nmask_suffix: {end}.bmp" if end else ""), masks=masks)
    for label in list((file.parent / "masks").rglob("*.png")) if end else []:
        cv2.imwrite(str(label.with_name(f"{label.stem}{end}.bmp")), cv2.imread(str(label), cv2.IMREAD_UNCHANGED))
        label.unlink()
    before = {path: path.read_bytes() for path in file.parent.rglob("*") if path.is_file()}
    assert "fix=true" in diagnose(file).text()
    report = diagnose(file, fix=True)
    assert report.ok
    assert _kinds(report, "warning") == set()
    assert report.spec.masks_dir == "masks-fixed"
    dataset = SemanticDataset(report.spec, "train", imgsz=24, train=True)
    assert len(dataset) == 4
    np.testing.assert_array_equal(dataset.source_ids(0), ids)
    assert {path: path.read_bytes() for path in before} == before


def test_colours_are_not_copied_as_ids(make_dataset):
    mask = np.zeros((24, 36, 3), np.uint8)
    mask[:9] = (1, 2, 0)
    report = diagnose(make_dataset(masks={"train/1": mask}), fix=True)
    assert _kinds(report, "info") == {"nothing to repair"}
