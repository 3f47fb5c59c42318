"""Delivery: what was made in a scratch folder takes its place in one step, or nothing changes."""

from __future__ import annotations

import glob
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ultralytics.deploy import Format
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.verify import Report
from ultralytics.errors import ExportError


@contextmanager
def scratch_folder(artefact: Path) -> Iterator[Path]:
    """Give a folder beside an artefact, so that delivery is a rename, and take it away whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix=f".{artefact.stem}-export-", dir=artefact.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def deliver(job: ExportJob, report: Report | None, row: Format, target: Path) -> None:
    """Put an artefact in its place, with its figures inside and its report beside it.

    Args:
        job: made the artefact.
        report: what the artefact answers; None if nobody asked.
        row: its format.
        target: its place.

    Raises:
        ExportError: it answers differently than the network; it is kept under a name that says so.
    """
    if report is not None and report.passed is False:
        _refuse(job, report, row, target)
    if report is not None and report.passed is not None:
        row.resolve("embed")(job.artefact, replace(job.metadata, parity=report.figures))
    _place(job, target)
    _report_file(target).unlink(missing_ok=True)  # it was of what lay here before
    if report is not None:
        report.save(_report_file(target))


def _refuse(job: ExportJob, report: Report, row: Format, target: Path) -> None:
    kept = target.with_name(f"{target.name.removesuffix(row.suffix)}-failed{row.suffix}")
    _place(job, kept)
    report.save(_report_file(kept))
    raise ExportError(
        f"{row.title} answers differently than the network: {report.text()}. It was kept as '{kept}'. "
        "verify=False delivers it all the same."
    )


def _report_file(artefact: Path) -> Path:
    return artefact.with_name(f"{artefact.name}.report.json")


def _place(job: ExportJob, target: Path) -> None:
    """Put an artefact in its place, with what lies beside it: its metadata, or a script that runs it."""
    _replace(job.artefact, target)
    for extra in job.folder.glob(f"{glob.escape(job.artefact.name)}.*"):
        _replace(extra, target.with_name(target.name + extra.name.removeprefix(job.artefact.name)))


def _replace(made: Path, target: Path) -> None:
    """Put a file or folder in its place; what lay there is gone only when the new one is there."""
    if target.is_dir():  # which nothing can replace, unless it is empty
        target.rename(made.parent / "replaced")
    made.replace(target)
