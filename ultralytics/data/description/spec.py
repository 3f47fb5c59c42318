"""DatasetSpec: what a dataset YAML, or a plain folder, says: where the files are and what the labels mean.

Nothing in a description is ever executed. `download:` is the address of a zip file or it is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ultralytics.data.description.listing import LabelFinder, exists, is_list, list_images, read_list
from ultralytics.data.imread import ARRAY_FORMATS, IMG_FORMATS
from ultralytics.errors import DatasetError

SPLITS = ("train", "val", "test")
NUM_RAW_IDS = 65536
"""Class ids in label files are 8 or 16-bit numbers."""

NO_POLYGON = 65534
"""Raw id of pixels that no polygon covers; `label_table` says what they mean."""

_MASK_SUFFIXES = ("png", *sorted(IMG_FORMATS - {"png"}), "gif", *sorted(ARRAY_FORMATS))


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """A dataset: files, classes and the meaning of its labels.

    "Raw" ids are those in label files, class ids are what a network is trained on.

    Attributes:
        title: what messages call the dataset: its YAML file, or its folder.
        root: folder of the dataset.
        names: class names by id; with polygons of several classes the last one is "background".
        sources: folders, lists, globs or images of each split.
        file: the YAML; None for a plain folder.
        channels: channels of an image.
        images_dir: folder name that is replaced to find a label.
        masks_dir: folder name that replaces it, "." if masks lie beside their images; None if labels are polygons in
            `labels`.
        image_end: end of image names that label names lack.
        label_end: end of label names in its place.
        mapping: raw id -> class id, None for ignored; other raw ids mean themselves.
        ignored: raw id that means "ignore"; None for the same as `ignore_index`, -1 for no id.
        background: class id of what belongs to no object; None if there is no such class, and what no polygon covers is
            ignored.
        background_added: whether that class is not among those of the labels, but comes after them.
        colors: (red, green, blue) -> class id, None for ignored, if masks are colour pictures.
        threshold: grey level, 1 to 255, from which on a pixel of a mask is of class 1, else 0; None if masks hold ids.
        display: (red, green, blue) of each class, for drawing; may be empty.
        class_weights: weight of each class that the dataset's owner recommends.
        label_count: class ids that label files hold where that is not the number of classes, as after `with_classes`.
        strict: whether an image that cannot be used is an error rather than left out.
    """

    title: str
    root: Path
    names: dict[int, str]
    sources: Mapping[str, tuple[Path, ...]]
    file: Path | None = None
    channels: int = 3
    images_dir: str = "images"
    masks_dir: str | None = None
    image_end: str = ""
    label_end: str = ""
    mapping: dict[int, int | None] = field(default_factory=dict)
    ignored: int | None = None
    background: int | None = None
    background_added: bool = False
    colors: dict[tuple[int, int, int], int | None] = field(default_factory=dict)
    threshold: int | None = None
    display: tuple[tuple[int, int, int], ...] = ()
    class_weights: tuple[float, ...] | None = None
    label_count: int | None = None
    strict: bool = False

    @classmethod
    def load(cls, data: str | Path | DatasetSpec, *, fetch: bool = True, strict: bool = False) -> DatasetSpec:
        """Read a dataset description and make sure that its files are there, downloading them where it says how.

        Args:
            data: YAML file, name of a packaged one ("camvid.yaml"), a folder with `images` and `masks`, or a zip or tar
                file of one of these, which is unpacked once into the user's cache.
            fetch: whether files that are not there may be downloaded or drawn.
            strict: whether to stop where images would be left out.

        Raises:
            MissingFile: there is no such file or folder, nor a packaged dataset of that name; or its files are not
                there and must not be fetched.
            DatasetError: the description is faulty; the message names the file, every fault and the remedy.

        Example:
            >>> DatasetSpec.load("cityscapes8.yaml").num_classes  # doctest: +SKIP
            19
        """
        from ultralytics.data.description.locate import load_spec  # it builds DatasetSpec

        spec = data if isinstance(data, DatasetSpec) else load_spec(data, fetch=fetch)
        return replace(spec, strict=True) if strict else spec

    @property
    def num_classes(self) -> int:
        """Number of classes, which is the number of channels a network predicts."""
        return len(self.names)

    @property
    def is_binary(self) -> bool:
        """Whether there is one class against everything else: one channel, class ids 0 and 1."""
        return len(self.names) == 1

    @property
    def num_ids(self) -> int:
        """Number of class ids that labels hold: 2 for a binary dataset."""
        return max(self.num_classes, 2)

    @property
    def label_ids(self) -> range:
        """Raw ids that mean a class unless they are mapped."""
        if self.label_count is not None:
            return range(self.label_count)
        return range(self.num_classes - self.background_added if self.uses_polygons else self.num_ids)

    @property
    def ignore_index(self) -> int:
        """Class id that takes no part in loss and metrics: 255, or 65535 where there are more than 255 classes."""
        return 255 if self.num_ids <= 255 else 65535

    @property
    def raw_ignore(self) -> int:
        """Raw id that means "ignore"; -1 for none."""
        return self.ignore_index if self.ignored is None else self.ignored

    @property
    def uses_polygons(self) -> bool:
        """Whether labels are polygons in text files rather than masks."""
        return self.masks_dir is None

    @property
    def palette(self) -> np.ndarray | None:
        """(N, 3) uint8 RGB for drawing, row = class id; None if the dataset names no colours."""
        if self.display:
            return np.array(self.display, np.uint8)
        table = {target: color for color, target in reversed(self.colors.items()) if target is not None}
        if set(table) != set(range(self.num_classes)):
            return None
        return np.array([table[k] for k in range(self.num_classes)], np.uint8)

    def images(self, split: str) -> list[Path]:
        """List the images of a split, each once, in order.

        Raises:
            DatasetError: the split is not named, does not exist, or holds no image.
        """
        sources = self.sources.get(split, ())
        if not sources:
            known = ", ".join(name for name in SPLITS if self.sources.get(name)) or "none"
            raise DatasetError(
                f"'{self.title}' names no '{split}' images. Splits it has: {known}. Add '{split}:' to it."
            )
        missing = [str(source) for source in sources if not exists(source)]
        if missing:
            raise DatasetError(
                f"'{self.title}': the {split} images '{', '.join(missing)}' do not exist. "
                f"Put the dataset there, or correct '{split}:'."
            )
        images = list(
            dict.fromkeys(image for source in sources for image in list_images(source, self.root, self.images_dir))
        )
        if not images:
            formats = ", ".join(sorted(IMG_FORMATS))
            raise DatasetError(f"'{self.title}': no {split} image in '{sources[0]}'. Formats known: {formats}.")
        return images if self.uses_polygons else self.label_finder().without_labels(images)

    def missing(self, split: str) -> list[str]:
        """Say of each entry of a split's list files that names no image what it is; lists are used without them."""
        lists = (source for source in self.sources.get(split, ()) if is_list(source) and source.is_file())
        return [text for file in lists for text in read_list(file, self.root, self.images_dir)[1]]

    def label_finder(self) -> LabelFinder:
        """Make what finds the label file of an image."""
        return LabelFinder(
            self.root,
            images_dir=self.images_dir,
            labels_dir=self.masks_dir or "labels",
            suffixes=("txt",) if self.uses_polygons else _MASK_SUFFIXES,
            image_end=self.image_end,
            label_end=self.label_end,
        )

    def label_table(self) -> np.ndarray:
        """Make the table that turns raw ids into class ids in one look-up; unknown ids are ignored.

        Returns:
            (65536,) uint8, or uint16 if `ignore_index` is 65535.
        """
        table = np.full(NUM_RAW_IDS, self.ignore_index, np.uint8 if self.ignore_index == 255 else np.uint16)
        if self.uses_polygons and self.is_binary:
            table[0] = 1
        else:
            table[self.label_ids] = self.label_ids
        if self.uses_polygons and self.background is not None:
            table[NO_POLYGON] = self.background
        if self.raw_ignore >= 0:
            table[self.raw_ignore] = self.ignore_index
        for raw, target in self.mapping.items():
            if 0 <= raw < NUM_RAW_IDS:
                table[raw] = self.ignore_index if target is None else target
        return table

    def known_ids(self) -> np.ndarray:
        """Tell for each raw id, as (65536,) bool, whether it may be in a label file."""
        known = np.zeros(NUM_RAW_IDS, bool)
        known[self.label_ids] = True
        known[[*(raw for raw in self.mapping if 0 <= raw < NUM_RAW_IDS), NUM_RAW_IDS - 1]] = True
        known[NO_POLYGON] = self.uses_polygons
        if self.raw_ignore >= 0:
            known[self.raw_ignore] = True
        return known

    def to_source_ids(self, ids: np.ndarray) -> np.ndarray:
        """Turn class ids back into the ids of the label files; where several mean one class, the first listed is taken.

        Args:
            ids: (H, W) class ids; `ignore_index` becomes the id that is ignored in the files.

        Returns:
            (H, W) uint8 if all ids of the dataset fit, else uint16.
        """
        inverse = np.arange(NUM_RAW_IDS)
        if not self.uses_polygons:
            raws = {target: raw for raw, target in reversed(self.mapping.items()) if 0 <= raw < NUM_RAW_IDS}
            for target, raw in raws.items():
                inverse[self.ignore_index if target is None else target] = raw
            if self.raw_ignore >= 0:
                inverse[self.ignore_index] = self.raw_ignore
        largest = inverse[[*range(self.num_ids), self.ignore_index]].max()
        written: np.ndarray = inverse.astype(np.uint8 if largest <= 255 else np.uint16)[ids]
        return written

    def with_mapping(self, mapping: Mapping[int, int | None]) -> DatasetSpec:
        """Copy the description with further raw ids mapped.

        Raises:
            DatasetError: a target is not a class id.
        """
        check_mapping(mapping, self.num_ids, self.title)
        return replace(self, mapping={**self.mapping, **mapping})

    def with_classes(self, names: Mapping[int, str], order: Mapping[int, int | None]) -> DatasetSpec:
        """Copy the description with the classes of a model in the place of its own.

        Args:
            names: the model's classes by id.
            order: the model's id of each class here; None ignores the class.
        """
        if all(number == target for number, target in order.items()) and len(order) == len(names):
            return replace(self, names=dict(names))
        whole = sorted(target for target in order.values() if target is not None) == sorted(names)
        ours = {target: number for number, target in order.items() if target is not None}
        weights = self.class_weights
        matched = replace(
            self,
            names=dict(names),
            background=None if self.background is None else order[self.background],
            display=tuple(self.display[ours[k]] for k in names) if whole and self.display else (),
            class_weights=tuple(weights[ours[k]] for k in names) if whole and weights else None,
        )
        if self.colors:  # which give class ids at once
            colors = {color: None if k is None else order[k] for color, k in self.colors.items()}
            return replace(matched, colors=colors)
        # Ids that are listed come first: they are the ones that are written back.
        meaning = self.mapping | {raw: raw for raw in self.label_ids if raw not in self.mapping}
        if self.raw_ignore not in self.mapping:
            meaning.pop(self.raw_ignore, None)
        mapping = {raw: None if k is None else order[k] for raw, k in meaning.items()}
        return replace(matched, label_count=len(self.label_ids), ignored=self.raw_ignore, mapping=mapping)

    def describe(self) -> str:
        """State in one line how labels are read."""
        background = "none"
        if self.background is not None:
            background = f"{self.background} ({'the rest' if self.is_binary else self.names[self.background]})"
        kind = "polygons" if self.uses_polygons else "colour masks" if self.colors else "masks"
        kind += f" of grey levels, {self.threshold} and above are the object" if self.threshold else ""
        return (
            f"{self.title}: {kind}, nc={self.num_classes}, background={background}, "
            f"ignore={'none' if self.raw_ignore < 0 else self.raw_ignore}"
        )

    def fingerprint(self, *, contents: bool = False) -> str:
        """Hash what the dataset is made of: class names, and name and size of every image and label file.

        Times of change are left out, so that a copy has the same fingerprint.

        Args:
            contents: hash the bytes of the label files too.
        """
        digest = hashlib.sha256(repr((self.names, sorted(self.mapping.items()), self.channels)).encode())
        find = self.label_finder()
        for split in SPLITS:
            for image in (
                self.images(split) if self.sources.get(split) and all(map(exists, self.sources[split])) else []
            ):
                for file in (image, find(image)):
                    if file is not None and file.is_file():
                        digest.update(f"{split}|{_relative(file, self.root)}|{file.stat().st_size}\n".encode())
                        if contents and file is not image:
                            digest.update(file.read_bytes())
        return digest.hexdigest()


def check_mapping(mapping: Mapping[int, int | None], num_ids: int, title: str) -> None:
    """Refuse a label mapping whose targets are not class ids.

    Raises:
        DatasetError: the message names the first such entry.
    """
    for raw, target in mapping.items():
        if target is not None and not 0 <= target < num_ids:
            raise DatasetError(
                f"'{title}': label_mapping sends {raw} to {target}, but class ids are 0 to {num_ids - 1}. "
                "Give a class id or 'ignore_label'."
            )


def _relative(file: Path, root: Path) -> str:
    return (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()
