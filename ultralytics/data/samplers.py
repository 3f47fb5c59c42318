"""EpochBatchSampler: which samples an epoch visits and how they are grouped, decided by seed and epoch alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from ultralytics.data.sample import SampleKey


class EpochBatchSampler(Sampler[list[SampleKey]]):
    """Yield the `SampleKey`s of each batch of an epoch.

    Of several processes each gets its share. Where the order is shuffled (training) the shares are equally long, so
    that no process waits for another: a few samples then come twice. Otherwise every sample comes exactly once.

    Args:
        count: number of samples.
        batch: samples in a batch of this process.
        seed: with the epoch it decides the order.
        shuffle: whether the order changes from epoch to epoch.
        together: whether neighbours stay in one batch, because they share a shape; then batches are shuffled.
        shapes: (N, 2) height and width of each sample: batches that stay together end where the shape changes.
        drop_last: whether a batch that is not full is left out.
        rank: index of this process.
        world_size: number of processes.
    """

    def __init__(
        self,
        count: int,
        batch: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        together: bool = False,
        shapes: np.ndarray | None = None,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.count = count
        self.batch = batch
        self.seed = seed
        self.shuffle = shuffle
        self.together = together
        self.drop_last = drop_last
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.mix = True
        self._neighbours = self._cut(shapes) if together else []

    def set_epoch(self, epoch: int, mix: bool = True) -> None:
        """Choose the epoch of the next iteration, and whether its samples may be joined."""
        self.epoch = epoch
        self.mix = mix

    def sizes(self) -> list[tuple[int, int]]:
        """List the number of images, and the index of one, of each batch; those of an unshuffled order."""
        if self.together:
            return [(len(batch), int(batch[0])) for batch in self._neighbours]
        own = self._share_length(self.count)
        starts = range(0, len(self) * self.batch, self.batch)
        return [(min(self.batch, own - start), start) for start in starts]

    def __iter__(self) -> Iterator[list[SampleKey]]:
        if self.together:
            batches = [self._neighbours[unit] for unit in self._share(len(self._neighbours))]
        else:
            order = self._share(self.count)
            batches = [order[start : start + self.batch] for start in range(0, len(self) * self.batch, self.batch)]
        for batch in batches:
            yield [SampleKey(self.epoch, int(index), self.mix) for index in batch]

    def __len__(self) -> int:
        if self.together:
            return self._share_length(len(self._neighbours))
        own = self._share_length(self.count)
        return own // self.batch if self.drop_last else math.ceil(own / self.batch)

    def _cut(self, shapes: np.ndarray | None) -> list[np.ndarray]:
        """List the batches of neighbours in the whole dataset; none holds two shapes."""
        shapes = np.zeros((self.count, 2)) if shapes is None else shapes
        changes = np.flatnonzero((np.diff(shapes, axis=0) != 0).any(axis=1)) + 1
        batches = [
            group[start : start + self.batch]
            for group in np.split(np.arange(self.count), changes)
            for start in range(0, len(group), self.batch)
        ]
        return [batch for batch in batches if len(batch) == self.batch or not self.drop_last]

    def _share_length(self, total: int) -> int:
        return math.ceil(total / self.world_size) if self.shuffle else len(range(self.rank, total, self.world_size))

    def _share(self, total: int) -> np.ndarray:
        """Order the numbers below `total` and take those of this process."""
        order = np.arange(total)
        if self.shuffle:
            np.random.default_rng((self.seed, self.epoch)).shuffle(order)
            order = np.resize(order, self._share_length(total) * self.world_size)
        return order[self.rank :: self.world_size]
