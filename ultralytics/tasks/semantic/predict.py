"""Semantic prediction: from logits at the network's stride to a class map at the source's size."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate

from ultralytics.data.sources import Frame
from ultralytics.engine.predict.saving import ResultSaver
from ultralytics.engine.predictor import BasePredictor, InferenceBatch
from ultralytics.engine.results import Results, SemanticMask
from ultralytics.nn.kernels import ClassMapResult, class_probabilities
from ultralytics.tasks.semantic.decide import Decision, keep_classes
from ultralytics.tasks.semantic.georeferenced import place
from ultralytics.tasks.semantic.outputs import (
    CLASS_MAP,
    as_ids,
    as_logits,
    check_output_supports,
    output_of,
    resize_ids,
)
from ultralytics.tasks.semantic.tiled import TiledPrediction
from ultralytics.tasks.semantic.tta import TTA
from ultralytics.utils.ops.letterbox import LetterboxGeometry

Region = tuple[float, float, float, float]


class SemanticPredictor(BasePredictor):
    """Predict a class for every pixel of the source.

    The letterbox is removed and the map brought to the source's size in one interpolation of the logits;
    `two_step=True` goes through the network's input size, as the figures of other tools do.

    Pixels that are rejected (`conf`) or of other classes than wanted (`classes`) get the ignore index: 255, or 65535
    where there are more than 255 classes. Of a binary model `conf` is the threshold, which otherwise is the one tuned
    at the end of training.

    Example:
        >>> from ultralytics import YOLO
        >>> result = YOLO("yolo26n-sem.pt")("street.jpg", probs="top1", conf=0.6)[0]  # doctest: +SKIP
        >>> result.semantic_mask.data, result.semantic_mask.confidence  # doctest: +SKIP
    """

    @property
    def decision(self) -> Decision:
        """What the options of this call make of logits."""
        return Decision.from_calibration(
            self.model.num_classes, self.model.calibration, conf=self.args.conf, classes=self.args.classes
        )

    def infer(self, images: Tensor) -> Tensor:
        """Run the network, on mirrored and scaled copies too if that is asked for."""
        check_output_supports(self.args, output_of(self.model))
        outputs: Tensor = TTA.wrap(self.model, self.args)(images)
        return outputs

    def postprocess(self, outputs: Tensor, batch: InferenceBatch) -> list[Results]:
        """Make one result per frame from (B, C, h, w) logits or probabilities, or (B, H, W) ids."""
        results, output = [], output_of(self.model)
        if output == CLASS_MAP:
            outputs = as_ids(outputs, self.model.num_classes)
        for i, (frame, geometry) in enumerate(zip(batch.frames, batch.geometries, strict=True)):
            if output == CLASS_MAP:
                mask = self._as_mask(outputs[i], geometry)
            else:
                logits = as_logits(outputs[i : i + 1], output, self.decision)
                view, region = self._view(logits, geometry, batch.images.shape[2] / outputs.shape[2])
                mask = self._mask(view, geometry.source, region)
            results.append(
                Results(frame.original(), frame.path, self.model.names, semantic_mask=mask, palette=self.model.palette)
            )
        return results

    def place(self, result: Results, frame: Frame) -> None:
        """Give a GeoTIFF's result its place on Earth, and no class to pixels that were not measured."""
        place(result, frame.missing, num_ids=max(self.model.num_classes, 2))

    def predict_large(self, frame: Frame, saver: ResultSaver) -> tuple[Results, tuple[int, int]]:
        """Predict in tiles; a map too large to hold is written while it is made."""
        tiled = TiledPrediction(self, frame)
        result = tiled.run(saver.map_file(frame) if tiled.is_large else None)
        return result, (tiled.grid.rows.tile, tiled.grid.columns.tile)

    def reduce(self, logits: Tensor, size: tuple[int, int], region: Region | None = None) -> ClassMapResult:
        """Turn logits into the ids, confidence and entropy that the options ask for.

        Args:
            logits: (B, C, h, w) floating point.
            size: (height, width) of the map.
            region: (top, left, height, width) of the logits that the map shows, None for all; see `class_map`.
        """
        confidence = self.args.probs == "top1"
        return self.decision(logits, size, region=region, confidence=confidence, entropy=self.args.entropy)

    def _mask(self, logits: Tensor, size: tuple[int, int], region: Region | None) -> SemanticMask:
        found = self.reduce(logits, size, region)
        probabilities = None
        if self.args.probs == "full":
            probabilities = class_probabilities(
                logits[0], found.ids[0], region=region, temperature=self.decision.temperature
            )
        return SemanticMask(
            found.ids[0],
            size,
            confidence=None if found.confidence is None else found.confidence[0],
            entropy=None if found.entropy is None else found.entropy[0],
            probs=probabilities,
            names=self.model.names,
        )

    def _as_mask(self, ids: Tensor, geometry: LetterboxGeometry) -> SemanticMask:
        """Cut the source out of a class map of the input, and bring it to its size."""
        rows, columns = geometry.window
        found = resize_ids(ids[rows, columns], geometry.source)
        if self.decision.classes is not None:
            found = keep_classes(found, self.decision.classes, self.decision.ignore_index)
        return SemanticMask(found, geometry.source, names=self.model.names)

    def _view(self, logits: Tensor, geometry: LetterboxGeometry, stride: float) -> tuple[Tensor, Region | None]:
        """Give the logits that are reduced, and the part of them that lies over the source."""
        if not self.args.two_step:
            return logits, geometry.logits_region(stride)
        if logits.shape[2:] != geometry.shape:
            logits = interpolate(logits, geometry.shape, mode="bilinear")
        rows, columns = geometry.window
        return logits[:, :, rows, columns], None
