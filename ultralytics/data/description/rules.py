"""Where the labels of a dataset probably are, when none is found where its description says.

A bounded look through the dataset's folders: names that match those of the images, and content that looks like labels.
"""

from __future__ import annotations

import os
from bisect import bisect
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ultralytics.data.description.listing import BESIDE, suffix
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.data.imread import IMG_FORMATS, read_image
from ultralytics.data.polygons import read_polygons
from ultralytics.errors import DatasetError, ImageError, MissingFile

_SAMPLED_IMAGES = 40
_SAMPLED_LABELS = 3
_NAMED = 3  # rules in a message
_LABELS = IMG_FORMATS | {"txt"}
_FEW_JSON = 8  # an annotation file of a whole split lies among few
_MAX_FOLDERS = 2000
_MAX_DEPTH = 5
_MAX_COLORS = 64  # distinct values of a label; a photograph has thousands
_SEPARATORS = "_-. "
_ENDS_TRIED = 4
_DARK, _LIGHT = 48, 207  # grey levels at or beyond which a pixel of a lossy or smoothed 0/255 mask is clear
_FEWEST = 0.1  # share of the images that a rule must find labels of
_CLEAR = 0.8  # share of such pixels in a mask of grey levels


@dataclass(frozen=True, slots=True)
class LabelRule:
    """A way to find labels.

    Attributes:
        keys: keys of the dataset YAML that describe it.
        folder: a folder that holds such labels.
        what: what the labels are, in words.
        matched: looked-at images that have such a label.
        total: images looked at.
    """

    keys: Mapping[str, str | None]
    folder: Path
    what: str
    matched: int
    total: int

    def yaml(self) -> str:
        """The lines to write into the YAML."""
        return "\n".join(f"    {key}: {_quoted(value)}" for key, value in self.keys.items())


def infer_rules(spec: DatasetSpec, images: Sequence[Path]) -> list[LabelRule]:
    """Look for the labels of some images, the best rule first.

    Args:
        spec: the description, by which nothing is found.
        images: images of all splits; some of them are looked at.
    """
    sampled = list(images[:: -(-len(images) // _SAMPLED_IMAGES)]) if images else []
    folders = dict(_folders(spec.root))
    for image in sampled:  # images may lie outside the dataset's folder
        if not image.is_relative_to(spec.root):
            folders.update(_folders(image.parent.parent, depth=2))
    found: list[LabelRule] = []
    tried: list[dict[str, str | None]] = []
    for folder, names in folders.items():
        candidates = list(_candidates(spec, sampled, folder, names))
        fresh = [keys for number, keys in enumerate(candidates) if keys not in [*tried, *candidates[:number]]]
        tried += fresh
        rules = [rule for keys in fresh if (rule := _tested(spec, sampled, keys))]
        found += rules or ([] if candidates else _unreachable(sampled, folder, names))
    return sorted(found, key=lambda rule: (not rule.keys, -rule.matched / rule.total, len(rule.keys)))


def describe_absence(spec: DatasetSpec, images: Mapping[str, Sequence[Path]], rules: Sequence[LabelRule]) -> str:
    """Say where labels were looked for, which folders look like labels, and what to write into the YAML."""
    counts = " and ".join(f"{len(group)} {split}" for split, group in images.items())
    expected = spec.label_finder().expected(next(iter(images.values()))[0])
    lines = [f"'{spec.title}': no label file was found for any of the {counts} images (looked for '{expected}')."]
    for rule in rules[:_NAMED]:
        share = f"{rule.matched} of {rule.total} images looked at have one"
        lines.append(f"  '{rule.folder}' looks like labels: {rule.what}; {share}.")
        where = "into the YAML" if spec.file else f"a dataset YAML into '{spec.root}', with"
        lines += [f"  Write {where}:\n{rule.yaml()}"] if rule.keys else []
        lines += [] if rule.keys else ["  Give it the subfolders of the images; no key leads there as it is."]
    if tables := _json_files(spec.root, images):
        lines.append(
            f"  '{tables[0]}' looks like annotations of another tool ({len(tables)} JSON files): `yolo convert coco` "
            "and `yolo convert labelme` turn such files into masks."
        )
    if not rules:
        lines.append(
            f"  No folder below '{spec.root}' looks like labels. 'masks_dir' names the folder of masks that stands in "
            f"place of '{spec.images_dir}'; polygons are text files in 'labels', an empty one where there is no object."
        )
    elif rules[0].keys and spec.file:
        lines.append(f"  Or let a new YAML be written: yolo check data={spec.file} fix=true")
    return "\n".join(lines)


def _json_files(root: Path, images: Mapping[str, Sequence[Path]]) -> list[Path]:
    """List JSON files that may hold annotations: those of the names of images, and those that are few in a folder."""
    stems = {image.stem for group in images.values() for image in group}
    found = []
    for folder, names in _folders(root, suffixes={"json"}):
        own = [name for name in names if Path(name).stem in stems]
        found += [folder / name for name in own or (names if len(names) <= _FEW_JSON else [])]
    return found


def is_two_tone(grey: np.ndarray) -> bool:
    """Tell a smoothed or lossy mask of 0 and 255 from an image: nearly all pixels are clearly dark or clearly light."""
    dark, light = np.count_nonzero(grey <= _DARK), np.count_nonzero(grey >= _LIGHT)
    return bool(dark and light and dark + light >= _CLEAR * grey.size)


def apply_keys(spec: DatasetSpec, keys: Mapping[str, str | None]) -> DatasetSpec:
    """Copy a description with the keys of a rule."""
    masks_dir = keys.get("masks_dir", spec.masks_dir)
    return replace(
        spec,
        images_dir=keys.get("images_dir") or spec.images_dir,
        masks_dir=None if masks_dir == "none" else masks_dir,
        image_end=keys.get("image_suffix") or "",
        label_end=keys.get("mask_suffix") or "",
    )


def _folders(
    root: Path, depth: int = _MAX_DEPTH, suffixes: Collection[str] = _LABELS
) -> Iterator[tuple[Path, list[str]]]:
    """Walk the folders below one that hold files of these kinds, with their names."""
    for count, (parent, below, files) in enumerate(os.walk(root)):
        if count == _MAX_FOLDERS:
            return
        level = len(Path(parent).relative_to(root).parts)
        below[:] = [] if level >= depth else sorted(name for name in below if not name.startswith("."))
        names = [name for name in sorted(files) if suffix(name) in suffixes and not name.startswith(".")]
        if names:
            yield Path(parent), names


def _candidates(
    spec: DatasetSpec, images: Sequence[Path], folder: Path, names: list[str]
) -> Iterator[dict[str, str | None]]:  # fmt: skip
    """Guess which keys would lead from the images to the files of a folder."""
    for parent in dict.fromkeys(image.parent for image in images):
        place = _place(spec, parent, folder)
        if place is None:
            continue
        own = [image for image in images if image.parent == parent]
        for image_end, label_end in _ends(own, names, beside=folder == parent):
            if suffix(f"x{label_end}") == "txt":
                if place.get("masks_dir", "labels") == "labels":
                    yield {**place, "masks_dir": "none"}
                continue
            # A key that leads nowhere today is taken back.
            ends = {"image_suffix": spec.image_end, "mask_suffix": spec.label_end}
            keys = place | {key: None for key, end in ends.items() if end}
            if image_end:
                keys["image_suffix"] = image_end
            if label_end and (image_end or label_end.count(".") > 1 or label_end[0] != "." or folder == parent):
                keys["mask_suffix"] = label_end
            yield keys


def _place(spec: DatasetSpec, images: Path, labels: Path) -> dict[str, str | None] | None:
    """Describe the way from a folder of images to one of labels; None if no key can."""
    if images == labels:
        return {"masks_dir": BESIDE}
    if not (images.is_relative_to(spec.root) and labels.is_relative_to(spec.root)):
        here, there = images.parts, labels.parts
    else:
        here, there = images.relative_to(spec.root).parts, labels.relative_to(spec.root).parts
        if there and there[1:] == here and spec.images_dir not in here:
            return {"masks_dir": there[0]}
    differing = [place for place, (one, other) in enumerate(zip(here, there, strict=False)) if one != other]
    if len(here) != len(there) or len(differing) != 1:
        return None
    one, other = here[differing[0]], there[differing[0]]
    return {"masks_dir": other} if one == spec.images_dir else {"images_dir": one, "masks_dir": other}


def _ends(images: Sequence[Path], names: list[str], *, beside: bool) -> list[tuple[str, str]]:
    """Guess the ends by which the names of images and labels differ, the commonest first."""
    stems: dict[str, list[str]] = {}
    for name in names:
        stems.setdefault(Path(name).stem, []).append(name)
    votes: Counter[tuple[str, str]] = Counter()
    ordered = sorted(names)
    for image in images:
        same = [name for name in stems.get(image.stem, []) if not beside or name != image.name]
        for name in same or _nearest(image.name, ordered):
            if ends := _split(image.name, name):
                votes[ends] += 1
    return [ends for ends, _ in votes.most_common(_ENDS_TRIED) if ends != ("", "") or not beside]


def _nearest(name: str, ordered: list[str]) -> list[str]:
    """Find other names that share the longest beginning with one: its neighbours in the order of names."""
    place = bisect(ordered, name)
    others = [other for other in ordered[max(place - 3, 0) : place + 2] if other != name]
    shared = [_shared(name, other) for other in others]
    return [other for other, count in zip(others, shared, strict=True) if count and count == max(shared)]


def _shared(one: str, other: str) -> int:
    """Count the characters with which two names begin alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _split(image: str, label: str) -> tuple[str, str] | None:
    """Divide two names after what they share, at a separator; None if they share nothing.

    The image's end is "" if it is its suffix alone.
    """
    shared = _shared(image, label)
    while shared and not (image[shared : shared + 1] in _SEPARATORS and label[shared : shared + 1] in _SEPARATORS):
        shared -= 1
    if not shared:
        return None
    image_end, label_end = image[shared:], label[shared:]
    return ("" if image_end == Path(image).suffix else image_end), label_end


def _tested(spec: DatasetSpec, images: Sequence[Path], keys: Mapping[str, str | None]) -> LabelRule | None:
    """Try a rule on the images; None if it finds nothing, or something else than labels."""
    changed = apply_keys(spec, keys)
    find = changed.label_finder()
    kept = list(images) if changed.uses_polygons else find.without_labels(list(images))
    labels = [label for image in kept if (label := find(image))]
    fewest = max(_FEWEST * len(images), min(2, len(images) // 2))  # neighbours like a_1, a_2 are not image and label
    if len(labels) < max(fewest, 1):
        return None
    what = _describe(labels[:: -(-len(labels) // _SAMPLED_LABELS)])
    return LabelRule(keys, labels[0].parent, what, len(labels), len(kept)) if what else None


def _unreachable(images: Sequence[Path], folder: Path, names: list[str]) -> list[LabelRule]:
    """Name a folder whose files have the names of images and look like labels, but to which no key leads."""
    stems = {Path(name).stem: name for name in names}
    labels = [folder / stems[image.stem] for image in images if image.stem in stems]
    if not labels or folder in {image.parent for image in images}:
        return []
    what = _describe(labels[:: -(-len(labels) // _SAMPLED_LABELS)])
    return [LabelRule({}, folder, what, len(labels), len(images))] if what else []


def _describe(labels: Iterable[Path]) -> str:
    """Say what label files hold; nothing if they do not look like labels."""
    kinds = [_polygons(label) if suffix(label) == "txt" else _mask(label) for label in labels]
    return "" if "" in kinds else max(kinds, key=len)


def _polygons(file: Path) -> str:
    try:
        return "polygons" if read_polygons(file)[0] else ""
    except DatasetError:
        return ""


def _mask(file: Path) -> str:
    """Tell a mask by its few values."""
    try:
        image = read_image(file)
    except (ImageError, MissingFile):
        return ""
    codes = np.unique(image.astype(np.int32) @ np.array([1, 1 << 8, 1 << 16], np.int32))
    grey = bool((image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all())
    if len(codes) <= _MAX_COLORS:
        return f"masks of {len(codes)} {'values' if grey else 'colours'}"
    return "masks of grey levels" if grey and is_two_tone(image[..., 0]) else ""


def _quoted(text: str | None) -> str:
    if text is None:
        return "null"
    return f"'{text}'" if text.startswith((".", "*", "&", "!", "%", "@", "`", "#", "-")) or ": " in text else text
