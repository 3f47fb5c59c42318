"""Counting one image into a confusion matrix: ours against a torch bincount and one-hot sums.

python benchmarks/confusion.py [--size 1024 2048] [--classes 19] [--threads 1]
"""

from __future__ import annotations

import argparse

import torch
from measure import best_ms, machine

from ultralytics.utils.metrics import ConfusionMatrix


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 2048), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    height, width, classes = *options.size, options.classes
    target = torch.randint(0, classes, (height // 16, width // 16), generator=generator)
    target = target.repeat_interleave(16, 0).repeat_interleave(16, 1).to(torch.uint8)
    noise = torch.rand(target.shape, generator=generator)
    predicted = torch.where(noise < 0.1, (target + 1) % classes, target)
    target[noise > 0.95] = 255

    def masked_bincount() -> torch.Tensor:
        counted = target != 255
        index = target[counted].long() * classes + predicted[counted]
        return torch.bincount(index, minlength=classes**2)

    def scatter() -> torch.Tensor:
        counted = target != 255
        index = target[counted].long() * classes + predicted[counted]
        return torch.zeros(classes**2).scatter_add_(0, index, torch.ones(len(index)))

    def pairs() -> None:
        ConfusionMatrix(classes).update(predicted, target)

    def wide() -> None:
        ConfusionMatrix(classes).update(predicted.int(), target.int())

    print(f"{height}x{width}, {classes} classes; {machine()}")
    ways = {
        "scatter_add of ones": scatter,
        "masked bincount": masked_bincount,
        "ours, int32": wide,
        "ours, uint8": pairs,
    }
    for name, way in ways.items():
        print(f"{name:>20} {best_ms(way):8.2f} ms")


if __name__ == "__main__":
    main()
