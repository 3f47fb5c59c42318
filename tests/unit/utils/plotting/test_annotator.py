"""Drawing on an image, pixel by pixel where the result can be said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ultralytics.utils.plotting import Annotator, LegendEntry, default_palette
from ultralytics.utils.plotting.annotator import blend_mask, borders, displayable, nearest_index

PALETTE = np.array([[250, 0, 0], [0, 250, 0]], np.uint8)  # red, green


def grey(height: int, width: int, value: int = 100) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


class TestDisplayable:
    def test_channels(self) -> None:
        stack = np.arange(2 * 2 * 5, dtype=np.uint8).reshape(2, 2, 5)
        assert displayable(stack).tolist() == stack[..., :3].tolist()
        assert displayable(stack[..., 0]).tolist() == np.repeat(stack[..., :1], 3, axis=2).tolist()
        assert displayable(stack[..., :2]).tolist() == displayable(stack[..., 0]).tolist()

    def test_is_always_a_copy(self) -> None:
        image = grey(2, 2)
        displayable(image)[:] = 0
        assert (image == 100).all()

    def test_deep_values_are_stretched(self) -> None:
        image = np.linspace(1000, 5000, 300).reshape(10, 10, 3).astype(np.uint16)
        shown = displayable(image)
        assert (shown.min(), shown.max()) == (0, 255)
        assert (np.diff(shown.ravel().astype(int)) >= 0).all()

    def test_values_that_are_no_numbers(self) -> None:
        assert displayable(np.full((2, 2), np.nan, np.float32)).max() == 0
        assert displayable(np.zeros((2, 2), bool)).max() == 0


class TestClassMap:
    def test_tints_by_alpha_and_leaves_what_the_palette_does_not_reach(self) -> None:
        canvas = Annotator(grey(1, 5))
        canvas.class_map(np.array([[0, 1, 2, 200, 255]], np.uint8), PALETTE, alpha=0.4)
        assert canvas.image[0].tolist() == [[60, 60, 160], [60, 160, 60], *[[100, 100, 100]] * 3]

    @pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.int64])
    def test_wide_ids_draw_the_same(self, dtype: type) -> None:
        ids = np.random.default_rng(0).integers(0, 3, (150, 20))
        narrow, wide = Annotator(grey(150, 20)), Annotator(grey(150, 20))
        narrow.class_map(ids.astype(np.uint8), PALETTE, contours=True)
        wide.class_map(ids.astype(dtype), PALETTE, contours=True)
        assert np.array_equal(narrow.image, wide.image)

    def test_negative_and_large_ids_stay_untinted(self) -> None:
        canvas = Annotator(grey(1, 4))
        canvas.class_map(np.array([[-1, 256, 65535, 257]], np.int32), PALETTE)
        assert (canvas.image == 100).all()

    def test_more_than_256_classes(self) -> None:
        palette = default_palette(400)
        canvas = Annotator(grey(1, 3))
        canvas.class_map(np.array([[0, 399, 65535]], np.uint16), palette, alpha=1.0)
        assert canvas.image[0].tolist() == [palette[0, ::-1].tolist(), palette[399, ::-1].tolist(), [100, 100, 100]]

    def test_contours_are_drawn_in_full_colour(self) -> None:
        canvas = Annotator(grey(4, 8), line_width=1)
        canvas.class_map(np.kron([[0, 1]], np.ones((4, 4))).astype(np.uint8), PALETTE, alpha=0.0, contours=True)
        row = [[100] * 3] * 3 + [[0, 0, 250], [0, 250, 0]] + [[100] * 3] * 3
        assert canvas.image.tolist() == [row] * 4

    def test_a_map_of_another_size_is_brought_to_the_image(self) -> None:
        canvas = Annotator(grey(2, 4))
        canvas.class_map(np.array([[0, 255]], np.uint8), PALETTE, alpha=1.0)
        assert canvas.image[:, :2].tolist() == [[[0, 0, 250]] * 2] * 2
        assert (canvas.image[:, 2:] == 100).all()

    def test_nothing_to_draw(self) -> None:
        canvas = Annotator(grey(2, 2))
        canvas.class_map(np.zeros((0, 2), np.uint8), PALETTE)
        canvas.class_map(np.zeros((2, 2), np.uint8), PALETTE[:0])
        assert (canvas.image == 100).all()


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 2)))
def test_borders_agree_with_looking_at_each_pixel(ids: np.ndarray) -> None:
    edge = borders(ids)
    padded = np.pad(ids, 1, mode="edge")
    for (y, x), own in np.ndenumerate(ids):
        around = (padded[y, x + 1], padded[y + 2, x + 1], padded[y + 1, x], padded[y + 1, x + 2])
        assert edge[y, x] == any(other != own for other in around)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 50), st.integers(1, 50))
def test_nearest_index_stays_inside_and_is_symmetric(height: int, width: int, new_height: int, new_width: int) -> None:
    rows, columns = nearest_index((height, width), (new_height, new_width))
    assert rows.min() >= 0
    assert rows.max() < height
    assert columns.max() < width
    assert nearest_index((7, 7), (7, 7))[0].ravel().tolist() == list(range(7))


def test_blending_is_clipped_at_every_side() -> None:
    mask = np.full((4, 4), 255, np.uint8)
    for xy in ((-2, -2), (4, 4), (-9, 0), (0, 9), (6, -4), (-4, 2)):
        image = grey(6, 6)
        expected = image.copy()
        ys, xs = np.mgrid[0:6, 0:6]
        expected[(ys >= xy[1]) & (ys < xy[1] + 4) & (xs >= xy[0]) & (xs < xy[0] + 4)] = (1, 2, 3)
        blend_mask(image, mask, xy, (1, 2, 3))
        assert np.array_equal(image, expected)


def test_blending_by_halves() -> None:
    image = grey(1, 1)
    blend_mask(image, np.array([[128]], np.uint8), (0, 0), (200, 100, 0))
    assert np.abs(image[0, 0].astype(int) - (150, 100, 50)).max() <= 1


def test_mask_tints_its_region_only() -> None:
    canvas = Annotator(grey(1, 2))
    canvas.mask(np.array([[True, False]]), (0, 0, 200))
    assert canvas.image[0].tolist() == [[50, 50, 150], [100, 100, 100]]


@pytest.mark.parametrize("box", [(20, 40, 80, 90), (20, 0, 80, 90), (-50, -50, 500, 500), (90, 90, 100, 100)])
def test_box_label_draws_inside_the_image(box: tuple[int, ...]) -> None:
    canvas = Annotator(grey(100, 100))
    canvas.box_label(box, "voiture été", (0, 0, 255))
    assert canvas.image.shape == (100, 100, 3)
    assert (canvas.image != 100).any()


def test_results_in_both_kinds() -> None:
    canvas = Annotator(np.full((2, 3, 3), (255, 0, 0), np.uint8))
    assert canvas.result() is canvas.image
    assert canvas.result(pil=True).getpixel((0, 0)) == (0, 0, 255)


class TestLegend:
    entries = tuple(LegendEntry((0, 0, 255), f"class {i}", "12.5%") for i in range(40))

    def test_shows_every_colour(self) -> None:
        canvas = Annotator(grey(300, 400))
        canvas.legend([LegendEntry((255, 0, 0), "sky", "60.0%"), LegendEntry((0, 255, 0), "tree", "40.0%")])
        for color in ((255, 0, 0), (0, 255, 0)):
            assert (canvas.image == color).all(axis=2).any()

    @pytest.mark.parametrize("shape", [(300, 400), (1080, 1920), (120, 2000), (2000, 200)])
    def test_stays_in_its_corner_however_many(self, shape: tuple[int, int]) -> None:
        canvas = Annotator(grey(*shape))
        canvas.legend(self.entries)
        changed = (canvas.image != 100).any(axis=2)
        assert not changed[round(shape[0] * 0.95) :].any()
        assert not changed[:, round(shape[1] * 0.75) :].any()

    @pytest.mark.parametrize("shape", [(1, 1), (20, 900), (90, 90)])
    def test_small_pictures_go_without(self, shape: tuple[int, int]) -> None:
        canvas = Annotator(grey(*shape))
        canvas.legend(self.entries)
        assert (canvas.image == 100).all()

    def test_long_names_are_cut(self) -> None:
        canvas = Annotator(grey(300, 400))
        canvas.legend([LegendEntry((0, 0, 255), "a very long class name " * 9, "1.0%")])
        changed = (canvas.image != 100).any(axis=2)
        assert changed.any()
        assert not changed[:, 300:].any()
