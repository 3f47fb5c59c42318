"""The dataset doctor: finds labels that cannot be meant as they are, says why, and repairs what has one sure remedy.

It looks at facts that the scan keeps (`data/scan.py`), so a second visit costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.data.description.spec import NO_POLYGON, DatasetSpec
from ultralytics.errors import ConfigError, DatasetError
from ultralytics.tasks.semantic.class_weights import inverse_log_weights
from ultralytics.tasks.semantic.findings import (
    Finding,
    class_findings,
    file_findings,
    orphan_findings,
    shared_label_findings,
    split_findings,
)
from ultralytics.tasks.semantic.repair import suggest_copies, suggest_threshold, write_copies, write_repaired
from ultralytics.tasks.semantic.survey import OUT_OF_RANGE, Survey, UnlabelledSplit, class_pixels, count_raw, survey
from ultralytics.utils import LOGGER

_LISTED = 12  # entries of a mapping that are written out
_MOST_REPAIRS = 4  # one may uncover the need of another


@dataclass
class DoctorReport:
    """What the doctor found.

    Attributes:
        spec: the dataset, with the repair applied if it was asked for.
        surveys: what was found in each split.
        problems: all findings, errors first.
        suggested_label_map: the repair that would make the labels usable, if there is a sure one: raw id -> class id.
        repair: keys of the dataset YAML that would make the labels usable, if they can be told.
        copies: whether these keys lead to copies of the masks that are still to be written.
    """

    spec: DatasetSpec
    surveys: dict[str, Survey]
    problems: list[Finding] = field(default_factory=list)
    suggested_label_map: dict[int, int | None] | None = None
    repair: dict[str, Any] = field(default_factory=dict)
    copies: bool = False

    @property
    def ok(self) -> bool:
        """Whether training makes sense."""
        return not any(finding.severity == "error" for finding in self.problems)

    def class_pixels(self, split: str) -> np.ndarray:
        """Count the pixels of each class id in the usable labels of a split, as (C,) int64; zeros if there is none."""
        return class_pixels(self.spec, self.surveys.get(split))

    @property
    def class_weights(self) -> np.ndarray:
        """Weights that balance the classes of the training labels."""
        return inverse_log_weights(self.class_pixels("train"))

    def text(self, *, verbose: bool = False) -> str:
        """Lay the report out for a terminal; `verbose` names every file that has a problem."""
        lines = [self.spec.describe()]
        sound = "usable" if self.ok else "without a fault; the errors below stop a training"
        for split, found in self.surveys.items():
            lines.append(f"{split}: {len(found.pairs)} of {len(found.all_pairs)} images {sound}")
        lines += ["", *(self._table() if self.surveys else []), ""]
        lines += [f"{finding.severity}: {finding.lines(verbose=verbose)}" for finding in self.problems]
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
    data: str | Path | DatasetSpec,
    *,
    label_map: str | Mapping[int, int | None] | None = None,
    fix: bool = False,
    strict: bool = False,
) -> DoctorReport:
    """Look at the training and validation labels of a dataset.

    Args:
        data: the dataset; see `DatasetSpec.load`.
        label_map: "auto" applies the suggested repair, a mapping from raw ids to class ids is applied as it is.
        strict: whether images that would be left out are an error.
        fix: write what would make the labels usable into a new YAML, and report on that; nothing that exists changes.

    Raises:
        MissingFile: there is no such dataset.
        DatasetError: its description is faulty. Faults of the files are part of the report.
        ConfigError: `label_map` is another text than "auto".

    Example:
        >>> report = diagnose("camvid.yaml")  # doctest: +SKIP
        >>> print(report.text())  # doctest: +SKIP
    """
    spec = DatasetSpec.load(data, strict=strict)
    if isinstance(label_map, Mapping):
        spec = spec.with_mapping(label_map)
    elif label_map not in {None, "auto"}:
        raise ConfigError(f"label_map={label_map!r} is given. Allowed: auto, or nothing.")
    report = _look(spec, repair=label_map == "auto")
    written: Path | None = None
    keys: dict[str, Any] = {}
    for _ in range(_MOST_REPAIRS if fix else 0):
        if not report.repair:
            break
        keys |= report.repair
        if report.copies:
            write_copies(report.spec, report.surveys, report.repair)
        written = write_repaired(report.spec, report.repair, over=written)
        report = _look(DatasetSpec.load(written, strict=strict), repair=label_map == "auto")
    if written:
        text = f"Repaired: {', '.join(keys)} written into a new dataset YAML, '{written}'. Use data={written}"
        report.problems.append(Finding("info", "repaired", text))
    elif fix:
        report.problems.append(Finding("info", "nothing to repair", "fix=true: there is no repair to write."))
    return report


def _look(spec: DatasetSpec, *, repair: bool) -> DoctorReport:
    """Report on a dataset, with the suggested label map applied if it is sure and `repair` is set."""
    report = DoctorReport(spec, {})
    report.surveys = surveys = _surveys(report)
    suggestion = _suggest_map(spec, surveys)
    threshold = None if suggestion else suggest_threshold(spec, surveys)
    repaired = suggestion is not None and suggestion.is_sure and repair
    if suggestion and repaired:
        report.spec = spec = spec.with_mapping(suggestion.mapping)
        report.problems.append(Finding("info", suggestion.kind, f"Repaired (label_map=auto): {suggestion.seen}"))
        report.surveys = surveys = _surveys(DoctorReport(spec, {}))
    elif suggestion:
        text = f"'{spec.title}': {suggestion.seen} {suggestion.remedy}"
        report.problems.append(Finding("error", suggestion.kind, text))
        report.repair |= {"label_mapping": {**spec.mapping, **suggestion.mapping}} if suggestion.is_sure else {}
    elif threshold:
        report.problems.append(Finding("error", "grey levels", threshold.text))
        report.repair |= threshold.keys
    elif not report.repair and (copies := suggest_copies(spec, surveys)):
        report.problems.append(Finding("info", "ids in colour channels", copies.text))
        report.repair, report.copies = dict(copies.keys), True
    report.suggested_label_map = suggestion.mapping if suggestion and suggestion.is_sure else None
    explained = bool(suggestion or threshold)
    kinds = threshold.explains if threshold else {OUT_OF_RANGE} if suggestion else set()
    report.problems += file_findings(spec, surveys, explained=kinds)
    report.problems += class_findings(spec, surveys, explained=explained and not repaired)
    report.problems += split_findings(surveys)
    report.problems += shared_label_findings(surveys)
    report.problems += orphan_findings(spec, surveys)
    report.problems.sort(key=lambda finding: ("error", "warning", "info").index(finding.severity))
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


def _surveys(report: DoctorReport) -> dict[str, Survey]:
    """Look at both splits; one that is missing or has no label is a finding."""
    surveys = {}
    unlabelled: dict[str, list[Path]] = {}
    for split in ("train", "val"):
        try:
            surveys[split] = survey(report.spec, split)
        except UnlabelledSplit as error:
            unlabelled |= error.images
        except DatasetError as error:
            report.problems.append(Finding("error", "missing split", str(error)))
    if unlabelled:
        absence = UnlabelledSplit(report.spec, unlabelled)
        report.problems.append(Finding("error", "no labels", str(absence)))
        report.repair |= absence.rules[0].keys if absence.rules and report.spec.file else {}
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
