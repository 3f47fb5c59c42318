"""One training step on the CPU, with the loss on upsampled logits and with ours.

python benchmarks/train_step.py [--model yolo26n-sem.yaml] [--batch 8] [--size 480] [--classes 19]
"""

from __future__ import annotations

import argparse

import torch
from measure import best_ms, machine
from torch.nn.functional import interpolate

from ultralytics.nn.losses import cross_entropy, dice
from ultralytics.nn.model import GraphModel
from ultralytics.tasks.semantic.loss import AUX_GAIN, SemanticCriterion


def main() -> None:
    """Print milliseconds of the network, of both losses, and of whole steps, in both memory formats."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="yolo26n-sem.yaml")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=480)
    parser.add_argument("--classes", type=int, default=19)
    options = parser.parse_args()
    torch.manual_seed(0)
    blocks = torch.randint(0, options.classes, (options.batch, options.size // 16, options.size // 16))
    mask = blocks.repeat_interleave(16, 1).repeat_interleave(16, 2).to(torch.uint8)
    criterion = SemanticCriterion()

    def plain(outputs: tuple) -> torch.Tensor:
        main, aux = (interpolate(z, mask.shape[1:], mode="bilinear") for z in outputs)
        return cross_entropy(main, mask) + dice(main, mask) + AUX_GAIN * cross_entropy(aux, mask)

    def ours(outputs: tuple) -> torch.Tensor:
        return criterion(outputs, {"semantic_mask": mask})[0]

    print(f"{options.batch} images {options.size}x{options.size}, {options.classes} classes; {machine()}")
    print(f"{'memory format':>16} {'network':>9} {'plain step':>11} {'our step':>9} {'faster':>8}")
    for name, layout in (("contiguous", torch.contiguous_format), ("channels_last", torch.channels_last)):
        model = GraphModel(options.model, nc=options.classes).train().to(memory_format=layout)
        images = torch.rand(options.batch, 3, options.size, options.size).contiguous(memory_format=layout)
        network = best_ms(lambda: sum(z.sum() for z in model(images)).backward(), 6)  # noqa: B023
        slow, fast = (best_ms(lambda loss=loss: loss(model(images)).backward(), 6) for loss in (plain, ours))  # noqa: B023
        print(f"{name:>16} {network:>9.0f} {slow:>11.0f} {fast:>9.0f} {slow / fast:>7.1f}x")


if __name__ == "__main__":
    main()
