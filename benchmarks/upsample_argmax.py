"""Class maps from low-resolution logits: the kernel against interpolate(...).argmax(1).

    python benchmarks/upsample_argmax.py [--size 1024 2048] [--threads 1] [--weights best.pt --image street.jpg]

Logits are smooth random fields of three grains, hence three shares of boundary cells, and noise; or those of a model on
an image: as they are, merged into two classes, and spread over 150 as variants of each class with offsets of their own,
each also with its middle enlarged, which gives smaller shares of boundary cells. The last two times are the kernel's
with the probability of each pixel, and with its entropy too.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import torch
from measure import best_ms, machine, peak_mib
from torch import Tensor
from torch.nn.functional import interpolate

from ultralytics import YOLO
from ultralytics.nn.kernels import class_map


def smooth_logits(num_classes: int, height: int, width: int, grain: float) -> Tensor:
    """Random logits (1, C, h, w) whose regions are about `grain` logits wide; grain 0 is noise."""
    generator = torch.Generator().manual_seed(0)
    if grain == 0:
        return torch.randn(1, num_classes, height, width, generator=generator)
    coarse = torch.randn(1, num_classes, int(height / grain) + 2, int(width / grain) + 2, generator=generator)
    return interpolate(coarse, size=(height, width), mode="bicubic") * 5


def model_logits(weights: str, image: str, size: tuple[int, int]) -> Tensor:
    """Logits of a model on an image resized to `size`."""
    pixels = cv2.imdecode(np.fromfile(image, np.uint8), cv2.IMREAD_COLOR)
    pixels = cv2.resize(pixels, size[::-1])[:, :, ::-1]
    batch = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        return YOLO(weights).model.eval()(batch)


def enlarged(logits: Tensor, factor: int) -> Tensor:
    """Enlarge the middle of the logits to their own size: the same borders around larger regions."""
    height, width = logits.shape[2:]
    top, left = (height - height // factor) // 2, (width - width // factor) // 2
    middle = logits[:, :, top : top + height // factor, left : left + width // factor]
    return interpolate(middle, size=(height, width), mode="bicubic")


def regrouped(logits: Tensor, num_classes: int) -> Tensor:
    """Make logits of another number of classes, whose regions have the borders that a trained model draws."""
    if num_classes == 2:
        half = logits.shape[1] // 2
        return torch.cat([logits[:, :half].amax(1, keepdim=True), logits[:, half:].amax(1, keepdim=True)], 1)
    generator = torch.Generator().manual_seed(0)
    copies = -(-num_classes // logits.shape[1])
    offsets = interpolate(3 * torch.randn(1, num_classes, 8, 16, generator=generator), logits.shape[2:], mode="bicubic")
    return logits.repeat(1, copies, 1, 1)[:, :num_classes] + offsets


def boundary_share(logits: Tensor) -> float:
    """Share of cells whose four corner classes differ."""
    ids = logits.argmax(1)[0]
    corners = torch.stack([ids[:-1, :-1], ids[:-1, 1:], ids[1:, :-1], ids[1:, 1:]])
    return (corners != corners[0]).any(0).float().mean().item()


def compare(label: str, logits: Tensor, size: tuple[int, int]) -> None:
    """Print one row."""

    def naive() -> Tensor:
        return interpolate(logits, size=size, mode="bilinear", align_corners=False).argmax(1)

    def kernel() -> Tensor:
        return class_map(logits, size).ids

    different = (naive() != kernel()).sum().item()
    slow, fast = best_ms(naive), best_ms(kernel)
    sure = best_ms(lambda: class_map(logits, size, confidence=True))
    both = best_ms(lambda: class_map(logits, size, confidence=True, entropy=True))
    memory = peak_mib(naive), peak_mib(kernel)
    print(
        f"{label:>12} {boundary_share(logits):>9.1%} {slow:>10.1f} {fast:>10.1f} {slow / fast:>8.1f}x "
        f"{sure:>12.1f} {both:>12.1f} {memory[0]:>10.0f} {memory[1]:>10.0f} {memory[0] / memory[1]:>7.0f}x "
        f"{different:>10}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 2048), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--weights", help="checkpoint whose logits to use")
    parser.add_argument("--image", help="image for --weights")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    size = tuple(options.size)
    print(f"{size[0]}x{size[1]} map from logits at stride 8; {machine()}")
    print(
        f"{'logits':>12} {'boundary':>9} {'naive ms':>10} {'kernel ms':>10} {'faster':>9} "
        f"{'+ top-1 ms':>12} {'+ entropy ms':>12} {'naive MiB':>10} {'our MiB':>10} {'less':>8} {'different':>10}"
    )
    if options.weights:
        logits = model_logits(options.weights, options.image, size)
        for each in (regrouped(logits, 2), logits, regrouped(logits, 150)):
            for factor in (4, 2, 1):
                compare(f"{each.shape[1]} classes", enlarged(each, factor), size)
        return
    for num_classes in (2, 19, 150):
        for grain in (60, 25, 8, 0):
            compare(f"{num_classes} classes", smooth_logits(num_classes, size[0] // 8, size[1] // 8, grain), size)


if __name__ == "__main__":
    main()
