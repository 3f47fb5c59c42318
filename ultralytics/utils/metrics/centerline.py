"""Whether thin structures stay connected: clDice, streamed over images in exact counts.

A wire broken in ten places keeps nearly all of its pixels. clDice asks how much of each centreline lies inside the
other side's region: a gap costs its length whatever the width, and a region one pixel too wide costs next to nothing.
"""

from __future__ import annotations

import numpy as np

from ultralytics.utils.metrics.boundary import near_contour
from ultralytics.utils.metrics.regions import count_regions, f_score, mean_of_labelled, pair_regions

_NEIGHBOURS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""(rows, columns) from a pixel to those around it, clockwise from above: P2 to P9 of the paper on thinning."""


class CenterlineDice:
    """Streaming clDice per class.

    Shit et al., "clDice - a Novel Topology-Preserving Loss Function for Tubular Structure Segmentation", 2021
    (arXiv:2003.07311): the harmonic mean of topology precision, the share of the predicted skeleton inside the labelled
    region, and topology sensitivity, the share of the labelled skeleton inside the predicted region. Counts are summed
    over the split before dividing. `skeletons` defines the skeleton.

    Ignored pixels are cut out of both maps. A skeleton is that of what is left.

    Args:
        num_classes: classes of the model; 1 is a binary model, counted as background 0 and foreground 1.
        ignore_index: label of the pixels that are not counted.

    Attributes:
        counts: (4, C) int64: predicted skeleton inside the label, all of it, true skeleton inside the prediction, all.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        self.binary = num_classes == 1
        self.num_classes = max(num_classes, 2)
        self.ignore_index = ignore_index
        self.counts = np.zeros((4, self.num_classes), np.int64)

    def update(self, predicted: np.ndarray, target: np.ndarray) -> None:
        """Count one image.

        Args:
            predicted: (H, W) integer class ids.
            target: (H, W) true ids, in [0, C) or `ignore_index`.

        Raises:
            DatasetError: the shapes differ.
        """
        guesses, labels = pair_regions(predicted, target, self.num_classes, self.ignore_index)
        for row, (region, other) in ((0, (guesses, labels)), (2, (labels, guesses))):
            skeleton = skeletons(region)
            self.counts[row] += count_regions(skeleton[skeleton == other], self.num_classes)
            self.counts[row + 1] += count_regions(skeleton, self.num_classes)

    @property
    def dice(self) -> np.ndarray:
        """(C,) clDice; NaN for a class on neither side, 0 for a class on one side only."""
        return f_score(self.counts)

    @property
    def mean_dice(self) -> float:
        """Mean clDice over the classes with labelled pixels; of a binary model the foreground's."""
        return mean_of_labelled(self.dice, self.counts[3], binary=self.binary)


def skeletons(ids: np.ndarray) -> np.ndarray:
    """Thin every region to its centreline, all classes at once.

    Guo & Hall, "Parallel Thinning with Two-Subiteration Algorithms", 1989, algorithm A1: connected pixels stay
    connected, no region vanishes. Outside the image there is no region. The result is that of thinning each class by
    itself; the work follows the regions' area, not the number of classes.

    Args:
        ids: (H, W) unsigned integers; 0 is no region.

    Returns:
        (H, W) the ids of the pixels on centrelines, 0 elsewhere.
    """
    padded = np.pad(ids, 1)
    flat, width = padded.ravel(), padded.shape[1]
    steps = [rows * width + columns for rows, columns in _NEIGHBOURS]
    # Only pixels beside something else can be deleted; deleting one exposes those around it.
    exposed = near_contour(padded, 1).ravel() & (flat > 0)
    edge = np.flatnonzero(exposed)
    deleted = True
    while deleted:
        deleted = False
        for deletable in _DELETABLE:
            around = np.zeros(len(edge), np.uint8)
            for bit, step in enumerate(steps):
                around |= (flat[edge + step] == flat[edge]).view(np.uint8) << bit
            gone = edge[deletable[around]]
            flat[gone] = 0
            fresh = [_unseen(gone + step, flat, exposed) for step in steps]
            edge = np.concatenate([edge[flat[edge] > 0], *fresh])
            deleted |= len(gone) > 0
    return padded[1:-1, 1:-1]


def _unseen(pixels: np.ndarray, flat: np.ndarray, exposed: np.ndarray) -> np.ndarray:
    """Pick the pixels of regions that were not exposed before, and note that they are now."""
    fresh: np.ndarray = pixels[(flat[pixels] > 0) & ~exposed[pixels]]
    exposed[fresh] = True
    return fresh


def _deletable() -> tuple[np.ndarray, np.ndarray]:
    """Tabulate the conditions of both sub-iterations over the 256 neighbourhoods; bit k stands for P(k + 2)."""
    codes = np.arange(256, dtype=np.uint8)[:, None]
    p2, p3, p4, p5, p6, p7, p8, p9 = np.unpackbits(codes, axis=1, bitorder="little").T.astype(bool)
    components = sum(~a & (b | c) for a, b, c in ((p2, p3, p4), (p4, p5, p6), (p6, p7, p8), (p8, p9, p2)))
    pairs = sum(np.stack([a | b, b | c]).astype(int) for a, b, c in
                ((p9, p2, p3), (p3, p4, p5), (p5, p6, p7), (p7, p8, p9)))  # fmt: skip
    thick = np.isin(np.min(pairs, axis=0), (2, 3))
    simple = (components == 1) & thick
    return simple & ~((p2 | p3 | ~p5) & p4), simple & ~((p6 | p7 | ~p9) & p8)


_DELETABLE = _deletable()
