"""The dataset doctor: finds labels that cannot be meant as they are, says why, and repairs what has one sure remedy.

It looks at facts that the scan keeps (`data/scan.py`), so a second visit costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ultralytics.data.description.spec import NO_POLYGON, DatasetSpec
from ultralytics.data.scan import Problem, summarise
from ultralytics.errors import ConfigError, DatasetError
from ultralytics.tasks.semantic.class_weights import inverse_log_weights
from ultralytics.tasks.semantic.survey import OUT_OF_RANGE, Survey, count_classes, count_raw, survey
from ultralytics.utils import LOGGER

LEFT_OUT = "images left out"
_LISTED = 12  # names or files listed before "and more"
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


@dataclass
class DoctorReport:
    """What the doctor found.

    Attributes:
        spec: the dataset, with the repair applied if it was asked for.
        surveys: what was found in each split.
        problems: all findings, errors first.
        suggested_label_map: the repair that would make the labels usable, if there is a sure one: raw id -> class id.
    """

    spec: DatasetSpec
    surveys: dict[str, Survey]
    problems: list[Finding] = field(default_factory=list)
    suggested_label_map: dict[int, int | None] | None = None

    @property
    def ok(self) -> bool:
        """Whether training makes sense."""
        return not any(finding.severity == "error" for finding in self.problems)

    def class_pixels(self, split: str) -> np.ndarray:
        """Count the pixels of each class id in the usable labels of a split, as (C,) int64; zeros if there is none."""
        facts = self.surveys[split].facts if split in self.surveys else []
        return count_classes(facts, self.spec.label_table(), self.spec.num_ids)

    @property
    def class_weights(self) -> np.ndarray:
        """Weights that balance the classes of the training labels."""
        return inverse_log_weights(self.class_pixels("train"))

    def text(self) -> str:
        """Lay the report out for a terminal, with every file that has a problem."""
        lines = [self.spec.describe()]
        sound = "usable" if self.ok else "without a fault; the errors below stop a training"
        for split, found in self.surveys.items():
            lines.append(f"{split}: {len(found.pairs)} of {len(found.all_pairs)} images {sound}")
        lines += ["", *self._table(), ""]
        lines += [f"{finding.severity}: {finding.lines(verbose=True)}" for finding in self.problems]
        return "\n".join(lines if self.problems else [*lines, "No problems found."])

    def raise_for_errors(self) -> None:
        """Log the warnings; raise if training makes no sense.

        Raises:
            DatasetError: the message holds every error and its remedy.
        """
        LOGGER.info(self.spec.describe())
        for finding in self.problems:
            if finding.severity != "error" and not finding.files:  # the dataset itself names the files it leaves out
                (LOGGER.info if finding.severity == "info" else LOGGER.warning)(finding.text)
        errors = [finding.lines() for finding in self.problems if finding.severity == "error"]
        if errors:
            raise DatasetError("\n".join(errors))

    def _table(self) -> list[str]:
        names = self.spec.names if not self.spec.is_binary else {0: "(the rest)", 1: self.spec.names[0]}
        width = max(5, *(len(name) for name in names.values()))
        train, val = self.class_pixels("train"), self.class_pixels("val")
        shares = [100 * pixels / max(pixels.sum(), 1) for pixels in (train, val)]
        rows = [f"{'id':>5}  {'class':<{width}}  {'train %':>8}  {'val %':>8}  {'weight':>7}"]
        weights = self.class_weights
        for number, name in names.items():
            numbers = f"{shares[0][number]:8.3f}  {shares[1][number]:8.3f}  {weights[number]:7.3f}"
            rows.append(f"{number:>5}  {name:<{width}}  {numbers}")
        return rows


def diagnose(
    data: str | Path | DatasetSpec, *, label_map: str | Mapping[int, int | None] | None = None
) -> DoctorReport:
    """Look at the training and validation labels of a dataset.

    Args:
        data: the dataset; see `DatasetSpec.load`.
        label_map: "auto" applies the suggested repair, a mapping from raw ids to class ids is applied as it is.

    Raises:
        MissingFile: there is no such dataset.
        DatasetError: its description is faulty. Faults of the files are part of the report.
        ConfigError: `label_map` is another text than "auto".

    Example:
        >>> report = diagnose("camvid.yaml")  # doctest: +SKIP
        >>> print(report.text())  # doctest: +SKIP
    """
    spec = DatasetSpec.load(data)
    if isinstance(label_map, Mapping):
        spec = spec.with_mapping(label_map)
    elif label_map not in {None, "auto"}:
        raise ConfigError(f"label_map={label_map!r} is given. Allowed: auto, or nothing.")
    findings: list[Finding] = []
    surveys = _surveys(spec, findings)
    suggestion = _suggest_map(spec, surveys)
    repaired = suggestion is not None and suggestion.is_sure and label_map == "auto"
    if suggestion and repaired:
        spec = spec.with_mapping(suggestion.mapping)
        findings.append(Finding("info", suggestion.kind, f"Repaired (label_map=auto): {suggestion.seen}"))
        surveys = _surveys(spec, [])
    elif suggestion:
        findings.append(Finding("error", suggestion.kind, f"'{spec.title}': {suggestion.seen} {suggestion.remedy}"))
    report = DoctorReport(spec, surveys, findings, suggestion.mapping if suggestion and suggestion.is_sure else None)
    findings += _file_findings(spec, surveys, explained=bool(suggestion))
    findings += _class_findings(report, explained=bool(suggestion) and not repaired)
    findings += _split_findings(surveys)
    findings += _orphan_findings(surveys)
    findings.sort(key=lambda finding: ("error", "warning", "info").index(finding.severity))
    return report


@dataclass(frozen=True)
class _Suggestion:
    kind: str
    seen: str
    mapping: dict[int, int | None]
    otherwise: dict[int, int | None] = field(default_factory=dict)  # as likely, so that none of the two is sure

    @property
    def is_sure(self) -> bool:
        return not self.otherwise

    @property
    def remedy(self) -> str:
        if self.is_sure:
            return f"Add {_entry(self.mapping)} to the dataset YAML, or use label_map=auto."
        return (
            f"Which of the two is meant, label_map=auto does not decide: add {_entry(self.mapping)} to the dataset "
            f"YAML if 255 is the object, {_entry(self.otherwise)} if 0 is."
        )


def _entry(mapping: Mapping[int, int | None]) -> str:
    pairs = ", ".join(f"{raw}: {target}" for raw, target in list(mapping.items())[:_LISTED])
    return f"'label_mapping: {{{pairs}{', ...' if len(mapping) > _LISTED else ''}}}'"


def _surveys(spec: DatasetSpec, findings: list[Finding]) -> dict[str, Survey]:
    """Look at both splits; one that is missing is a finding."""
    surveys = {}
    for split in ("train", "val"):
        try:
            surveys[split] = survey(spec, split)
        except DatasetError as error:
            findings.append(Finding("error", "missing split", str(error)))
    return surveys


def _suggest_map(spec: DatasetSpec, surveys: Mapping[str, Survey]) -> _Suggestion | None:
    """Recognise the two ways in which whole datasets are shifted: 255 for "yes", and counting from one."""
    raw = count_raw([fact for found in surveys.values() for fact in found.all_facts])
    present = set(np.flatnonzero(raw).tolist())
    if present == {0, 255} and spec.raw_ignore != 0 and 255 not in spec.mapping and spec.num_ids == 2:
        return _suggest_binary(spec, float(raw[255] / raw.sum()))
    present -= {spec.raw_ignore, NO_POLYGON, *spec.mapping}
    last = spec.label_ids[-1]
    if present and min(present) >= 1 and max(present) == last + 1 and not spec.colors:
        seen = f"the labels look one-based: ids run from {min(present)} to {last + 1}, but class ids are 0 to {last}."
        table = spec.label_table()
        return _Suggestion("one-based ids", seen, {raw: int(table[raw - 1]) for raw in range(1, last + 2)})
    return None


def _suggest_binary(spec: DatasetSpec, share: float) -> _Suggestion:
    """Read 255 as the object; where it covers most pixels, it may as well be an ignored background."""
    meaning = "means 'ignore', so that no foreground is left" if spec.raw_ignore == 255 else "is no class id"
    name = spec.names[spec.num_classes - 1]
    seen = f"the masks hold only 0 and 255, and 255 {meaning}. 255 covers {share:.1%} of the pixels"
    if share > 0.5:
        seen += f", too many to be surely the object '{name}'."
        return _Suggestion("binary 0/255", seen, {255: 1}, otherwise={0: 1, 255: 0})
    return _Suggestion("binary 0/255", f"{seen} and becomes the object '{name}'.", {255: 1})


def _file_findings(spec: DatasetSpec, surveys: Mapping[str, Survey], *, explained: bool) -> Iterable[Finding]:
    """Report files that cannot be used, and what is odd about others."""
    table = spec.label_table()
    for split, found in surveys.items():
        count = len(found.all_pairs)
        # Nothing is left out because of these: they stop the training.
        unknown = tuple(replace(problem, fatal=False) for problem in found.problems if problem.kind == OUT_OF_RANGE)
        if unknown and not explained:
            text = f"{len(unknown)} of {count} {split} labels hold unknown ids: correct them before a training."
            yield Finding("error", OUT_OF_RANGE, text, unknown)
        left_out = tuple(problem for problem in found.problems if problem.fatal and problem.kind != OUT_OF_RANGE)
        if left_out:
            severity = "warning" if found.pairs or unknown else "error"
            yield Finding(severity, LEFT_OUT, f"{len(left_out)} of {count} {split} images cannot be used.", left_out)
        notes = tuple(problem for problem in found.problems if not problem.fatal)
        if notes:
            yield Finding("warning", "odd labels", f"{len(notes)} things about {split} labels are odd.", notes)
        ignored = [
            pair.label
            for pair, fact in zip(found.pairs, found.facts, strict=True)
            if all(table[raw] == spec.ignore_index for raw in fact.counts)
        ]
        if ignored:
            names = _listed(f"'{file}'" for file in ignored)
            yield Finding("warning", "all ignored", f"{len(ignored)} {split} labels hold only ignored pixels: {names}.")


def _class_findings(report: DoctorReport, *, explained: bool) -> Iterable[Finding]:
    """Report classes without pixels, and imbalance."""
    spec = report.spec
    names = [spec.names[0]] if spec.is_binary else list(spec.names.values())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield Finding("warning", "names twice", f"Class names occur more than once: {_listed(twice)}.")
    if explained or "train" not in report.surveys or not report.surveys["train"].pairs:
        return
    train, val = (report.class_pixels(split)[-len(names) :] for split in ("train", "val"))
    if not report.class_pixels("train").any():
        yield Finding(
            "error", "nothing labelled", "No training label holds a pixel of any class: nothing can be learnt."
        )
        return
    if np.count_nonzero(report.class_pixels("train")) == 1:
        text = "The training labels hold a single class, so that nothing can be learnt. Are all objects ignored pixels?"
        yield Finding("warning", "single class", text)
    if "val" in report.surveys and not report.class_pixels("val").any():
        yield Finding(
            "warning", "nothing to score", "No validation label holds a pixel of any class: there is no score."
        )
    only_val = [name for name, in_train, in_val in zip(names, train, val, strict=True) if in_val and not in_train]
    absent = [name for name, in_train, in_val in zip(names, train, val, strict=True) if not in_val and not in_train]
    unscored = [name for name, in_train, in_val in zip(names, train, val, strict=True) if in_train and not in_val]
    if only_val:
        yield Finding("warning", "class in val only", f"Classes in val that train never shows: {_listed(only_val)}.")
    if absent:
        yield Finding(
            "warning", "class without pixels", f"Classes without a pixel in train and val: {_listed(absent)}."
        )
    if unscored and val.any():
        yield Finding("info", "class not in val", f"Classes that val does not show have no score: {_listed(unscored)}.")
    shares = report.class_pixels("train") / report.class_pixels("train").sum()
    rare = [
        f"{name} {share:.2%}" for name, share in zip(names, shares[-len(names) :], strict=True) if 0 < share < _RARE
    ]
    if rare:
        yield Finding(
            "info", "imbalance", f"Rare classes: {_listed(rare)} of the pixels. class_weights=auto weighs them up."
        )


def _split_findings(surveys: Mapping[str, Survey]) -> Iterable[Finding]:
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
        pairs = _listed(f"'{one}' = '{other}'" for one, other in sorted(common))
        text = f"{len(common)} val images are copies of train images, so the score is flattered: {pairs}."
        yield Finding("warning", "leakage", text)


def _orphan_findings(surveys: Mapping[str, Survey]) -> Iterable[Finding]:
    """Report label files whose image does not exist."""
    labels = {pair.label for found in surveys.values() for pair in found.all_pairs}
    suffixes = {label.suffix.lower() for label in labels}
    orphans = sorted(
        file
        for folder in {label.parent for label in labels}
        if folder.is_dir()
        for file in folder.iterdir()
        if file.suffix.lower() in suffixes and file not in labels and not file.name.startswith(".")
    )
    if orphans:
        files = _listed(f"'{file}'" for file in orphans)
        yield Finding("warning", "label without image", f"{len(orphans)} label files have no image: {files}.")


def _listed(items: Iterable[str]) -> str:
    """Join the first few items."""
    everything = list(items)
    more = f" and {len(everything) - _LISTED} more" if len(everything) > _LISTED else ""
    return ", ".join(everything[:_LISTED]) + more
