"""The benchmark itself: which formats, in which folder, what is known already, and a row for each format.

A row is on disk as soon as it is known, so a benchmark that was stopped goes on where it was.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import torch

from ultralytics.benchmark.table import STATE, BenchmarkRow, BenchmarkTable
from ultralytics.cfg import OPTIONS, Config
from ultralytics.data.description.classes import match_classes
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.deploy import FORMATS, Format, get_format
from ultralytics.deploy.sandbox.confinement import end_process, ending
from ultralytics.deploy.verify import machine_facts
from ultralytics.engine.run_folder import run_folder
from ultralytics.errors import ConfigError, MissingFile
from ultralytics.model import YOLO
from ultralytics.nn.checkpoint import load_checkpoint
from ultralytics.utils import LOGGER
from ultralytics.utils.checks import check_imgsz
from ultralytics.utils.env import ROOT
from ultralytics.utils.files import disk_size, reserve_folder
from ultralytics.version import __version__

TIME_LIMIT = 3600.0
"""Seconds a row may take: its export and its measurement together."""

_PROGRAM = "ultralytics.benchmark.steps"
_OF_THE_RUN = frozenset(
    {"model", "task", "mode", "data", "imgsz", "device", "project", "name", "save_dir", "exist_ok", "verbose", "debug"}
    | {"cfg", "format", "formats", "fraction", "rect", "resume"}
)
"""Options of the benchmark that the steps of a row are told otherwise, or not at all."""


def benchmark(
    model: YOLO,
    config: Config,
    given: Iterable[str],
    *,
    formats: str | Sequence[str] | None = None,
    time_limit: float = TIME_LIMIT,
) -> BenchmarkTable:
    """Export a model to formats, and measure each.

    Args:
        model: a network; artefacts cannot be exported.
        config: the options. `fraction` is the share of the validation images on which the mIoU is measured.
        given: names of the options that the user gave.
        formats: words of formats, or one text with commas; empty for all that can be made and run here, and with
            toolchain=auto for all that can be made and run here once their packages were fetched.
        time_limit: seconds that a row may take.

    Raises:
        ConfigError: a format is unknown, the dataset has other classes, or the folder holds another benchmark.
        MissingFile: there is no benchmark to resume.
    """
    rows = choose_formats(formats, config.toolchain, config.quantize)
    match_classes(DatasetSpec.load(str(config.data)), model.names, remap=config.cls_remap, classes=config.classes)
    config = config.replace(imgsz=list(check_imgsz(config.imgsz, stride=int(max(model.model.stride)))))
    found = BenchmarkTable.load(find_folder(config, model.task))
    found.settings = _same_settings(found, _settings(model, config, given))
    found.folder.mkdir(parents=True, exist_ok=True)
    weights = _keep_weights(model, found.folder)
    done = {row.format: row for row in found.rows}
    say = LOGGER.info if config.verbose else LOGGER.debug
    say(f"Benchmark of {', '.join(row.title for row in rows)} in {found.folder}")
    for row in rows:
        if row.name in done and not done[row.name].error:
            say(f"{row.title}: measured before")
            continue
        done[row.name] = _measured(row, weights, config, set(given), time_limit)
        found.rows = [done[known.name] for known in FORMATS if known.name in done]
        found.save()
        say(f"{row.title}: {'failed' if done[row.name].error else 'measured'}")
    say(f"{found}\nResults in {found.folder}")
    return found


def choose_formats(
    formats: str | Sequence[str] | None, toolchain: str = "never", bits: int | str | None = None
) -> list[Format]:
    """Find the formats of a benchmark: see `benchmark`; unless named, those that lack a precision are left out."""
    if formats:
        words = formats.split(",") if isinstance(formats, str) else formats
        return list({row.name: row for row in (get_format(word.strip(), FORMATS) for word in words)}.values())
    fits = [row for row in FORMATS if bits is None or not row.module or bits in row.bits]
    return [row for row in fits if _is_possible(row, fetches=toolchain == "auto")]


def _is_possible(row: Format, *, fetches: bool) -> bool:
    """Tell whether a format, and those it is made from, can be made here, and it can be run."""
    if row.run is None or (row.platforms and sys.platform not in row.platforms):
        return False
    if row.device != "cpu" and not torch.cuda.is_available():
        return False
    chain = [row]
    while chain[-1].via is not None:
        chain.append(get_format(chain[-1].via, FORMATS))
    packages = [row.run, *(link.convert for link in chain)]
    return all(part.here or (fetches and bool(part.pins)) for part in packages)


def find_folder(config: Config, task: str) -> Path:
    """Choose the folder: a new one, or that of the benchmark to go on with; it is there afterwards."""
    if isinstance(config.resume, str):
        if not (Path(config.resume) / STATE).is_file():
            raise MissingFile(f"'{config.resume}' holds no benchmark to resume. Name the folder that has a {STATE}.")
        return Path(config.resume)
    wanted = run_folder(config, task, "benchmark")
    if config.save_dir or config.exist_ok:
        return wanted
    runs = [wanted, *wanted.parent.glob(f"{glob.escape(wanted.name)}-*")] if config.resume else []
    states = [run / STATE for run in runs if (run / STATE).is_file()]
    return max(states, key=lambda state: state.stat().st_mtime).parent if states else reserve_folder(wanted)


def _settings(model: YOLO, config: Config, given: Iterable[str]) -> dict[str, Any]:
    """Name everything that a figure depends on."""
    facts = machine_facts()
    return {
        "model": model.model_name,
        "weights": _digest(model.model.state_dict()),
        "data": str(config.data),
        "imgsz": config.imgsz,
        "fraction": config.fraction,
        "device": config.device or "cpu",
        "threads": torch.get_num_threads(),
        **{name: getattr(config, name) for name in sorted({*_exporting(given), *_running(given)} - {"toolchain"})},
        "version": __version__,
        "torch": torch.__version__,
        "machine": facts["machine"],
        "cpu": facts["cpu"],
    }


def _same_settings(found: BenchmarkTable, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings if the rows that are there were measured with them, too."""
    before = {**found.settings, "model": settings["model"]}  # the file may have moved
    if found.rows and before != settings:
        names = sorted(name for name in before.keys() | settings.keys() if before.get(name) != settings.get(name))
        changed = ", ".join(f"{name}={before.get(name)}, now {settings.get(name)}" for name in names)
        raise ConfigError(f"'{found.folder}' holds another benchmark: {changed}. Choose another folder.")
    return settings


def _exporting(given: Iterable[str]) -> list[str]:
    """Of the options given, those that an export understands; `conf` is that of what is predicted and measured."""
    return [name for name in given if name not in _OF_THE_RUN | {"conf"} and "export" in OPTIONS[name].modes]


def _running(given: Iterable[str]) -> list[str]:
    """Of the options given, those that prediction and validation understand."""
    return [name for name in given if name not in _OF_THE_RUN and {"val", "predict"} <= {*OPTIONS[name].modes}]


def _digest(weights: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in weights.items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _keep_weights(model: YOLO, folder: Path) -> Path:
    """Put the model into the folder, so that the artefacts come to lie there: its file, or what it is by now."""
    source = Path(model.ckpt_path or model.model_name)
    target = folder / f"{source.stem}.pt"
    unchanged = source.suffix == ".pt" and source.is_file()
    if unchanged and _digest(load_checkpoint(source).state_dict) == _digest(model.model.state_dict()):
        if not (target.exists() and target.samefile(source)):
            shutil.copyfile(source, target)
    else:
        model.save(target)
    return target


def _measured(row: Format, weights: Path, config: Config, given: set[str], time_limit: float) -> BenchmarkRow:
    """Make and measure one format; whatever happens, there is a row."""
    options = {name: getattr(config, name) for name in _exporting(given)}
    common = {"data": config.data, "imgsz": config.imgsz, "device": config.device or row.device}
    running = {**common, **{name: getattr(config, name) for name in _running(given)}}
    ends = time.monotonic() + time_limit
    facts: dict[str, Any] = {"format": row.name, "title": row.title}
    artefact = weights
    try:
        with (weights.parent / f"{row.name}.log").open("wb") as log:
            if row.module:
                made = run_step(log, ends, "export", str(weights), {**common, **options, "format": row.name})
                artefact = Path(made.pop("artefact"))
                facts |= made
            facts["size"] = disk_size(artefact) / 1e6
            facts |= run_step(log, ends, "measure", str(artefact), running, config.fraction, torch.get_num_threads())
    except StepFailed as error:
        facts["error"] = str(error)
        for scratch in weights.parent.glob(f".{glob.escape(weights.stem)}-export-*"):  # of an export that was ended
            shutil.rmtree(scratch, ignore_errors=True)
    return BenchmarkRow(**facts)


# A process of its own


class StepFailed(Exception):
    """A step of a row failed; the message is its error, in a line."""


def run_step(log: IO[bytes], ends: float, step: str, *arguments: Any) -> dict[str, Any]:
    """Run a step in a process of its own and return its answer.

    Args:
        log: file that gets what the process says.
        ends: when it is stopped, on the monotonic clock.
        step: word of the step.
        *arguments: of its function.

    Raises:
        StepFailed: it raised an error, died, or took too long.
    """
    path = os.environ.get("PYTHONPATH")
    with tempfile.TemporaryDirectory(prefix="ultralytics-", ignore_cleanup_errors=True) as scratch:
        answer = Path(scratch) / "answer.json"
        process = subprocess.Popen(
            [sys.executable, "-m", _PROGRAM, str(answer), step, json.dumps(arguments)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT.parent), path]))},
            stdin=subprocess.PIPE,  # nothing is written to it: its end tells the step that this process is gone
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            fate = ending(process.wait(max(ends - time.monotonic(), 0.0)))
        except subprocess.TimeoutExpired:
            fate = "took longer than the time limit"
        finally:
            end_process(process)
            if process.stdin is not None:
                process.stdin.close()
        # An answer counts however the process ended: some runtimes crash when they are taken down.
        found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8")) if answer.is_file() else {}
    if not found:
        raise StepFailed(f"{step}: the process {fate}; {Path(log.name).name} holds its last words")
    if "error" in found:
        raise StepFailed(f"{step}: {found['error']}")
    return found
