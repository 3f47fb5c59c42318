"""Known import path: names that users of the public distribution have in their code."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ultralytics.data.description.listing import LabelFinder
from ultralytics.data.description.spec import SPLITS, DatasetSpec
from ultralytics.data.imread import IMG_FORMATS, VID_FORMATS

__all__ = ["IMG_FORMATS", "VID_FORMATS", "check_det_dataset", "img2label_paths"]


def check_det_dataset(dataset: str | Path) -> dict[str, Any]:
    """Read a dataset description as a plain dict; see `DatasetSpec.load`."""
    spec = DatasetSpec.load(dataset)
    paths: dict[str, Any] = {split: [str(source) for source in spec.sources.get(split, ())] for split in SPLITS}
    return {
        "path": spec.root,
        **{split: None if not found else found[0] if len(found) == 1 else found for split, found in paths.items()},
        "names": dict(spec.names),
        "nc": spec.num_classes,
        "channels": spec.channels,
        "masks_dir": spec.masks_dir,
        "label_mapping": dict(spec.mapping),
        "yaml_file": str(spec.file or ""),
    }


def img2label_paths(img_paths: Iterable[str]) -> list[str]:
    """Turn `.../images/.../a.jpg` into `.../labels/.../a.txt`."""
    find = LabelFinder(Path(), images_dir="images", labels_dir="labels", suffixes=["txt"])
    return [str(find.expected(Path(path))) for path in img_paths]
