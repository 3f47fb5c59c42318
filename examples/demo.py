"""Train, validate and predict on drawn street scenes in a few minutes on a CPU: `make demo`.

Everything it makes lies in ./demo: the dataset, the run with its curves and previews, the predictions.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from ultralytics import YOLO, settings

OUT = Path(__file__).resolve().parents[1] / "demo"


def main() -> None:
    """Run the demo."""
    started = time.monotonic()
    os.environ["YOLO_CONFIG_DIR"] = str(OUT / "settings")  # the demo leaves the user's own settings alone
    settings.update(datasets_dir=str(OUT / "datasets"), runs_dir=str(OUT / "runs"), weights_dir=str(OUT / "weights"))
    options = {"project": str(OUT), "exist_ok": True}

    model = YOLO("yolo26n-sem.yaml")
    # A short schedule for few images: a step per batch, a high rate, no mosaic.
    recipe = {
        "optimizer": "AdamW",
        "lr0": 0.004,
        "cos_lr": True,
        "warmup_epochs": 1,
        "nbs": 8,
        "mosaic": 0.0,
        "scale": 0.3,
    }
    model.train(data="streets.yaml", epochs=14, imgsz=256, batch=8, name="train", **recipe, **options)

    metrics = model.val(data="streets.yaml", imgsz=256, name="val", **options)
    images = sorted((OUT / "datasets" / "streets" / "images" / "val").iterdir())[:8]
    model.predict(images, imgsz=256, save=True, save_mask=True, name="predict", **options)

    print(f"\nval mIoU {metrics.miou:.3f}, pixel accuracy {metrics.pixel_accuracy:.3f}")
    print(f"Done in {(time.monotonic() - started) / 60:.1f} minutes. Look at:")
    for what, where in {
        "curves": "train/results.png",
        "labels as the network sees them": "train/train_batch0.jpg",
        "labels and predictions": "val/val_batch0_labels.jpg, val/val_batch0_pred.jpg",
        "per-class IoU, confusion": "val/iou_bar_chart.png, val/confusion_matrix_normalized.png",
        "overlays": f"predict/{images[0].stem}.jpg …",
        "class-id PNGs": f"predict/masks/{images[0].stem}.png …",
        "weights": "train/weights/best.pt",
    }.items():
        print(f"  {what:<33} {', '.join(f'demo/{part.strip()}' for part in where.split(','))}")


if __name__ == "__main__":
    main()
