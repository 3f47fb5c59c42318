"""The survey of a split: which images can be used, how many pixels each class has, and what is wrong with the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ultralytics.data.description.rules import LabelRule, describe_absence, infer_rules
from ultralytics.data.description.spec import NUM_RAW_IDS, DatasetSpec
from ultralytics.data.imread import read_image
from ultralytics.data.scan import Problem, SampleFacts, SamplePaths, scan, summarise
from ultralytics.errors import DatasetError
from ultralytics.tasks.semantic.labels import UNKNOWN_COLOR, LabelExaminer, LabelReader

OUT_OF_RANGE = "ids out of range"
"""Kind of the problem that a label holds ids which mean nothing."""

_EXACT = 5  # labels whose faulty pixels are looked up, and ids that are named


class UnlabelledSplit(DatasetError):
    """No label file is found for any image of some splits: a wrong path rather than a lot of background.

    Attributes:
        images: the images, by split.
    """

    def __init__(self, spec: DatasetSpec, images: dict[str, list[Path]]) -> None:
        super().__init__(spec, images)
        self.spec = spec
        self.images = images

    @cached_property
    def rules(self) -> list[LabelRule]:
        """Where the labels probably are, the likeliest first."""
        return infer_rules(self.spec, [image for group in self.images.values() for image in group])

    def __str__(self) -> str:
        return describe_absence(self.spec, self.images, self.rules)


@dataclass(frozen=True)
class Survey:
    """What was found in a split.

    Attributes:
        split: name of the split.
        pairs: images and labels that can be used.
        facts: the facts of these.
        problems: what is wrong with the others, and what is odd.
        all_pairs: all images and labels.
        all_facts: the facts of these.
    """

    split: str
    pairs: list[SamplePaths]
    facts: list[SampleFacts]
    problems: list[Problem]
    all_pairs: list[SamplePaths]
    all_facts: list[SampleFacts]


def survey(spec: DatasetSpec, split: str, images: Sequence[Path] | None = None) -> Survey:
    """Look at all images and labels of a split.

    Args:
        spec: the dataset.
        split: name of the split.
        images: part of the split's images; None for all.

    Raises:
        UnlabelledSplit: no image of the split has a label file.
        DatasetError: the split does not exist or has no images. Unusable labels are part of the answer.
    """
    every = spec.images(split) if images is None else images
    find = spec.label_finder()
    labels = [find(image) for image in every]
    if not any(labels):
        require_labels(spec, split)
    pairs = [SamplePaths(image, label or find.expected(image)) for image, label in zip(every, labels, strict=True)]
    reader = LabelReader.from_spec(spec)
    facts = scan(pairs, LabelExaminer(reader, spec.channels), desc=f"looking at {split} labels")
    known = spec.known_ids()
    problems = [Problem("listed image that is missing", pairs[0].image, text) for text in spec.missing(split)]
    usable: list[int] = []
    looked_up = 0
    for position, (pair, fact) in enumerate(zip(pairs, facts, strict=True)):
        problems.extend(Problem(kind, pair.label, text, fatal=False) for kind, text in fact.notes)
        unknown = [raw for raw in fact.counts if not known[raw]]
        if fact.kind:
            problems.append(Problem(fact.kind, pair.image, fact.fault))
        elif unknown:
            looked_up += 1
            detail = _describe_unknown(pair, fact, unknown, spec, reader if looked_up <= _EXACT else None)
            problems.append(Problem(OUT_OF_RANGE, pair.label, detail))
        else:
            usable.append(position)
    chosen = [pairs[position] for position in usable], [facts[position] for position in usable]
    return Survey(split, *chosen, problems, pairs, facts)


def require_labels(spec: DatasetSpec, split: str) -> None:
    """Raise if no image of a split has a label file.

    Raises:
        UnlabelledSplit: there is none; the message says where labels may be.
        DatasetError: the split does not exist or has no images.
    """
    images = spec.images(split)
    if not any(map(spec.label_finder(), images)):
        raise UnlabelledSplit(spec, {split: images})


def require_usable(found: Survey, title: str, *, strict: bool = False) -> None:
    """Raise if no image of a split can be used, or, with `strict`, if one cannot.

    Raises:
        DatasetError: the message lists the reasons by kind.
    """
    count = len(found.all_pairs)
    left_out = [problem for problem in found.problems if problem.fatal]
    if strict and left_out:
        raise DatasetError(f"'{title}', strict=True: {found.split} images would be left out.\n{summarise(left_out)}")
    if not found.pairs:
        reasons = summarise(found.problems)
        raise DatasetError(f"'{title}': none of the {count} {found.split} images can be used.\n{reasons}")


def count_raw(facts: Sequence[SampleFacts]) -> np.ndarray:
    """Add up the pixels of each raw id, as (65536,) int64."""
    total = np.zeros(NUM_RAW_IDS, np.int64)
    for fact in facts:
        for raw, count in fact.counts.items():
            total[raw] += count
    return total


def count_classes(facts: Sequence[SampleFacts], table: np.ndarray, num_ids: int) -> np.ndarray:
    """Add up the pixels of each class id, as (num_ids,) int64; what is ignored is not counted.

    Args:
        facts: what the labels hold.
        table: (65536,) class id of each raw id.
        num_ids: number of class ids.
    """
    total = np.zeros(NUM_RAW_IDS, np.int64)
    np.add.at(total, table, count_raw(facts))
    return total[:num_ids]


def class_pixels(spec: DatasetSpec, found: Survey | None) -> np.ndarray:
    """Count the pixels of each class id in the usable labels of a split, as (C,) int64; zeros without a split."""
    return count_classes(found.facts if found else [], spec.label_table(), spec.num_ids)


def _describe_unknown(
    pair: SamplePaths, fact: SampleFacts, unknown: list[int], spec: DatasetSpec, reader: LabelReader | None
) -> str:
    """Name the ids that mean nothing, with their number and, if there is a reader, the first place of each."""
    if UNKNOWN_COLOR in unknown:
        listed = _list_unknown_colors(pair.label, spec) if reader else f"{fact.counts[UNKNOWN_COLOR]:,} pixels"
        return f"'{pair.label}' holds colours that 'colors' does not list: {listed}."
    ids = reader(pair.label, fact.shape).ravel() if reader else None
    parts = []
    for raw in unknown[:_EXACT]:
        place = ""
        if ids is not None:
            row, column = divmod(int(np.argmax(ids == raw)), fact.width)
            place = f", first at row {row}, column {column}"
        parts.append(f"id {raw} ({fact.counts[raw]:,} pixels{place})")
    more = f" and {len(unknown) - len(parts)} more ids" if len(unknown) > len(parts) else ""
    return (
        f"'{pair.label}' holds {', '.join(parts)}{more}; class ids are 0 to {spec.label_ids[-1]}. "
        "Correct it, or say what the id means in 'label_mapping' (a class id, or ignore_label)."
    )


def _list_unknown_colors(file: Path, spec: DatasetSpec) -> str:
    """List the commonest colours of a mask that the dataset does not name."""
    colors, counts = np.unique(read_image(file)[..., ::-1].reshape(-1, 3), axis=0, return_counts=True)
    ranked = sorted(zip(counts.tolist(), map(tuple, colors.tolist()), strict=True), reverse=True)
    unknown = [f"{list(color)} ({count:,} pixels)" for count, color in ranked if color not in spec.colors]
    more = f" and {len(unknown) - _EXACT} more" if len(unknown) > _EXACT else ""
    return ", ".join(unknown[:_EXACT]) + more
