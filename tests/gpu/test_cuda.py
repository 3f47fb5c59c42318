"""On a real GPU everything answers as on the CPU: kernels, training, validation, prediction; and memory is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ultralytics import YOLO, scenes
from ultralytics.nn.kernels import class_map, upsampled_ce_dice
from ultralytics.utils.yamlio import YAML

DEVICE = torch.device("cuda")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded dataset in small."""
    folder = tmp_path_factory.mktemp("streets")
    scenes.generate(folder / "data", train=16, val=6, size=(96, 160))
    names = [kind.name.lower() for kind in scenes.StreetClass]
    YAML.save(folder / "s.yaml", {"path": "data", "train": "images/train", "val": "images/val", "names": names})
    return folder / "s.yaml"


@pytest.fixture(scope="module")
def trained(streets: Path) -> YOLO:
    """A model trained on the GPU, in mixed precision, for a few epochs."""
    model = YOLO("yolo26n-sem.yaml")
    model.train(
        data=str(streets), epochs=8, imgsz=160, batch=8, nbs=8, workers=2, device=DEVICE.type, plots=False,
        project=str(streets.parent / "runs"),
    )  # fmt: skip
    return model


def _logits(classes: int, grain: int, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(classes)
    coarse = torch.randn(2, classes, 40 // grain, 60 // grain, generator=generator)
    return (5 * interpolate(coarse, (40, 60), mode="bicubic")).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("classes", [1, 2, 19, 150, 300])
@pytest.mark.parametrize("grain", [1, 5])
def test_a_class_map_is_that_of_the_cpu(classes: int, grain: int, dtype: torch.dtype) -> None:
    logits, region = _logits(classes, grain, dtype), (1.5, 2.25, 33.0, 51.0)
    options = {"region": region, "confidence": True, "entropy": True}
    here, there = class_map(logits, (301, 517), **options), class_map(logits.to(DEVICE), (301, 517), **options)
    assert there.ids.device.type == DEVICE.type
    assert there.ids.dtype == here.ids.dtype
    assert (there.ids.cpu() == here.ids).float().mean() > 1 - 1e-4  # two classes may tie to rounding
    for mine, other in ((here.confidence, there.confidence), (here.entropy, there.entropy)):
        assert (mine.float() - other.cpu().float()).abs().max() < 5e-3


@pytest.mark.parametrize("classes", [1, 19])
def test_the_loss_and_its_gradient_are_those_of_the_cpu(classes: int) -> None:
    mask = torch.randint(0, max(classes, 2), (2, 320, 480), generator=torch.Generator().manual_seed(0))
    mask[:, :20] = 255
    found = []
    for device in ("cpu", DEVICE):
        logits = _logits(classes, 5, torch.float32).to(device).requires_grad_()
        losses = upsampled_ce_dice(logits, mask.to(device))
        sum(losses).backward()
        found.append([*(loss.detach().cpu() for loss in losses), logits.grad.cpu()])
    for mine, other in zip(*found, strict=True):
        assert torch.allclose(mine, other, rtol=1e-4, atol=1e-7)


def test_a_trained_model_measures_and_predicts_as_on_the_cpu(trained: YOLO, streets: Path) -> None:
    for options in ({}, {"resolution": "source"}, {"tile": 96, "resolution": "source"}, {"tta": "flip"}):
        common = {"data": str(streets), "imgsz": 160, "workers": 0, "plots": False, **options}
        there, here = trained.val(device=DEVICE.type, **common), trained.val(device="cpu", **common)
        assert there.matrix.sum() == here.matrix.sum()
        assert there.miou == pytest.approx(here.miou, abs=5e-3)
        assert there.calibration_error == pytest.approx(here.calibration_error, abs=5e-3)
    image = np.random.default_rng(0).integers(0, 255, (211, 333, 3), np.uint8)
    there = trained(image, imgsz=160, device=DEVICE.type, probs="top1", verbose=False)[0].semantic_mask
    here = trained(image, imgsz=160, device="cpu", probs="top1", verbose=False)[0].semantic_mask
    assert there.data.device.type == DEVICE.type
    assert (there.data.cpu() == here.data).float().mean() > 0.995


def test_the_batch_size_changes_no_figure(trained: YOLO, streets: Path) -> None:
    common = {"data": str(streets), "imgsz": 160, "workers": 0, "plots": False, "device": DEVICE.type}
    found = [trained.val(batch=batch, **common) for batch in (1, 4)]
    assert abs(found[0].miou - found[1].miou) < 2e-3  # a GPU chooses its convolutions by the batch


def test_a_validation_fits_where_a_training_step_does(trained: YOLO, streets: Path) -> None:
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    model = YOLO("yolo26n-sem.yaml")
    options = {"data": str(streets), "imgsz": 640, "batch": 4, "workers": 0, "plots": False, "device": DEVICE.type}
    model.train(epochs=1, val=False, project=str(streets.parent / "runs"), **options)
    needed = torch.cuda.max_memory_reserved()
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, 1.05 * needed / total))
    try:
        assert trained.val(resolution="source", **options).images == 6
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
