"""The validation loop, with counts of its own instead of a task's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from ultralytics.cfg import get_cfg
from ultralytics.engine.events import CallbackList
from ultralytics.engine.validator import BaseValidator, infer_in_pieces


class Sums:
    """Adds up outputs."""

    def __init__(self) -> None:
        self.speed: dict[str, float] = {}
        self.save_dir: Path | None = None
        self.total = 0.0

    @property
    def results_dict(self) -> dict[str, float]:
        return {"total": self.total, "fitness": self.total}

    def reduce(self) -> None:
        self.total = round(self.total, 4)

    def table(self, *, verbose: bool) -> str:
        return f"total {self.total}{' in detail' if verbose else ''}"


class SumValidator(BaseValidator):
    finished = 0

    def build_metrics(self) -> Sums:
        return Sums()

    def update(self, outputs: Any, batch: Any, number: int) -> None:
        self.metrics.total += float(outputs.sum())

    def finish(self) -> None:
        self.finished += 1


class HalfLoss(nn.Module):
    def forward(self, outputs: torch.Tensor, batch: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        part = outputs.sum() / 2
        return part, {"half_loss": part}


@pytest.fixture
def validator(tmp_path: Path) -> SumValidator:
    images = [{"img": torch.full((1, 2, 2), value, dtype=torch.uint8)} for value in (51, 102, 255)]
    seen: list[str] = []
    callbacks = CallbackList()
    for event in ("on_val_start", "on_val_batch_start", "on_val_batch_end", "on_val_end"):
        callbacks.add(event, lambda _, event=event: seen.append(event.removeprefix("on_val_")))
    run = SumValidator(
        get_cfg(mode="val"), DataLoader(images, batch_size=2), torch.device("cpu"),
        save_dir=tmp_path / "run", callbacks=callbacks,
    )  # fmt: skip
    run.seen = seen
    return run


def test_every_image_is_counted_once_in_evaluation_mode(validator: SumValidator, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Dropout(0.9)).train()
    metrics = validator(model)
    assert metrics.results_dict["total"] == pytest.approx(4 * (0.2 + 0.4 + 1.0))
    assert validator.finished == 1
    assert validator.loss_items == {}
    assert set(metrics.speed) == {"preprocess", "inference", "postprocess"}
    assert validator.seen == ["start", "batch_start", "batch_end", "batch_start", "batch_end", "end"]
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_starts_from_nothing(validator: SumValidator) -> None:
    first, second = (validator(nn.Identity()).results_dict for _ in range(2))
    assert first == second


def test_losses_are_means_over_batches(validator: SumValidator) -> None:
    validator(nn.Identity(), criterion=HalfLoss(), final=False)
    assert validator.loss_items == {"val/half_loss": pytest.approx((2 * 0.6 + 2 * 1.0) / 2)}


class SmallMemory(nn.Module):
    """Doubles; takes only so many images at once."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.sizes = most, []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(images))
        if len(images) > self.most:
            raise torch.cuda.OutOfMemoryError("full")
        return images * 2


def test_a_batch_that_does_not_fit_is_done_in_pieces() -> None:
    model, images = SmallMemory(2), torch.arange(5.0).view(5, 1, 1, 1)
    assert torch.equal(infer_in_pieces(model, images), images * 2)
    assert model.sizes == [5, 3, 2, 1, 2]


def test_one_image_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(torch.cuda.OutOfMemoryError):
        infer_in_pieces(SmallMemory(0), torch.zeros(2, 1, 1, 1))
