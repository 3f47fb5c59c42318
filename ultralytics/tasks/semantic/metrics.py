"""The metric set of the semantic task. `docs/metrics.md` states the definitions; the counting is exact in int64."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ultralytics.utils.dist import all_reduce_sum, gather_objects
from ultralytics.utils.metrics import (
    BoundaryScores,
    CalibrationError,
    CenterlineDice,
    ConfusionMatrix,
    Interval,
    miou_interval,
)

_TITLES = {"IoU": "mIoU", "pixel_acc": "PixAcc", "boundary_IoU": "bdIoU", "boundary_F1": "bdF1"}
"""Heads of narrow columns."""


class SemanticMetrics:
    """Mean IoU, pixel accuracy and what stands behind them.

    `miou` averages the classes that have ground-truth pixels; `miou_present` those that occur in labels or
    predictions. A binary model (one class) counts background and foreground, and its `miou` is the foreground's IoU.

    What is kept grows with the images by 24 bytes per class, and not with their size.

    Args:
        names: class names by id.
        ignore_index: label of the pixels that are not counted.
        device: where to count; None for the CPU.
        resolution: "input" if pixels are counted at the network's input size, "source" if at the image's own.
        boundary: whether to measure boundaries, which takes time.
        cldice: whether to measure how centrelines are met, which takes time.
        calibration: whether the caller has probabilities, and brings them to `calibration`.

    Attributes:
        confusion: the counts.
        boundary: boundary IoU and boundary F1, if they are wanted.
        centerline: clDice, if it is wanted.
        calibration: how far probabilities are from what they promise, if there are any.
        image_iou: file and mean IoU of every image, in the order they came; sorted by file after `reduce`.
        image_tallies: (3, C) int64 of every image, as in `ConfusionMatrix.tallies`, in the same order.
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
        *,
        boundary: bool = False,
        cldice: bool = False,
        calibration: bool = False,
    ) -> None:
        self.names = dict(names)
        self.nc = len(names)
        self.resolution = resolution
        self.confusion = ConfusionMatrix(self.nc, ignore_index=ignore_index, device=device)
        self.boundary = BoundaryScores(self.nc, ignore_index) if boundary else None
        self.centerline = CenterlineDice(self.nc, ignore_index) if cldice else None
        self.calibration = CalibrationError(bins=15, ignore_index=ignore_index) if calibration else None
        self.image_iou: list[tuple[str, float]] = []
        self.image_tallies: list[np.ndarray] = []
        self.speed: dict[str, float] = {}
        self.save_dir: Path | None = None

    def update(self, predicted: Tensor, target: Tensor, file: str = "") -> float:
        """Count one image: (H, W) ids against (H, W) labels; return the mean IoU of this image alone."""
        image = ConfusionMatrix(self.nc, ignore_index=self.confusion.ignore_index, device=self.confusion.device)
        image.update(predicted, target)
        self.confusion.merge(image)
        self.image_iou.append((file, image.miou))
        self.image_tallies.append(image.tallies.cpu().numpy())
        for scores in (self.boundary, self.centerline):
            if scores is not None:
                scores.update(predicted.cpu().numpy(), target.cpu().numpy())
        return image.miou

    def reduce(self) -> None:
        """Join the counts of all processes, so that each holds what a single one would."""
        all_reduce_sum(self.confusion.counts)
        own = list(zip(self.image_iou, self.image_tallies, strict=True))
        every = sorted((image for part in gather_objects(own) for image in part), key=lambda image: image[0][0])
        self.image_iou, self.image_tallies = [image for image, _ in every], [tally for _, tally in every]
        if self.boundary is not None:
            self.boundary.iou_counts = self._sum(self.boundary.iou_counts)
            self.boundary.f1_counts = self._sum(self.boundary.f1_counts)
        if self.centerline is not None:
            self.centerline.counts = self._sum(self.centerline.counts)
        if self.calibration is not None:
            self.calibration.counts = all_reduce_sum(self.calibration.counts.to(self.confusion.device)).cpu()

    def _sum(self, counts: np.ndarray) -> np.ndarray:
        """Add counts up over the processes, on the GPU if there is one: NCCL knows no other place."""
        return all_reduce_sum(torch.from_numpy(counts).to(self.confusion.device)).cpu().numpy()

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
    def per_class_dice(self) -> np.ndarray:
        """(C,) Dice, which is the F1 score of the class's pixels; 0 for a class that never occurs."""
        return self.confusion.dice.nan_to_num(0.0).cpu().numpy()

    @property
    def mean_dice(self) -> float:
        """Mean Dice over the classes with ground-truth pixels; of a binary model the foreground's."""
        return self.confusion.mean_dice

    @property
    def mean_class_accuracy(self) -> float:
        """Mean share of a class's pixels that were found, over the classes with ground-truth pixels."""
        return self.confusion.mean_class_accuracy

    @property
    def frequency_weighted_iou(self) -> float:
        """IoU averaged over classes with their share of the ground-truth pixels as weight."""
        return self.confusion.frequency_weighted_iou

    @property
    def calibration_error(self) -> float:
        """Expected calibration error of the likeliest class; NaN without probabilities."""
        return math.nan if self.calibration is None else self.calibration.ece

    @property
    def interval(self) -> Interval:
        """Where `miou` would lie in 95 of 100 splits of as many images; NaN without images."""
        tallies = self._tallies()
        order = sorted(range(len(tallies)), key=lambda i: tallies[i].tobytes())  # images are drawn by position
        return miou_interval(tallies[order], binary=self.confusion.binary)

    def _tallies(self) -> np.ndarray:
        """(N, 3, C) counts of all images."""
        return np.array(self.image_tallies, np.int64).reshape(-1, 3, self.confusion.num_classes)

    @property
    def images(self) -> int:
        """Images counted."""
        return len(self.image_iou)

    @property
    def nt_per_image(self) -> np.ndarray:
        """(C,) images in which a class has ground-truth pixels."""
        return (self._tallies()[:, 1] > 0).sum(0)

    @property
    def fitness(self) -> float:
        """The figure that decides which checkpoint is best."""
        return 0.0 if np.isnan(self.miou) else self.miou

    @property
    def headline(self) -> tuple[str, float]:
        """The figure that a table of models shows, with its name."""
        return "miou", self.miou

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
        interval = self.interval
        figures = {
            "mIoU": self.miou,
            "mIoU, 95 % from": interval.low,
            "mIoU, 95 % to": interval.high,
            "mIoU over present classes": self.miou_present,
            "pixel accuracy": self.pixel_accuracy,
            "mean class accuracy": self.mean_class_accuracy,
            "frequency-weighted IoU": self.frequency_weighted_iou,
            "mean Dice": self.mean_dice,
        }
        if self.boundary is not None:
            figures |= {"mean boundary IoU": self.boundary.mean_iou, "mean boundary F1": self.boundary.mean_f1}
        if self.centerline is not None:
            figures["mean clDice"] = self.centerline.mean_dice
        if self.calibration is not None:
            figures["expected calibration error"] = self.calibration_error
        return figures

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
        columns = self._columns()
        titles = "".join(f"{_TITLES.get(key, key):>10}" for key in columns)
        head = f"{'Class':>22}{'Images':>10}{'Pixels':>14}{titles}"
        pixels = int(self.nt_per_class.sum())
        if not pixels:
            return f"{head}\n{'all':>22}{self.images:>10}{0:>14}   no valid pixels: every label is ignored"
        lines = [head, _line("all", self.images, pixels, [whole for whole, _ in columns.values()])]
        if not verbose:
            return "\n".join(lines)
        if self.nc > 1:
            rows = self.summary()
            lines += [_line(row["Class"], row["Images"], row["Pixels"], [row[key] for key in columns]) for row in rows]
        low, high = self.interval
        error = "– (no probabilities)" if self.calibration is None else _shown(self.calibration_error)
        lines.append(
            f"mIoU {self.miou:.4f}, 95 % interval over images {low:.4f} to {high:.4f}; over present classes "
            f"{self.miou_present:.4f}; mean class accuracy {self.mean_class_accuracy:.4f}; frequency-weighted IoU "
            f"{self.frequency_weighted_iou:.4f}; expected calibration error {error}."
        )
        lines.append(f"{self.policy}.")
        if self.absent:
            lines.append(f"Without ground-truth pixels: {', '.join(self.absent)}.")
        return "\n".join(lines)

    def summary(self) -> list[dict[str, Any]]:
        """One row per class with ground-truth pixels."""
        images, pixels, miou, columns = self.nt_per_image, self.nt_per_class, self.miou, self._columns()
        rows = []
        for i in self.ap_class_index:
            counts: dict[str, Any] = {"Class": self.row_names[i], "Images": int(images[i]), "Pixels": int(pixels[i])}
            figures = {key: float(values[i]) for key, (_, values) in columns.items()}
            rows.append({**counts, "IoU": figures.pop("IoU"), "mIoU": miou, **figures})
        return rows

    def _columns(self) -> dict[str, tuple[float, np.ndarray]]:
        """Figure of the split and (C,) figures of the classes, by their key in `summary`."""
        columns = {
            "IoU": (self.miou, self.per_class_iou),
            "pixel_acc": (self.pixel_accuracy, self.per_class_pixel_accuracy),
            "Dice": (self.mean_dice, self.per_class_dice),
        }
        if self.boundary is not None:
            columns["boundary_IoU"] = (self.boundary.mean_iou, self.boundary.iou)
            columns["boundary_F1"] = (self.boundary.mean_f1, self.boundary.f1)
        if self.centerline is not None:
            columns["clDice"] = (self.centerline.mean_dice, self.centerline.dice)
        return columns

    def to_json(self) -> str:
        """Write the summary as JSON text."""
        return json.dumps(self.summary(), indent=2, ensure_ascii=False)

    def to_csv(self) -> str:
        """Write the summary as CSV text."""
        text = io.StringIO()
        fields = dict.fromkeys(["Class", "Images", "Pixels", "IoU", "mIoU", *self._columns()])
        writer = csv.DictWriter(text, list(fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.summary())
        return text.getvalue()

    @property
    def row_names(self) -> dict[int, str]:
        """Names of the rows of the confusion matrix."""
        return {0: "background", 1: self.names[0]} if self.nc == 1 else self.names


def _line(name: str, images: int, pixels: int, figures: list[float]) -> str:
    """Lay out one row of the table."""
    return f"{name[:22]:>22}{images:>10}{pixels:>14}" + "".join(f"{_shown(figure):>10}" for figure in figures)


def _shown(figure: float) -> str:
    """Write a figure; what is unknown is a dash."""
    return "–" if math.isnan(figure) else f"{figure:.4f}"
