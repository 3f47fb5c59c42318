"""Collective operations, with one process and with two."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import distributed, multiprocessing

from ultralytics.utils.dist import all_reduce_sum, barrier, broadcast_object, gather_objects, world_size


def test_single_process() -> None:
    tensor = torch.tensor([1, 2])
    barrier()
    assert world_size() == 1
    assert all_reduce_sum(tensor) is tensor
    assert tensor.tolist() == [1, 2]
    assert broadcast_object({"a": 1}) == {"a": 1}
    assert gather_objects({"a": 1}) == [{"a": 1}]


def one_of_two(rank: int, folder: str) -> None:
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    assert world_size() == 2
    assert all_reduce_sum(torch.tensor([2**53 + rank, rank])).tolist() == [2**54 + 1, 1]
    assert broadcast_object({"from": rank}) == {"from": 0}
    assert broadcast_object({"from": rank}, source=1) == {"from": 1}
    assert gather_objects([rank] * (rank + 1)) == [[0], [1, 1]]
    barrier()
    distributed.destroy_process_group()


def test_two_processes(tmp_path: Path) -> None:
    multiprocessing.spawn(one_of_two, args=(str(tmp_path),), nprocs=2)
