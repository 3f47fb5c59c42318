"""The images an export is proved and calibrated with: the user's own where they are known, else drawn scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ultralytics.cfg import Config
from ultralytics.data.dataset import BaseDataset
from ultralytics.data.description.classes import match_classes
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.errors import ConfigError, DatasetError, DownloadError, MissingFile
from ultralytics.scenes import scene
from ultralytics.utils import LOGGER
from ultralytics.utils.ops.letterbox import LetterboxGeometry, letterbox
from ultralytics.utils.progress import progress

_SCENE = (288, 576)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProofImages:
    """Images of one size, with labels where there are any.

    Attributes:
        title: what to call them.
        imgsz: (height, width) of the network's input.
        channels: image channels.
        dataset: the validation split; None for drawn scenes.
        open_training: opens the training split; None where there is no dataset.
        labelled: whether the classes of the dataset are those of the network.
    """

    title: str
    imgsz: tuple[int, int]
    channels: int
    dataset: BaseDataset | None = None
    open_training: Callable[[], BaseDataset] | None = None
    labelled: bool = False

    @classmethod
    def find(
        cls, config: Config, validator: Any, names: Mapping[int, str], channels: int, *, asked: bool
    ) -> ProofImages:
        """Open the dataset that was named or that the checkpoint remembers.

        Args:
            config: options of the export; `data` is the dataset, `imgsz` (height, width).
            validator: the task's validator, which knows how to open a split.
            names: classes of the network.
            channels: image channels of the network.
            asked: whether the user named the dataset; one that is only remembered may be gone.
        """
        height, width = config.imgsz  # type: ignore[misc]
        unknown = cls(title="drawn scenes", imgsz=(height, width), channels=channels)
        if not config.data:
            return unknown
        try:
            spec = DatasetSpec.load(config.data, fetch=asked)
        except (MissingFile, DatasetError, DownloadError) as error:
            if asked:
                raise
            LOGGER.info(f"The dataset '{config.data}' that the model was trained on is not here: {error}")
            return unknown
        if spec.channels != channels:
            raise ConfigError(f"'{config.data}' has images of {spec.channels} channels, the model takes {channels}.")
        labels, labelled = _labels(spec, names, config)
        fixed = config.replace(imgsz=[height, width], rect=False, mode="val", cache=False)

        def open_split(split: str) -> BaseDataset:
            dataset: BaseDataset = validator.build_dataset(fixed.replace(split=split), spec, labels)
            dataset.regroup(0, stride=1)  # the size is the network's already
            return dataset

        return cls(
            title=f"{spec.title} ({config.split})",
            imgsz=(height, width),
            channels=channels,
            dataset=open_split(config.split),
            open_training=lambda: open_split("train"),
            labelled=labelled,
        )

    def batches(self, count: int, batch: int) -> Iterator[Mapping[str, Any]]:
        """Yield whole batches of `count` images or a little more; a small split begins again, so that all are full."""
        total = -(-count // batch) * batch
        for start in progress(range(0, total, batch), desc="comparing", leave=False):
            yield self._batch(range(start, start + batch))

    def _batch(self, indices: Sequence[int]) -> Mapping[str, Any]:
        if self.dataset is None:
            return {"img": torch.from_numpy(np.stack([self._scene(index) for index in indices]))}
        picked: Mapping[str, Any] = self.dataset.collate([self.dataset[index % len(self.dataset)] for index in indices])
        return picked

    def _scene(self, index: int) -> np.ndarray:
        picture = scene((2026, index), _SCENE)[0]
        fitted = letterbox(picture, LetterboxGeometry.fit(picture.shape[:2], self.imgsz))
        planes = cv2.cvtColor(fitted, cv2.COLOR_BGR2RGB).transpose(2, 0, 1)
        return np.ascontiguousarray(np.resize(planes, (self.channels, *self.imgsz)))

    def write_question(self, path: Path, count: int, batch: int) -> None:
        """Write what `batches` yields, as float32 (N, C, H, W) in [0, 1], for toolkits that answer while converting."""
        batches = self.batches(count, batch)
        images = [picked["img"].float().div(255).numpy() for picked in batches]
        np.save(path, np.concatenate(images))

    def write_calibration(self, path: Path, limit: int, fraction: float, batch: int) -> int:
        """Write images for quantisation as float32 (N, C, H, W) in [0, 1].

        Args:
            path: .npy file to write.
            limit: images at most.
            fraction: share of the training split to use, spread over all of it.
            batch: images come in whole batches; a small split begins again.

        Returns:
            How many different images they are.

        Raises:
            ConfigError: there is no dataset, and a generic one would calibrate for images that never come.
        """
        if self.open_training is None:
            raise ConfigError(
                "quantize=8 is calibrated on your own images, and no dataset is known: give data=dataset.yaml."
            )
        dataset = self.open_training()
        count = min(max(round(len(dataset) * fraction), 1), limit)
        chosen = np.linspace(0, len(dataset) - 1, count).round().astype(int)
        chosen = np.resize(chosen, -(-count // batch) * batch)
        array = np.lib.format.open_memmap(path, "w+", np.float32, (len(chosen), self.channels, *self.imgsz))
        for slot, index in zip(array, progress(chosen.tolist(), desc="calibration images", leave=False), strict=True):
            slot[:] = dataset.collate([dataset[index]])["img"][0].numpy()
            slot /= 255
        array.flush()
        return count


def _labels(spec: DatasetSpec, names: Mapping[int, str], config: Config) -> tuple[Mapping[int, str] | None, bool]:
    """Tell whether the labels of a dataset can be compared with answers, and in whose classes they are read."""
    try:
        match_classes(spec, names, remap=config.cls_remap, classes=config.classes)
    except ConfigError as error:
        if isinstance(config.cls_remap, Mapping):
            raise
        LOGGER.warning(f"The images are used without their labels. {error}")
        return None, False
    return names, True
