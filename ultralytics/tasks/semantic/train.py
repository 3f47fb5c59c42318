"""Semantic training: what the generic loop needs to know about class maps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ultralytics.engine.trainer import BaseTrainer
from ultralytics.errors import ConfigError
from ultralytics.nn.model import GraphModel
from ultralytics.tasks.semantic.build import build_dataset, refuse_single_cls
from ultralytics.tasks.semantic.calibrate import calibrate
from ultralytics.tasks.semantic.class_weights import inverse_log_weights
from ultralytics.tasks.semantic.dataset import SemanticDataset
from ultralytics.tasks.semantic.doctor import diagnose
from ultralytics.tasks.semantic.loss import SemanticCriterion
from ultralytics.tasks.semantic.plots import plot_batch
from ultralytics.tasks.semantic.val import SemanticValidator
from ultralytics.utils import LOGGER
from ultralytics.utils.plotting import plot_class_pixels


class SemanticTrainer(BaseTrainer):
    """Train a semantic model.

    Example:
        >>> from ultralytics import YOLO
        >>> YOLO("yolo26n-sem.yaml").train(data="streets.yaml", epochs=5, imgsz=256)  # doctest: +SKIP
    """

    def check_data(self) -> None:
        """Refuse labels that cannot be meant as they are, and say what was found."""
        refuse_single_cls(self.args)
        report = diagnose(self.data, label_map=self.args.label_map)
        report.raise_for_errors()
        self.data = report.spec

    def build_dataset(self, split: str, train: bool) -> SemanticDataset:
        """Make the dataset of a split."""
        return build_dataset(self.args, self.data, split, train=train)

    def build_criterion(self) -> SemanticCriterion:
        """Make the loss, with class weights where they are asked for."""
        weights = self._class_weights()
        if weights is not None:
            named = zip(self.data.names.values(), weights.tolist(), strict=True)
            LOGGER.info("Class weights: " + ", ".join(f"{name} {weight:.3g}" for name, weight in named))
        return SemanticCriterion(self.data.ignore_index, weights)

    def build_validator(self, loader: DataLoader) -> SemanticValidator:
        """Make the validator over the validation loader."""
        return SemanticValidator(self.args, loader, self.device, save_dir=self.save_dir, callbacks=self.callbacks)

    def calibrate(self, model: GraphModel) -> dict[str, float]:
        """Fit the temperature and, of a binary model, the threshold."""
        return calibrate(model, self.val_set, self.device)

    def plot_labels(self, path: Path) -> None:
        """Draw the pixels of each class in the training labels."""
        names = {0: "background", 1: self.data.names[0]} if self.data.is_binary else self.data.names
        plot_class_pixels(self.train_set.class_pixels(), names, path, num_images=len(self.train_set))

    def plot_batch(self, batch: Mapping[str, Any], path: Path) -> None:
        """Draw a training batch: images beside their labels."""
        plot_batch(batch, self.data.names, self.data.palette, path)

    def dummy_batch(self, count: int, size: int) -> dict[str, Tensor]:
        """Make the target part of a batch of zeros, to measure memory with."""
        return {"semantic_mask": torch.zeros(count, size, size, dtype=torch.uint8, device=self.device)}

    def _class_weights(self) -> Tensor | None:
        """Weights of the cross-entropy: given, computed from the training labels, or the dataset's own."""
        given, count = self.args.class_weights, self.data.num_classes
        if isinstance(given, (list, tuple)):
            if len(given) != count:
                raise ConfigError(f"class_weights has {len(given)} numbers, the dataset {count} classes.")
            return torch.tensor(given, dtype=torch.float32)
        power = 1.0 if given == "auto" else self.args.cls_pw
        if power > 0 and count > 1:
            return torch.from_numpy(inverse_log_weights(self.train_set.class_pixels(), power)).float()
        if self.data.class_weights is not None:
            return torch.tensor(self.data.class_weights, dtype=torch.float32)
        return None
