"""What goes from preprocessing through the network to postprocessing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ultralytics.data.sources import Frame
from ultralytics.utils.ops.letterbox import LetterboxGeometry


@dataclass(slots=True)
class InferenceBatch:
    """A batch on its way through the network.

    Attributes:
        frames: what was read.
        images: (B, C, H, W) float input in [0, 1].
        geometries: where each frame lies in its input.
    """

    frames: Sequence[Frame]
    images: Tensor
    geometries: Sequence[LetterboxGeometry]
