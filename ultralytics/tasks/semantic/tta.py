"""Test-time augmentation: the mean of what the network says about mirrored and scaled copies of an image.

Copies are brought back to the lattice of the plain output, where probabilities are averaged; the logarithm of the mean
is handed on as logits, so whatever reduces logits to class maps goes on as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, log_softmax, logsigmoid

from ultralytics.cfg import Config
from ultralytics.errors import ConfigError, unknown_name

SCALES = (0.75, 1.0, 1.25)
_WORDS = ("flip", "ms")


class TTA(nn.Module):
    """A network that looks at several copies of each image and averages.

    The temperature of a calibration applies to the mean; for a single copy it means what it means without.

    Args:
        model: network from images (B, C, H, W) to logits (B, K, h, w).
        flip: also look at mirrored copies.
        scales: sizes of the copies, as factors of the image's; each is rounded to the stride.
        stride: what both sides of an input must be a multiple of.

    Example:
        >>> flat = nn.AvgPool2d(8)
        >>> TTA(flat, flip=True, stride=8)(torch.rand(1, 3, 16, 24)).shape
        torch.Size([1, 3, 2, 3])
    """

    def __init__(
        self, model: nn.Module, *, flip: bool = False, scales: tuple[float, ...] = (1.0,), stride: int = 32
    ) -> None:
        super().__init__()
        self.model = model
        self.flip, self.scales, self.stride = flip, scales, stride

    @classmethod
    def wrap(cls, model: nn.Module, config: Config) -> nn.Module:
        """Wrap a model as `tta` or `augment` ask for; without either it comes back itself.

        Raises:
            ConfigError: `tta` names something unknown, or scales are asked of a model whose input has a fixed size.
        """
        words = copies(config.tta, augment=config.augment)
        if not words:
            return model
        if "ms" in words and not getattr(model, "dynamic", True):
            raise ConfigError("tta=ms needs a model that takes images of any size; this one does not. Use tta=flip.")
        stride = int(torch.as_tensor(getattr(model, "stride", 32)).max())
        return cls(model, flip="flip" in words, scales=SCALES if "ms" in words else (1.0,), stride=stride)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the mean probabilities, (B, K, h, w) where the plain model puts its own."""
        plain = self.model(images)
        looks = [log_probabilities(logits) for logits in self._looks(images, plain)]
        mean = torch.logsumexp(torch.stack(looks), dim=0) - math.log(len(looks))
        return mean[:, 1:] - mean[:, :1] if plain.shape[1] == 1 else mean

    def _looks(self, images: Tensor, plain: Tensor) -> Iterator[Tensor]:
        """Yield the logits of each copy, where they belong on those of the plain image."""
        lattice = (plain.shape[2], plain.shape[3])
        for scale in self.scales:
            copy = self._scaled(images, scale)
            yield plain if copy is images else _fitted(self.model(copy), lattice)
            if self.flip:
                yield _fitted(self.model(copy.flip(3)).flip(3), lattice)

    def _scaled(self, images: Tensor, scale: float) -> Tensor:
        height, width = (max(round(side * scale / self.stride), 1) * self.stride for side in images.shape[2:])
        same = scale == 1.0 or (height, width) == tuple(images.shape[2:])
        return images if same else interpolate(images, (height, width), mode="bilinear")


def copies(tta: str | None, *, augment: bool = False) -> frozenset[str]:
    """Read which copies to average over; `augment` means all kinds.

    Raises:
        ConfigError: `tta` names something unknown.
    """
    if not tta:
        return frozenset(_WORDS) if augment else frozenset()
    words = [word.strip() for word in tta.split(",")]
    for word in words:
        if word not in _WORDS:
            raise ConfigError(unknown_name("tta", word, _WORDS))
    return frozenset(words)


def log_probabilities(logits: Tensor) -> Tensor:
    """Take the logarithm of class probabilities (B, K, h, w); one channel becomes two, background first."""
    logits = logits.float()
    if logits.shape[1] == 1:
        return torch.cat([logsigmoid(-logits), logsigmoid(logits)], dim=1)
    return log_softmax(logits, dim=1)


def _fitted(logits: Tensor, lattice: tuple[int, int]) -> Tensor:
    return logits if tuple(logits.shape[2:]) == lattice else interpolate(logits, lattice, mode="bilinear")
