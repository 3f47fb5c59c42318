"""How well the edges of regions are met: boundary IoU and boundary F1, streamed over images in exact counts.

Interior pixels dominate IoU, so a mask a pixel too wide costs a large object little and a thin one everything. These
two look at the pixels near contours only. Counts are summed over the whole split before dividing, as everywhere here.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from ultralytics.utils.metrics.regions import count_regions, f_score, mean_of_labelled, pair_regions, quotient

_STRIP = 1 << 20
"""Pixels looked at together where each takes 64 bits: what is held does not grow with the image."""


class BoundaryScores:
    """Streaming boundary IoU and boundary F1 per class.

    Boundary IoU (Cheng et al., 2021, arXiv:2103.16562): the IoU of the pixels of a class that lie within d of its
    contour, d = `band` times the image's diagonal; the image's border is a contour, and distance is counted in rows or
    columns, as in the authors' code. Boundary F1 (Csurka et al., "What is a good evaluation measure for semantic
    segmentation?", 2013): the harmonic mean of the shares of predicted and of true contour pixels that have a contour
    pixel of the same class on the other side within `tolerance` times the diagonal. There a contour lies between two
    classes: at the image's border and beside ignored pixels every prediction would be right.

    Ignored pixels are ignored in both maps: they are counted nowhere, and what they hide is no error.

    Args:
        num_classes: classes of the model; 1 is a binary model, counted as background 0 and foreground 1.
        ignore_index: label of the pixels that are not counted.
        band: width of the boundary region over the diagonal, at least one pixel.
        tolerance: distance at which contours still meet over the diagonal, at least one pixel.

    Attributes:
        iou_counts: (3, C) int64: pixels in both boundary regions, in that of the label, in that of the prediction.
        f1_counts: (4, C) int64: predicted contour pixels met, all of them, true ones met, all of them.
    """

    def __init__(
        self, num_classes: int, ignore_index: int = 255, *, band: float = 0.02, tolerance: float = 0.0075
    ) -> None:
        self.binary = num_classes == 1
        self.num_classes = max(num_classes, 2)
        self.ignore_index, self.band, self.tolerance = ignore_index, band, tolerance
        self.iou_counts = np.zeros((3, self.num_classes), np.int64)
        self.f1_counts = np.zeros((4, self.num_classes), np.int64)

    def update(self, predicted: np.ndarray, target: np.ndarray) -> None:
        """Count one image.

        Args:
            predicted: (H, W) integer class ids.
            target: (H, W) true ids, in [0, C) or `ignore_index`.

        Raises:
            DatasetError: the shapes differ.
        """
        guesses, labels = pair_regions(predicted, target, self.num_classes, self.ignore_index)
        diagonal = math.hypot(*target.shape)
        self._count_iou(labels, guesses, max(1, round(self.band * diagonal)))
        self._count_f1(labels, guesses, max(1, round(self.tolerance * diagonal)))

    def _count_iou(self, labels: np.ndarray, guesses: np.ndarray, distance: int) -> None:
        label_band, guess_band = near_contour(labels, distance), near_contour(guesses, distance)
        both = (labels == guesses) & label_band & guess_band
        for row, ids in enumerate((labels[both], labels[label_band], guesses[guess_band])):
            self.iou_counts[row] += count_regions(ids, self.num_classes)

    def _count_f1(self, labels: np.ndarray, guesses: np.ndarray, distance: int) -> None:
        label_edge, guess_edge = (np.where(between(ids, labels == 0), ids, 0) for ids in (labels, guesses))
        rows = max(_STRIP // labels.shape[1], distance)
        for top in range(0, len(labels), rows):
            around = slice(max(top - distance, 0), top + rows + distance)
            own = slice(top - around.start, top - around.start + rows)
            for first in range(1, self.num_classes + 1, 64):
                self._count_met(label_edge[around], guess_edge[around], own, distance, first)

    def _count_met(self, label_edge: np.ndarray, guess_edge: np.ndarray, own: slice, distance: int, first: int) -> None:
        """Count in some rows of a strip the contour pixels of the 64 classes from `first` (counted from 1) on."""
        bits = np.zeros(self.num_classes + 1, np.uint64)
        group = bits[first : first + 64]
        group[:] = np.uint64(1) << np.arange(len(group), dtype=np.uint64)
        label, guess = bits[label_edge], bits[guess_edge]
        met_guess, met_label = guess & _spread(label, distance), label & _spread(guess, distance)
        counted = (guess_edge, met_guess), (guess_edge, guess), (label_edge, met_label), (label_edge, label)
        for row, (edge, pixels) in enumerate(counted):
            self.f1_counts[row] += count_regions(edge[own][pixels[own] > 0], self.num_classes)

    @property
    def iou(self) -> np.ndarray:
        """(C,) boundary IoU; NaN for a class without boundary pixels on either side."""
        both, labelled, predicted = self.iou_counts
        return quotient(both, labelled + predicted - both)

    @property
    def f1(self) -> np.ndarray:
        """(C,) boundary F1; NaN for a class without contour pixels on either side, 0 if on one side only."""
        return f_score(self.f1_counts)

    @property
    def mean_iou(self) -> float:
        """Mean boundary IoU over the classes with labelled boundary pixels; of a binary model the foreground's."""
        return mean_of_labelled(self.iou, self.iou_counts[1], binary=self.binary)

    @property
    def mean_f1(self) -> float:
        """Mean boundary F1 over the classes with labelled contour pixels; of a binary model the foreground's."""
        return mean_of_labelled(self.f1, self.f1_counts[3], binary=self.binary)


def _spread(bits: np.ndarray, distance: int) -> np.ndarray:
    """Or each pixel's bits with those of all pixels within `distance` rows and columns: one dilation for 64 classes."""
    for axis in (0, 1):
        lines = np.moveaxis(bits, axis, 0)
        lines = np.pad(lines, ((distance, distance), (0, 0)))
        reach = 1
        while reach < 2 * distance + 1:
            step = min(reach, 2 * distance + 1 - reach)
            lines = lines[:-step] | lines[step:]
            reach += step
        bits = np.moveaxis(lines, 0, axis)
    return bits


def near_contour(ids: np.ndarray, distance: int) -> np.ndarray:
    """Mark the pixels within `distance` (rows or columns, diagonals included) of another id or of the image's border.

    Args:
        ids: (H, W) uint8 or uint16.
        distance: in pixels; 1 marks the contour itself.

    Returns:
        (H, W) bool.
    """
    square = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    near = np.asarray(cv2.dilate(ids, square) != cv2.erode(ids, square))
    near[:distance] = near[-distance:] = near[:, :distance] = near[:, -distance:] = True
    return near


def between(ids: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """Mark the pixels beside one of another id (diagonals included); ignored pixels are beside nothing.

    Args:
        ids: (H, W) uint16, 0 where they are ignored.
        ignored: (H, W) bool.

    Returns:
        (H, W) bool.
    """
    square = np.ones((3, 3), np.uint8)
    lowest = cv2.erode(np.where(ignored, np.uint16(65535), ids), square)
    marked: np.ndarray = ((cv2.dilate(ids, square) != ids) | (lowest != ids)) & ~ignored
    return marked
