"""A dataset without a YAML: a folder of images and a folder of masks. Classes are those that the masks hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ultralytics.data.description.listing import hashed_split, list_images
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.data.imread import read_ids
from ultralytics.errors import DatasetError, ImageError
from ultralytics.utils import LOGGER
from ultralytics.utils.parallel import in_threads

_VAL_NAMES = ("val", "valid", "validation", "test")


def spec_from_folder(root: Path) -> DatasetSpec:
    """Describe a folder that holds `images` and `masks`, each divided into `train` and `val` or not.

    Raises:
        DatasetError: there are no images, no masks, or no class ids in them.
    """
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


def _with_found_classes(spec: DatasetSpec) -> DatasetSpec:
    """Name the classes that the masks hold; masks of 0 and 255 are the common export of two classes."""
    find = spec.label_finder()
    labels = [label for split in ("train", "val") for image in spec.images(split) if (label := find(image))]
    if not labels:
        raise DatasetError(
            f"'{spec.title}' has images but no masks. Put them, with the names of the images, into "
            f"'{find.expected(spec.images('train')[0]).parent}', or write a dataset YAML."
        )
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
    return DatasetSpec(
        title=spec.title,
        root=spec.root,
        names=names,
        sources=spec.sources,
        masks_dir=spec.masks_dir,
        channels=spec.channels,
    )
