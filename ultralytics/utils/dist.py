"""Talking between the processes of a distributed run; in a single process each function does nothing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed


def _running() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def world_size() -> int:
    """Count the processes of the run."""
    return distributed.get_world_size() if _running() else 1


def all_reduce_sum(tensor: Tensor) -> Tensor:
    """Add a tensor up over all processes, in place, and return it; integers stay exact."""
    if world_size() > 1:
        distributed.all_reduce(tensor)
    return tensor


def barrier() -> None:
    """Wait until every process has come here."""
    if world_size() > 1:
        distributed.barrier()


def broadcast_object(value: Any, source: int = 0, device: torch.device | None = None) -> Any:
    """Give every process the plain data that the process `source` has.

    Args:
        value: what to send; ignored on the other processes.
        source: rank of the sender.
        device: where the bytes travel; NCCL needs this process's GPU.
    """
    if world_size() == 1:
        return value
    box = [value]
    distributed.broadcast_object_list(box, src=source, device=device)
    return box[0]


def gather_objects(value: Any) -> list[Any]:
    """Collect the plain data of all processes, in the order of their ranks; every process gets the list."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    distributed.all_gather_object(values, value)
    return values
