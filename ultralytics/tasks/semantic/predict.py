"""Semantic prediction: from logits at the network's stride to a class map at the source's size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ultralytics.engine.predictor import BasePredictor, Prepared
from ultralytics.engine.results import Results, SemanticMask
from ultralytics.nn.kernels import class_map
from ultralytics.utils.ops.letterbox import LetterboxGeometry


class SemanticPredictor(BasePredictor):
    """Predict a class for every pixel of the source.

    The letterbox is removed and the map brought to the source's size in one interpolation of the logits;
    `two_step=True` goes through the network's input size, as the figures of other tools do.

    Example:
        >>> from ultralytics import YOLO
        >>> result = YOLO("yolo26n-sem.pt")("street.jpg")[0]  # doctest: +SKIP
        >>> result.semantic_mask.data  # doctest: +SKIP
    """

    def postprocess(self, outputs: Tensor, batch: Prepared) -> list[Results]:
        """Make one result per frame from (B, C, h, w) logits."""
        logits = outputs.float()
        results = []
        for i, (frame, geometry) in enumerate(zip(batch.frames, batch.geometries, strict=True)):
            ids = self._class_map(logits[i : i + 1], geometry, batch.images.shape[2] / logits.shape[2])
            if self.args.classes is not None and self.model.num_classes > 1:
                ids = keep_classes(ids, self.args.classes)
            mask = SemanticMask(ids, frame.shape, names=self.model.names)
            results.append(
                Results(frame.original(), frame.path, self.model.names, semantic_mask=mask, palette=self.model.palette)
            )
        return results

    def _class_map(self, logits: Tensor, geometry: LetterboxGeometry, stride: float) -> Tensor:
        if not self.args.two_step:
            return class_map(logits, geometry.source, region=geometry.logits_region(stride)).ids[0]
        height, width = geometry.shape
        top, left = geometry.top, geometry.left
        new_height, new_width = geometry.new_size
        if logits.shape[2:] != (height, width):
            logits = interpolate(logits, (height, width), mode="bilinear")
        inner = logits[:, :, top : top + new_height, left : left + new_width]
        return class_map(inner, geometry.source).ids[0]


def keep_classes(ids: Tensor, classes: int | list[int], ignore_index: int = 255) -> Tensor:
    """Set every pixel of a class that is not listed to `ignore_index`."""
    kept = torch.as_tensor([classes] if isinstance(classes, int) else classes, device=ids.device)
    return torch.where(torch.isin(ids, kept.to(ids.dtype)), ids, torch.full_like(ids, ignore_index))
