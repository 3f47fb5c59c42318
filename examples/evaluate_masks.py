"""Score class-id PNGs of any origin against labels: two folders, files of the same names, no model.

python examples/evaluate_masks.py predictions labels --classes 19
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ultralytics.data.imread import read_ids
from ultralytics.utils.metrics import ConfusionMatrix


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path, help="folder of class-id PNGs")
    parser.add_argument("labels", type=Path, help="folder of class-id PNGs with the same names")
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--ignore", type=int, default=255, help="id in the labels that is not counted")
    arguments = parser.parse_args()

    files = sorted(arguments.labels.rglob("*.png"))
    if not files:
        raise SystemExit(f"No PNG in '{arguments.labels}'.")
    confusion = ConfusionMatrix(arguments.classes, ignore_index=arguments.ignore)
    for label in files:
        prediction = arguments.predictions / label.relative_to(arguments.labels)
        confusion.update(read_ids(prediction), read_ids(label))

    print(f"{'class':>6}{'IoU':>9}{'Dice':>9}{'found':>9}{'pixels':>14}")
    columns = zip(confusion.iou, confusion.dice, confusion.class_accuracy, confusion.labelled, strict=True)
    for number, (iou, dice, accuracy, pixels) in enumerate(columns):
        print(f"{number:>6}{iou:>9.4f}{dice:>9.4f}{accuracy:>9.4f}{int(pixels):>14,}")
    print(f"\nmIoU {confusion.miou:.4f}, pixel accuracy {confusion.pixel_accuracy:.4f}, {len(files)} images")


if __name__ == "__main__":
    main()
