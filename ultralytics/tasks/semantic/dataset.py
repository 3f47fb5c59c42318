"""SemanticDataset: images with class maps, from masks or polygons."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from ultralytics.data.cache import Arrays, ArraySpec
from ultralytics.data.dataset import BaseDataset
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.data.imread import read_image, read_missing, read_picture, to_depth
from ultralytics.data.sample import Sample
from ultralytics.data.scan import summarise
from ultralytics.errors import ConfigError
from ultralytics.tasks.semantic.labels import LabelReader
from ultralytics.tasks.semantic.survey import count_classes, require_usable, survey
from ultralytics.tasks.semantic.target import ClassMapTarget
from ultralytics.utils import LOGGER
from ultralytics.utils.ops.letterbox import resize
from ultralytics.utils.output_names import OutputNames, wanted_names


class SemanticDataset(BaseDataset):
    """Images and class maps of a split; images that cannot be used are left out with a warning that names them.

    Args:
        spec: the dataset.
        split: "train", "val" or "test".
        imgsz: see `BaseDataset`.
        train: whether samples are for training.
        rect: whether batches take the shape of their images.
        batch: size of such batches.
        cache: "ram", "disk" or False.
        fraction: share of the images that is used, drawn by the seed.
        seed: seed of everything random about the samples.
        classes: class ids that are kept, the others become ignored; None for all.

    Raises:
        DatasetError: the split is missing, or none of its images can be used.
        ConfigError: `classes` names a class that does not exist.

    Example:
        >>> spec = DatasetSpec.load("camvid.yaml")  # doctest: +SKIP
        >>> SemanticDataset(spec, "val", imgsz=480, train=False)[0].targets["mask"].ids.shape  # doctest: +SKIP
        (360, 480)
    """

    def __init__(
        self,
        spec: DatasetSpec,
        split: str,
        *,
        imgsz: int | Sequence[int] | None,
        train: bool,
        rect: bool = False,
        batch: int = 16,
        cache: bool | str = False,
        fraction: float = 1.0,
        seed: int = 0,
        classes: Sequence[int] | None = None,
    ) -> None:
        images = spec.images(split)
        if fraction < 1:
            images = _subset(images, fraction, seed)
        found = survey(spec, split, images)
        require_usable(found, spec.title, strict=spec.strict)
        if found.problems:
            text = summarise(found.problems)
            LOGGER.warning(f"{len(found.pairs)} of {len(found.all_pairs)} {split} images are used.\n{text}")
        super().__init__(spec, found.pairs, found.facts, imgsz=imgsz, train=train, rect=batch if rect else 0, seed=seed)
        self.split = split
        self._reader = LabelReader.from_spec(spec)
        self._table = _kept_classes(spec, classes)
        self.cache(cache)

    def decode(self, index: int) -> Arrays:
        """Decode the image and its class ids, resized; what was not measured is grey and ignored."""
        pair, shape = self.pairs[index], self.resized_shape(index)
        picture = read_picture(pair.image, self.spec.channels)
        image = resize(picture.filled, shape)
        ids = self._reader(pair.label, self.facts[index].shape)
        # In training, the id under the centre of each pixel, as in the image. In validation, the rule by which the
        # figures of this model family are computed: it rounds down, which shifts labels by up to half a pixel.
        nearest = cv2.INTER_NEAREST_EXACT if self.train else cv2.INTER_NEAREST
        classes = self._classes_of(resize(ids, shape, nearest))
        if picture.missing is not None:
            classes[resize(picture.missing.view(np.uint8), shape, nearest) > 0] = self.spec.ignore_index
        return to_depth(image, self._depth(index)), classes

    def array_specs(self, index: int) -> list[ArraySpec]:
        """Tell shape and type of the image and the class ids."""
        shape = self.resized_shape(index)
        return [ArraySpec((*shape, self.spec.channels), self._depth(index)), ArraySpec(shape, self._table.dtype)]

    def _depth(self, index: int) -> np.dtype:
        return np.dtype(np.uint16 if self.facts[index].bits > 8 else np.uint8)

    def make_sample(self, index: int, arrays: Arrays) -> Sample:
        """Make a sample of the decoded image and class ids."""
        image, ids = arrays
        pair = self.pairs[index]
        return Sample(
            image=image,
            targets={"mask": ClassMapTarget(ids, self.spec.ignore_index)},
            image_file=pair.image,
            label_file=pair.label,
            original_shape=self.facts[index].shape,
            index=index,
        )

    @property
    def content(self) -> str:
        """Text that changes with the meaning of labels, besides the size of images."""
        meaning = hashlib.blake2b(self._table.tobytes(), digest_size=16).hexdigest()
        return f"{super().content}|{self.train}|{self._reader}|{meaning}|unmeasured ignored"

    def source_ids(self, index: int) -> np.ndarray:
        """Read the class ids of a sample at the size of its file, as (H, W) uint8 or uint16."""
        classes = self._classes_of(self._reader(self.pairs[index].label, self.facts[index].shape))
        missing = read_missing(self.pairs[index].image, self.spec.channels)
        if missing is not None:
            classes[missing] = self.spec.ignore_index
        return classes

    def source_image(self, index: int) -> np.ndarray:
        """Read the image of a sample at the size of its file, as (H, W, C)."""
        return read_image(self.pairs[index].image, self.spec.channels)

    def class_pixels(self) -> np.ndarray:
        """Count the pixels of each class id in all labels, without the ignored, as (C,) int64; C is 2 for one class."""
        return count_classes(self.facts, self._table, self.spec.num_ids)

    @cached_property
    def result_names(self) -> list[str]:
        """Name the class map of each sample in a folder of results, without suffix: no two have one name.

        It is the place of its image below the folder of images; images from elsewhere are told apart by their folders.
        """
        root, images_dir = self.spec.root, self.spec.images_dir
        images = [pair.image for pair in self.pairs]
        elsewhere = [image for image in images if not image.is_relative_to(root)]
        wanted = dict(zip(elsewhere, wanted_names(elsewhere), strict=True))
        for image in images:
            if image not in wanted:
                parts = image.relative_to(root).with_suffix("").parts
                wanted[image] = Path(*(part for part in parts if part != images_dir)).as_posix()
        given = OutputNames()
        return [given.name(str(image), wanted[image]) for image in images]

    def _classes_of(self, raw: np.ndarray) -> np.ndarray:
        """Turn raw ids into class ids in one look-up, so that a chain 0 -> 1 -> 2 does not merge classes."""
        if raw.dtype == np.uint8 and self._table.dtype == np.uint8:
            return cv2.LUT(raw, self._table[:256])
        return np.take(self._table, raw)


def _subset(images: list[Path], fraction: float, seed: int) -> list[Path]:
    """Draw a share of the images, at least one, keeping their order."""
    count = max(round(len(images) * fraction), 1)
    chosen = np.random.default_rng(seed).permutation(len(images))[:count]
    return [images[index] for index in sorted(chosen.tolist())]


def _kept_classes(spec: DatasetSpec, classes: Sequence[int] | None) -> np.ndarray:
    """Make the table of raw ids in which classes that are not wanted are ignored."""
    table = spec.label_table()
    if classes is None or spec.is_binary:
        return table
    unknown = [k for k in classes if k not in spec.names]
    if unknown:
        raise ConfigError(
            f"classes={list(classes)}: there is no class {unknown[0]}. Allowed: 0 to {spec.num_classes - 1}."
        )
    table[~np.isin(table, list(classes))] = spec.ignore_index
    return table
