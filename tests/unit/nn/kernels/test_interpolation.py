"""The taps are those of torch's own bilinear interpolation, to the bit."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from ultralytics.nn.kernels.interpolation import matrix, taps


@given(source=st.integers(1, 200), size=st.integers(1, 1500))
@settings(max_examples=60, deadline=None)
def test_matrix_is_what_interpolate_does_to_unit_vectors(source: int, size: int) -> None:
    units = torch.eye(source)[None, :, None]
    expected = interpolate(units, size=(1, size), mode="bilinear", align_corners=False)[0, :, 0].T
    assert torch.equal(matrix(taps(size, source), slice(0, source)), expected)


def test_region_of_whole_pixels_is_the_crop_with_real_neighbours() -> None:
    axis = taps(4, 6, start=2, length=2)
    # Centres at 1.75, 2.25, 2.75, 3.25: the outer ones lean on pixels outside the region.
    assert axis.low.tolist() == [1, 2, 2, 3]
    assert axis.high.tolist() == [2, 3, 3, 4]
    torch.testing.assert_close(axis.weight, torch.tensor([0.75, 0.25, 0.75, 0.25]))


def test_region_outside_repeats_the_edge() -> None:
    axis = taps(4, 3, start=-2, length=4)
    assert axis.low.tolist() == [0, 0, 0, 1]
    assert axis.weight[:3].tolist() == [0, 0, 0]


@pytest.mark.parametrize("shift", [0, 3])
def test_slices_and_shifts_keep_the_positions(shift: int) -> None:
    axis = taps(20, 10)
    part = axis[6:14].shift(shift)
    assert len(part) == 8
    assert part.span() == slice(int(axis.low[6]) + shift, int(axis.high[13]) + 1 + shift)
    source = part.span()
    whole = matrix(axis, slice(0, 10))
    assert torch.equal(matrix(part, source), whole[6:14, source.start - shift : source.stop - shift])
