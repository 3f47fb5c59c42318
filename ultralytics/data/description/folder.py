"""A dataset without a YAML: a folder of images and a folder of masks, or the layout of a well-known export.

Classes are those that the masks hold, or that a table of the export names.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ultralytics.data.description.listing import BESIDE, hashed_split, list_images
from ultralytics.data.description.spec import SPLITS, DatasetSpec
from ultralytics.data.imread import read_ids
from ultralytics.errors import DatasetError, ImageError
from ultralytics.utils import LOGGER
from ultralytics.utils.parallel import in_threads

_CLASS_TABLE = "_classes.csv"
_VOC_LISTS = Path("ImageSets", "Segmentation")
_VAL_NAMES = ("val", "valid", "validation", "test")


def spec_from_folder(root: Path) -> DatasetSpec:
    """Describe a folder that holds `images` and `masks`, each divided into `train` and `val` or not.

    Two other layouts are known: masks beside their images with a table of classes in each split (`_classes.csv`, as
    Roboflow exports them), and VOC's lists of stems in `ImageSets/Segmentation`.

    Raises:
        DatasetError: there are no images, or no class ids in the masks.
    """
    if (tables := sorted(root.glob(f"*/{_CLASS_TABLE}"))) and (root / "train").is_dir():
        return _spec_with_table(root, tables)
    if (lists := root / _VOC_LISTS).is_dir() and (root / "SegmentationClass").is_dir():
        return _spec_of_voc(root, lists)
    for pattern in ("images/{}", "{}/images"):
        train = root / pattern.format("train")
        val = next((path for name in _VAL_NAMES if (path := root / pattern.format(name)).is_dir()), None)
        if train.is_dir():
            break
    else:
        train, val = root / "images", None
    if not train.is_dir():
        raise DatasetError(f"'{root}' holds neither a dataset YAML nor a folder 'images'.")
    sources: dict[str, tuple[Path, ...]] = {"train": (train,), "val": (val,) if val else (), "test": ()}
    if val is None:
        parts = hashed_split(list_images(train, root), root)
        sources |= {"train": tuple(parts[0]), "val": tuple(parts[1])}
        LOGGER.info(f"'{root}': no validation images; every tenth image by a hash of its name is held out.")
    spec = DatasetSpec(title=str(root), root=root, names={0: "class_0"}, sources=sources, masks_dir="masks")
    return _with_found_classes(spec)


def _spec_with_table(root: Path, tables: Sequence[Path]) -> DatasetSpec:
    """Describe splits in which `a.jpg` lies beside `a_mask.png`, and a table names the classes."""
    splits = {"train": ("train",), "val": ("valid", "val"), "test": ("test",)}
    sources = {split: tuple(root / name for name in names if (root / name).is_dir()) for split, names in splits.items()}
    names: dict[int, str] = {}
    for table in tables:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if any(row)]
        for row in rows[1:]:
            if len(row) < 2 or not row[0].isdecimal():
                raise DatasetError(f"'{table}': the row {','.join(row)!r} is not 'number, class'.")
            number = int(row[0])
            if names.setdefault(number, row[1]) != row[1]:
                raise DatasetError(f"'{table}': {number} is '{row[1]}' here and '{names[number]}' in another split.")
    names = {number: names.get(number, f"class_{number}") for number in range(max(names, default=-1) + 1)}
    if not names:
        raise DatasetError(f"'{tables[0]}' names no class.")
    background = next((number for number, name in names.items() if name.lower() == "background"), None)
    return DatasetSpec(
        title=str(root),
        root=root,
        names=names,
        sources=sources,
        masks_dir=BESIDE,
        label_end="_mask.png",
        background=background,
    )


def _spec_of_voc(root: Path, lists: Path) -> DatasetSpec:
    """Describe a folder of VOC's layout, in which lists of stems make the splits."""
    sources = {split: (file,) if (file := lists / f"{split}.txt").is_file() else () for split in SPLITS}
    spec = DatasetSpec(
        title=str(root),
        root=root,
        names={0: "class_0"},
        sources=sources,
        images_dir="JPEGImages",
        masks_dir="SegmentationClass",
    )
    return _with_found_classes(spec)


def _with_found_classes(spec: DatasetSpec) -> DatasetSpec:
    """Name the classes that the masks hold; masks of 0 and 255 are the common export of two classes."""
    find = spec.label_finder()
    images = [image for split in ("train", "val") if spec.sources[split] for image in spec.images(split)]
    labels = [label for image in images if (label := find(image))]
    if not labels:
        return spec  # whoever needs labels says where they may be
    found = set().union(*in_threads(_ids_in, labels, desc="looking for classes"))
    if found == {0, 255}:
        LOGGER.info(f"'{spec.title}': masks hold 0 and 255, read as the classes 0 and 1.")
        return _named(spec, 2).with_mapping({255: 1})
    ids = found - {255}
    if not ids:
        raise DatasetError(f"'{spec.title}': no mask holds a class id (0 to 254).")
    return _named(spec, max(ids) + 1)


def _ids_in(mask: Path) -> set[int]:
    """Raw ids in a mask; none if it cannot be read, which the scan reports."""
    try:
        return set(np.unique(read_ids(mask)).tolist())
    except ImageError:
        return set()


def _named(spec: DatasetSpec, count: int) -> DatasetSpec:
    names = {number: f"class_{number}" for number in range(max(count, 2))}
    return replace(spec, names=names)
