"""The automatic batch size."""

from __future__ import annotations

import pytest
import torch

from ultralytics.engine.train.autobatch import fitting_batch, require_statistics, resolve_batch
from ultralytics.errors import ConfigError

CPU = torch.device("cpu")


def no_step(images: int) -> None:
    raise AssertionError(f"measured {images} images where there is nothing to measure")


@pytest.mark.parametrize(("batch", "expected"), [(1, 1), (16, 16), (8.0, 8)])
def test_numbers_are_taken_as_they_are(batch: float, expected: int) -> None:
    assert resolve_batch(batch, torch.device("cuda"), no_step) == expected


@pytest.mark.parametrize("batch", [-1, 0.7])
def test_without_gpu_memory_the_default_is_used_and_said(batch: float, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="ultralytics")
    assert resolve_batch(batch, CPU, no_step) == 16
    assert "using batch=16" in caplog.text


@pytest.mark.parametrize("batch", [0, -2, 2.5, -0.5, float("nan"), float("inf")])
def test_other_values_are_refused(batch: float) -> None:
    with pytest.raises(ConfigError, match="no batch size"):
        resolve_batch(batch, CPU, no_step)


def test_line_through_measurements() -> None:
    used = {images: 1000 + 70 * images for images in (1, 2, 4, 8)}
    assert fitting_batch(used, limit=8001) == 100
    assert fitting_batch(used, limit=8069) == 100
    assert fitting_batch(used, limit=8000, largest=64) == 64
    assert fitting_batch(used, limit=10) == 1


def test_one_measurement_is_taken_as_proportional() -> None:
    assert fitting_batch({2: 500}, limit=2600) == 10


def test_flat_measurements_do_not_limit() -> None:
    assert fitting_batch({1: 100, 2: 100, 4: 100}, limit=200, largest=32) == 32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_measured_on_a_gpu() -> None:
    device = torch.device("cuda")
    megabytes = 256
    share = 20 * megabytes * 2**20 / torch.cuda.get_device_properties(device).total_memory

    def step(images: int) -> None:
        torch.empty(images * megabytes << 20, dtype=torch.uint8, device=device)

    assert resolve_batch(share, device, step) in range(18, 22)


@pytest.mark.parametrize("batches", [[(1, (32, 32))], [(4, (32, 32)), (1, (32, 32))], [(1, (20.0, 31.0))]])
def test_a_single_pixel_at_the_largest_stride_has_no_statistics(batches: list) -> None:
    with pytest.raises(ConfigError, match="imgsz=64"):
        require_statistics(batches, stride=32, batch=4)


def test_two_pixels_at_the_largest_stride_have_statistics() -> None:
    require_statistics([(2, (32, 32)), (1, (33, 32)), (1, (32, 64))], stride=32, batch=2)
