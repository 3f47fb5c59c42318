"""The size of what is validated on, and how much of it."""

from __future__ import annotations

import pytest

from ultralytics.cfg import get_cfg
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.tasks.semantic.build import build_dataset


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"imgsz": 96, "rect": True}, (64, 96)),
        ({"imgsz": 96, "rect": False}, (96, 96)),
        ({"imgsz": [32, 96], "rect": False}, (32, 96)),
        ({"imgsz": [40, 96], "rect": False}, (64, 96)),
    ],
)
def test_validation_images_have_the_size_that_was_asked_for(make_dataset, options, shape):
    dataset = build_dataset(get_cfg(options, mode="val"), DatasetSpec.load(make_dataset()), "val", train=False)
    assert {tuple(item["img"].shape[1:]) for item in map(dataset.__getitem__, range(len(dataset)))} == {shape}


def test_a_share_of_the_images_is_for_training_and_benchmarks_only(make_dataset):
    spec = DatasetSpec.load(make_dataset(counts=(4, 8)))
    counts = {
        mode: len(build_dataset(get_cfg({"fraction": 0.25}, mode=mode), spec, "val", train=False))
        for mode in ("train", "val", "benchmark")
    }
    assert counts == {"train": 8, "val": 8, "benchmark": 2}
