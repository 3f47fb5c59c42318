"""Makes docs/assets/demo.jpg from what `make demo` left: scenes, their labels, and what the trained model sees."""

from __future__ import annotations

from pathlib import Path

from ultralytics import YOLO
from ultralytics.data.imread import read_ids, read_image
from ultralytics.engine.results import SemanticMask
from ultralytics.tasks.semantic.plots import legend_of, make_style, overlay
from ultralytics.utils.plotting.grids import save_grid

ROOT = Path(__file__).resolve().parents[1]
STREETS = ROOT / "demo" / "datasets" / "streets"


def main(scenes: tuple[int, ...] = (3, 7, 12)) -> None:
    """Write the picture: one row per scene."""
    model = YOLO(ROOT / "demo" / "train" / "weights" / "best.pt")
    palette = model.ckpt.palette if model.ckpt else None
    style = make_style(model.names, palette)
    rows, present = [], set()
    for number in scenes:
        image = read_image(STREETS / "images" / "val" / f"{number:05}.jpg")
        label = SemanticMask(read_ids(STREETS / "masks" / "val" / f"{number:05}.png"), names=model.names)
        seen = next(iter(model(image, imgsz=256, verbose=False))).semantic_mask
        rows.append((image, overlay(image, label, style), overlay(image, seen, style)))
        present.update(label.classes)
    save_grid(ROOT / "docs" / "assets" / "demo.jpg", rows, legend=legend_of(sorted(present), style))


if __name__ == "__main__":
    main()
