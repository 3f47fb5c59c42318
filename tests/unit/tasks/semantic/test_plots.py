"""Sheets of a batch."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ultralytics.tasks.semantic.plots import plot_batch, to_bgr

RED, BLUE = [250, 0, 0], [0, 0, 250]


def read(path: Path) -> np.ndarray:
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)


def count(picture: np.ndarray, rgb: list[int], tolerance: int = 2) -> int:
    return int((np.abs(picture.astype(int) - rgb[::-1]) <= tolerance).all(axis=2).sum())


def batch(channels: int = 3, ids_dtype: torch.dtype = torch.uint8) -> dict:
    ids = torch.full((2, 64, 64), 255, dtype=ids_dtype)
    ids[0, :, :32] = 0
    ids[1] = 1
    images = torch.full((2, channels, 64, 64), 100, dtype=torch.uint8)
    return {"img": images, "semantic_mask": ids, "im_file": ["a/Straße.png", "b.png"]}


@pytest.mark.parametrize("channels", [1, 3, 13])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_images_stand_beside_their_labels(tmp_path: Path, channels: int, dtype: torch.dtype) -> None:
    file = plot_batch(batch(channels, dtype), ["road", "car"], [RED, BLUE], tmp_path / "new" / "batch.png")
    picture = read(file)
    scale = 4  # pictures of this size are doubled in both directions
    tinted = [[round(0.4 * 100 + 0.6 * value) for value in color] for color in (RED, BLUE)]
    assert count(picture, tinted[0]) == pytest.approx(scale * 64 * 32, rel=0.06)
    assert count(picture, tinted[1]) == pytest.approx(scale * 64 * 64, rel=0.06)
    assert count(picture, [100] * 3) == pytest.approx(scale * (64 * 32 + 2 * 64 * 64), rel=0.06)
    assert count(picture, RED) > 0, "the legend shows the colour of a class that occurs"


def test_classes_that_do_not_occur_are_not_in_the_legend(tmp_path: Path) -> None:
    first = {key: value[:1] for key, value in batch().items()}
    assert count(read(plot_batch(first, ["road", "car"], [RED, BLUE], tmp_path / "b.png")), BLUE) == 0


def test_one_class_leaves_the_background(tmp_path: Path) -> None:
    binary = {"img": batch()["img"], "semantic_mask": torch.zeros(2, 64, 64, dtype=torch.uint8)}
    binary["semantic_mask"][0, :32] = 1
    picture = read(plot_batch(binary, {0: "crack"}, [RED], tmp_path / "b.png"))
    assert count(picture, [190, 40, 40]) == pytest.approx(4 * 64 * 32, rel=0.06)
    assert count(picture, [100] * 3) == pytest.approx(4 * (3 * 64 * 64 + 64 * 32), rel=0.06)


def test_only_the_first_images_are_drawn(tmp_path: Path) -> None:
    many = {key: value.repeat(20, 1, 1, 1)[:, : value.shape[1]] if value.ndim == 4 else value.repeat(20, 1, 1)
            for key, value in batch().items() if key != "im_file"}  # fmt: skip
    small = plot_batch(many, ["road", "car"], None, tmp_path / "a.png", max_images=2)
    assert read(small).shape[0] < read(plot_batch(many, ["road", "car"], None, tmp_path / "b.png")).shape[0]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_to_bgr(dtype: torch.dtype) -> None:
    given = torch.tensor([255, 128, 0], dtype=dtype)[:, None, None].expand(3, 2, 4)
    assert to_bgr(given).shape == (2, 4, 3)
    assert to_bgr(given)[0, 0].tolist() == [0, 128, 255]


def test_sixteen_bits_are_not_drawn_white(tmp_path: Path) -> None:
    given = batch()
    ramp = torch.linspace(20, 60, given["img"].shape[-1]).expand(given["img"].shape)  # as `to_item` leaves them
    sheet = read(plot_batch({**given, "img": ramp}, ["road", "car"], None, tmp_path / "a.png"))
    assert len(np.unique(sheet)) > 50
