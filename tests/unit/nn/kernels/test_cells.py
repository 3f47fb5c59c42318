"""Cells along an axis cover its pixels, blocks cut them up, and contests keep the classes that can win."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.nn.kernels.cells import BoundaryCells, Cells, boundary
from ultralytics.nn.kernels.interpolation import taps


@given(source=st.integers(1, 30), size=st.integers(1, 300), length=st.integers(1, 12))
def test_every_pixel_lies_in_one_block_with_its_own_taps(source: int, size: int, length: int) -> None:
    axis = taps(size, source)
    blocks = Cells.from_taps(axis).split(length)
    assert len(blocks.pixels) <= length
    owner = blocks.owner(size)
    assert ((blocks.pixels[:, owner] == torch.arange(size)).any(0)).all()
    assert torch.equal(axis.low[blocks.pixels], blocks.low.expand_as(blocks.pixels))
    assert torch.equal(axis.weight[blocks.pixels], blocks.weight)


def test_frame_holds_the_outer_weights_of_the_blocks_of_a_cell() -> None:
    cells = Cells.from_taps(taps(8, 2))  # the middle four pixels lie between the logits, at 1/8, 3/8, 5/8 and 7/8
    blocks = cells.split(2)
    assert blocks.blocks == 2
    assert blocks.frame()[:, 1].tolist() == [0.125, 0.375, 0.625, 0.875]


def test_contests_leave_out_who_is_beaten_everywhere() -> None:
    # In the cells at the left, classes 0 and 2 change places and 1 is below both.
    logits = torch.tensor([[[9.0, 0.0, 3.0]] * 2, [[-5.0, -5.0, 4.0]] * 2, [[0.0, 9.0, 5.0]] * 2])
    rows, columns = Cells.from_taps(taps(16, 2)), Cells.from_taps(taps(24, 3))
    cells = boundary(torch.tensor([[0, 2, 2]] * 2), rows, columns)
    contest = BoundaryCells.from_logits(logits, cells[:1], rows, columns, torch.uint8)
    assert contest.classes.tolist() == [[0], [2]]
    assert contest.corners[0, :, :, 0].tolist() == [[9, 0], [0, 9]]
    assert contest.running == (1, 1)
