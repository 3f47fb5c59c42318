"""Watch a training and end it yourself: functions hung on its events.

python examples/own_callback.py --target 0.6
"""

from __future__ import annotations

import argparse
from typing import Any

from ultralytics import YOLO


class StopAt:
    """End the training once the validation mIoU reaches a target."""

    def __init__(self, target: float) -> None:
        self.target = target

    def __call__(self, trainer: Any) -> None:
        """Ask for the end."""
        if trainer.metrics.get("metrics/mIoU", 0.0) >= self.target:
            trainer.stop = True


def log_rates(trainer: Any) -> None:
    """Say the learning rate of every parameter group."""
    rates = ", ".join(f"{group['param_group']} {group['lr']:.2g}" for group in trainer.optimizer.param_groups)
    print(f"epoch {trainer.epoch}: learning rates {rates}; losses {trainer.loss_items}")


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="streets.yaml")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--imgsz", type=int, default=256)
    parser.add_argument("--target", type=float, default=0.5, help="mIoU that is good enough")
    arguments = parser.parse_args()

    model = YOLO("yolo26n-sem.yaml")
    model.add_callback("on_train_epoch_end", log_rates)
    model.add_callback("on_fit_epoch_end", StopAt(arguments.target))
    model.train(data=arguments.data, epochs=arguments.epochs, imgsz=arguments.imgsz)
    print(f"ended after {model.trainer.loop.epoch} epochs with mIoU {model.metrics.miou:.3f}")


if __name__ == "__main__":
    main()
