"""Where pixels go: matrices, flips, crops, letterboxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ultralytics.data.augment import LetterBox, RandomFlip, RandomPerspective
from ultralytics.data.augment.geometry import blank, paint, translation
from ultralytics.data.sample import Context, Sample
from ultralytics.errors import ConfigError
from ultralytics.tasks.semantic.target import ClassMapTarget


def sample_of(ids: np.ndarray, **fields: object) -> Sample:
    ids = np.asarray(ids, np.uint8)
    return Sample(
        np.repeat(ids[..., None], 3, axis=2), {"mask": ClassMapTarget(ids)}, original_shape=ids.shape, **fields
    )


def context(seed: int = 0) -> Context:
    return Context(np.random.default_rng(seed))


def point_image(row: int, column: int, shape: tuple[int, int] = (101, 201)) -> Sample:
    ids = np.zeros(shape, np.uint8)
    ids[row - 2 : row + 3, column - 2 : column + 3] = 200
    return sample_of(ids)


def centroid(ids: np.ndarray) -> tuple[float, float]:
    """(x, y) of the marked pixels on the scale of pixel edges."""
    rows, columns = np.nonzero(ids == 200)
    return columns.mean() + 0.5, rows.mean() + 0.5


def test_letterbox_records_how_to_get_back():
    sample = sample_of(np.ones((20, 40))).replace(original_shape=(60, 120))
    out = LetterBox((32, 32))(sample, context())
    assert out.ratio_pad == ((16 / 60, 32 / 120), (0, 8))
    assert (out.targets["mask"].ids[:8] == 255).all()
    assert (out.targets["mask"].ids[8:24] == 1).all()
    assert (out.targets["mask"].ids[24:] == 255).all()


def test_letterbox_looks_its_shape_up_by_index():
    shapes = np.array([[32, 64], [64, 32]])
    assert LetterBox(shapes)(sample_of(np.ones((9, 9)), index=0), context()).shape == (32, 64)
    assert LetterBox(shapes)(sample_of(np.ones((9, 9)), index=1), context()).shape == (64, 32)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"scale": (2.0, 2.0)}, (2 * (120.5 - 100.5) + 100.5, 2 * (60.5 - 50.5) + 50.5)),
        ({"scale": (0.5, 0.5)}, (0.5 * (120.5 - 100.5) + 100.5, 0.5 * (60.5 - 50.5) + 50.5)),
        ({"shape": (51, 101)}, (120.5 - 50, 60.5 - 25)),
    ],
)
def test_the_centre_stays_and_the_rest_is_scaled_around_it(options, expected):
    out = RandomPerspective(**options)(point_image(60, 120), context())
    np.testing.assert_allclose(centroid(out.targets["mask"].ids), expected, atol=0.3)
    np.testing.assert_allclose(centroid(np.where(out.image[..., 0] > 120, 200, 0)), expected, atol=0.3)


def test_drawn_numbers_stay_in_their_ranges_and_fill_them():
    warp = RandomPerspective(degrees=20, translate=0.1, scale=0.3, shear=0)
    matrices = [warp.draw_matrix(np.random.default_rng(seed), (100, 200), (50, 80)) for seed in range(400)]
    factors = np.array([np.sqrt(np.linalg.det(matrix[:2, :2])) for matrix in matrices])
    angles = np.array([np.rad2deg(np.arctan2(matrix[0, 1], matrix[0, 0])) for matrix in matrices])
    centers = np.array([(matrix @ (100, 50, 1))[:2] for matrix in matrices]) / (80, 50)
    for values, low, high in ((factors, 0.7, 1.3), (angles, -20, 20), (centers, 0.4, 0.6)):
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high


def test_shear_slants_and_perspective_tilts():
    rng = np.random.default_rng(0)
    sheared = RandomPerspective(shear=10).draw_matrix(rng, (100, 100), (100, 100))
    assert 0 < abs(sheared[0, 1]) <= np.tan(np.deg2rad(10))
    assert (sheared[2] == (0, 0, 1)).all()
    tilted = RandomPerspective(perspective=0.001).draw_matrix(rng, (100, 100), (100, 100))
    assert 0 < abs(tilted[2, 0]) <= 0.001


def test_scale_of_one_number_too_many_is_refused():
    with pytest.raises(ConfigError, match="neither a number nor two"):
        RandomPerspective(scale=(0.5, 1.0, 1.5))


def test_a_scale_of_zero_leaves_something():
    out = RandomPerspective(scale=1.0)
    assert all(np.linalg.det(out.draw_matrix(np.random.default_rng(i), (9, 9), (9, 9))) > 0 for i in range(50))


@pytest.mark.parametrize("x", [0.01, 0.33, 0.51, 0.83])  # no pixel centre falls between two pixels
def test_painted_pictures_side_by_side_leave_no_gap(x):
    """Two halves drawn through the same matrix cover what the whole covers, each pixel once."""
    whole = sample_of(np.arange(1, 241).reshape(12, 20))
    for factor in (0.4, 1.0, 1.7):
        matrix = translation(x + 3, 2.21) @ np.diag([factor, factor, 1.0])
        one, two = blank(whole, (30, 45)), blank(whole, (30, 45))
        paint(one, whole, matrix)
        paint(two, whole, matrix @ translation(7, 0), np.s_[:, 7:])
        paint(two, whole, matrix, np.s_[:, :7])
        np.testing.assert_array_equal(one.targets["mask"].ids, two.targets["mask"].ids)


def test_painting_outside_the_canvas_does_nothing():
    canvas = blank(sample_of(np.ones((4, 4))), (8, 8))
    paint(canvas, sample_of(np.ones((4, 4))), translation(100, 0))
    assert (canvas.targets["mask"].ids == 255).all()


def test_flip_mirrors_image_and_labels():
    ids = np.arange(12).reshape(3, 4)
    out = RandomFlip(horizontal=1.0)(sample_of(ids), context())
    np.testing.assert_array_equal(out.targets["mask"].ids, ids[:, ::-1])
    np.testing.assert_array_equal(out.image[..., 1], ids[:, ::-1])
    out = RandomFlip(horizontal=0.0, vertical=1.0)(sample_of(ids), context())
    np.testing.assert_array_equal(out.targets["mask"].ids, ids[::-1])
    out = RandomFlip(horizontal=1.0, vertical=1.0)(sample_of(ids), context())
    np.testing.assert_array_equal(out.targets["mask"].ids, ids[::-1, ::-1])


def test_flips_come_as_often_as_asked():
    transform = RandomFlip(horizontal=0.25)
    flips = sum(transform.draw(sample_of(np.zeros((2, 2))), context(seed)) == [1] for seed in range(1000))
    assert 200 < flips < 300


def test_wide_images_keep_their_type():
    image = np.random.default_rng(0).integers(0, 65535, (20, 30, 4), np.uint16)
    out = RandomPerspective((16, 16), scale=0.5)(Sample(image), context())
    assert (out.image.dtype, out.image.shape) == (np.uint16, (16, 16, 4))
    assert out.image.max() > 255
    padded = LetterBox((32, 32))(Sample(image), context())
    assert (padded.image[0] == 114 * 257).all()


def test_rotation_is_anticlockwise_for_positive_angles():
    matrix = cv2.getRotationMatrix2D((0, 0), 30, 1.5)
    warp = RandomPerspective(degrees=30, scale=(1.5, 1.5))
    drawn = warp.draw_matrix(_Highest(), (0, 0), (0, 0))
    np.testing.assert_allclose(drawn[:2, :2], matrix[:, :2])


class _Highest(np.random.Generator):
    """A generator that draws the upper end of every range."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def uniform(self, low, high, size=None):
        return high if size is None else np.full(size, high if np.isscalar(high) else 0.0)
