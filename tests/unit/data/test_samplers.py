"""The order of an epoch."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.data.sample import SampleKey
from ultralytics.data.samplers import EpochBatchSampler

COUNTS = st.integers(1, 40)
BATCHES = st.integers(1, 9)


def _indices(sampler: EpochBatchSampler) -> list[list[int]]:
    return [[key.index for key in batch] for batch in sampler]


@given(COUNTS, BATCHES, st.booleans(), st.booleans(), st.integers(0, 3))
def test_every_sample_comes_once_in_full_batches_but_one(count, batch, shuffle, together, epoch):
    sampler = EpochBatchSampler(count, batch, shuffle=shuffle, together=together)
    sampler.set_epoch(epoch)
    batches = _indices(sampler)
    assert sorted(chain(*batches)) == list(range(count))
    assert len(batches) == len(sampler)
    assert sum(len(group) != batch for group in batches) <= 1


@given(COUNTS, BATCHES, st.booleans(), st.integers(2, 4))
def test_validation_shares_cover_everything_once(count, batch, together, world):
    shares = [EpochBatchSampler(count, batch, together=together, rank=rank, world_size=world) for rank in range(world)]
    assert sorted(chain(*chain(*map(_indices, shares)))) == list(range(count))
    assert [len(share) for share in shares] == [len(_indices(share)) for share in shares]


@given(COUNTS, BATCHES, st.booleans(), st.integers(2, 4))
def test_training_shares_are_equally_long_and_cover_everything(count, batch, together, world):
    shares = [
        EpochBatchSampler(count, batch, shuffle=True, together=together, rank=rank, world_size=world)
        for rank in range(world)
    ]
    batches = [_indices(share) for share in shares]
    assert len({len(group) for group in batches}) == 1
    assert set(chain(*chain(*batches))) == set(range(count))
    assert [len(share) for share in shares] == [len(group) for group in batches]


@given(COUNTS, BATCHES, st.booleans())
def test_neighbours_stay_together(count, batch, shuffle):
    for group in _indices(EpochBatchSampler(count, batch, shuffle=shuffle, together=True)):
        assert group == list(range(group[0], group[0] + len(group)))
        assert group[0] % batch == 0


@pytest.mark.parametrize("together", [False, True])
def test_the_order_depends_on_seed_and_epoch_alone(together):
    def order(seed: int, epoch: int) -> list[list[int]]:
        sampler = EpochBatchSampler(50, 4, seed=seed, shuffle=True, together=together)
        sampler.set_epoch(epoch)
        return _indices(sampler)

    assert order(0, 3) == order(0, 3)
    assert len({str(order(seed, epoch)) for seed in range(2) for epoch in range(3)}) == 6


def test_keys_carry_epoch_and_mix():
    sampler = EpochBatchSampler(3, 2)
    assert list(sampler) == [[SampleKey(0, 0, True), SampleKey(0, 1, True)], [SampleKey(0, 2, True)]]
    sampler.set_epoch(5, mix=False)
    assert list(sampler)[1] == [SampleKey(5, 2, False)]


@pytest.mark.parametrize("together", [False, True])
def test_the_last_batch_can_be_dropped(together):
    assert _indices(EpochBatchSampler(7, 3, drop_last=True, together=together)) == [[0, 1, 2], [3, 4, 5]]
    assert _indices(EpochBatchSampler(2, 3, drop_last=True, together=together)) == []


@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), BATCHES, st.integers(1, 3))
def test_a_batch_holds_one_shape(sizes, batch, world):
    """Groups of neighbours that share a shape; each but its last batch is full."""
    shapes = np.repeat([[32, 32 * (number + 1)] for number in range(len(sizes))], sizes, axis=0)
    options = {"together": True, "shapes": shapes, "world_size": world}
    batches = list(
        chain(*(_indices(EpochBatchSampler(len(shapes), batch, rank=rank, **options)) for rank in range(world)))
    )
    assert sorted(chain(*batches)) == list(range(len(shapes)))
    assert all(len({tuple(shapes[index]) for index in group}) == 1 for group in batches)
    assert len(batches) == sum(-(-size // batch) for size in sizes)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("drop_last", [True, False])
@given(st.integers(1, 12), BATCHES)
def test_sizes_are_those_of_the_batches(together, drop_last, count, batch):
    sampler = EpochBatchSampler(count, batch, together=together, drop_last=drop_last)
    assert sampler.sizes() == [(len(group), group[0]) for group in _indices(sampler)]
