"""SemanticMask against maps drawn by hand, and its exact round trips."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ultralytics.engine.results import SemanticMask
from ultralytics.engine.results.semantic import count_ids
from ultralytics.errors import ConfigError
from ultralytics.utils.ops.masks import fill_rings, rle_decode

IDS = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [0, 2, 2, 255]], np.uint8)
NAMES = {0: "road", 1: "car", 2: "sky", 3: "tree"}

maps = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.sampled_from([0, 1, 2, 255])
)


@pytest.fixture(params=[np.uint8, np.uint16, np.int32, np.int64, torch.uint8, torch.int32])
def mask(request: pytest.FixtureRequest) -> SemanticMask:
    data = (
        torch.from_numpy(IDS).to(request.param) if isinstance(request.param, torch.dtype) else IDS.astype(request.param)
    )
    return SemanticMask(data, (3, 4), names=NAMES)


def test_present_classes_with_their_size(mask: SemanticMask) -> None:
    assert mask.classes == [0, 1, 2]
    assert mask.area() == {0: 4, 1: 3, 2: 4}
    assert mask.coverage() == pytest.approx({0: 400 / 12, 1: 25.0, 2: 400 / 12})


def test_binary_by_id_and_by_name(mask: SemanticMask) -> None:
    expected = IDS == 1
    assert np.array_equal(mask.binary(1), expected)
    assert np.array_equal(mask.binary("car"), expected)
    assert not np.asarray(mask.binary(3)).any()
    with pytest.raises(ConfigError, match="Did you mean 'car'"):
        mask.binary("cars")


def test_boundary_marks_both_sides(mask: SemanticMask) -> None:
    expected = np.array([[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1]], bool)
    boundary = mask.boundary()
    assert type(boundary) is type(mask.data)
    assert np.array_equal(boundary, expected)


def test_rows(mask: SemanticMask) -> None:
    assert mask.rows(NAMES)[1] == {"name": "car", "class": 1, "pixel_ratio": 0.25, "pixels": 3}


def test_describe_names_the_largest_first() -> None:
    assert SemanticMask(IDS[1:], names=NAMES).describe(NAMES) == "sky 50.0%, road 25.0%, car 12.5%"
    many = SemanticMask(np.arange(9, dtype=np.uint8)[None])
    assert many.describe({i: f"c{i}" for i in range(9)}).endswith("c5 11.1%, 3 more")
    speck = np.zeros((100, 100), np.uint8)
    speck[0, 0] = 1
    assert SemanticMask(speck).describe(NAMES) == "road 100.0%, car <0.1%"
    assert SemanticMask(np.full((2, 2), 255, np.uint8)).describe(NAMES) == "no class"


@pytest.mark.parametrize(("dtype", "scale"), [(np.float16, 1), (np.float32, 1), (np.uint8, 255)])
def test_mean_confidence_per_class(dtype: type, scale: int) -> None:
    confidence = (np.where(IDS == 1, 0.2, 1.0) * scale).astype(dtype)
    rows = SemanticMask(IDS, confidence=confidence).rows(NAMES)
    assert [row["confidence"] for row in rows] == pytest.approx([1.0, 0.2, 1.0], abs=1e-3)


class TestOneClass:
    """A model of one class predicts 1 for it; it is reported as class 0, and the background not at all."""

    mask = SemanticMask(np.array([[0, 1], [1, 255]], np.uint8), names=["crack"])

    def test_only_the_foreground_is_reported(self) -> None:
        assert self.mask.area() == {0: 2}
        assert self.mask.coverage() == {0: 50.0}
        assert self.mask.rows(self.mask.names) == [{"name": "crack", "class": 0, "pixel_ratio": 0.5, "pixels": 2}]
        assert self.mask.binary("crack").tolist() == [[False, True], [True, False]]
        assert rle_decode(self.mask.rle()[0]).tolist() == [[False, True], [True, False]]
        assert list(self.mask.polygons()) == [0]

    def test_no_foreground_is_no_class(self) -> None:
        assert SemanticMask(np.zeros((2, 2), np.uint8), names=["crack"]).classes == []


def test_resize_takes_the_nearest_pixel_in_every_map(mask: SemanticMask) -> None:
    full = SemanticMask(mask.data, confidence=np.float32(IDS), probs=np.stack([IDS, IDS]).astype(np.float32))
    half = full.resize((6, 8))
    assert np.array_equal(half.data, np.kron(IDS, np.ones((2, 2))))
    assert np.array_equal(half.confidence, half.data)
    assert half.probs.shape == (2, 6, 8)
    assert half.orig_shape == (6, 8)
    assert np.array_equal(half.resize((3, 4)).data, IDS)


def test_crop(mask: SemanticMask) -> None:
    cut = mask.crop((1, 1, 99, 3))
    assert np.array_equal(cut.data, IDS[1:, 1:])
    assert cut.orig_shape == (2, 3)
    with pytest.raises(ConfigError, match="covers nothing"):
        mask.crop((4, 0, 9, 3))


def test_dtypes_reach_only_arrays_of_their_kind() -> None:
    mask = SemanticMask(IDS, confidence=np.ones((3, 4), np.float32)).to(torch.float16)
    assert mask.data.dtype == torch.uint8
    assert mask.confidence.dtype == torch.float16
    wide = mask.to(torch.int64)
    assert wide.data.dtype == torch.int64
    assert wide.confidence.dtype == torch.float16


@pytest.mark.parametrize("data", [np.zeros((2, 2), np.float32), np.zeros((2, 2, 3), np.uint8), torch.zeros(2, 2)])
def test_what_is_no_class_map_is_refused(data: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="arg-max"):
        SemanticMask(data)


def test_ids_beyond_the_names_and_ignored_ones_are_not_classes() -> None:
    mask = SemanticMask(np.array([[0, 7, 255, -1]], np.int32), names=["road", "car"])
    assert mask.area() == {0: 1}
    assert SemanticMask(np.array([[0, 7, 255]], np.uint8)).classes == [0, 7]
    assert SemanticMask(np.array([[0, 7, 255]], np.uint8), ignore_index=7).classes == [0, 255]


def test_more_than_255_classes_ignore_65535() -> None:
    names = {i: str(i) for i in range(300)}
    mask = SemanticMask(np.array([[255, 299, 65535]], np.uint16), names=names)
    assert mask.ignore_index == 65535
    assert mask.classes == [255, 299]


def test_names_given_later_do_not_replace_its_own() -> None:
    assert SemanticMask(IDS).with_names(NAMES).names == NAMES
    assert SemanticMask(IDS, names=["a"]).with_names(NAMES).names == {0: "a"}


def test_save_labels_is_a_class_id_png(tmp_path: Path) -> None:
    file = SemanticMask(IDS).save_labels(tmp_path / "straße.v2.txt")
    assert file == tmp_path / "straße.v2.png"
    assert np.array_equal(cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_UNCHANGED), IDS)


@settings(max_examples=60, deadline=None)
@given(maps)
def test_polygons_fill_back_to_the_identical_map(ids: np.ndarray) -> None:
    again = np.full(ids.shape, 255, np.uint8)
    for class_id, polygons in SemanticMask(ids).polygons().items():
        for polygon in polygons:
            fill_rings(again, [polygon.exterior, *polygon.holes], class_id)
    assert np.array_equal(again, ids)


@settings(max_examples=60, deadline=None)
@given(maps)
def test_rle_decodes_to_the_identical_map(ids: np.ndarray) -> None:
    again = np.full(ids.shape, 255, np.uint8)
    for class_id, rle in SemanticMask(ids).rle().items():
        again[rle_decode(rle)] = class_id
    assert np.array_equal(again, ids)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(st.sampled_from([np.uint8, np.uint16, np.int32]), (5, 7), elements=st.integers(0, 255)))
def test_counting_agrees_with_sorting(ids: np.ndarray) -> None:
    values, counts = np.unique(ids, return_counts=True)
    assert {i: int(count) for i, count in enumerate(count_ids(ids)) if count} == dict(zip(values, counts, strict=True))


def test_counting_stays_exact_beyond_float32() -> None:
    ids = np.zeros((5, (1 << 22) + 1), np.uint8)
    ids[0, 0] = 9
    assert count_ids(ids)[[0, 9]].tolist() == [5 * ((1 << 22) + 1) - 1, 1]
