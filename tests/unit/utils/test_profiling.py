"""Wall time by phase."""

from __future__ import annotations

import time

import pytest
import torch

from ultralytics.utils.profiling import Phases


def test_a_phase_adds_up_over_its_blocks() -> None:
    phases = Phases(torch.device("cpu"))
    begin = time.perf_counter()
    for _ in range(3):
        with phases("read"):
            time.sleep(0.002)
    with phases("infer"):
        pass
    elapsed = 1000 * (time.perf_counter() - begin)
    figures = phases.per_item(1)
    assert list(figures) == ["read", "infer"]
    assert 6 <= figures["read"] <= elapsed
    assert phases.per_item(3)["read"] == pytest.approx(figures["read"] / 3)
    assert phases.per_item(0) == figures


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_work_on_the_gpu_is_measured() -> None:
    phases = Phases(torch.device("cuda"))
    with phases("infer"):
        torch.ones(2048, 2048, device="cuda") @ torch.ones(2048, 2048, device="cuda")
    assert phases.per_item(1)["infer"] > 0
