"""The packaged dataset descriptions: complete, consistent, and equal to the recorded facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ultralytics.scenes import StreetClass
from ultralytics.utils import ROOT

FILES = sorted((ROOT / "cfg" / "datasets").glob("*.yaml"))


def _load(name: str) -> dict:
    return yaml.safe_load((ROOT / "cfg" / "datasets" / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_description_is_consistent(file: Path):
    data = _load(file.stem)
    names, mapping = data["names"], data.get("label_mapping", {})
    assert list(names) == list(range(len(names)))
    assert len(set(names.values())) == len(names)
    assert {target for target in mapping.values() if target != "ignore_label"} in ({*names}, set())
    assert len(data.get("palette", names)) == len(names)
    assert data["masks_dir"]
    assert data.get("download", "https://").startswith("https://")


def test_there_are_the_datasets_that_were_promised():
    assert {file.stem for file in FILES} >= {"streets", "cityscapes", "cityscapes8", "ade20k", "camvid"}


@pytest.mark.parametrize("name", ["cityscapes", "cityscapes8", "ade20k"])
def test_a_description_says_what_the_reference_says(recorded, name):
    facts = json.loads((recorded / "datasets.json").read_text())[name]
    data = _load(name)
    for key in ("path", "train", "val", "test", "masks_dir", "download"):
        assert data.get(key) == facts[key], key
    for key in ("names", "label_mapping"):
        assert {str(number): value for number, value in data[key].items()} == facts[key]


def test_camvid_is_that_of_the_recorded_copy(shared):
    theirs = yaml.safe_load((shared / "datasets" / "camvid" / "camvid.yaml").read_text())
    ours = _load("camvid")
    assert {key: ours[key] for key in theirs} == theirs


def test_the_names_of_streets_are_those_of_its_classes():
    names = _load("streets")["names"]
    assert [name.replace(" ", "_").upper() for name in names.values()] == [kind.name for kind in StreetClass]
    assert names == _load("cityscapes")["names"]
