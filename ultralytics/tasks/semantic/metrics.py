"""The metric set of the semantic task. `docs/metrics.md` states the definitions; the counting is exact in int64."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ultralytics.utils.dist import all_reduce_sum
from ultralytics.utils.metrics import ConfusionMatrix


class SemanticMetrics:
    """Mean IoU, pixel accuracy and what stands behind them.

    `miou` averages the classes that have ground-truth pixels; `miou_present` those that occur in labels or
    predictions. A binary model (one class) counts background and foreground, and its `miou` is the foreground's IoU.

    Attributes:
        confusion: the counts.
        names: class names by id.
        resolution: "input" if pixels were counted at the network's input size, "source" if at the image's own.
        nt_per_image: (C,) images in which a class has ground-truth pixels.
        image_iou: per image, the mean IoU of its classes, in the order of the loader.
        speed: milliseconds per image and phase.
        save_dir: folder of the run.
    """

    keys = ("metrics/mIoU", "metrics/pixel_acc")
    curves: tuple[()] = ()

    def __init__(
        self,
        names: dict[int, str],
        ignore_index: int = 255,
        device: torch.device | None = None,
        resolution: str = "input",
    ) -> None:
        self.names = dict(names)
        self.nc = len(names)
        self.resolution = resolution
        self.confusion = ConfusionMatrix(self.nc, ignore_index=ignore_index, device=device)
        self.nt_per_image = torch.zeros(self.confusion.num_classes, dtype=torch.int64)
        self.images = 0
        self.image_iou: list[tuple[str, float]] = []
        self.speed: dict[str, float] = {}
        self.save_dir: Path | None = None

    def update(self, predicted: Tensor, target: Tensor, file: str = "") -> None:
        """Count one image: (H, W) ids against (H, W) labels."""
        image = ConfusionMatrix(self.nc, ignore_index=self.confusion.ignore_index, device=self.confusion.device)
        image.update(predicted, target)
        self.confusion.merge(image)
        self.nt_per_image += (image.labelled > 0).cpu()
        self.images += 1
        self.image_iou.append((file, image.miou))

    def reduce(self) -> None:
        """Add up the counts of all processes."""
        device = self.confusion.device  # NCCL adds up what is on the GPU
        all_reduce_sum(self.confusion.counts)
        self.nt_per_image = all_reduce_sum(self.nt_per_image.to(device)).cpu()
        self.images = int(all_reduce_sum(torch.tensor(self.images, device=device)))

    # Figures --------------------------------------------------------------------------------------------------------

    @property
    def miou(self) -> float:
        """Mean IoU over the classes with ground-truth pixels; NaN when no pixel counts."""
        return self.confusion.miou

    @property
    def miou_present(self) -> float:
        """Mean IoU over the classes that occur in labels or predictions."""
        return self.confusion.miou_present

    @property
    def pixel_accuracy(self) -> float:
        """Share of the counted pixels with the right class."""
        return self.confusion.pixel_accuracy

    @property
    def per_class_iou(self) -> np.ndarray:
        """(C,) IoU; 0 for a class that never occurs."""
        return self.confusion.iou.nan_to_num(0.0).cpu().numpy()

    @property
    def per_class_pixel_accuracy(self) -> np.ndarray:
        """(C,) share of a class's pixels that were found; 0 for a class without any."""
        return self.confusion.class_accuracy.nan_to_num(0.0).cpu().numpy()

    @property
    def fitness(self) -> float:
        """The figure that decides which checkpoint is best."""
        return 0.0 if np.isnan(self.miou) else self.miou

    @property
    def matrix(self) -> Tensor:
        """(C, C) int64 counts, [ground truth, predicted]."""
        return self.confusion.matrix

    @property
    def nt_per_class(self) -> np.ndarray:
        """(C,) ground-truth pixels."""
        return self.confusion.labelled.cpu().numpy()

    @property
    def ap_class_index(self) -> list[int]:
        """Ids of the classes with ground-truth pixels."""
        return [int(i) for i in np.flatnonzero(self.nt_per_class)]

    @property
    def absent(self) -> list[str]:
        """Names of the classes without ground-truth pixels."""
        return [name for i, name in self.row_names.items() if not self.nt_per_class[i]]

    @property
    def results_dict(self) -> dict[str, float]:
        """The figures by name, as they stand in results.csv."""
        return dict(zip(self.keys, self.mean_results(), strict=True)) | {"fitness": self.fitness}

    @property
    def figures(self) -> dict[str, float]:
        """All figures of the whole split by name."""
        confusion = self.confusion
        return {
            "mIoU": self.miou,
            "mIoU over present classes": self.miou_present,
            "pixel accuracy": self.pixel_accuracy,
            "mean class accuracy": confusion.mean_class_accuracy,
            "frequency-weighted IoU": confusion.frequency_weighted_iou,
            "mean Dice": confusion.mean_dice,
        }

    @property
    def policy(self) -> str:
        """The definition of `miou` in one line."""
        where = "the network's input size" if self.resolution == "input" else "each image's own size"
        return (
            f"mIoU over classes with ground-truth pixels, from one int64 confusion matrix of the split at {where}; "
            "ignored pixels removed, predictions outside the class range count as errors"
        )

    def mean_results(self) -> list[float]:
        """Mean IoU and pixel accuracy."""
        return [self.miou, self.pixel_accuracy]

    def class_result(self, i: int) -> tuple[float, float]:
        """IoU and pixel accuracy of one class."""
        return float(self.per_class_iou[i]), float(self.per_class_pixel_accuracy[i])

    # Tables ---------------------------------------------------------------------------------------------------------

    def table(self, *, verbose: bool) -> str:
        """Lay the figures out for a terminal; one row per class if `verbose` and there are several."""
        head = f"{'Class':>22}{'Images':>10}{'Pixels':>14}{'mIoU':>10}{'PixAcc':>10}"
        pixels = int(self.nt_per_class.sum())
        if not pixels:
            return f"{head}\n{'all':>22}{self.images:>10}{0:>14}   no valid pixels: every label is ignored"
        lines = [head, f"{'all':>22}{self.images:>10}{pixels:>14}{self.miou:>10.4f}{self.pixel_accuracy:>10.4f}"]
        if verbose and self.nc > 1:
            lines += [
                f"{row['Class'][:22]:>22}{row['Images']:>10}{row['Pixels']:>14}{row['IoU']:>10.4f}{row['pixel_acc']:>10.4f}"
                for row in self.summary()
            ]
        if verbose:
            lines.append(f"{self.policy}.")
            if self.absent:
                lines.append(f"Without ground-truth pixels: {', '.join(self.absent)}.")
        return "\n".join(lines)

    def summary(self) -> list[dict[str, Any]]:
        """One row per class with ground-truth pixels."""
        rows = []
        for i, name in self.row_names.items():
            if self.nt_per_class[i]:
                iou, accuracy = self.class_result(i)
                counts = {"Images": int(self.nt_per_image[i]), "Pixels": int(self.nt_per_class[i])}
                rows.append({"Class": name, **counts, "IoU": iou, "mIoU": self.miou, "pixel_acc": accuracy})
        return rows

    def to_json(self) -> str:
        """Write the summary as JSON text."""
        return json.dumps(self.summary(), indent=2, ensure_ascii=False)

    def to_csv(self) -> str:
        """Write the summary as CSV text."""
        text = io.StringIO()
        writer = csv.DictWriter(text, ["Class", "Images", "Pixels", "IoU", "mIoU", "pixel_acc"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.summary())
        return text.getvalue()

    @property
    def row_names(self) -> dict[int, str]:
        """Names of the rows of the confusion matrix."""
        return {0: "background", 1: self.names[0]} if self.nc == 1 else self.names
