"""The semantic loss, forward and backward: strips against upsampling the logits first.

python benchmarks/upsample_loss.py [--batch 8] [--size 480 480] [--classes 19] [--threads 2]
"""

from __future__ import annotations

import argparse

import torch
from measure import best_ms, machine, peak_mib
from torch import Tensor
from torch.nn.functional import interpolate

from ultralytics.nn.kernels import upsampled_ce_dice
from ultralytics.nn.losses import cross_entropy, dice


def plain(logits: Tensor, mask: Tensor, with_dice: bool) -> Tensor:
    """The loss on upsampled logits."""
    z = interpolate(logits, size=mask.shape[1:], mode="bilinear", align_corners=False)
    loss = cross_entropy(z, mask)
    return loss + dice(z, mask) if with_dice else loss


def strips(logits: Tensor, mask: Tensor, with_dice: bool) -> Tensor:
    """The same by the kernel."""
    return sum(upsampled_ce_dice(logits, mask, dice=with_dice))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 480), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    height, width = options.size
    mask = torch.randint(0, options.classes, (options.batch, height // 16, width // 16), generator=generator)
    mask = mask.repeat_interleave(16, 1).repeat_interleave(16, 2).to(torch.uint8)
    mask[torch.rand(mask.shape, generator=generator) < 0.05] = 255
    print(f"{options.batch} images {height}x{width}, {options.classes} classes; {machine()}")
    print(f"{'term':>28} {'plain ms':>10} {'strips ms':>10} {'faster':>9} {'plain MiB':>10} {'our MiB':>10}")
    for term, stride, with_dice in (("main, CE + Dice, stride 8", 8, True), ("aux, CE, stride 16", 16, False)):
        shape = options.batch, options.classes, height // stride, width // stride
        logits = torch.randn(shape, generator=generator).requires_grad_()
        runs = [lambda loss=loss: loss(logits, mask, with_dice).backward() for loss in (plain, strips)]  # noqa: B023
        slow, fast = (best_ms(run) for run in runs)
        memory = [peak_mib(run) for run in runs]
        print(f"{term:>28} {slow:>10.0f} {fast:>10.0f} {slow / fast:>8.1f}x {memory[0]:>10.0f} {memory[1]:>10.0f}")


if __name__ == "__main__":
    main()
