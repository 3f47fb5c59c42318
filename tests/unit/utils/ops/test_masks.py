"""Masks as polygons and as run lengths: both ways are exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ultralytics.errors import DatasetError
from ultralytics.utils.ops.masks import (
    Polygon,
    fill_rings,
    mask_to_polygons,
    polygons_to_class_map,
    ring_area,
    rle_counts,
    rle_decode,
    rle_encode,
)

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14))


def picture(text: str) -> np.ndarray:
    return np.array([[char == "#" for char in line] for line in text.split()])


def filled(polygons: list[Polygon], shape: tuple[int, int]) -> np.ndarray:
    ids = np.zeros(shape, np.uint8)
    for polygon in polygons:
        fill_rings(ids, [polygon.exterior, *polygon.holes], 1)
    return ids.astype(bool)


def corners(ring: np.ndarray) -> set[tuple[int, int]]:
    return {(int(x), int(y)) for x, y in ring}


def test_outline_of_one_pixel_is_a_unit_square():
    (polygon,) = mask_to_polygons(picture("... .#. ..."))
    assert corners(polygon.exterior) == {(1, 1), (2, 1), (2, 2), (1, 2)}
    assert len(polygon.exterior) == 4
    assert polygon.holes == []
    assert polygon.area == 1


def test_outline_has_corners_only_where_it_turns():
    (polygon,) = mask_to_polygons(np.ones((3, 5), bool))
    assert corners(polygon.exterior) == {(0, 0), (5, 0), (5, 3), (0, 3)}
    assert len(polygon.exterior) == 4


def test_holes_belong_to_their_region():
    mask = picture(
        """
        #####.#
        #...#..
        #.#.#..
        #...#..
        #####..
        """
    )
    polygons = sorted(mask_to_polygons(mask), key=lambda polygon: polygon.area)
    assert [polygon.area for polygon in polygons] == [1, 1, 16]
    assert [len(polygon.holes) for polygon in polygons] == [0, 0, 1]
    assert corners(polygons[2].holes[0]) == {(1, 1), (4, 1), (4, 4), (1, 4)}


def test_pixels_that_touch_in_a_corner_are_one_region():
    (polygon,) = mask_to_polygons(picture("#.. .#. ..#"))
    assert polygon.area == 3
    assert len(polygon.exterior) == 12


def test_empty_mask_has_no_polygons():
    assert mask_to_polygons(np.zeros((4, 6), bool)) == []


@pytest.mark.parametrize("block", range(4))
def test_every_4x4_mask_survives_the_round_trip(block):
    for number in range(block, 1 << 16, 52):
        mask = (number >> np.arange(16) & 1).astype(bool).reshape(4, 4)
        np.testing.assert_array_equal(filled(mask_to_polygons(mask), mask.shape), mask)


@given(MASKS)
def test_polygons_are_exact(mask):
    polygons = mask_to_polygons(mask)
    np.testing.assert_array_equal(filled(polygons, mask.shape), mask)
    assert sum(polygon.area for polygon in polygons) == mask.sum()
    for polygon in polygons:
        for ring in (polygon.exterior, *polygon.holes):
            steps = np.abs(np.roll(ring, -1, axis=0) - ring)
            assert (np.count_nonzero(steps, axis=1) == 1).all()  # along pixel edges, and no corner is repeated


def test_simplified_outline_stays_near():
    y, x = np.mgrid[:100, :100]
    mask = (x - 50) ** 2 + (y - 50) ** 2 < 40**2
    (exact,), (simple,) = mask_to_polygons(mask), mask_to_polygons(mask, simplify=1.5)
    assert len(simple.exterior) < len(exact.exterior) / 4
    difference = filled([simple], mask.shape) != mask
    assert 0 < difference.sum() < 2 * np.pi * 40 * 1.5


def test_small_regions_can_be_left_out():
    mask = picture("##..# ##... .....")
    assert [polygon.area for polygon in mask_to_polygons(mask, min_area=2)] == [4]


def test_area_does_not_depend_on_direction():
    triangle = np.array([[0, 0], [4, 0], [0, 3]])
    assert ring_area(triangle) == ring_area(triangle[::-1]) == 6.0


def test_fill_takes_the_pixels_whose_centre_is_inside():
    ids = np.zeros((4, 4), np.uint8)
    fill_rings(ids, [np.array([[0.6, 0.4], [2.6, 0.4], [2.6, 2.5], [0.6, 2.5]])], 9)
    np.testing.assert_array_equal(ids, 9 * picture(".##. .##. .... ....").astype(np.uint8))


@given(st.lists(st.tuples(st.floats(-5, 15), st.floats(-5, 15)), min_size=3, max_size=8), st.floats(-4, 14))
def test_pieces_of_a_polygon_share_no_pixel_and_leave_no_gap(points, cut):
    """Filling left and right part of anything, cut at any x, adds up to filling the whole."""
    ring = np.array(points)
    whole, left, right = (np.zeros((11, 9), np.uint8) for _ in range(3))
    fill_rings(whole, [ring], 1)
    fill_rings(left, [ring, np.array([[cut, -9], [99, -9], [99, 99], [cut, 99]])], 1)  # even-odd: the right is flipped
    fill_rings(right, [np.array([[cut, -9], [99, -9], [99, 99], [cut, 99]])], 1)
    np.testing.assert_array_equal(left ^ right, whole)


def test_polygons_outside_the_map_are_cut_off():
    ids = np.zeros((3, 3), np.uint8)
    fill_rings(ids, [np.array([[-9, 1], [9, 1], [9, 9], [-9, 9]])], 1)
    fill_rings(ids, [np.array([[5, 5], [8, 5], [8, 8]])], 2)
    np.testing.assert_array_equal(ids, picture("... ### ###"))


@pytest.mark.parametrize(("dtype", "thing"), [(np.uint8, 3), (np.uint16, 300)])
def test_labels_are_drawn_large_to_small(dtype, thing):
    small, large = np.array([[2, 2], [4, 2], [4, 4], [2, 4]]), np.array([[0.2, 0], [6, 0.3], [6, 6], [0, 6]])
    ids = polygons_to_class_map([small, large], [thing, 1], (8, 8), background=7, dtype=dtype)
    assert ids.dtype == dtype
    expected = np.full((8, 8), 7)
    expected[:7, :7] = 1
    expected[2:5, 2:5] = thing
    np.testing.assert_array_equal(ids, expected)


def test_run_lengths_go_column_by_column_and_begin_with_zeros():
    assert rle_counts(picture(".# ##")).tolist() == [1, 3]
    assert rle_counts(picture("## ##")).tolist() == [0, 4]
    assert rle_encode(picture(".# .#"), compress=False) == {"size": [2, 2], "counts": [2, 2]}


def test_compressed_counts_are_coco_s():
    counts = [6, 1, 40, 4, 5, 4, 5, 4, 21]
    text = "61X13mN000`0"  # as pycocotools writes them
    mask = rle_decode({"size": [9, 10], "counts": counts})
    assert rle_encode(mask) == {"size": [9, 10], "counts": text}
    np.testing.assert_array_equal(rle_decode({"size": [9, 10], "counts": text}), mask)


@given(MASKS, st.booleans())
def test_run_lengths_are_exact(mask, compress):
    np.testing.assert_array_equal(rle_decode(rle_encode(mask, compress=compress)), mask)


def test_long_runs_survive_compression():
    mask = np.zeros((3000, 2500), bool)
    mask[7, 3] = mask[2999, 2499] = True
    np.testing.assert_array_equal(rle_decode(rle_encode(mask)), mask)


def test_run_lengths_that_do_not_fill_the_mask_are_refused():
    with pytest.raises(DatasetError, match="not to 6 pixels"):
        rle_decode({"size": [2, 3], "counts": [1, 2]})
