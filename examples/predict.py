"""Predict a folder of images: overlays, class-id PNGs, and a table of what was seen.

python examples/predict.py yolo26n-sem.pt path/to/images --imgsz 1024
"""

from __future__ import annotations

import argparse
from collections import Counter

from ultralytics import YOLO


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="weights, such as yolo26n-sem.pt or runs/semantic/train/weights/best.pt")
    parser.add_argument("source", help="image, folder, glob, video or URL")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--out", default=None, help="folder to write to; none: a new one below runs/")
    arguments = parser.parse_args()

    model = YOLO(arguments.model)
    pixels: Counter[str] = Counter()
    images: Counter[str] = Counter()
    options = {"imgsz": arguments.imgsz, "save": True, "save_mask": True, "save_dir": arguments.out}
    for result in model.predict(arguments.source, stream=True, **options):
        for row in result.summary():
            pixels[row["name"]] += row["pixels"]
            images[row["name"]] += 1

    total = sum(pixels.values())
    print(f"\n{'class':<20}{'images':>8}{'share':>9}")
    for name, count in pixels.most_common():
        print(f"{name:<20}{images[name]:>8}{count / total:>9.1%}")


if __name__ == "__main__":
    main()
