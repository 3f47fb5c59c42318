"""Repairs that a dataset YAML can hold, and writing them: into a new YAML, never into one that exists."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ultralytics.data.description.document import read_description
from ultralytics.data.description.fetch import unpacked_folder
from ultralytics.data.description.rules import apply_keys, is_two_tone
from ultralytics.data.description.spec import SPLITS, DatasetSpec
from ultralytics.data.imread import image_header, read_ids, read_image, to_depth
from ultralytics.data.scan import SampleFacts, SamplePaths
from ultralytics.errors import DatasetError, ImageError, MissingFile
from ultralytics.tasks.semantic.survey import OUT_OF_RANGE, Survey
from ultralytics.utils import YAML
from ultralytics.utils.files import increment_path, write_atomic

_MIDDLE = 128
_LOOKED_AT = 5
_UNREAD = {"unusable mask", "colour mask"}


@dataclass(frozen=True)
class Repair:
    """A way to make labels usable.

    Attributes:
        keys: keys for the dataset YAML.
        text: what was found and what to do.
        explains: kinds of the problems that it would solve.
    """

    keys: Mapping[str, Any]
    text: str
    explains: Collection[str]


def suggest_threshold(spec: DatasetSpec, surveys: Mapping[str, Survey]) -> Repair | None:
    """Recognise masks of 0 and 255 with levels in between, as smoothed edges and JPEG leave them."""
    if spec.num_ids != 2 or spec.uses_polygons or spec.colors or spec.threshold:
        return None
    known = spec.known_ids()
    labels = [(pair.label, fact) for found in surveys.values() for pair, fact in _pairs(found) if pair.label.is_file()]
    faulty = [file for file, fact in labels if fact.kind in _UNREAD or not all(known[raw] for raw in fact.counts)]
    if 2 * len(faulty) < len(labels) or not faulty:
        return None
    looked_at = [_grey(file) for file in faulty[:_LOOKED_AT]]
    if not all(grey is not None and is_two_tone(grey) for grey in looked_at):
        return None
    light = np.mean([np.mean(grey >= _MIDDLE) for grey in looked_at if grey is not None])
    name = spec.names[spec.num_classes - 1]
    return Repair(
        {"threshold": _MIDDLE},
        f"'{spec.title}': {len(faulty)} of {len(labels)} masks hold grey levels between black and white, as smoothed "
        f"edges and JPEG leave them. Add 'threshold: {_MIDDLE}' to the dataset YAML: pixels of this level and above "
        f"({light:.1%} of those looked at) are the object '{name}', darker ones are not.",
        {OUT_OF_RANGE, *_UNREAD},
    )


def suggest_copies(spec: DatasetSpec, surveys: Mapping[str, Survey]) -> Repair | None:
    """Recognise masks whose ids are stored three times over, in the channels of a colour picture."""
    if spec.uses_polygons or spec.colors or spec.threshold or spec.masks_dir is None:
        return None
    pairs = [pair for found in surveys.values() for pair, fact in _pairs(found) if fact.kind == "colour mask"]
    known = spec.known_ids()
    looked_at = [_equal_channels(pair.label) for pair in pairs[:_LOOKED_AT]]
    if not pairs or not all(ids is not None and known[ids].all() for ids in looked_at):
        return None
    number, name = 1, f"{spec.masks_dir}-fixed"
    while next(replace(spec, masks_dir=name).label_finder().folders(pairs[0].image.parent)).exists():
        number += 1
        name = f"{spec.masks_dir}-fixed-{number}"
    keys = {"masks_dir": name}
    if spec.label_end:
        keys["mask_suffix"] = f"{spec.label_end.rpartition('.')[0]}.png"
    changed = apply_keys(spec, {"image_suffix": spec.image_end, **keys})
    if any(changed.images(split) != spec.images(split) for split in surveys):
        return None  # the masks lie among the images, and would be taken for some once others are in their place
    text = (
        f"{len(pairs)} masks hold class ids in equal red, green and blue. `yolo check data=... fix=true` writes copies "
        f"of all masks with a single channel into '{name}'."
    )
    return Repair(keys, text, {"colour mask"})


def write_copies(spec: DatasetSpec, surveys: Mapping[str, Survey], keys: Mapping[str, Any]) -> None:
    """Write the masks of a dataset anew, with a single channel, to where these keys of its YAML lead.

    What cannot be read is left out.

    Raises:
        DatasetError: the dataset's folder cannot be written to.
    """
    find = apply_keys(spec, {"image_suffix": spec.image_end, **keys}).label_finder()
    try:
        for pair in (pair for found in surveys.values() for pair, _ in _pairs(found)):
            ids = _ids(pair.label)
            if ids is not None:
                write_atomic(find.expected(pair.image), cv2.imencode(".png", ids)[1].tobytes())
    except OSError as error:
        raise DatasetError(f"fix=true cannot write repaired masks beside those of '{spec.title}': {error}.") from error


def _ids(label: Path) -> np.ndarray | None:
    try:
        return read_ids(label)
    except (ImageError, MissingFile):
        return _equal_channels(label)


def _equal_channels(label: Path) -> np.ndarray | None:
    """Read a mask whose colour channels are equal and not lossy; None if it is another one."""
    try:
        if image_header(label).kind == "JPEG":
            return None
        image = read_image(label)
    except (ImageError, MissingFile):
        return None
    grey = image[..., 0]
    return grey if all((image[..., channel] == grey).all() for channel in (1, 2)) else None


def write_repaired(spec: DatasetSpec, keys: Mapping[str, Any], *, over: Path | None = None) -> Path:
    """Write the description with further keys, beside the dataset's YAML; else in the working folder.

    Args:
        spec: the dataset; its own YAML stays as it is.
        keys: keys that are set.
        over: a YAML that an earlier repair wrote, which is replaced.
    """
    folder = spec.file.parent if spec.file else spec.root
    description: dict[str, Any] = read_description(spec.file) if spec.file else _described(spec)
    if not os.access(folder, os.W_OK) or folder.is_relative_to(unpacked_folder().resolve()):
        folder = Path.cwd()
        description["path"] = str(spec.root)
    name = spec.file.stem if spec.file else spec.root.name
    target = over or increment_path(folder / f"{name}-fixed.yaml")
    YAML.save(target, {**description, **keys})
    return target


def _described(spec: DatasetSpec) -> dict[str, Any]:
    """Describe a plain folder."""
    sources = {split: [str(source) for source in spec.sources[split]] for split in SPLITS if spec.sources[split]}
    return {**sources, "names": dict(spec.names), "masks_dir": spec.masks_dir}


def _pairs(found: Survey) -> Iterator[tuple[SamplePaths, SampleFacts]]:
    return zip(found.all_pairs, found.all_facts, strict=True)


def _grey(file: Path) -> np.ndarray | None:
    try:
        return to_depth(read_image(file, 1)[..., 0], np.uint8)
    except (ImageError, MissingFile):
        return None
