"""Class maps with what a user can ask about them; the network is untrained, so that its answers are anything."""

import copy
from functools import cache

import numpy as np
import pytest
import torch

from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.data.imread import read_image
from ultralytics.engine.results import Results
from ultralytics.nn.autobackend import AutoBackend
from ultralytics.nn.checkpoint import Checkpoint, save_checkpoint
from ultralytics.nn.model import GraphModel
from ultralytics.tasks.semantic import SemanticPredictor
from ultralytics.utils.metrics import ConfusionMatrix


@cache
def _network(num_classes: int) -> GraphModel:
    torch.manual_seed(0)
    model = GraphModel("yolo26n-sem.yaml", nc=num_classes)
    for module in model.modules():  # without statistics of its own, an untrained network says the same everywhere
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.rand(4, 3, 96, 96))
    model.eval().fuse()
    return model


def _image(height: int = 60, width: int = 96) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _predict(
    image: np.ndarray | None = None,
    *,
    num_classes: int = 4,
    calibration: dict[str, float] | None = None,
    **options: object,
) -> Results:
    backend = AutoBackend(_network(num_classes), torch.device("cpu"), calibration=calibration)
    config = get_cfg({"imgsz": 96, "save": False, "verbose": False, **options}, mode="predict")
    return SemanticPredictor(config, backend, task="semantic")(_image() if image is None else image)[0]


def test_nothing_is_kept_that_is_not_asked_for():
    mask = _predict().semantic_mask
    assert tuple(mask.data.shape) == (60, 96)
    assert mask.confidence is mask.entropy is mask.probs is None


@pytest.mark.parametrize("two_step", [False, True])
def test_probabilities_of_every_class_agree_with_the_map(two_step):
    options = {"two_step": two_step, "calibration": {"temperature": 1.7}}
    sure = _predict(probs="top1", entropy=True, **options).semantic_mask
    full = _predict(probs="full", **options).semantic_mask
    assert full.probs.shape == (4, 60, 96)
    assert full.probs.dtype == sure.confidence.dtype == sure.entropy.dtype == torch.float16
    assert torch.equal(full.probs.argmax(0), full.data.long())
    assert torch.equal(full.data, sure.data)
    assert len(full.data.unique()) > 1
    torch.testing.assert_close(full.probs.amax(0), sure.confidence, rtol=3e-3, atol=0)
    entropy = -(full.probs.float() * full.probs.float().clamp_min(1e-9).log()).sum(0) / np.log(4)
    torch.testing.assert_close(sure.entropy.float(), entropy, rtol=0, atol=5e-3)


@pytest.mark.parametrize("probs", [None, "top1", "full"])
def test_uncertain_pixels_get_the_reject_id(probs):
    plain = _predict(probs="top1").semantic_mask
    conf = float(plain.confidence.float().median())
    mask = _predict(probs=probs, conf=conf).semantic_mask
    rejected = plain.confidence < conf
    assert 0 < rejected.sum() < rejected.numel()
    assert torch.equal(mask.data, plain.data.masked_fill(rejected, 255))
    if probs == "full":
        assert torch.equal(mask.probs.argmax(0)[~rejected], mask.data[~rejected].long())


def test_a_temperature_changes_no_class():
    plain = _predict().semantic_mask
    soft = _predict(probs="top1", calibration={"temperature": 5.0}).semantic_mask
    assert torch.equal(plain.data, soft.data)
    assert soft.confidence.float().mean() < _predict(probs="top1").semantic_mask.confidence.float().mean()


def test_classes_that_are_not_wanted_are_left_out():
    plain = _predict().semantic_mask.data
    wanted = int(plain.mode().values.mode().values)
    mask = _predict(classes=[wanted]).semantic_mask.data
    assert torch.equal(mask, plain.masked_fill(plain != wanted, 255))


def test_binary_threshold_is_calibrated_and_adjustable():
    probability = _predict(num_classes=1, probs="full").semantic_mask.probs[0].float()
    median = float(probability.median())
    tuned = _predict(num_classes=1, probs="top1", calibration={"threshold": median}).semantic_mask
    near = (probability - median).abs() < 1e-3  # half precision
    assert torch.equal(tuned.data.bool()[~near], (probability > median)[~near])
    assert 0.3 < tuned.data.float().mean() < 0.7
    chosen = torch.where(tuned.data.bool(), probability, 1 - probability)
    torch.testing.assert_close(tuned.confidence.float(), chosen, rtol=0, atol=2e-3)
    # The user's threshold is stronger than the stored one.
    assert _predict(num_classes=1, conf=0.0, calibration={"threshold": median}).semantic_mask.data.all()
    assert not _predict(num_classes=1, conf=1.0, calibration={"threshold": median}).semantic_mask.data.any()


def test_reducing_a_part_of_the_logits_is_reducing_the_whole():
    backend = AutoBackend(_network(4), torch.device("cpu"))
    config = get_cfg({"probs": "top1", "entropy": True, "conf": 0.4, "classes": [0, 1, 2]}, mode="predict")
    predictor = SemanticPredictor(config, backend, task="semantic")
    logits = torch.randn(1, 4, 8, 12, generator=torch.Generator().manual_seed(0))
    whole = predictor.reduce(logits, (64, 96))
    part = predictor.reduce(logits[:, :, 1:7], (32, 96), (1.0, 0.0, 4.0, 12.0))
    for name in ("ids", "confidence", "entropy"):
        assert torch.equal(getattr(part, name), getattr(whole, name)[:, 16:48])


@pytest.mark.parametrize("options", [{"tta": "flip"}, {"augment": True}])
def test_mirroring_the_picture_mirrors_the_averaged_map(options):
    image = _image(64, 96)
    plain = _predict(image, probs="full", **options).semantic_mask.probs.float()
    mirrored = _predict(image[:, ::-1].copy(), probs="full", **options).semantic_mask.probs.float()
    torch.testing.assert_close(mirrored.flip(2), plain, rtol=0, atol=2e-3)
    assert (plain - _predict(image, probs="full").semantic_mask.probs).abs().max() > 0.01


@pytest.mark.parametrize(
    ("num_classes", "calibration", "options"),
    [(4, {"temperature": 2.0}, {"conf": 0.35, "tta": "flip"}), (1, {"temperature": 2.0, "threshold": 0.45}, {})],
)
def test_validation_measures_what_prediction_says(make_dataset, tmp_path, num_classes, calibration, options):
    names = ["ground", "disc", "bar", "sky"][:num_classes]
    data = make_dataset(f"names: {names}", ids=tuple(range(max(num_classes, 2))), shapes=((64, 96),))
    model = copy.deepcopy(_network(num_classes))
    model.names = dict(enumerate(names))
    save_checkpoint(tmp_path / "x.pt", Checkpoint.of_model(model, task="semantic", calibration=calibration))
    yolo = YOLO(tmp_path / "x.pt")
    options = {"imgsz": 96, "device": "cpu", "project": str(tmp_path), "plots": False, **options}
    measured = yolo.val(data=str(data), batch=2, workers=0, **options)
    expected = ConfusionMatrix(num_classes)
    for file in sorted((data.parent / "images" / "val").iterdir()):
        label = read_image(data.parent / "masks" / "val" / file.name, 1)[..., 0]
        expected.update(yolo.predict(file, **options)[0].semantic_mask.data, torch.from_numpy(label))
    assert torch.equal(measured.confusion.counts, expected.counts)
    assert (expected.counts.sum(0) > 0).sum() > 1
    if num_classes > 1:
        assert expected.counts[:, -1].sum() > 0  # rejected, and counted as errors
