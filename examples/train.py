"""Train on your own data, then measure the best weights class by class.

The data is a YAML, or just a folder with `images/` and `masks/`:

    python examples/train.py my-data --epochs 50
"""

from __future__ import annotations

import argparse

from ultralytics import YOLO


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="streets.yaml", help="dataset YAML or folder")
    parser.add_argument("--model", default="yolo26n-sem.yaml", help="architecture, or weights to start from")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--imgsz", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--project", default=None, help="folder of the runs; none: runs/semantic")
    arguments = parser.parse_args()

    model = YOLO(arguments.model)
    model.train(**vars(arguments))

    # The model now holds the best weights; every pixel of the label files counts, at the files' own size.
    metrics = model.val(resolution="source", project=arguments.project)
    print(f"\n{'class':<20}{'IoU':>8}")
    for name, iou in zip(model.names.values(), metrics.per_class_iou, strict=True):
        print(f"{name:<20}{iou:>8.3f}")
    print(f"{'mean':<20}{metrics.miou:>8.3f}\n\nweights: {model.ckpt_path}")


if __name__ == "__main__":
    main()  # worker processes import this file, so nothing may run on import
