"""Exact counts of predicted against true classes, and the figures that follow from them.

Counts are int64, so the result does not depend on batch size, order, device or number of processes. A figure that would
divide by zero is NaN: the IoU of a class that occurs nowhere is not 0, it is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ultralytics.errors import CheckpointError, DatasetError


class ConfusionMatrix:
    """A streaming confusion matrix over pixels.

    A pixel predicted outside the class range is an error of its true class and belongs to no other class.

    Args:
        num_classes: classes of the model; 1 is a binary model, counted as background 0 and foreground 1.
        ignore_index: label of the pixels that are not counted.
        device: where to count; None for the CPU.

    Attributes:
        counts: (C, C + 1) int64, [true class, predicted class]; the last column holds predictions out of range. Summing
            it over processes (all-reduce) gives the matrix of the whole.
        num_classes: C, 2 for a binary model.
        binary: whether the model has a single class.

    Example:
        >>> confusion = ConfusionMatrix(2)
        >>> confusion.update(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 255]))
        >>> confusion.miou
        1.0
    """

    def __init__(self, num_classes: int, ignore_index: int = 255, device: torch.device | str | None = None) -> None:
        self.binary = num_classes == 1
        self.num_classes = 2 if self.binary else num_classes
        self.ignore_index = ignore_index
        self.counts = torch.zeros(self.num_classes, self.num_classes + 1, dtype=torch.int64, device=device)

    @property
    def device(self) -> torch.device:
        """Where the counts are."""
        return self.counts.device

    def update(self, predicted: Tensor | np.ndarray, target: Tensor | np.ndarray) -> None:
        """Count pixels.

        Args:
            predicted: integer class ids of any shape.
            target: true ids of the same shape, in [0, C) or `ignore_index`.

        Raises:
            DatasetError: the shapes differ, or a target is neither a class nor ignored; nothing is counted then.
        """
        predicted, target = torch.as_tensor(predicted), torch.as_tensor(target)
        if predicted.shape != target.shape:
            raise DatasetError(
                f"Predicted ids of shape {tuple(predicted.shape)} cannot be counted against labels of shape "
                f"{tuple(target.shape)}: bring both to the same size first."
            )
        if self.device.type == "cpu" and predicted.dtype == target.dtype == torch.uint8:
            self.counts += self._count_bytes(predicted, target)
        else:
            self.counts += self._count(predicted.to(self.device), target.to(self.device))

    def _count_bytes(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Count uint8 ids as 16-bit pairs: no masking, and numpy's histogram is several times faster than torch's."""
        pairs = target.cpu().numpy().astype(np.uint16) << 8
        pairs |= predicted.cpu().numpy()
        table = torch.from_numpy(np.bincount(pairs.ravel(), minlength=1 << 16).reshape(256, 256))
        if 0 <= self.ignore_index < 256:
            table[self.ignore_index] = 0
        self._refuse(torch.nonzero(table[self.num_classes :].sum(1)).flatten() + self.num_classes)
        inside, outside = table[: self.num_classes].split([self.num_classes, 256 - self.num_classes], dim=1)
        return torch.cat([inside, outside.sum(1, keepdim=True)], dim=1)

    def _count(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Count ids of any integer type on any device, ignored ones in a row of their own: masking costs more."""
        classes = self.num_classes
        row = torch.where(target == self.ignore_index, -1, target.to(torch.int64)) + 1
        wrong = (row < 0) | (row > classes)
        if wrong.any():
            self._refuse(target[wrong].unique())
        column = torch.where((predicted < 0) | (predicted >= classes), classes, predicted.to(torch.int64))
        index = row.mul_(classes + 1).add_(column).flatten()
        return torch.bincount(index, minlength=(classes + 1) ** 2).view(classes + 1, classes + 1)[1:]

    def _refuse(self, ids: Tensor) -> None:
        if ids.numel():
            listed = ", ".join(str(int(i)) for i in ids[:5])
            raise DatasetError(
                f"Labels hold the ids {listed}: allowed are 0 to {self.num_classes - 1} and {self.ignore_index} "
                f"(ignored). Map them with 'label_mapping' in the dataset YAML."
            )

    def merge(self, other: ConfusionMatrix) -> None:
        """Add the counts of another matrix of the same classes."""
        self.counts += other.counts.to(self.device)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the counts, for `load_state_dict`."""
        return {"counts": self.counts.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from recorded counts.

        Raises:
            CheckpointError: they were counted for another number of classes.
        """
        if state["counts"].shape != self.counts.shape:
            raise CheckpointError(
                f"The recorded confusion matrix has {len(state['counts'])} classes, this one {self.num_classes}: "
                f"validate anew."
            )
        self.counts.copy_(state["counts"])

    # Counts ----------------------------------------------------------------------------------------------------------

    @property
    def matrix(self) -> Tensor:
        """(C, C) int64 counts, [true class, predicted class], without the predictions out of range."""
        return self.counts[:, :-1]

    @property
    def intersection(self) -> Tensor:
        """(C,) pixels of the class that were predicted as it."""
        return self.matrix.diagonal()

    @property
    def labelled(self) -> Tensor:
        """(C,) pixels whose label is the class, whatever was predicted."""
        return self.counts.sum(1)

    @property
    def predicted(self) -> Tensor:
        """(C,) pixels predicted as the class."""
        return self.matrix.sum(0)

    @property
    def union(self) -> Tensor:
        """(C,) pixels whose label or prediction is the class."""
        return self.labelled + self.predicted - self.intersection

    @property
    def tallies(self) -> Tensor:
        """(3, C) `intersection`, `labelled` and `predicted`: what IoU needs, small enough to keep for every image."""
        return torch.stack([self.intersection, self.labelled, self.predicted])

    @property
    def absent(self) -> list[int]:
        """Classes without a labelled pixel: `miou` leaves them out."""
        return torch.nonzero(self.labelled == 0).flatten().tolist()

    # Figures per class: float64 on the CPU ---------------------------------------------------------------------------

    @property
    def iou(self) -> Tensor:
        """(C,) intersection over union; NaN for a class in neither labels nor predictions."""
        return _quotient(self.intersection, self.union)

    @property
    def dice(self) -> Tensor:
        """(C,) 2 intersection / (labelled + predicted), the F1 score; NaN where `iou` is."""
        return _quotient(2 * self.intersection, self.labelled + self.predicted)

    @property
    def class_accuracy(self) -> Tensor:
        """(C,) share of a class's pixels that were found (recall); NaN for a class without labelled pixels."""
        return _quotient(self.intersection, self.labelled)

    @property
    def class_precision(self) -> Tensor:
        """(C,) share of a class's predictions that are right; NaN for a class never predicted."""
        return _quotient(self.intersection, self.predicted)

    # Figures of the whole: NaN when no pixel was counted -------------------------------------------------------------

    @property
    def miou(self) -> float:
        """Mean IoU over the classes with labelled pixels; of a binary model the IoU of the foreground alone."""
        return float(self.iou[1]) if self.binary else _mean(self.iou, self.labelled > 0)

    @property
    def miou_present(self) -> float:
        """Mean IoU over the classes that occur in labels or predictions, so that invented classes cost."""
        return _mean(self.iou, self.union > 0)

    @property
    def mean_dice(self) -> float:
        """Mean Dice over the classes with labelled pixels; of a binary model that of the foreground alone."""
        return float(self.dice[1]) if self.binary else _mean(self.dice, self.labelled > 0)

    @property
    def pixel_accuracy(self) -> float:
        """Share of all counted pixels with the right class."""
        return float(_quotient(self.intersection.sum(), self.counts.sum()))

    @property
    def mean_class_accuracy(self) -> float:
        """Mean of `class_accuracy` over the classes with labelled pixels."""
        return _mean(self.class_accuracy, self.labelled > 0)

    @property
    def frequency_weighted_iou(self) -> float:
        """IoU averaged with the share of labelled pixels as weight."""
        share = _quotient(self.labelled, self.labelled.sum())
        return float((share * self.iou.nan_to_num(0.0)).sum())


def _quotient(part: Tensor, whole: Tensor) -> Tensor:
    # On the CPU because some devices have no float64; 0 / 0 is NaN there, without a warning.
    return part.cpu().double() / whole.cpu().double()


def _mean(values: Tensor, counted: Tensor) -> float:
    return float(values[counted.cpu()].mean())
