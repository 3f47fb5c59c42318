"""Semantic validation: class maps against labels, at the network's input size or at each image's own."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from ultralytics.cfg import Config
from ultralytics.data.description.classes import match_classes
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.engine.validator import BaseValidator
from ultralytics.nn.kernels import logits_at
from ultralytics.tasks.semantic.build import build_dataset
from ultralytics.tasks.semantic.dataset import SemanticDataset
from ultralytics.tasks.semantic.decide import Decision
from ultralytics.tasks.semantic.doctor import diagnose
from ultralytics.tasks.semantic.metrics import SemanticMetrics
from ultralytics.tasks.semantic.outputs import (
    CLASS_MAP,
    as_ids,
    as_logits,
    check_output_supports,
    output_of,
    resize_ids,
)
from ultralytics.tasks.semantic.plots import plot_batch, to_bgr
from ultralytics.tasks.semantic.report import Case, write_report
from ultralytics.tasks.semantic.survey import require_labels
from ultralytics.tasks.semantic.tiled_network import TiledNetwork
from ultralytics.tasks.semantic.tta import TTA
from ultralytics.utils import LOGGER
from ultralytics.utils.dist import gather_objects
from ultralytics.utils.files import write_atomic
from ultralytics.utils.metrics import CalibrationError
from ultralytics.utils.ops.letterbox import Window
from ultralytics.utils.output_names import Manifest
from ultralytics.utils.plotting import plot_class_iou, plot_confusion_matrix

_PLOTTED_BATCHES = 3
_REPORTED = 12
"""Images in the report."""

_CALIBRATION_PIXELS = 4096
"""Pixels of each image at which confidence is compared with truth."""


class SemanticValidator(BaseValidator):
    """Validate a semantic model.

    By default pixels are counted at the network's input size against the label resized to it, which is what published
    figures of this model family mean; `resolution="source"` counts at each image's own size. With `tile` images are not
    resized for the network either, so the two are one. Ids are what a prediction with the same `tile`, `tta` and `conf`
    gives: rejected pixels count as errors, and a binary model has the threshold of its calibration.

    Example:
        >>> from ultralytics import YOLO
        >>> metrics = YOLO("yolo26n-sem.pt").val(data="cityscapes8.yaml")  # doctest: +SKIP
        >>> metrics.miou  # doctest: +SKIP
    """

    metrics: SemanticMetrics

    @staticmethod
    def build_dataset(config: Config, spec: DatasetSpec, names: Mapping[int, str] | None = None) -> SemanticDataset:
        """Make the dataset of the split to validate on, its labels in the class ids of a model.

        Args:
            config: the options.
            spec: the dataset.
            names: the model's classes by id; None takes the dataset's.
        """
        if config.label_map:
            spec = diagnose(spec, label_map=config.label_map).spec
        if names is not None:
            require_labels(spec, config.split)  # without masks_dir a class is added, which would get the blame
            spec = match_classes(spec, names, remap=config.cls_remap, classes=config.classes)
        return build_dataset(config, spec, config.split, train=False, own_size=config.tile is not None)

    def __call__(
        self, model: nn.Module, *, criterion: nn.Module | None = None, plots: bool = False, final: bool = True
    ) -> SemanticMetrics:
        """Validate a model; see `BaseValidator`."""
        calibration = getattr(model, "calibration", {})
        self.decision = Decision.from_calibration(self.dataset.spec.num_classes, calibration, conf=self.args.conf)
        self.output = output_of(model)
        check_output_supports(self.args, self.output)
        wrapped = TTA.wrap(model, self.args)
        if self.is_tiled:
            wrapped = TiledNetwork(
                wrapped,
                tile=self.args.tile or 0,
                overlap=self.args.overlap,
                blend=self.args.blend,
                batch=max(int(self.args.batch), 1),
                stride=int(torch.as_tensor(model.stride).max()),
                shrink=getattr(model, "dynamic", True),
            )
        return super().__call__(wrapped, criterion=criterion, plots=plots, final=final)  # type: ignore[return-value]

    @property
    def dataset(self) -> SemanticDataset:
        """The dataset behind the loader."""
        return self.loader.dataset  # type: ignore[return-value]

    @property
    def is_tiled(self) -> bool:
        """Whether images come at their own size and are seen in tiles."""
        return self.dataset.imgsz is None

    def build_metrics(self) -> SemanticMetrics:
        """Make the empty counts."""
        spec = self.dataset.spec
        metrics = SemanticMetrics(
            spec.names,
            spec.ignore_index,
            self.device,
            "source" if self.is_tiled else self.args.resolution,
            boundary=self.args.boundary,
            cldice=self.args.cldice,
            calibration=self.final and self.output != CLASS_MAP,
        )
        metrics.save_dir = self.save_dir
        self.worst: list[Case] = []
        return metrics

    def update(self, outputs: Tensor, batch: Mapping[str, Any], number: int) -> None:
        """Count one batch of logits, probabilities or ids."""
        is_map = self.output == CLASS_MAP
        logits = (
            as_ids(outputs, self.dataset.spec.num_classes) if is_map else as_logits(outputs, self.output, self.decision)
        )
        targets = batch["semantic_mask"].to(self.device, non_blocking=True)
        at_source, plotted = self.args.resolution == "source", self.plots and number < _PLOTTED_BATCHES
        if plotted or not at_source:
            ids = logits if is_map else self.decision(logits, tuple(targets.shape[1:])).ids
        for i, file in enumerate(batch["im_file"]):
            if at_source:
                predicted, label = self._source_ids(logits[i : i + 1], batch, i), self._source_label(batch, i)
            else:
                rows, columns = _picture(batch, i)
                predicted, label = ids[i, rows, columns], targets[i, rows, columns]
            score = self.metrics.update(predicted, label, file)
            if self.metrics.calibration is not None:
                self._count_confidence(self.metrics.calibration, logits[i : i + 1], label, batch, i)
            if self.args.report and self.final:
                self._keep_if_bad(batch, i, score, predicted, label)
            if self.args.save_json and self.final:
                self._save_ids(predicted if at_source else self._source_ids(logits[i : i + 1], batch, i), batch, i)
        if plotted:
            self._plot(batch, ids, number)

    def _source_ids(self, logits: Tensor, batch: Mapping[str, Any], i: int) -> Tensor:
        """Class map of one image at its own size, in one interpolation from the logits where there are any."""
        shape = tuple(batch["ori_shape"][i])
        if self.output == CLASS_MAP:
            return resize_ids(logits[0][_picture(batch, i)], shape)
        return self.decision(logits, shape, region=_region(batch, i, logits)).ids[0]

    def _count_confidence(
        self, error: CalibrationError, logits: Tensor, label: Tensor, batch: Mapping[str, Any], i: int
    ) -> None:
        """Compare confidence with truth at some pixels; the image's name draws them, so that it does not matter when.

        They are drawn from all pixels, of which the ignored do not count: an image has the weight of its label.
        """
        generator = torch.Generator().manual_seed(zlib.crc32(Path(batch["im_file"][i]).name.encode()))
        drawn = torch.randint(label.numel(), (_CALIBRATION_PIXELS,), generator=generator).to(label.device)
        rows, columns = drawn // label.shape[1], drawn % label.shape[1]
        pixels = torch.zeros_like(drawn), rows, columns
        size = (label.shape[0], label.shape[1])
        found = logits_at(logits, pixels, size, region=_region(batch, i, logits))
        error.update_logits(found / self.decision.temperature, label[rows, columns])

    def _source_label(self, batch: Mapping[str, Any], i: int) -> Tensor:
        label = self.dataset.source_ids(batch["index"][i])
        return torch.from_numpy(label if label.dtype == np.uint8 else label.astype(np.int32)).to(self.device)

    def _save_ids(self, predicted: Tensor, batch: Mapping[str, Any], i: int) -> None:
        """Write the class map of one image in the ids of the dataset's own label files."""
        ids = self.dataset.spec.to_source_ids(predicted.cpu().numpy())
        target = self.save_dir / "results" / f"{self.dataset.result_names[batch['index'][i]]}.png"
        write_atomic(target, cv2.imencode(".png", ids)[1].tobytes())

    def _keep_if_bad(self, batch: Mapping[str, Any], i: int, score: float, predicted: Tensor, label: Tensor) -> None:
        """Keep the images with the lowest mean IoU of their own, for the report."""
        if math.isnan(score) or (len(self.worst) == _REPORTED and score >= self.worst[-1].score):
            return
        if self.args.resolution == "source":
            picture = self.dataset.source_image(batch["index"][i])
        else:
            picture = to_bgr(batch["img"][i])[_picture(batch, i)]
        file = batch["im_file"][i]
        case = Case(file=file, score=score, image=picture, label=label.cpu(), prediction=predicted.cpu())
        self.worst = _worst([*self.worst, case])

    def _plot(self, batch: Mapping[str, Any], ids: Tensor, number: int) -> None:
        spec = self.dataset.spec
        self.save_dir.mkdir(parents=True, exist_ok=True)
        plot_batch(batch, spec.names, spec.palette, self.save_dir / f"val_batch{number}_labels.jpg")
        predicted = {**batch, "semantic_mask": ids}
        plot_batch(predicted, spec.names, spec.palette, self.save_dir / f"val_batch{number}_pred.jpg")

    def reduce(self) -> None:
        """Join the counts, and find the worst images of all shares."""
        super().reduce()
        if self.args.report and self.final:
            self.worst = _worst([case for share in gather_objects(self.worst) for case in share])

    def finish(self) -> None:
        """Draw the confusion matrix and the bars of per-class IoU, and write the report if it is asked for."""
        if self.plots:
            names = self.metrics.row_names
            matrix = self.metrics.matrix.cpu().numpy()
            iou = np.where(self.metrics.nt_per_class > 0, self.metrics.per_class_iou, np.nan)
            plot_confusion_matrix(matrix, names, self.save_dir / "confusion_matrix.png", normalize=False)
            plot_confusion_matrix(matrix, names, self.save_dir / "confusion_matrix_normalized.png", normalize=True)
            plot_class_iou(iou, names, self.save_dir / "iou_bar_chart.png")
        if self.args.report and self.final:
            self._report()
        if self.args.save_json and self.final:
            folder = self.save_dir / "results"
            manifest = Manifest(folder)
            for pair, name in zip(self.dataset.pairs, self.dataset.result_names, strict=True):
                manifest.add(str(pair.image), [folder / f"{name}.png"])

    def _report(self) -> None:
        file = write_report(
            self.save_dir / "report.html",
            metrics=self.metrics.figures,
            names=self.dataset.spec.names,
            per_class=self.metrics.summary(),
            confusion=self.metrics.matrix.cpu().numpy(),
            worst=self.worst,
            settings={"data": self.dataset.spec.title, "split": self.args.split, "imgsz": self.args.imgsz},
            policy=self.metrics.policy,
            palette=self.dataset.spec.palette,
        )
        LOGGER.info(f"Report: {file}")


def _worst(cases: list[Case]) -> list[Case]:
    return sorted(cases, key=lambda case: (case.score, case.file))[:_REPORTED]


def _picture(batch: Mapping[str, Any], i: int) -> Window:
    """Rows and columns of a batch that an image covers; how much is padded beside it depends on its batch."""
    (height, width), ((gain_h, gain_w), (left, top)) = batch["ori_shape"][i], batch["ratio_pad"][i]
    return slice(top, top + round(height * gain_h)), slice(left, left + round(width * gain_w))


def _region(batch: Mapping[str, Any], i: int, logits: Tensor) -> tuple[float, float, float, float]:
    """Top, left, height and width of what an image covers of its logits (1, C, h, w), in their pixels."""
    (height, width), ((gain_h, gain_w), (left, top)) = batch["ori_shape"][i], batch["ratio_pad"][i]
    stride = batch["img"].shape[2] / logits.shape[2]
    return top / stride, left / stride, height * gain_h / stride, width * gain_w / stride
