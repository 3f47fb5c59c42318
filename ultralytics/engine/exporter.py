"""Exporting: convert in a scratch folder, prove against the network, and only then put the artefact in its place."""

from __future__ import annotations

import datetime
import glob
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ultralytics.cfg import Config
from ultralytics.deploy import FORMATS, Format, get_format
from ultralytics.deploy.base import ANSWER_FILE, QUESTION_FILE, Backend, ExportJob
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.options import ExportOptions, check_given, check_values
from ultralytics.deploy.runtime import open_backend
from ultralytics.deploy.toolchain import run_job
from ultralytics.deploy.verify import MIN_IMAGES, Report, Simulation, compare, judge, machine_facts, race
from ultralytics.engine.autopilot import Attempt, advice, layer_sensitivity, spare_worst_layers
from ultralytics.engine.events import CallbackList
from ultralytics.engine.proof import ProofImages
from ultralytics.errors import ConfigError, ExportError, MissingDependency, RuntimeUnavailable, UltralyticsError
from ultralytics.nn.checkpoint import Checkpoint, save_checkpoint
from ultralytics.utils import LOGGER
from ultralytics.utils.checks import check_imgsz
from ultralytics.utils.files import sha256
from ultralytics.utils.torch_utils import select_device

if TYPE_CHECKING:
    from ultralytics.tasks.spec import TaskSpec

CALIBRATION_IMAGES = 64
INT8_IMAGES = 128
"""Labelled images, at most, on which a quantised artefact's mIoU is compared."""

SENSITIVITY_IMAGES = 8
"""Calibration images that tell which layers suffer from quantisation."""

TIME_LIMIT = 3600.0
"""Seconds a converter may take."""


class Exporter:
    """Makes one artefact of a checkpoint.

    Args:
        config: options of the export.
        given: names of the options that the user gave.
        task: row of the model's task.
        checkpoint: the model.
        source: file of the checkpoint; the artefact is put beside it. None puts it into the current folder.
        name: stem of the artefact.
        callbacks: user's callbacks.

    Attributes:
        report: how far the artefact can be trusted; None before it was looked at.
    """

    def __init__(
        self,
        config: Config,
        given: set[str],
        task: TaskSpec,
        checkpoint: Checkpoint,
        *,
        source: Path | None,
        name: str,
        callbacks: CallbackList | None = None,
    ) -> None:
        self.row = get_format(config.format, FORMATS)
        check_given(self.row, given)
        height, width = check_imgsz(config.imgsz, stride=max(checkpoint.stride))
        self.args = config.replace(imgsz=[height, width])
        self.given, self.task, self.checkpoint, self.source = given, task, checkpoint, source
        self.callbacks = callbacks or CallbackList()
        self.options = self._options()
        check_values(self.row, self.options)
        beside = Path.cwd() if source is None else source.parent.absolute()  # a converter works in another folder
        self.folder = beside if os.access(beside, os.W_OK) else Path.cwd()
        self.artefact = self.folder / f"{name}{self.row.suffix}"
        self.report: Report | None = None
        self._images: ProofImages | None = None

    def __call__(self) -> Path:
        """Convert, prove, deliver.

        Returns:
            The artefact; its report lies beside it as `<artefact>.report.json`.

        Raises:
            ConfigError: an option means nothing for the format, or a value is not possible.
            MissingDependency: the converter is not here and must not be fetched.
            ExportError: the conversion failed, or the artefact answers differently than the network.
        """
        self.callbacks.run("on_export_start", self)
        begin = time.perf_counter()
        with self._scratch() as scratch:
            self.weights, self.calibration, self.calibrated_on = scratch / "weights.pt", None, ""
            save_checkpoint(self.weights, self.checkpoint)
            if self.options.bits == 8:
                self.calibration = self._calibrate(scratch / "calibration.npy")
            made = self._attempt(self.options)
            if self.options.bits == 8:
                made = self._improve(made)
            self.report = made.report
            if made.report is not None and made.report.passed is False:
                self._refuse(made.job, made.report)
            self._deliver(made.job, made.report)
        seconds = time.perf_counter() - begin
        LOGGER.info(f"{self.row.title}: {self.artefact} ({_megabytes(self.artefact):.1f} MB) in {seconds:.1f} s")
        self.callbacks.run("on_export_end", self)
        return self.artefact

    # What to make ---------------------------------------------------------------------------------------------------

    def _options(self) -> ExportOptions:
        config, row = self.args, self.row
        output = config.output if "output" in self.given or config.output in row.outputs else row.outputs[0]
        if isinstance(config.quantize, str):
            raise ConfigError(f"quantize={config.quantize} is not made here. Allowed for {row.title}: {row.bits}.")
        if not isinstance(config.batch, int) or config.batch < 1:
            raise ConfigError(f"batch={config.batch} is no size for an artefact: give a whole number of at least 1.")
        return ExportOptions(
            imgsz=(config.imgsz[0], config.imgsz[1]),  # type: ignore[index]
            batch=config.batch,
            bits=config.quantize or row.bits[0],
            dynamic=config.dynamic,
            simplify=config.simplify,
            opset=config.opset,
            output=output,
            pipeline=config.pipeline,
            workspace=config.workspace,
            optimize=config.optimize,
            target=config.name or "" if "name" in row.options else "",
        )

    def _metadata(self, options: ExportOptions) -> ModelMetadata:
        checkpoint = self.checkpoint
        origin = {"sha256": sha256(self.weights)}
        if self.source is not None and self.source.is_file():
            origin = {"name": self.source.name, "sha256": sha256(self.source)}
        return ModelMetadata(
            task=self.task.name,
            names=dict(checkpoint.names),
            stride=max(checkpoint.stride),
            imgsz=options.imgsz,
            batch=options.batch,
            channels=checkpoint.ch,
            dynamic=options.dynamic,
            output=options.output,
            pipeline=options.pipeline,
            bits=options.bits,
            calibration=dict(checkpoint.calibration),
            palette=checkpoint.palette,
            licence=dict(checkpoint.licence),
            source=origin,
            args=options.as_dict(),
            date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        )

    # Converting -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """Give a folder beside the artefact, so that the last step is a rename, and take it away whatever happens."""
        folder = Path(tempfile.mkdtemp(prefix=f".{self.artefact.stem}-export-", dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _attempt(self, options: ExportOptions, *, prove: bool = True) -> Attempt:
        """Make an artefact in a folder of its own and, if asked for, prove it."""
        folder = Path(tempfile.mkdtemp(prefix=f"{self.row.name}-", dir=self.weights.parent))
        job = self._convert(self.row, options, self._metadata(options), folder)
        return Attempt(job=job, report=self._prove(job) if prove and self.args.verify else None)

    def _convert(self, row: Format, options: ExportOptions, metadata: ModelMetadata, folder: Path) -> ExportJob:
        """Make an artefact, after the intermediate ones it is made from."""
        source = None
        if row.via is not None:
            via = get_format(row.via, FORMATS)
            bits = options.bits if options.bits in row.via_bits else 32
            wanted = replace(options, **{"bits": bits, "target": "", **row.via_options})
            source = self._convert(via, wanted, metadata, folder / via.name).artefact
        folder.mkdir(parents=True, exist_ok=True)
        if row is self.row and row.run is None and self.args.verify:  # its toolkit may answer while it converts
            self.images.write_question(folder / QUESTION_FILE, self._count(), options.batch)
        job = ExportJob(
            folder=folder,
            artefact=folder / f"{self.artefact.name.removesuffix(self.row.suffix)}{row.suffix}",
            options=options,
            metadata=metadata,
            weights=self.weights,
            graph=self.task.graph,
            source=source,
            calibration=self.calibration if options.bits == 8 else None,
        )
        begin = time.perf_counter()
        job = replace(job, metadata=self._run(row, job))
        if not job.artefact.exists():
            raise ExportError(f"{row.title}: the converter said nothing, but made no '{job.artefact.name}'.")
        row.resolve("embed")(job.artefact, job.metadata)
        LOGGER.info(f"{row.title}: converted in {time.perf_counter() - begin:.1f} s")
        return job

    def _run(self, row: Format, job: ExportJob) -> ModelMetadata:
        """Convert in this process where the packages are here, else in an environment of their own."""
        if not row.convert.here:
            job.save()
            found = run_job(f"{row.module}:convert", job.folder, row.convert, self.args.toolchain, TIME_LIMIT)
            return ModelMetadata.from_dict(found, where=job.artefact) if found else job.metadata
        before = Path.cwd()
        try:
            made: ModelMetadata | None = row.resolve("convert")(job)
        except UltralyticsError:
            raise
        except Exception as error:
            raise ExportError(f"{row.title} could not be made: {type(error).__name__}: {error}") from error
        finally:
            os.chdir(before)
        return made or job.metadata

    def _calibrate(self, path: Path) -> Path:
        count = self.images.write_calibration(path, CALIBRATION_IMAGES, self.args.fraction, self.options.batch)
        self.calibrated_on = f"{count} images of {self.args.data} (train)"
        LOGGER.info(f"{self.row.title}: calibrated on {self.calibrated_on}")
        return path

    @property
    def images(self) -> ProofImages:
        """The images to prove and calibrate with, opened when first needed."""
        if self._images is None:
            validator, checkpoint = self.task.resolve("validator"), self.checkpoint
            self._images = ProofImages.find(
                self.args, validator, checkpoint.names, checkpoint.ch, asked="data" in self.given
            )
        return self._images

    # Proving --------------------------------------------------------------------------------------------------------

    def _prove(self, job: ExportJob) -> Report:
        """Compare the artefact with the network; where nothing here runs it, look at the file."""
        report = Report(
            artefact=self.artefact.name,
            format=self.row.name,
            bits=job.options.bits,
            calibration=self.calibrated_on,
            kept=list(job.options.keep),
            megabytes={"artefact": _megabytes(job.artefact)},
        )
        try:
            backend = self._open(job)
        except (RuntimeUnavailable, MissingDependency) as error:
            report.reason = str(error)
            report.checks = self._inspect(job)
        else:
            with closing(backend):
                self._compare(job, backend, report)
            judge(report, self.row)
        report.runtime = {**machine_facts(), **job.metadata.tools}
        LOGGER.info(f"{self.row.title}: {report.text()}")
        return report

    def _open(self, job: ExportJob) -> Backend:
        """Open an artefact, or what its toolkit answered while it converted."""
        answers = job.folder / ANSWER_FILE
        if answers.is_file():
            return Simulation(answers, metadata=job.metadata)
        return open_backend(
            job.artefact,
            self.row,
            device=str(select_device(self.args.device)) if "device" in self.given else self.row.device,
            threads=torch.get_num_threads(),
            policy=self.args.toolchain,
            runtime=self.args.runtime,
        )

    def _count(self) -> int:
        """Images to prove with: pixels need a few, the mIoU that quantisation costs needs more."""
        if self.options.bits != 8 or self.images.dataset is None:
            return MIN_IMAGES
        return max(MIN_IMAGES, min(len(self.images.dataset), INT8_IMAGES))

    def _compare(self, job: ExportJob, backend: Backend, report: Report) -> None:
        comparison = self.task.resolve("comparison")(backend.metadata, labelled=self.images.labelled)
        with torch.inference_mode():
            batches = self.images.batches(self._count(), self.options.batch)
            report.images, report.milliseconds = compare(backend, self._network(job), batches, comparison)
        report.data, report.figures = self.images.title, comparison.figures()
        if isinstance(backend, Simulation) or self.row.emulated:
            report.reason = "answers of the toolkit's simulator, whose speed says nothing"
            del report.milliseconds["artefact"]

    def _network(self, job: ExportJob) -> nn.Module:
        """Build the network in single precision, as it answers in training's validation."""
        return replace(job, options=replace(self.options, output="logits_lowres", pipeline=False)).network()

    def _improve(self, made: Attempt) -> Attempt:
        """Keep layers out of a quantisation that costs too much, and tell whether it pays."""
        if made.report is not None and made.report.passed is False and self.row.keeps:
            made = spare_worst_layers(
                made,
                lambda: layer_sensitivity(self._network(made.job), _sample(made.job)),
                lambda kept: self._attempt(replace(self.options, keep=kept)),
            )
        if made.report is not None and made.report.passed:
            self._race(made, made.report)
        return made

    def _race(self, made: Attempt, report: Report) -> None:
        """Compare size and speed with the same format in more bits."""
        bits = next((bits for bits in (16, 32) if bits in self.row.bits), None)
        if bits is None or "artefact" not in report.milliseconds:
            return
        name = f"fp{bits}"
        try:
            rival = self._attempt(replace(self.options, bits=bits), prove=False).job
            with closing(self._open(made.job)) as mine, closing(self._open(rival)) as other:
                batches = self.images.batches(MIN_IMAGES, self.options.batch)
                report.milliseconds |= race({"artefact": mine, name: other}, batches)
        except (ExportError, RuntimeUnavailable, MissingDependency) as error:
            LOGGER.warning(f"{self.row.title}: not compared with {name}: {error}")
            return
        report.megabytes[name] = _megabytes(rival.artefact)
        report.advice = advice(name, report.milliseconds, report.megabytes)
        LOGGER.info(f"{self.row.title}: {report.advice}")

    def _inspect(self, job: ExportJob) -> dict[str, Any]:
        """Check what can be checked on the file itself."""
        checks: dict[str, Any] = {"metadata": bool(job.metadata.names)}
        try:
            inspect: Callable[[Path], Mapping[str, Any]] = self.row.resolve("inspect")
        except AttributeError:
            return checks
        try:
            return {**checks, **inspect(job.artefact)}
        except ImportError as error:
            return {**checks, "operators": f"not read: {error}"}

    # Delivering -----------------------------------------------------------------------------------------------------

    def _refuse(self, job: ExportJob, report: Report) -> None:
        """Keep an artefact that failed under a name that says so."""
        kept = self.artefact.with_name(f"{self.artefact.name.removesuffix(self.row.suffix)}-failed{self.row.suffix}")
        _place(job, kept)
        report.save(_report_file(kept))
        raise ExportError(
            f"{self.row.title} answers differently than the network: {report.text()}. It was kept as '{kept}'. "
            "verify=False delivers it all the same."
        )

    def _deliver(self, job: ExportJob, report: Report | None) -> None:
        if report is not None and report.passed is not None:
            self.row.resolve("embed")(job.artefact, replace(job.metadata, parity=report.figures))
        _place(job, self.artefact)
        _report_file(self.artefact).unlink(missing_ok=True)  # it was of what lay here before
        if report is not None:
            report.save(_report_file(self.artefact))


def _sample(job: ExportJob) -> Iterator[Tensor]:
    """Yield a few of the calibration images."""
    count = max(SENSITIVITY_IMAGES // job.options.batch, 1)
    yield from map(torch.tensor, itertools.islice(job.calibration_images(), count))


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


def _megabytes(path: Path) -> float:
    files = (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files) / 1e6
