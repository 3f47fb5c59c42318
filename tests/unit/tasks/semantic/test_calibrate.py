"""Calibration of networks whose right temperature and threshold are known."""

import math

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.nn.checkpoint import load_checkpoint
from ultralytics.tasks.semantic.build import build_dataset
from ultralytics.tasks.semantic.calibrate import calibrate, sample_split
from ultralytics.tasks.semantic.dataset import SemanticDataset
from ultralytics.utils.metrics import fit_temperature

CPU = torch.device("cpu")


class Constant(nn.Module):
    """The same logits everywhere."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, images: Tensor) -> Tensor:
        height, width = (side // 8 for side in images.shape[2:])
        return self.logits.view(1, -1, 1, 1).expand(len(images), -1, height, width)


def _val(data) -> SemanticDataset:
    config = get_cfg({"imgsz": 64, "batch": 2}, mode="val")
    return build_dataset(config, DatasetSpec.load(data), "val", train=False)


def _mask(*ids: int) -> np.ndarray:
    """A mask of columns of equal width."""
    return np.repeat(np.array(ids, np.uint8), 64 // len(ids))[None].repeat(64, axis=0)


def test_temperature_makes_confidence_the_share_of_right_pixels(make_dataset):
    # Three quarters of the pixels are what the network says with a probability of e^4 / (e^4 + 2) = 0.965.
    data = make_dataset(masks={"val/0": _mask(0, 0, 0, 1), "val/1": _mask(2, 0, 0, 0)}, shapes=((64, 64),))
    figures = calibrate(Constant([4.0, 0.0, 0.0]), _val(data), CPU)
    # e^(4 / T) / (e^(4 / T) + 2) = 3 / 4 where e^(4 / T) = 6.
    assert figures["temperature"] == pytest.approx(4 / math.log(6), rel=1e-4)
    assert figures["ece_before"] == pytest.approx(math.exp(4) / (math.exp(4) + 2) - 0.75, abs=1e-4)
    assert figures["ece_after"] == pytest.approx(0, abs=1e-4)
    assert figures["threshold"] == 0.5


def test_threshold_of_a_binary_model(make_dataset):
    class Bright(nn.Module):
        """Logits -6, -2 and 2 for black, grey and white."""

        def forward(self, images: Tensor) -> Tensor:
            return 8 * nn.functional.avg_pool2d(images[:, :1], 8) - 6

    # Grey and white are foreground: at a threshold of one half, grey is missed.
    masks = {f"val/{i}": _mask(0, 0, 1, 1) for i in range(2)}
    data = make_dataset("names: [thing]", masks=masks, ids=(0, 1), shapes=((64, 64),))
    for file in (data.parent / "images" / "val").iterdir():
        _write_columns(file, 0, 0, 127, 255)
    figures = calibrate(Bright(), _val(data), CPU)
    # The cut is between the logits of black and grey, beside the transition that interpolation makes.
    logit = figures["temperature"] * math.log(figures["threshold"] / (1 - figures["threshold"]))
    assert -6 < logit < -2
    assert figures["threshold"] < 0.5


def test_a_temperature_that_calibrates_worse_is_not_taken(make_dataset):
    class Boastful(nn.Module):
        """Right about grey as often as it says, six times of seven; sure of white, and wrong."""

        def forward(self, images: Tensor) -> Tensor:
            level = nn.functional.avg_pool2d(images[:, :1], 8)
            return torch.where(level > 0.75, 60.0, math.log(6))

    masks = {f"val/{i}": _mask(1, 1, 1, 1, 1, 1, 0, 0) for i in range(2)}
    data = make_dataset("names: [thing]", masks=masks, ids=(0, 1), shapes=((64, 64),))
    for file in (data.parent / "images" / "val").iterdir():
        _write_columns(file, *[127] * 7, 255)
    logits, labels = sample_split(Boastful(), _val(data), CPU)
    assert fit_temperature(logits, labels) > 2  # the few sure errors decide what is likeliest
    figures = calibrate(Boastful(), _val(data), CPU)
    assert figures["temperature"] == 1
    assert figures["ece_after"] == figures["ece_before"]


def _write_columns(file, *levels: int) -> None:
    file.write_bytes(cv2.imencode(".png", np.stack([_mask(*levels)] * 3, axis=-1))[1].tobytes())


def test_nothing_labelled_gives_nothing(make_dataset):
    data = make_dataset(masks={f"val/{i}": _mask(255) for i in range(2)}, shapes=((64, 64),))
    assert calibrate(Constant([1.0, 0.0, 0.0]), _val(data), CPU) == {}


def test_the_sample_is_bounded_and_always_the_same(make_dataset, monkeypatch):
    data = _val(make_dataset(shapes=((64, 64),)))
    model = Constant([1.0, 0.0, 0.0])
    monkeypatch.setattr("ultralytics.tasks.semantic.calibrate.MAX_LOGITS", 3 * 500)
    logits, labels = sample_split(model, data, CPU)
    assert logits.shape == (500, 3)
    assert torch.equal(sample_split(model, data, CPU)[1], labels)


def test_images_are_spread_over_the_split(make_dataset, monkeypatch):
    masks = {f"val/{i}": _mask(i // 3) for i in range(9)}
    data = _val(make_dataset(masks=masks, counts=(1, 9), shapes=((64, 64),)))
    monkeypatch.setattr("ultralytics.tasks.semantic.calibrate.MAX_IMAGES", 3)
    _, labels = sample_split(Constant([1.0, 0.0, 0.0]), data, CPU)
    assert labels.unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize(("yaml", "ids"), [("names: [ground, disc, bar]", (0, 1, 2)), ("names: [thing]", (0, 1))])
def test_a_training_ends_calibrated(make_dataset, tmp_path, yaml, ids):
    data = make_dataset(yaml, ids=ids, shapes=((64, 64),))
    options = {"data": str(data), "imgsz": 64, "batch": 2, "device": "cpu", "workers": 0, "plots": False,
               "project": str(tmp_path / "runs")}  # fmt: skip
    model = YOLO("yolo26n-sem.yaml")
    said = model.train(epochs=1, name="calibrated", **options)
    best = load_checkpoint(model.trainer.best)
    assert set(best.calibration) == {"temperature", "threshold", "ece_before", "ece_after"}
    assert load_checkpoint(model.trainer.last).calibration == best.calibration
    assert load_checkpoint(model.trainer.last).train_state
    # What is measured with the file is what training measured, threshold included.
    measured = YOLO(model.trainer.best).val(**options)
    assert measured.miou == pytest.approx(said.miou)
    assert np.array_equal(measured.matrix, said.matrix)
    model.predict(np.zeros((64, 64, 3), np.uint8), imgsz=64, save=False)
    assert model.predictor.model.calibration == best.calibration
