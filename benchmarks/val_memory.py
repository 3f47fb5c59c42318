"""Peak memory on the CPU of validating large images, beside that of one training step on as many images.

python benchmarks/val_memory.py [--model yolo26n-sem.yaml] [--batch 4] [--imgsz 1024] [--height 3000] [--width 4000]

Noise is added to the logits, so that every cell holds a boundary between classes: the worst case of the kernel.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from measure import machine, peak_mib
from torch import Tensor, nn

from ultralytics.cfg import get_cfg
from ultralytics.data.build import build_dataloader
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.nn.model import GraphModel
from ultralytics.tasks.semantic.loss import SemanticCriterion
from ultralytics.tasks.semantic.val import SemanticValidator


class Noisy(nn.Module):
    """A network that is sure of nothing."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.stride = network, network.stride

    def forward(self, images: Tensor) -> Tensor:
        """Return its logits, with noise."""
        logits = self.network(images)
        return logits + torch.randn(logits.shape, generator=torch.Generator().manual_seed(0))


def write_split(folder: Path, classes: int, options: argparse.Namespace) -> Path:
    """Write a batch of images with their masks, and return the YAML."""
    rng = np.random.default_rng(0)
    size = options.width, options.height
    for number in range(options.batch):
        blocks = rng.integers(0, classes, (options.height // 100, options.width // 100), dtype=np.uint8)
        pixels = rng.integers(0, 256, (options.height // 10, options.width // 10, 3), dtype=np.uint8)
        for kind, array in (("images", pixels), ("masks", blocks)):
            (folder / kind / "val").mkdir(parents=True, exist_ok=True)
            full = cv2.resize(array, size, interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(folder / kind / "val" / f"{number}.png"), full)
    data = folder / "data.yaml"
    data.write_text(f"train: images/val\nval: images/val\nnames: {[f'class{i}' for i in range(classes)]}\n")
    return data


def validation(network: nn.Module, data: Path, options: argparse.Namespace, **extra: object) -> float:
    """Measure a validation of the split in one batch."""
    given = {"data": str(data), "imgsz": options.imgsz, "batch": options.batch, "verbose": False, **extra}
    config = get_cfg(given, mode="val")
    dataset = SemanticValidator.build_dataset(config, DatasetSpec.load(config.data))

    def run() -> None:
        with build_dataloader(dataset, options.batch, workers=0, shuffle=False, seed=0) as loader:
            SemanticValidator(config, loader, torch.device("cpu"), save_dir=data.parent)(Noisy(network))

    return peak_mib(run)


def training_step(network: GraphModel, options: argparse.Namespace) -> float:
    """Measure one forward and backward pass of squares of the network's input size."""
    images = torch.zeros(options.batch, 3, options.imgsz, options.imgsz).contiguous(memory_format=torch.channels_last)
    mask = torch.zeros(options.batch, options.imgsz, options.imgsz, dtype=torch.uint8)

    def run() -> None:
        SemanticCriterion()(network.train()(images), {"semantic_mask": mask})[0].backward()
        network.zero_grad(set_to_none=True)

    return peak_mib(run)


def main() -> None:
    """Print the peaks in MiB for 19 and for 150 classes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="yolo26n-sem.yaml")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--imgsz", type=int, default=1024)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--width", type=int, default=4000)
    options = parser.parse_args()
    print(f"{options.batch} images {options.width}x{options.height} at imgsz {options.imgsz}; {machine()}")
    print(f"{'classes':>8} {'val, input':>11} {'val, source':>12} {'with boundary':>14} {'training step':>14}  MiB")
    for classes in (19, 150):
        torch.manual_seed(0)
        network = GraphModel(options.model, nc=classes).to(memory_format=torch.channels_last)
        with tempfile.TemporaryDirectory() as folder:
            data = write_split(Path(folder), classes, options)
            ways = ({}, {"resolution": "source"}, {"resolution": "source", "boundary": True})
            peaks = [validation(network, data, options, **way) for way in ways]
        peaks.append(training_step(network, options))
        print(f"{classes:>8} {peaks[0]:>11.0f} {peaks[1]:>12.0f} {peaks[2]:>14.0f} {peaks[3]:>14.0f}")


if __name__ == "__main__":
    main()
