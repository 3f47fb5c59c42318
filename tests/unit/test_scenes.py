"""The embedded dataset: scenes that repeat, masks that fit, classes that occur, a folder that is whole or absent."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ultralytics.errors import DatasetError
from ultralytics.scenes import StreetClass, generate, scene
from ultralytics.scenes.layout import LANE, draw_layout
from ultralytics.scenes.light import draw_light
from ultralytics.scenes.painter import Painter
from ultralytics.scenes.render import render
from ultralytics.scenes.world import FAR, OVERSAMPLE, Camera, Placement, rectangles

SMALL = (96, 128)
CAMERA = Camera(shape=(90, 120), focal=100.0, centre=60.0, horizon=45.0, eye=1.5, bend=0.0)


def _painter(camera: Camera = CAMERA) -> Painter:
    return Painter(camera, draw_light(np.random.default_rng(0)))


def _upright(x: tuple[float, float], y: tuple[float, float], z: float) -> np.ndarray:
    return rectangles((0.0, 0.0, z), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), [x], [y])


def _read(path: Path) -> np.ndarray:
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_scene_is_an_image_and_a_class_for_every_pixel():
    image, ids = scene(3)
    assert (image.shape, image.dtype) == ((288, 384, 3), np.uint8)
    assert (ids.shape, ids.dtype) == ((288, 384), np.uint8)
    assert ids.max() < len(StreetClass)
    assert (ids[:10] == StreetClass.SKY).any()
    assert (ids[-10:] == StreetClass.ROAD).any()
    assert image.std() > 20


def test_the_seed_alone_decides():
    first, again, other = scene((0, 1, 5), SMALL), scene((0, 1, 5), SMALL), scene((0, 1, 6), SMALL)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[1] != other[1]).mean() > 0.05


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), height=st.integers(24, 90), width=st.integers(24, 120))
def test_every_seed_and_size_gives_a_scene(seed, height, width):
    image, ids = scene(seed, (height, width))
    assert image.shape == (height, width, 3)
    assert ids.shape == (height, width)
    assert ids.max() < len(StreetClass)


def test_every_class_is_seen_often_enough_to_be_learnt():
    seen = np.zeros(len(StreetClass))
    for index in range(40):
        counts = np.bincount(scene((1, index), (144, 192))[1].ravel(), minlength=len(StreetClass))
        seen += counts >= 12
    assert dict(zip(StreetClass, seen >= 0.15 * 40, strict=True)) == dict.fromkeys(StreetClass, True)


def test_what_is_painted_covers_the_pixels_it_projects_to():
    painter = _painter()
    painter.sheet(StreetClass.CAR, (200, 0, 0), _upright((-1, 1), (0.5, 2.5), z=10.0))
    rows, columns = np.nonzero(painter.raster())
    # 100 pixels are a metre at a distance of 100 m: x = 60 ± 10, y = 45 - 10 * (2.5 - 1.5) and 45 + 10 * (1.5 - 0.5)
    assert abs(columns.min() - 50) <= 1
    assert abs(columns.max() - 69) <= 1
    assert abs(rows.min() - 35) <= 1
    assert abs(rows.max() - 54) <= 1
    assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_what_is_painted_last_is_in_front_in_image_and_mask_alike():
    painter = _painter()
    painter.sheet(StreetClass.BUILDING, (0, 0, 255), _upright((-9, 9), (-9, 9), z=20.0))
    painter.sheet(StreetClass.PERSON, (255, 0, 0), _upright((-0.5, 0.5), (1.0, 2.0), z=5.0))
    image, ids = render(painter, np.random.default_rng(0))
    assert ids.shape == (90 // OVERSAMPLE, 120 // OVERSAMPLE)
    person = ids == StreetClass.PERSON
    assert 0 < person.sum() < person.size / 2
    inside = cv2.erode(person.astype(np.uint8), np.ones((3, 3))) > 0
    outside = cv2.dilate(person.astype(np.uint8), np.ones((3, 3))) == 0
    red = image[..., 2].astype(int) - image[..., 0]
    assert red[inside].min() > 0 > red[outside].max()


def test_the_class_of_a_pixel_is_that_of_its_middle():
    painter = _painter()
    painter.sheet(StreetClass.CAR, (200, 0, 0), _upright((-2.37, 1.11), (0.2, 2.9), z=7.0))
    ids = render(painter, np.random.default_rng(0))[1]
    middle = painter.raster()[OVERSAMPLE // 2 :: OVERSAMPLE, OVERSAMPLE // 2 :: OVERSAMPLE]
    np.testing.assert_array_equal(ids == StreetClass.CAR, middle > 0)


def test_bodies_behind_the_camera_are_not_drawn():
    painter = _painter()
    painter.sheet(StreetClass.CAR, (200, 0, 0), _upright((-1, 1), (0, 2), z=-5.0))
    painter.face(StreetClass.CAR, (200, 0, 0), _upright((-1, 1), (0, 2), z=0.5))
    painter.ground(StreetClass.ROAD, (90, 90, 90), np.array([(-1.0, 5.0), (1.0, 5.0), (0.0, 9.0)]))
    assert set(np.unique(painter.raster())) == {0, painter.kinds.tolist().index(StreetClass.ROAD)}


def test_the_ground_is_as_far_as_its_row_says():
    camera = Camera(shape=(90, 120), focal=100.0, centre=60.0, horizon=45.0, eye=1.5, bend=0.001)
    for z in (3.5, 10.0, 80.0):
        _, row = camera.project(np.array((1.0, 0.0, z)))
        assert camera.ground_depth(np.array([row]))[0] == pytest.approx(z)
    assert camera.ground_depth(np.array([0.0]))[0] == pytest.approx(FAR)


@pytest.mark.parametrize("forward", [(0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (0.6, 0.8)])
def test_placing_an_object_can_be_undone(forward):
    at = Placement(2.0, 9.0, forward)
    assert at.local(at.point(1.5, 0.7, -0.4)) == pytest.approx((1.5, 0.7, -0.4))
    right = np.cross((0.0, 1.0, 0.0), at.vector(1.0, 0.0, 0.0))
    assert at.vector(0.0, 0.0, 1.0) == pytest.approx(tuple(right))


def test_a_layout_has_room_for_everything():
    for seed in range(50):
        layout = draw_layout(np.random.default_rng(seed))
        for side in layout.sides:
            assert LANE / 2 < side.kerb < side.green <= side.edge
        places = (0.0, min(layout.crossing, 50.0), 1e9)
        assert [layout.block(z) for z in places] == ([0, 1, 2] if layout.has_crossing else [0, 0, 0])


def test_a_dataset_has_images_and_masks_of_the_same_names(tmp_path):
    root = tmp_path / "new folder" / "streets"
    generate(root, train=3, val=2, size=SMALL, seed=4)
    for split, number, count in (("train", 0, 3), ("val", 1, 2)):
        images = sorted((root / "images" / split).iterdir())
        masks = sorted((root / "masks" / split).iterdir())
        assert [file.stem for file in images] == [file.stem for file in masks] == [f"{i:05}" for i in range(count)]
        for index, (image, mask) in enumerate(zip(images, masks, strict=True)):
            pixels, ids = scene((4, number, index), SMALL)
            np.testing.assert_array_equal(_read(mask), ids)
            assert np.abs(_read(image).astype(int) - pixels).mean() < 4
    assert [path.name for path in root.parent.iterdir()] == ["streets"]


def test_a_complete_dataset_is_left_as_it_is(tmp_path):
    root = tmp_path / "streets"
    generate(root, train=1, val=1, size=SMALL)
    mask = root / "masks" / "val" / "00000.png"
    os.utime(mask, (1, 1))
    generate(root, train=1, val=1, size=SMALL)
    assert mask.stat().st_mtime == 1


def test_a_dataset_of_other_scenes_is_drawn_anew(tmp_path):
    root = tmp_path / "streets"
    generate(root, train=2, val=1, size=SMALL)
    generate(root, train=1, val=1, size=SMALL, seed=9)
    assert len(list(root.rglob("*.png"))) == 2
    np.testing.assert_array_equal(_read(root / "masks" / "train" / "00000.png"), scene((9, 0, 0), SMALL)[1])
    assert list(tmp_path.iterdir()) == [root]


@pytest.mark.parametrize("beside_scenes", [False, True])
def test_a_folder_with_anything_else_in_it_is_refused_and_kept(tmp_path, beside_scenes):
    root = tmp_path / "streets"
    if beside_scenes:
        generate(root, train=1, val=1, size=SMALL)
    root.mkdir(exist_ok=True)
    (root / "diary.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"holds something else \('diary\.txt'\).*Move that away"):
        generate(root, train=2, val=1, size=SMALL)
    assert (root / "diary.txt").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [root]
