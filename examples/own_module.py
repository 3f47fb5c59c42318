"""Add a layer of your own: register the class, name it in the architecture, train as ever.

python examples/own_module.py --epochs 20
"""

from __future__ import annotations

import argparse
import copy

import torch
from torch import nn

from ultralytics import YOLO
from ultralytics.nn.registry import as_wide_as_input, register_module
from ultralytics.utils.yamlio import YAML


@register_module(as_wide_as_input)  # the rule that sizes it: as many channels go out as come in
class ChannelGate(nn.Module):
    """Scale every channel by a learned function of the means of all (squeeze and excitation)."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        inner = max(channels // reduction, 8)
        self.gate = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.SiLU(), nn.Conv2d(inner, channels, 1), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scale (B, C, H, W)."""
        return x * self.gate(x.mean((2, 3), keepdim=True))


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="streets.yaml")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--imgsz", type=int, default=256)
    parser.add_argument("--file", default="gated-sem.yaml", help="where to write the architecture")
    arguments = parser.parse_args()

    architecture = copy.deepcopy(dict(YOLO("yolo26n-sem.yaml").model.yaml))
    architecture["backbone"][-1] = [-1, 1, "ChannelGate", [4]]  # instead of the attention at 1/32
    YAML.save(arguments.file, architecture)

    model = YOLO(arguments.file)
    model.info(detailed=True)
    model.train(data=arguments.data, epochs=arguments.epochs, imgsz=arguments.imgsz)
    print(f"mIoU {model.metrics.miou:.3f}")


if __name__ == "__main__":
    main()
