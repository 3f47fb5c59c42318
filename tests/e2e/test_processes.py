"""Several processes are one run: nothing is counted twice or left out, and one of them speaks."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ultralytics import YOLO
from ultralytics.nn.checkpoint import Checkpoint, save_checkpoint
from ultralytics.nn.tasks import SemanticSegmentationModel

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {"imgsz": 64, "device": "cpu", "workers": 0, "plots": False}
IMAGES = 5
"""An odd number: two processes cannot have the same share."""


@pytest.fixture(scope="module")
def split(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some images of the dataset, cropped so that each has a shape of its own."""
    root = tmp_path_factory.mktemp("split")
    for kind in ("images", "masks"):
        (root / kind / "all").mkdir(parents=True)
        for number in range(IMAGES):
            source = dataset.parent / kind / "train" / f"{number}.png"
            array = cv2.imdecode(np.fromfile(source, np.uint8), cv2.IMREAD_UNCHANGED)[:, : 96 - 8 * number]
            (root / kind / "all" / source.name).write_bytes(cv2.imencode(".png", array)[1].tobytes())
    data = root / "data.yaml"
    data.write_text("train: images/all\nval: images/all\nnames: [ground, disc, bar]\n")
    return data


@pytest.fixture(scope="module")
def weights(split: Path) -> Path:
    """A network with random weights that says each class somewhere, and a temperature."""
    torch.manual_seed(0)
    network = SemanticSegmentationModel("yolo26n-sem.yaml", nc=3).train()
    files = sorted((split.parent / "images" / "all").iterdir())
    images = torch.stack([torch.from_numpy(cv2.imread(str(file))[:, :64]).permute(2, 0, 1) / 255 for file in files])
    with torch.no_grad():
        for _ in range(3):  # the statistics of its normalisations become those of the images
            network(images)
        last = network.eval().head.classifier[-1]
        logits = network(images).movedim(1, 0).flatten(1)
        last.weight.div_(logits.std())
        last.bias.sub_(logits.mean(1)).div_(logits.std())
    path = split.with_name("random.pt")
    save_checkpoint(path, Checkpoint.of_model(network, task="semantic", calibration={"temperature": 0.7}))
    return path


def measure(weights: str, options: dict) -> tuple[dict, int]:
    """Validate; return everything that was found, and how many batches this process looked at."""
    model, batches = YOLO(weights), []
    model.add_callback("on_val_batch_end", batches.append)
    found = model.val(**options)
    counts = {"pixels": found.confusion.counts.tolist(), "confidence": found.calibration.counts.tolist()}
    return {"figures": found.figures, "images": found.image_iou, "rows": found.summary(), **counts}, len(batches)


def _two_processes(*command: object, folder: Path) -> str:
    """Run a Python program in two processes and return what they said."""
    result = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *map(str, command)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "YOLO_CONFIG_DIR": str(folder / "settings")},
        cwd=folder, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def _images_of_tables(said: str) -> list[int]:
    return [int(count) for count in re.findall(r"^ +all +(\d+) ", said, re.MULTILINE)]


def test_validation_finds_bit_for_bit_what_one_process_finds(split: Path, weights: Path, tmp_path: Path) -> None:
    common = {**PLAIN, "data": str(split), "boundary": True, "cldice": True, "report": True, "save_json": True}
    runs = [
        {**common, "batch": 2, "rect": True},
        {**common, "batch": 16, "rect": False, "resolution": "source"},  # the second process has no image
    ]
    shared = [{**run, "save_dir": str(tmp_path / f"two{number}")} for number, run in enumerate(runs)]
    said = _two_processes(__file__, json.dumps([str(weights), str(tmp_path), shared]), folder=tmp_path)
    assert _images_of_tables(said) == [IMAGES] * len(runs)
    for number, run in enumerate(runs):
        folder, other = tmp_path / f"one{number}", tmp_path / f"two{number}"
        alone, batches = measure(str(weights), {**run, "save_dir": str(folder)})
        found = [json.loads((tmp_path / f"{rank}-{number}.json").read_text()) for rank in range(2)]
        assert found[0][0] == found[1][0] == json.loads(json.dumps(alone))
        assert found[0][1] + found[1][1] == batches
        written = sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
        assert len(written) == IMAGES + 2, "a report and a manifest"
        assert all((other / file).read_bytes() == (folder / file).read_bytes() for file in written)
        assert 0 < alone["figures"]["expected calibration error"] < 1
        assert 0 < alone["figures"]["mIoU"] < 1


def test_training_ends_with_one_table_and_one_record(split: Path, tmp_path: Path) -> None:
    options = {**PLAIN, "data": split, "model": "yolo26n-sem.yaml", "epochs": 1, "batch": 2, "nbs": 2,
               "optimizer": "AdamW", "project": tmp_path / "runs", "name": "run"}  # fmt: skip
    pairs = [f"{name}={value}" for name, value in options.items()]
    said = _two_processes("-m", "ultralytics", "semantic", "train", *pairs, folder=tmp_path)
    assert _images_of_tables(said) == [IMAGES, IMAGES]  # of the epoch, and of the best weights
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["run"]
    rows = list(csv.DictReader((tmp_path / "runs" / "run" / "results.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1"]
    assert YOLO(tmp_path / "runs" / "run" / "weights" / "best.pt").ckpt.calibration


if __name__ == "__main__":  # one of the two processes
    file, target, runs = json.loads(sys.argv[1])
    for number, run in enumerate(runs):
        Path(target, f"{os.environ['RANK']}-{number}.json").write_text(json.dumps(measure(file, run)))
