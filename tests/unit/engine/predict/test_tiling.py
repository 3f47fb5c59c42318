"""Tiles: where they lie, and that what is joined from them is what a single pass would have given."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.engine.predict.tiling import TileAxis, TileGrid, stitch
from ultralytics.errors import ModelError
from ultralytics.nn.kernels import class_map

BLENDS = ("none", "linear", "gauss")
STRIDE = 16


# Where tiles lie -----------------------------------------------------------------------------------------------------


@given(
    st.integers(1, 3000), st.integers(1, 20), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9]), st.sampled_from([8, 16, 32])
)
def test_tiles_cover_the_image_from_multiples_of_the_stride_and_overlap_as_asked(
    size: int, strides: int, overlap: float, stride: int
) -> None:
    axis = TileAxis.plan(size, tile=strides * stride, overlap=overlap, stride=stride)
    assert axis.starts[0] == 0
    assert all(start % stride == 0 for start in axis.starts)
    assert size <= axis.covered < size + stride
    least = min(math.ceil(strides * overlap), strides - 1) * stride
    assert all(0 < b - a <= axis.tile - least for a, b in zip(axis.starts, axis.starts[1:], strict=False))


def test_an_image_smaller_than_a_tile_is_one_tile() -> None:
    assert TileAxis.plan(50, tile=128, overlap=0.25, stride=32) == TileAxis(50, 64, (0,))
    assert TileAxis.plan(50, tile=128, overlap=0.25, stride=32, shrink=False) == TileAxis(50, 128, (0,))


def test_windows_end_with_the_image() -> None:
    grid = TileGrid.plan((40, 100), tile=64, overlap=0, stride=32)
    assert list(grid.windows()) == [
        (slice(0, 40), slice(0, 64)),
        (slice(0, 40), slice(64, 100)),
    ]
    assert len(grid) == 2


# How they are joined -------------------------------------------------------------------------------------------------


def test_without_blending_a_point_comes_from_the_tile_in_which_it_lies_deepest() -> None:
    axis = TileAxis(48, 32, (0, 16))
    first, second = axis.shares(4, "none")
    assert first.tolist() == [1, 1, 1, 1, 1, 1, 0, 0]
    assert second.tolist() == [0, 0, 1, 1, 1, 1, 1, 1]


def test_linear_blending_is_a_ramp_over_the_overlap() -> None:
    axis = TileAxis(56, 32, (0, 24))
    first, second = axis.shares(4, "linear")
    assert first.tolist() == [1] * 8
    assert second.tolist() == pytest.approx([0.25, 0.75, 1, 1, 1, 1, 1, 1])


@pytest.mark.parametrize("blend", BLENDS)
def test_weights_add_up_and_favour_the_middle(blend: str) -> None:
    axis = TileAxis.plan(640, tile=256, overlap=0.5, stride=32)
    weights = torch.zeros(len(axis.starts), 80)
    for number, (start, share) in enumerate(zip(axis.starts, axis.shares(8, blend), strict=True)):
        part = slice(start // 8, start // 8 + 32)
        weights[:number, part] *= 1 - share
        weights[number, part] = share
    assert torch.allclose(weights.sum(0), torch.ones(80))
    for start, weight in zip(axis.starts, weights, strict=True):
        centre = start // 8 + 16
        assert weight[centre] >= 0.95 * weight.max()


@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.sampled_from([32, 64, 112]),
    st.sampled_from([0.0, 0.25, 0.6]),
    st.sampled_from(BLENDS),
    st.sampled_from([1, 4, 8, 16]),
    st.sampled_from([1, 3]),
    st.booleans(),
)
def test_bands_of_joined_tiles_reduce_to_what_the_whole_lattice_does(
    size: tuple[int, int], tile: int, overlap: float, blend: str, ratio: int, num_classes: int, shrink: bool
) -> None:
    grid = TileGrid.plan(size, tile=tile, overlap=overlap, stride=STRIDE, shrink=shrink)
    lattice = torch.randn(
        num_classes, grid.rows.covered // ratio, grid.columns.covered // ratio,
        generator=torch.Generator().manual_seed(size[0]),
    )  # fmt: skip
    tiles = [
        lattice[:, y // ratio : (y + grid.rows.tile) // ratio, x // ratio : (x + grid.columns.tile) // ratio]
        for y in grid.rows.starts
        for x in grid.columns.starts
    ]
    bands = list(stitch(grid, tiles, stride=STRIDE, blend=blend))
    expected = class_map(
        lattice[None], size, region=(0, 0, size[0] / ratio, size[1] / ratio), confidence=True, entropy=True
    )
    assert [band.rows.start for band in bands] == [0, *(band.rows.stop for band in bands)][:-1]
    assert bands[-1].rows.stop == size[0]
    parts = [
        class_map(
            band.logits, band.geometry.source, region=band.geometry.logits_region(ratio), confidence=True, entropy=True
        )
        for band in bands
    ]
    for name in ("ids", "confidence", "entropy"):
        joined = torch.cat([getattr(part, name) for part in parts], dim=1)
        assert torch.equal(joined, getattr(expected, name)), name


def test_tiles_that_make_no_common_lattice_are_refused() -> None:
    grid = TileGrid.plan((64, 64), tile=32, overlap=0, stride=16)
    with pytest.raises(ModelError, match="5x5 logits of a tile of 32x32"):
        next(stitch(grid, [torch.zeros(2, 5, 5)] * 4, stride=16, blend="none"))
