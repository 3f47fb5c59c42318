"""Broken datasets, as the collection of bad inputs asks: used without the bad part, or refused with a clear message.

Each case goes through the way of a training up to its first batches: description, doctor, dataset, samples.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pytest

from ultralytics.data.description.spec import DatasetSpec
from ultralytics.errors import UltralyticsError
from ultralytics.tasks.semantic.dataset import SemanticDataset
from ultralytics.tasks.semantic.doctor import diagnose

pytestmark = pytest.mark.e2e

# case -> number of usable training images, or what the refusal says
USABLE = {
    "ok-masks": 4, "ok-polygons": 4, "name-upper-extension": 4, "img-16bit-png": 4, "img-exif-rotated": 4,
    "mask-orphan": 4, "mask-all-ignore": 4, "yaml-names-string-keys": 4, "yaml-names-norway": 4,
    "yaml-relative-path": 4, "yaml-train-is-val": 4, "yaml-utf16": 4, "yaml-mapping-chain": 4,
    "lbl-two-points": 4, "lbl-empty": 4, "lbl-missing": 4,
}  # fmt: skip
LEFT_OUT = {
    "img-truncated-jpeg": (3, "0.jpg' is a JPEG that is cut off"),
    "img-truncated-png": (3, "0.png' is a PNG that is cut off"),
    "img-zero-byte": (3, "0.png' is empty"),
    "img-text-named-jpg": (3, "0.jpg' is not an image but text that starts with '<html>"),
    "img-animated-gif": (3, "0.gif' is an animation of 5 frames"),
    "img-bomb-real": (3, "0.png' has 16000 x 16000 pixels, 732 MiB decoded; training takes 512 MiB"),
    "img-float-tiff-nan": (3, "0.tif' holds float32 numbers"),
    "mask-missing-one": (3, "0.png' does not exist"),
    "mask-rgba": (3, "0.png' has 4 channels; a mask needs a single channel"),
    "mask-corrupt": (2, "0.png' is a PNG that is cut off"),
    "lbl-negative": (3, "0.txt', row 1: the coordinate -0.2"),
    "lbl-non-numeric": (3, "0.txt', row 1: '0 0.1 abc"),
    "lbl-class-fraction": (3, "0.txt', row 1: the class is 1.5"),
    "lbl-comma": (3, "0.txt', row 1: '0,0.1"),
    "lbl-binary": (3, "0.txt' is not a text file"),
}
REFUSED = {
    "img-mixed-channels": "has 3 channels, but 5 are needed",
    "mask-out-of-range": "0.png' holds id 7 (50 pixels, first at row",
    "mask-16bit-large-ids": "0.png' holds id 300",
    "mask-rgb-colours": "a mask needs a single channel that holds class ids. Convert it",
    "mask-0-255-binary": "Add 'label_mapping: {255: 1}'",
    "fs-no-val": "val' do not exist",
    "lbl-class-out-of-range": "0.txt' holds id 9",
    "yaml-tabs": "data.yaml' is not valid YAML, line 5",
    "yaml-missing-names": "there is no list of class names",
    "yaml-nc-mismatch": "nc: 5 is given, but there are 3 names",
    "yaml-binary": "is not text in UTF-8 or UTF-16",
    "yaml-alias-bomb": "aliases",
    "yaml-download-code": "code in it is never executed",
    "yaml-mapping-out-of-range": "sends 2 to 9, but class ids are 0 to 2",
    "yaml-types-wrong": "channels: 'many' is given",
}


def _hash_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


@pytest.fixture
def case(shared: Path, request: pytest.FixtureRequest) -> Path:
    """The description of a case, which must leave its folder as it was and make no marker file."""
    folder = shared / "bad-inputs" / request.param
    before = _hash_of(folder)
    yield folder / "data.yaml"
    assert _hash_of(folder) == before
    assert not list(Path(tempfile.gettempdir()).glob("pwned_marker*"))


def _datasets(file: Path) -> tuple[SemanticDataset, SemanticDataset]:
    report = diagnose(file)
    report.raise_for_errors()
    return tuple(
        SemanticDataset(report.spec, split, imgsz=64, train=split == "train") for split in ("train", "val")
    )  # fmt: skip


def _check_samples(dataset: SemanticDataset) -> None:
    for index in range(len(dataset)):
        sample = dataset[index]
        assert sample.image.dtype == np.uint8
        assert sample.targets["mask"].ids.shape == sample.shape
        assert set(np.unique(sample.targets["mask"].ids)) <= {*range(dataset.spec.num_ids), 255}


def test_every_case_is_listed(shared):
    kinds = ("ok-", "img-", "mask-", "lbl-", "yaml-", "name-", "fs-")
    cases = {path.name for path in (shared / "bad-inputs").iterdir() if path.name.startswith(kinds)}
    assert cases == {*USABLE, *LEFT_OUT, *REFUSED}


@pytest.mark.parametrize(("case", "count"), USABLE.items(), indirect=["case"], ids=USABLE)
def test_a_usable_dataset_is_used(case, count, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for dataset in _datasets(case):
        _check_samples(dataset)
        assert dataset.split == "val" or len(dataset) == count


@pytest.mark.parametrize(("case", "expected"), LEFT_OUT.items(), indirect=["case"], ids=LEFT_OUT)
def test_a_bad_file_is_left_out_and_named(case, expected, caplog):
    train, _ = _datasets(case)
    _check_samples(train)
    assert len(train) == expected[0]
    assert expected[1] in caplog.text


@pytest.mark.parametrize(("case", "message"), REFUSED.items(), indirect=["case"], ids=REFUSED)
def test_a_hopeless_dataset_is_refused_with_a_reason(case, message):
    with pytest.raises(UltralyticsError) as caught:
        _datasets(case)
    assert message in str(caught.value)


def test_what_the_doctor_says_about_cases_that_go_on(shared):
    def text(name: str) -> str:
        return diagnose(shared / "bad-inputs" / name / "data.yaml").text()

    assert "1 label files have no image: " in text("mask-orphan")
    assert "the score is not held out" in text("yaml-train-is-val")
    assert "No validation label holds a pixel of any class" in text("mask-all-ignore")
    assert "image without a label file (background only)" in text("lbl-missing")
    assert "row 3 has 2 points" in text("lbl-two-points")


def test_details_that_are_easily_got_wrong(shared):
    def dataset(name: str) -> SemanticDataset:
        return SemanticDataset(
            DatasetSpec.load(shared / "bad-inputs" / name / "data.yaml"), "train", imgsz=48, train=True
        )

    assert list(dataset("yaml-names-norway").spec.names.values()) == ["no", "yes", "007"]
    upright = dataset("img-exif-rotated")[0]
    assert upright.original_shape == (48, 64)
    plain, chained = dataset("ok-masks"), dataset("yaml-mapping-chain")
    assert plain.class_pixels().sum() == chained.class_pixels().sum()
    assert (chained.class_pixels() > 0).sum() == 3
    deep = dataset("img-16bit-png")[0].image.astype(int)
    assert np.abs(deep - dataset("ok-masks")[0].image).mean() < 40
