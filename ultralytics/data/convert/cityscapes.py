"""The raw Cityscapes download into the layout `images/<split>`, `masks/<split>`."""

from __future__ import annotations

import os
import shutil
from itertools import chain
from pathlib import Path

from ultralytics.data.convert.files import convert_files
from ultralytics.errors import DatasetError, MissingFile
from ultralytics.utils.files import replacing

_IMAGE_END = "_leftImg8bit.png"
_MASK_END = "_gtFine_labelIds.png"
_SPLITS = ("train", "val", "test")
_SITE = "https://www.cityscapes-dataset.com/downloads"


def cityscapes(*, source: Path, target: Path) -> str:
    """Arrange the raw download of Cityscapes for `cityscapes.yaml`.

    Files are hard-linked, or copied where that is not possible; what is there already stays, so an interrupted run can
    be repeated. The masks keep the 34 ids of the annotation, which the YAML maps.

    Args:
        source: folder that holds `leftImg8bit` and `gtFine`.
        target: folder to make.

    Returns:
        How many images each split has, and which are missing.

    Raises:
        MissingFile: the images or the masks are not there; the message says what to download.
        DatasetError: images have no mask; they are named, the others are arranged.
    """
    images, masks = source / "leftImg8bit", source / "gtFine"
    for folder in (images, masks):
        if not folder.is_dir():
            raise MissingFile(
                f"'{folder}' does not exist. Download {folder.name}_trainvaltest.zip from {_SITE} (with your own "
                f"account) and unpack it into '{source}'."
            )
    files = {split: sorted((images / split).glob(f"*/*{_IMAGE_END}")) for split in _SPLITS}
    if not any(files.values()):
        raise MissingFile(f"'{images}' holds no image named train/<city>/*{_IMAGE_END}. Unpack the download again.")

    def arrange(image: Path, place: Path) -> None:
        split, city, name = image.parts[-3:]
        scene = name.removesuffix(_IMAGE_END)
        mask = masks / split / city / f"{scene}{_MASK_END}"
        if not mask.is_file():
            raise DatasetError(f"'{image}' has no mask: '{mask}' does not exist.")
        _place(image, place)
        _place(mask, target / "masks" / split / place.name)

    found = list(chain(*files.values()))
    names = [Path("images", image.parts[-3], image.name.removesuffix(_IMAGE_END) + ".png") for image in found]
    convert_files(arrange, found, desc="Arranging Cityscapes", target=target, names=names)
    counts = ", ".join(f"{split} {len(found)}" for split, found in files.items() if found)
    absent = [split for split, found in files.items() if not found]
    missing = f"; not in the download: {', '.join(absent)}" if absent else ""
    return f"Cityscapes arranged in '{target}': {counts}{missing}"


def _place(source: Path, target: Path) -> None:
    """Link or copy a file, unless it is there."""
    if target.is_file() and target.stat().st_size == source.stat().st_size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, a file system without links, or half a file from an earlier copy
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
