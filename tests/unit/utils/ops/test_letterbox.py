"""Letterbox geometry: rounding, inverse, and the recorded inputs of the reference."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ultralytics.utils.ops.letterbox import LetterboxGeometry, letterbox, resize

SIDES = st.integers(1, 1100)
TARGETS = st.integers(1, 40).map(lambda n: 32 * n)


def read(path: Path, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)


@pytest.mark.parametrize(
    ("source", "target", "minimal", "new_size", "pads"),
    [
        ((360, 480), (640, 640), True, (480, 640), (0, 0, 0, 0)),
        ((360, 480), (384, 480), True, (360, 480), (12, 0, 12, 0)),
        ((1080, 1920), (640, 640), True, (360, 640), (12, 0, 12, 0)),
        ((1080, 1920), (640, 640), False, (360, 640), (140, 0, 140, 0)),
        ((333, 517), (640, 640), True, (412, 640), (2, 0, 2, 0)),
        ((1, 1000), (320, 320), False, (1, 320), (159, 0, 160, 0)),  # odd pixel at the bottom, no empty image
        ((5, 10), (5, 5), False, (2, 5), (1, 0, 2, 0)),  # 2.5 rows round to the even number
    ],
)
def test_fit(source, target, minimal, new_size, pads):
    geometry = LetterboxGeometry.fit(source, target, minimal=minimal)
    assert (geometry.new_size, geometry.pads) == (new_size, pads)


@given(height=SIDES, width=SIDES, target=st.tuples(TARGETS, TARGETS), minimal=st.booleans(), scaleup=st.booleans())
def test_fit_follows_the_published_rule(height, width, target, minimal, scaleup):
    geometry = LetterboxGeometry.fit((height, width), target, minimal=minimal, scaleup=scaleup)
    ratio = min(target[0] / height, target[1] / width)
    ratio = ratio if scaleup else min(ratio, 1.0)
    expected = max(round(height * ratio), 1), max(round(width * ratio), 1)
    padding = [want - have for want, have in zip(target, expected, strict=True)]
    if minimal:
        padding = [pixels % 32 for pixels in padding]
    assert geometry.new_size == expected
    assert geometry.pads == (
        round(padding[0] / 2 - 0.1),
        round(padding[1] / 2 - 0.1),
        round(padding[0] / 2 + 0.1),
        round(padding[1] / 2 + 0.1),
    )
    assert all(side <= limit for side, limit in zip(geometry.shape, target, strict=True))
    assert geometry.shape == target or minimal
    assert all(side % 32 == 0 for side in geometry.shape)


def test_padding_goes_to_the_far_sides_without_centering():
    geometry = LetterboxGeometry.fit((100, 200), (160, 160), center=False)
    assert (geometry.new_size, geometry.pads) == ((80, 160), (0, 0, 80, 0))


def test_small_images_are_not_enlarged_without_scaleup():
    geometry = LetterboxGeometry.fit((30, 40), (64, 64), scaleup=False)
    assert (geometry.new_size, geometry.pads, geometry.ratio) == ((30, 40), (17, 12, 17, 12), 1.0)


def test_padded_describes_an_image_in_its_own_size():
    geometry = LetterboxGeometry.padded((30, 50), bottom=2, right=14)
    assert geometry.shape == (32, 64)
    assert geometry.gain == (1.0, 1.0)
    assert geometry.logits_region(8) == (0.0, 0.0, 3.75, 6.25)


@given(height=SIDES, width=SIDES, target=st.tuples(TARGETS, TARGETS))
def test_logits_region_is_the_window_at_another_scale(height, width, target):
    geometry = LetterboxGeometry.fit((height, width), target)
    rows, columns = geometry.window
    assert geometry.logits_region(1) == (
        rows.start,
        columns.start,
        rows.stop - rows.start,
        columns.stop - columns.start,
    )
    assert tuple(8 * number for number in geometry.logits_region(8)) == geometry.logits_region(1)


@settings(max_examples=40, deadline=None)
@given(height=SIDES, width=SIDES, target=st.tuples(TARGETS, TARGETS), shift=st.integers(0, 40))
def test_an_edge_comes_back_where_it_was(height, width, target, shift):
    """Whatever the sizes, an edge at x, and one moved by k pixels, are found again within a pixel of either scale."""
    geometry = LetterboxGeometry.fit((height, width), target)
    tolerance = max(1.0, 1 / geometry.gain[1])
    for edge in (width // 3, min(width // 3 + shift, width)):
        image = np.broadcast_to((np.arange(width) >= edge).astype(np.float32)[None], (height, width))
        boxed = letterbox(np.ascontiguousarray(image), geometry, value=0)
        assert boxed.shape == geometry.shape
        back = resize(np.ascontiguousarray(boxed[geometry.window]), (height, width))
        assert abs((width - back[0].sum()) - edge) <= tolerance


@pytest.mark.parametrize("shape", [(37, 53), (37, 53, 1), (37, 53, 3), (37, 53, 5)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_letterbox_keeps_axes_and_type_and_fills_the_rest(shape, dtype):
    grey = 114 * 257 if dtype == np.uint16 else 114
    image = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    before = image.copy()
    geometry = LetterboxGeometry.fit(image.shape[:2], (64, 64))
    boxed = letterbox(image, geometry)
    assert boxed.dtype == dtype
    assert boxed.shape == (64, 64, *shape[2:])
    rows, columns = geometry.window
    np.testing.assert_array_equal(boxed[geometry.window], resize(image, geometry.new_size))
    assert (boxed[: rows.start] == grey).all()
    assert (boxed[rows.stop :] == grey).all()
    assert (boxed[:, : columns.start] == grey).all()
    assert (boxed[:, columns.stop :] == grey).all()
    np.testing.assert_array_equal(image, before)


def test_letterbox_writes_into_a_given_array():
    image = np.full((10, 20, 3), 7, np.uint8)
    batch = np.zeros((2, 32, 32, 3), np.uint8)
    letterbox(image, LetterboxGeometry.fit((10, 20), (32, 32)), out=batch[1])
    assert (batch[0] == 0).all()
    assert (batch[1, 8:24] == 7).all()
    assert (batch[1, :8] == 114).all()
    letterbox(batch[1], LetterboxGeometry.fit((32, 32), (32, 32)), out=batch[0])
    np.testing.assert_array_equal(batch[0], batch[1])


def test_nothing_to_do_costs_no_copy():
    image = np.zeros((32, 64, 3), np.uint8)
    assert letterbox(image, LetterboxGeometry.fit((32, 64), (32, 64))) is image


@pytest.mark.parametrize(("name", "target"), [("odd_640", (640, 640)), ("odd_360x480", (384, 480))])
def test_equals_the_recorded_inputs_of_an_odd_image(recorded, name, target):
    facts = np.load(recorded / "letterbox.npz")
    boxed = letterbox(facts["image"], LetterboxGeometry.fit(facts["image"].shape[:2], target, minimal=True))
    np.testing.assert_array_equal(boxed[..., ::-1].transpose(2, 0, 1), facts[name])


def test_equals_recorded_prediction_inputs(shared):
    folder = shared / "interop" / "pre_post"
    compared = 0
    for name, case in json.loads((folder / "predict_index.json").read_text()).items():
        files = case["source"]
        if files == ["Tensor"]:
            continue
        if files[0] == "ndarray":
            files = ["camvid_0016E5_07959.png", "synthetic_333x517.png"]
        images = [read(folder / file) for file in files]
        size = json.loads(case["kwargs"]["imgsz"].replace("(", "[").replace(")", "]"))
        target = [math.ceil(side / 32) * 32 for side in (size if isinstance(size, list) else [size, size])]
        minimal = len(images) == 1 and case["kwargs"].get("rect") != "False"
        recorded = np.load(folder / f"predict_{name}.npz")["letterboxed_u8"]
        for image, expected in zip(images, recorded, strict=True):
            boxed = letterbox(image, LetterboxGeometry.fit(image.shape[:2], target, minimal=minimal))
            np.testing.assert_array_equal(boxed[..., ::-1].transpose(2, 0, 1), expected)
            compared += 1
    assert compared == 12


def test_equals_recorded_validation_batches(shared):
    folder = shared / "interop" / "pre_post"
    image = read(folder / "camvid_0016E5_07959.png")
    ids = read(folder / "camvid_0016E5_07959_mask.png", cv2.IMREAD_UNCHANGED)
    ids[ids == 11] = 255
    for name, case in json.loads((folder / "val_index.json").read_text()).items():
        ratio = int(name.split("_")[0]) / max(image.shape[:2])
        size = (math.ceil(image.shape[0] * ratio), math.ceil(image.shape[1] * ratio))
        geometry = LetterboxGeometry.fit(size, case["tensor"][2:], scaleup=False)
        recorded = np.load(folder / f"val_loader_{name}.npz")
        boxed = letterbox(resize(image, size), geometry)
        np.testing.assert_array_equal(boxed[..., ::-1].transpose(2, 0, 1), recorded["img_u8"][0])
        labels = letterbox(resize(ids, size, cv2.INTER_NEAREST), geometry, value=255)
        np.testing.assert_array_equal(labels, recorded["mask"][0])
