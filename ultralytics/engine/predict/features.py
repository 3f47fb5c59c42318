"""What the inner layers of a network say: vectors to compare images by, and pictures of what it looked at."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from ultralytics.errors import ConfigError
from ultralytics.nn.model import GraphModel
from ultralytics.utils.ops.letterbox import LetterboxGeometry
from ultralytics.utils.plotting.annotator import displayable

if TYPE_CHECKING:
    from typing_extensions import Self


class LayerOutputs:
    """Keep what some layers of a network return, while a `with` block runs.

    Args:
        model: what runs the network.
        layers: numbers of the layers, from 0; None for the finest map that the head is given.

    Raises:
        ConfigError: there is no such layer, or an artefact runs whose layers cannot be seen.
    """

    def __init__(self, model: nn.Module, layers: Sequence[int] | None = None) -> None:
        network = next((part for part in model.modules() if isinstance(part, GraphModel)), None)
        if network is None:
            raise ConfigError("embed and visualize look at layers, which an artefact does not show. Use the .pt file.")
        self._layers = tuple(layers or network.specs[-1].sources[:1])
        if unknown := [layer for layer in self._layers if not 0 <= layer < len(network.model)]:
            raise ConfigError(
                f"The model has no layer {unknown[0]}: allowed are 0 to {len(network.model) - 1}. "
                "See model.info(detailed=True)."
            )
        self._network = network
        self._found: dict[int, Tensor] = {}
        self._thread = threading.get_ident()
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> Self:
        self._thread = threading.get_ident()
        for layer in self._layers:
            self._hooks.append(self._network.model[layer].register_forward_hook(partial(self._keep, layer)))
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def _keep(self, layer: int, _module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if threading.get_ident() == self._thread:  # others may run the same network meanwhile
            self._found.setdefault(layer, output)

    def take(self) -> list[Tensor]:
        """Return the (B, C, h, w) outputs of each layer in the first pass since the last time."""
        outputs = [self._found[layer] for layer in self._layers]
        self._found.clear()
        return outputs


def pooled(outputs: Sequence[Tensor]) -> Tensor:
    """Average maps (B, C, h, w) over their area and join the channels: one vector per image, (B, sum of C)."""
    return torch.cat([output.float().mean((2, 3)) for output in outputs], dim=1)


def attention(features: Tensor, geometry: LetterboxGeometry) -> np.ndarray:
    """Measure how much the strongest pattern in the features shows at each pixel of the source.

    The pattern is the first principal component over the channels (Eigen-CAM: Muhammad and Yeasin 2020,
    arXiv:2008.00299), so no class has to be chosen and no gradient is needed.

    Args:
        features: (C, h, w) of one image.
        geometry: where the image lies in the input.

    Returns:
        (H, W) float32 in [0, 1].
    """
    flat = features.double().flatten(1)
    pattern = torch.linalg.eigh(flat @ flat.T).eigenvectors[:, -1] @ flat
    pattern = (pattern * pattern.sum().sign()).clamp(min=0)
    shown = (pattern / pattern.max().clamp(min=1e-12)).view(features.shape[1:]).float().cpu().numpy()
    rows, columns = geometry.window
    whole = cv2.resize(shown, geometry.shape[::-1])
    return cv2.resize(whole[rows, columns], geometry.source[::-1])


def heat_map(image: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Lay colours from blue (0) to red (1) over an (H, W, C) picture; return (H, W, 3) uint8 BGR."""
    picture = displayable(image)
    colors = cv2.applyColorMap((strength * 255).round().astype(np.uint8), cv2.COLORMAP_TURBO)
    return cv2.addWeighted(picture, 0.5, colors, 0.5, 0)
