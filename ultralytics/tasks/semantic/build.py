"""A semantic dataset from the options of a run, for training and for validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ultralytics.cfg import Config
from ultralytics.data.augment import train_transforms, val_transforms
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.errors import ConfigError
from ultralytics.tasks.semantic.dataset import SemanticDataset


def build_dataset(
    config: Config,
    spec: DatasetSpec,
    split: str,
    *,
    train: bool,
    own_size: bool = False,
    augmentations: Sequence[Callable[..., Any]] = (),
) -> SemanticDataset:
    """Make the dataset of a split, augmented if it is for training.

    Validation batches take the shape of their images, as prediction does: padding to squares would cost time and change
    the features. Without `rect` they have the size `imgsz`, the only one that many artefacts take. With `own_size`
    images are not resized, and padded at bottom and right to the network's stride only.
    """
    refuse_single_cls(config)
    size = config.imgsz if isinstance(config.imgsz, int) else max(config.imgsz)
    dataset = SemanticDataset(
        spec,
        split,
        imgsz=None if own_size else size if train else config.imgsz,
        train=train,
        rect=config.rect if train or config.mode in {"val", "benchmark"} else True,
        batch=int(config.batch) if config.batch >= 1 else 16,
        cache=config.cache if train else False,
        fraction=config.fraction if train or config.mode == "benchmark" else 1.0,
        seed=config.seed,
        classes=config.classes,
    )
    if train:
        shape = dataset.shapes if config.rect else size
        dataset.transforms = train_transforms(config, shape, channels=spec.channels, augmentations=augmentations)
    else:
        dataset.transforms = val_transforms(dataset.shapes, center=not own_size)
    return dataset


def refuse_single_cls(config: Config) -> None:
    """Refuse an option that only objects have.

    Raises:
        ConfigError: the message names the way to join classes.
    """
    if config.single_cls:
        raise ConfigError("single_cls joins boxes of all classes; a class map has none. Use label_mapping instead.")
