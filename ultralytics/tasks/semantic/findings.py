"""The findings of the dataset doctor: one fault each, said once, with a count and the first files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ultralytics.data.description.spec import DatasetSpec
from ultralytics.data.scan import Problem, summarise
from ultralytics.tasks.semantic.survey import OUT_OF_RANGE, Survey, class_pixels

LEFT_OUT = "images left out"
_LISTED = 12  # names listed before "and more"
_SHOWN = 3  # files listed before "and more"
_RARE = 0.01  # share of the pixels below which a class is called rare


@dataclass(frozen=True)
class Finding:
    """One thing the doctor has to say.

    Attributes:
        severity: "error" (training would be pointless), "warning" or "info".
        kind: short name.
        text: what was found and what to do.
        files: the files it is about, with the reason for each.
    """

    severity: str
    kind: str
    text: str
    files: tuple[Problem, ...] = ()

    def lines(self, *, verbose: bool = False) -> str:
        """The text, and below it the files by kind: all of them, or the first few of each."""
        return f"{self.text}\n{summarise(self.files, verbose=verbose)}" if self.files else self.text


def file_findings(spec: DatasetSpec, surveys: Mapping[str, Survey], *, explained: Collection[str]) -> Iterable[Finding]:
    """Report files that cannot be used, and what is odd about others, but for kinds that are said already."""
    table = spec.label_table()
    for split, found in surveys.items():
        count = len(found.all_pairs)
        # Nothing is left out because of these: they stop the training.
        unknown = tuple(replace(problem, fatal=False) for problem in found.problems if problem.kind == OUT_OF_RANGE)
        if unknown and OUT_OF_RANGE not in explained:
            text = f"{len(unknown)} of {count} {split} labels hold unknown ids: correct them before a training."
            yield Finding("error", OUT_OF_RANGE, text, unknown)
        left_out = tuple(
            problem for problem in found.problems if problem.fatal and problem.kind not in {OUT_OF_RANGE, *explained}
        )
        if left_out:
            severity = "warning" if (found.pairs or unknown) and not spec.strict else "error"
            total = count + len(spec.missing(split))
            yield Finding(severity, LEFT_OUT, f"{len(left_out)} of {total} {split} images cannot be used.", left_out)
        notes = tuple(problem for problem in found.problems if not problem.fatal)
        if notes:
            yield Finding("warning", "odd labels", f"{len(notes)} things about {split} labels are odd.", notes)
        ignored = [
            pair.label
            for pair, fact in zip(found.pairs, found.facts, strict=True)
            if all(table[raw] == spec.ignore_index for raw in fact.counts)
        ]
        if ignored:
            names = listed((f"'{file}'" for file in ignored), _SHOWN)
            yield Finding("warning", "all ignored", f"{len(ignored)} {split} labels hold only ignored pixels: {names}.")


def class_findings(spec: DatasetSpec, surveys: Mapping[str, Survey], *, explained: bool) -> Iterable[Finding]:
    """Report classes without pixels, and imbalance."""
    names = [spec.names[0]] if spec.is_binary else list(spec.names.values())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield Finding("warning", "names twice", f"Class names occur more than once: {listed(twice)}.")
    if explained or "train" not in surveys or not surveys["train"].pairs:
        return
    all_train, all_val = (class_pixels(spec, surveys.get(split)) for split in ("train", "val"))
    train, val = all_train[-len(names) :], all_val[-len(names) :]
    if not all_train.any():
        yield Finding(
            "error", "nothing labelled", "No training label holds a pixel of any class: nothing can be learnt."
        )
        return
    if np.count_nonzero(all_train) == 1:
        text = "The training labels hold a single class, so that nothing can be learnt. Are all objects ignored pixels?"
        yield Finding("warning", "single class", text)
    if "val" in surveys and not all_val.any():
        yield Finding(
            "warning", "nothing to score", "No validation label holds a pixel of any class: there is no score."
        )
    only_val = [name for name, in_train, in_val in zip(names, train, val, strict=True) if in_val and not in_train]
    absent = [name for name, in_train, in_val in zip(names, train, val, strict=True) if not in_val and not in_train]
    unscored = [name for name, in_train, in_val in zip(names, train, val, strict=True) if in_train and not in_val]
    if only_val:
        yield Finding("warning", "class in val only", f"Classes in val that train never shows: {listed(only_val)}.")
    if absent:
        yield Finding("warning", "class without pixels", f"Classes without a pixel in train and val: {listed(absent)}.")
    if unscored and val.any():
        yield Finding("info", "class not in val", f"Classes that val does not show have no score: {listed(unscored)}.")
    shares = all_train / all_train.sum()
    rare = [
        f"{name} {share:.2%}" for name, share in zip(names, shares[-len(names) :], strict=True) if 0 < share < _RARE
    ]
    if rare:
        yield Finding(
            "info", "imbalance", f"Rare classes: {listed(rare)} of the pixels. class_weights=auto weighs them up."
        )


def split_findings(surveys: Mapping[str, Survey]) -> Iterable[Finding]:
    """Report images that are both learnt from and scored on."""
    if len(surveys) < 2:
        return
    train, val = (
        {fact.digest: pair.image for pair, fact in zip(found.pairs, found.facts, strict=True)}
        for found in surveys.values()
    )
    common = [(train[digest], val[digest]) for digest in train.keys() & val.keys()]
    if val and len(common) == len(val):
        yield Finding("warning", "val is train", "All val images are train images too: the score is not held out.")
    elif common:
        pairs = listed((f"'{one}' = '{other}'" for one, other in sorted(common)), _SHOWN)
        text = f"{len(common)} val images are copies of train images, so the score is flattered: {pairs}."
        yield Finding("warning", "leakage", text)


def orphan_findings(spec: DatasetSpec, surveys: Mapping[str, Survey]) -> Iterable[Finding]:
    """Report label files whose image does not exist."""
    pairs = [pair for found in surveys.values() for pair in found.all_pairs]
    labels, images = {pair.label for pair in pairs}, {pair.image for pair in pairs}
    suffixes = {label.suffix.lower() for label in labels}
    orphans = sorted(
        file
        for folder in {label.parent for label in labels}
        if folder.is_dir()
        for file in folder.iterdir()
        if file.suffix.lower() in suffixes and file.name.endswith(spec.label_end)
        if file not in labels and file not in images and not file.name.startswith(".")
    )
    if orphans:
        files = listed((f"'{file}'" for file in orphans), _SHOWN)
        yield Finding("warning", "label without image", f"{len(orphans)} label files have no image: {files}.")


def shared_label_findings(surveys: Mapping[str, Survey]) -> Iterable[Finding]:
    """Report images that would learn one and the same label: equal stems, such as `a.jpg` beside `a.png`."""
    images: defaultdict[Path, set[Path]] = defaultdict(set)
    for found in surveys.values():
        for pair in found.all_pairs:
            images[pair.label].add(pair.image)
    shared = {label: sorted(group) for label, group in images.items() if len(group) > 1 and label.is_file()}
    shared = {label: group for label, group in shared.items() if len({image.resolve() for image in group}) > 1}
    if shared:
        rows = (f"'{label}' for '{group[0]}' and '{group[1]}'" for label, group in shared.items())
        text = (
            f"{len(shared)} label files are read for several images, of which at most one can be meant: "
            f"{listed(rows, _SHOWN)}. Give each image a name and a label of its own, or take the others away."
        )
        yield Finding("error", "shared label", text)


def listed(items: Iterable[str], most: int = _LISTED) -> str:
    """Join the first few items."""
    everything = list(items)
    more = f" and {len(everything) - most} more" if len(everything) > most else ""
    return ", ".join(everything[:most]) + more
