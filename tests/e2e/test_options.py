"""Every training option does what its help says, on trainings of an epoch or three of a few tiny pictures."""

from __future__ import annotations

import csv
import logging
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ultralytics import YOLO
from ultralytics.errors import ConfigError
from ultralytics.nn.checkpoint import load_checkpoint
from ultralytics.utils import YAML

pytestmark = pytest.mark.e2e


@pytest.fixture
def train(options, tmp_path):
    """Train a new model for an epoch, or as the options say; return its trainer."""

    def run(model: YOLO | str = "yolo26n-sem.yaml", **changes: object):
        callbacks = changes.pop("callbacks", {})
        model = model if isinstance(model, YOLO) else YOLO(model)
        for event, function in callbacks.items():
            model.add_callback(event, function)
        model.train(**{**options, "imgsz": 32, "epochs": 1, "project": str(tmp_path), **changes})
        return model.trainer

    return run


@pytest.fixture
def own_dataset(dataset, tmp_path):
    """A copy of the dataset, to change."""
    return Path(shutil.copytree(dataset.parent, tmp_path / "own")) / dataset.name


@pytest.fixture
def hopeless_dataset(own_dataset):
    """A dataset without a pixel to score on: no epoch is better than the first."""
    for mask in (own_dataset.parent / "masks" / "val").iterdir():
        mask.write_bytes(cv2.imencode(".png", np.full((64, 96), 255, np.uint8))[1].tobytes())
    return own_dataset


@pytest.fixture(scope="module")
def weights(options, tmp_path_factory) -> Path:
    """Weights of a model with the classes of the dataset."""
    model = YOLO("yolo26n-sem.yaml")
    model.train(**{**options, "imgsz": 32, "epochs": 1, "project": str(tmp_path_factory.mktemp("start"))})
    return model.trainer.best


def _rows(trainer) -> list[dict[str, float]]:
    lines = (trainer.save_dir / "results.csv").read_text().splitlines()
    return [{name: float(cell) for name, cell in row.items()} for row in csv.DictReader(lines)]


def _weights(trainer) -> dict[str, torch.Tensor]:
    return load_checkpoint(trainer.last).train_state["model"]


def _equal(one: dict, two: dict) -> bool:
    return one.keys() == two.keys() and all(torch.equal(value, two[name]) for name, value in one.items())


def _pictures(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix in {".jpg", ".png"}}


# How long


def test_a_time_budget_replaces_the_epochs(train):
    trainer = train(epochs=50, time=1e-6, fraction=0.25)
    assert trainer.loop.epoch == 1
    assert trainer.metrics["metrics/mIoU"] >= 0


def test_patience_ends_a_run_that_no_longer_gets_better(train, hopeless_dataset, caplog):
    caplog.set_level(logging.INFO, logger="ultralytics")
    trainer = train(data=str(hopeless_dataset), epochs=9, patience=2, fraction=0.25)
    assert trainer.loop.epoch == 3
    assert "no better result for 2 epochs (best: 1)" in caplog.text


@pytest.mark.parametrize("cosine", [False, True])
def test_the_learning_rate_falls_to_its_last_share(train, cosine):
    trainer = train(epochs=4, fraction=0.25, warmup_epochs=0, optimizer="SGD", lr0=0.02, lrf=0.5, cos_lr=cosine)
    shares = [(1 + math.cos(math.pi * epoch / 4)) / 2 if cosine else 1 - epoch / 4 for epoch in range(4)]
    expected = [0.02 * (0.5 + 0.5 * share) for share in shares]
    rates = [row["lr/pg0"] for row in _rows(trainer)]
    assert rates == pytest.approx(expected, rel=1e-5)


# What is kept


def test_a_checkpoint_is_kept_every_period(train):
    trainer = train(epochs=2, fraction=0.25, save_period=2)
    assert {path.name for path in trainer.last.parent.iterdir()} == {"best.pt", "last.pt", "epoch2.pt"}
    assert load_checkpoint(trainer.last.with_name("epoch2.pt")).epoch == 2


def test_without_saving_the_best_weights_are_left_also_when_stopped_early(train, hopeless_dataset):
    trainer = train(data=str(hopeless_dataset), epochs=9, patience=1, fraction=0.25, save=False)
    assert {path.name for path in trainer.last.parent.iterdir()} == {"best.pt"}
    assert load_checkpoint(trainer.best).epoch == 1


def test_runs_are_numbered_unless_told_otherwise(train, tmp_path):
    ways = ({}, {}, {"exist_ok": True, "name": "train-2"}, {"save_dir": str(tmp_path / "here")})
    runs = [train(fraction=0.25, **way) for way in ways]
    assert [run.save_dir.name for run in runs] == ["train", "train-2", "train-2", "here"]
    assert len(_rows(runs[2])) == 1  # begun anew, not continued


def test_plots_are_drawn_only_if_wanted(train):
    plain = train(fraction=0.25)
    assert _pictures(plain.save_dir) == set()
    drawn = _pictures(train(plots=True, fraction=0.25).save_dir)
    assert {"results.png", "labels.jpg", "train_batch0.jpg", "val_batch0_labels.jpg", "confusion_matrix.png"} <= drawn


def test_without_validation_only_the_last_epoch_is_scored(train):
    rows = _rows(train(epochs=2, val=False, fraction=0.25))
    assert math.isnan(rows[0]["metrics/mIoU"])
    assert rows[1]["metrics/mIoU"] >= 0
    assert rows[1]["val/ce_loss"] > 0


# What is trained, from what


@pytest.mark.parametrize(("freeze", "kept"), [(10, range(10)), ([0, 17], (0, 17))])
def test_frozen_layers_keep_weights_and_statistics(train, weights, freeze, kept):
    before = load_checkpoint(weights).state_dict
    after = _weights(train(YOLO(weights), freeze=freeze, fraction=0.5))
    changed = {int(name.split(".")[1]) for name in after if not torch.equal(after[name], before[name])}
    assert changed.isdisjoint(kept)
    assert 16 in changed


def test_pretrained_weights_are_taken_and_reported(train, weights, caplog):
    caplog.set_level(logging.INFO, logger="ultralytics")
    start = {}
    look = {"on_train_start": lambda trainer: start.update(
        {name: value.clone() for name, value in trainer.model.state_dict().items()}
    )}  # fmt: skip
    expected = load_checkpoint(weights).state_dict
    train(pretrained=str(weights), fraction=0.25, callbacks=look)
    assert _equal(start, expected)
    assert f"Transferred {len(expected)} of {len(expected)} tensors" in caplog.text
    train(YOLO(weights), pretrained=False, fraction=0.25, callbacks=look)
    assert not torch.equal(start["model.0.conv.weight"], expected["model.0.conv.weight"])


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "MuSGD", "RMSProp"])
def test_every_optimizer_takes_steps(train, weights, name):
    start = load_checkpoint(weights).state_dict
    trainer = train(YOLO(weights), optimizer=name, fraction=0.25, lr0=0.001, warmup_epochs=0)
    assert type(trainer.optimizer).__name__.lower() == name.lower()
    assert not _equal(_weights(trainer), start)
    assert all(value.isfinite().all() for value in _weights(trainer).values())


# Which images, how


def test_a_fraction_of_the_images_is_used(train):
    assert [len(train(fraction=share).train_set) for share in (0.5, 1.0)] == [4, 8]


def test_batches_in_the_shape_of_the_images(train):
    shapes = {}
    for rect in (False, True):
        trainer = train(rect=rect, imgsz=96, fraction=0.25)
        shapes[rect] = tuple(trainer.train_set[0]["img"].shape[1:])
    assert shapes == {False: (96, 96), True: (64, 96)}


def _record_sizes(sizes: list[tuple[int, ...]]):
    def hook(trainer):
        trainer.model.register_forward_pre_hook(lambda module, inputs: sizes.append(tuple(inputs[0].shape[2:])))

    return {"on_train_start": hook}


def test_the_size_varies_in_steps_of_the_stride(train):
    sizes: list[tuple[int, ...]] = []
    train(multi_scale=0.5, imgsz=96, batch=2, epochs=2, callbacks=_record_sizes(sizes))
    assert len(set(sizes)) > 1
    assert all(height == width and height % 32 == 0 and 32 <= height <= 160 for height, width in sizes)


def test_gradients_are_accumulated_to_the_nominal_batch(train):
    updates = [train(batch=2, nbs=nbs, warmup_epochs=0).loop.updates for nbs in (2, 4, 8)]
    assert updates == [4, 2, 1]


def test_mosaic_ends_before_the_last_epochs(train):
    mixed = []

    def look(trainer):
        mixed.append(trainer.loader.batch_sampler.mix)

    train(epochs=3, close_mosaic=2, fraction=0.25, mosaic=1.0, callbacks={"on_train_batch_start": look})
    assert mixed == [True, False, False]


def test_an_automatic_batch_on_the_cpu_is_the_default(train, caplog):
    caplog.set_level(logging.INFO, logger="ultralytics")
    assert train(batch=-1).batch == 16
    assert "batch=-1 measures GPU memory" in caplog.text


def test_only_the_classes_asked_for_are_learned(train):
    trainer = train(classes=[0, 2])
    ids = {int(i) for index in range(8) for i in trainer.train_set[index]["semantic_mask"].unique()}
    assert ids <= {0, 2, 255}
    assert trainer.validator.metrics.nt_per_class[1] == 0
    assert list(trainer.model.names) == [0, 1, 2]


# The loss


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"class_weights": [1, 2, 0.5]}, "Class weights: ground 1, disc 2, bar 0.5"),
        ({"class_weights": "auto"}, "Class weights: ground 0."),
        ({"cls_pw": 0.5}, "Class weights: ground 0."),
    ],
)
def test_class_weights_are_said_and_used(train, caplog, changes, said):
    caplog.set_level(logging.INFO, logger="ultralytics")
    plain = train(fraction=0.25)
    assert "Class weights" not in caplog.text
    weighted = train(fraction=0.25, **changes)
    assert said in caplog.text
    assert _rows(plain)[0]["train/ce_loss"] != _rows(weighted)[0]["train/ce_loss"]


def test_what_makes_no_sense_is_refused(train):
    with pytest.raises(ConfigError, match=r"class_weights has 2 numbers, the dataset 3 classes"):
        train(class_weights=[1, 2])
    with pytest.raises(ConfigError, match="single_cls joins boxes"):
        train(single_cls=True)


def test_classes_are_not_joined_in_a_validation_either(train, options):
    model = YOLO(train(fraction=0.25).last)
    with pytest.raises(ConfigError, match="single_cls joins boxes"):
        model.val(single_cls=True, workers=0)


# The same again


def test_the_seed_decides_the_weights(train):
    first, again, other = (_weights(train(seed=seed, mosaic=1.0, mixup=0.5)) for seed in (0, 0, 1))
    assert _equal(first, again)
    assert not _equal(first, other)


@pytest.mark.parametrize("cache", ["ram", "disk"])
def test_a_cache_changes_nothing(train, own_dataset, cache):
    plain, cached = (train(data=str(own_dataset), epochs=2, fraction=0.5, cache=how) for how in (False, cache))
    assert _equal(_weights(plain), _weights(cached))


@pytest.mark.parametrize("deterministic", [False, True])
def test_deterministic_algorithms_are_used_within_the_run_only(train, deterministic):
    before, seen = torch.are_deterministic_algorithms_enabled(), []
    look = {"on_train_start": lambda trainer: seen.append(torch.are_deterministic_algorithms_enabled())}
    train(deterministic=deterministic, fraction=0.25, callbacks=look)
    assert seen == [deterministic]
    assert torch.are_deterministic_algorithms_enabled() is before


def test_callbacks_may_change_the_run(train):
    def stop(trainer):
        if trainer.loop.epoch == 2:
            trainer.loop.epochs = 2

    assert train(epochs=5, fraction=0.25, callbacks={"on_fit_epoch_end": stop}).loop.epoch == 2


def test_a_binary_model_is_exported_with_the_threshold_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    architecture = {**YOLO("yolo26n-sem.yaml").model.yaml, "nc": 1}
    YAML.save(tmp_path / "binary-sem.yaml", architecture)
    model = YOLO(tmp_path / "binary-sem.yaml")
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for conf, foreground in ((0.0, 1.0), (1.0, 0.0)):
        artefact = YOLO(model.export(format="torchscript", imgsz=64, conf=conf, verify=False))
        ids = artefact(image, verbose=False)[0].semantic_mask.data
        assert artefact.model.opened.calibration["threshold"] == conf
        assert ids.float().mean() == foreground
