"""What a model object does with its network itself: look at it, fuse it, move it, convert it."""

from __future__ import annotations

from typing import Any

import torch
from typing_extensions import Self

from ultralytics.nn.info import ModelInfo, layer_table, model_info, summary
from ultralytics.utils import LOGGER


class NetworkHandle:
    """Base of an object that holds a network as `model` and what predicts with it as `predictor`."""

    model: Any
    predictor: Any

    @property
    def names(self) -> dict[int, str]:
        """Class names by id."""
        names: dict[int, str] = self.model.names
        return names

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def info(self, detailed: bool = False, verbose: bool = True, imgsz: int = 640) -> ModelInfo | None:
        """Log layers, parameters, gradients and GFLOPs (the layer table if `detailed`) and return them.

        Returns:
            (layers, parameters, gradients, GFLOPs); None if not `verbose`.
        """
        if not verbose:
            return None
        info = model_info(self.model, imgsz)
        if detailed:
            LOGGER.info(layer_table(self.model))
        LOGGER.info(summary(self.model, info))
        return info

    def fuse(self, verbose: bool = True, imgsz: int = 640) -> Self:
        """Fold batch norms into convolutions, in place: faster to run, no longer trainable."""
        self.model.fuse()
        if verbose:
            self.info(imgsz=imgsz)
        return self

    def eval(self) -> Self:
        """Put the network in evaluation mode."""
        self.model.eval()
        return self

    def to(self, *arguments: Any, **options: Any) -> Self:
        """Move or convert the weights, like `torch.nn.Module.to`."""
        self.model.to(*arguments, **options)
        self.predictor = None
        return self

    def cpu(self) -> Self:
        """Move to the CPU."""
        return self.to("cpu")

    def cuda(self) -> Self:
        """Move to the first CUDA device."""
        return self.to("cuda")

    def half(self) -> Self:
        """Convert the weights to half precision."""
        return self.to(torch.float16)

    def float(self) -> Self:
        """Convert the weights to single precision."""
        return self.to(torch.float32)
