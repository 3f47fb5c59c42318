"""Devices, random numbers and switches that are put back."""

from __future__ import annotations

import contextlib
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ultralytics.errors import DeviceError
from ultralytics.utils.torch_utils import (
    autocast,
    deterministic_mode,
    gpu_indices,
    rng_state,
    seed_everything,
    select_device,
    set_rng_state,
    unwrap_model,
)

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a GPU that must not be there")


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torch say that there are four GPUs; none is used."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU number {index}")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: ((5, 9, 7, 1)[index], 10))
    monkeypatch.delenv("LOCAL_RANK", raising=False)


def test_cpu() -> None:
    assert select_device("cpu") == select_device("CPU ") == select_device(torch.device("cpu")) == torch.device("cpu")
    assert gpu_indices("cpu") == []


@no_gpu
@pytest.mark.parametrize("device", [0, "0", "cuda", "cuda:0", [0, 1], "0,1", -1, "nonsense", "cuda:x"])
def test_what_is_not_there_is_not_replaced(device: Any) -> None:
    with pytest.raises(DeviceError, match=r"does not exist here\. There are: cpu.*no CUDA"):
        select_device(device)


@no_gpu
def test_default_without_a_gpu() -> None:
    assert select_device(None) == select_device("") == torch.device("cpu")


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize(
    ("device", "indices"),
    [
        (None, [0]),
        ("cuda", [0]),
        (2, [2]),
        ("3", [3]),
        ("cuda:1", [1]),
        ([1, 3], [1, 3]),
        ((0,), [0]),
        ("0, 2", [0, 2]),
        ("[0,1]", [0, 1]),
        ("cuda:0,cuda:1", [0, 1]),
        (-1, [1]),
        (torch.device("cuda", 3), [3]),
    ],
)
def test_ways_to_name_gpus(device: Any, indices: list[int]) -> None:
    assert gpu_indices(device) == indices
    assert select_device(device) == torch.device("cuda", indices[0])


@pytest.mark.usefixtures("four_gpus")
def test_each_process_of_a_run_gets_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert select_device([1, 3]) == torch.device("cuda", 3)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert select_device(None) == torch.device("cuda", 1)


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize("device", [4, "0,7", "gpu", "0;1", 1.5])
def test_gpus_that_are_not_there(device: Any) -> None:
    with pytest.raises(DeviceError, match=r"There are: cpu.*3 \(GPU number 3\)"):
        select_device(device)


@pytest.mark.usefixtures("four_gpus")
def test_a_gpu_named_twice() -> None:
    with pytest.raises(DeviceError, match="twice"):
        select_device("1,1")


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(1))


def test_seed_repeats_all_generators() -> None:
    seed_everything(2**40 + 5)  # larger than NumPy takes
    first = draw()
    seed_everything(2**40 + 5)
    assert draw() == first
    seed_everything(6)
    assert draw() != first


def test_random_state_survives_a_file(tmp_path: Path) -> None:
    seed_everything(1)
    random.gauss(0, 1)
    np.random.randn()  # both keep a second normal value back
    torch.save(rng_state(), tmp_path / "rng.pt")
    expected = [*draw(), random.gauss(0, 1), float(np.random.randn())]
    draw()
    set_rng_state(torch.load(tmp_path / "rng.pt", weights_only=True))
    assert [*draw(), random.gauss(0, 1), float(np.random.randn())] == expected


def switches() -> tuple[Any, ...]:
    cudnn: Any = torch.backends.cudnn
    memory: Any = torch.utils.deterministic
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.deterministic,
        cudnn.benchmark,
        memory.fill_uninitialized_memory,
        os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        torch.get_num_threads(),
    )


def test_deterministic_mode_puts_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    before = switches()
    with contextlib.suppress(ZeroDivisionError), deterministic_mode(True):
        assert switches() == (True, True, True, False, False, ":4096:8", torch.get_num_threads())
        raise ZeroDivisionError
    assert switches() == before


def test_deterministic_mode_off_changes_nothing() -> None:
    before = switches()
    with deterministic_mode(False):
        assert switches() == before


def test_deterministic_mode_keeps_the_users_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with deterministic_mode(True):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_no_mixed_precision_on_the_cpu() -> None:
    with autocast(torch.device("cpu"), enabled=True):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_unwrap() -> None:
    inner = nn.Linear(1, 1)
    assert unwrap_model(inner) is inner
    assert unwrap_model(nn.DataParallel(inner)) is inner
    assert unwrap_model(torch.compile(inner, backend="eager")) is inner
