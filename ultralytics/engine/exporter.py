"""Exporting: convert in a scratch folder, prove against the network, and only then put the artefact in its place."""

from __future__ import annotations

import datetime
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ultralytics.cfg import Config
from ultralytics.deploy import FORMATS, Format, get_format
from ultralytics.deploy.base import PROBE_INPUTS, ExportJob
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.options import ExportOptions, check_given, check_values
from ultralytics.deploy.outputs import OutputKind, choose_output
from ultralytics.deploy.sandbox.toolchain import run_job
from ultralytics.deploy.verify import Report, latency
from ultralytics.engine.events import CallbackList
from ultralytics.engine.export.autopilot import Attempt, advice, layer_readers, layer_sensitivity, spare_worst_layers
from ultralytics.engine.export.delivery import deliver, scratch_folder
from ultralytics.engine.export.proof import Prover, reference_network
from ultralytics.errors import ConfigError, ExportError, MissingDependency, RuntimeUnavailable, UltralyticsError
from ultralytics.nn.checkpoint import Checkpoint, save_checkpoint
from ultralytics.utils import LOGGER
from ultralytics.utils.checks import check_imgsz
from ultralytics.utils.files import disk_size, sha256
from ultralytics.utils.side_effects import preserve_process_state

if TYPE_CHECKING:
    from ultralytics.tasks.spec import TaskSpec

CALIBRATION_IMAGES = 64
SENSITIVITY_IMAGES = 8
"""Calibration images that tell which layers suffer from quantisation."""

_PRECISIONS = {32: "float32", 16: "float16", 8: "int8, float32 outside"}
"""What artefacts of so many bits compute in; a format whose runtime does otherwise says so itself."""

TIME_LIMIT = 3600.0
"""Seconds a converter may take."""


class Exporter:
    """Makes one artefact of a checkpoint.

    Args:
        config: options of the export.
        given: names of the options that the user gave.
        task: row of the model's task.
        checkpoint: the model.
        source: file of the checkpoint; the artefact is put beside it unless `save_dir` says where. None stands for the
            current folder.
        name: stem of the artefact.
        callbacks: user's callbacks.

    Attributes:
        report: how far the artefact can be trusted; None before it was looked at.
        seconds: that it took to "convert", and to "prove" what was made.
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
        checkpoint = task.resolve("prepare")(checkpoint, config)
        height, width = check_imgsz(config.imgsz, stride=max(checkpoint.stride))
        self.args = config.replace(imgsz=[height, width])
        self.given, self.task, self.checkpoint, self.source = given, task, checkpoint, source
        self.callbacks = callbacks or CallbackList()
        self.output = self._output()
        self.options = self._options()
        check_values(self.row, self.options, self.output)
        self.folder = self._folder()
        self.artefact = self.folder / f"{name}{self.row.suffix}"
        self.prove = Prover(self.row, task, checkpoint, self.args, given)
        self.report: Report | None = None
        self.seconds = {"convert": 0.0, "prove": 0.0}

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
        with scratch_folder(self.artefact) as scratch:
            self.weights, self.calibration, self.calibrated_on = scratch / "weights.pt", None, ""
            save_checkpoint(self.weights, self.checkpoint)
            if self.options.bits == 8:
                self.calibration = self._calibrate(scratch / "calibration.npy")
            made = self._attempt(self.options)
            if self.options.bits == 8:
                made = self._improve(made)
            self.report = made.report
            deliver(made.job, made.report, self.row, self.artefact)
        self.seconds["convert"] = time.perf_counter() - begin - self.seconds["prove"]
        seconds = f"{self.seconds['convert']:.1f} s, and {self.seconds['prove']:.1f} s to prove it"
        LOGGER.info(f"{self.row.title}: {self.artefact} ({disk_size(self.artefact) / 1e6:.1f} MB) in {seconds}")
        self.callbacks.run("on_export_end", self)
        return self.artefact

    def _folder(self) -> Path:
        """Choose the folder of the artefact: the one asked for, else beside the checkpoint."""
        if self.args.save_dir:
            folder = Path(self.args.save_dir).absolute()
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(f"save_dir='{folder}' cannot be made: {error.strerror or error}.") from error
            return folder
        beside = Path.cwd() if self.source is None else self.source.parent.absolute()
        return beside if os.access(beside, os.W_OK) else Path.cwd()

    # What to make ---------------------------------------------------------------------------------------------------

    def _output(self) -> OutputKind:
        """Find what the graph returns: what was asked for, or the first kind that the target computes well."""
        row, wanted = self.row, self.args.output
        can = row.can if wanted else row.can - row.costly
        return choose_output(wanted, self.task.resolve("outputs"), can, row.title)

    def _options(self) -> ExportOptions:
        config, row = self.args, self.row
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
            output=self.output.name,
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
            outputs=self.output.tensors,
            pipeline=options.pipeline,
            bits=options.bits,
            precision=_PRECISIONS[options.bits],
            calibration=dict(checkpoint.calibration),
            palette=checkpoint.palette,
            licence=dict(checkpoint.licence),
            source=origin,
            args=options.as_dict(),
            date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        )

    # Converting -----------------------------------------------------------------------------------------------------

    def _attempt(self, options: ExportOptions, *, prove: bool = True) -> Attempt:
        """Make an artefact in a folder of its own and, if asked for, prove it."""
        folder = Path(tempfile.mkdtemp(prefix=f"{self.row.name}-", dir=self.weights.parent))
        job, report = self._convert(self.row, options, self._metadata(options), folder), None
        if prove and self.args.verify:
            with self._proving():
                report = self.prove(job)
            report.calibration = self.calibrated_on
        return Attempt(job=job, report=report)

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
            self.prove.images.write_question(folder / PROBE_INPUTS, self.prove.count(options.bits), options.batch)
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
            raise ExportError(
                f"{row.title}: the converter exited without an error but produced no '{job.artefact.name}'."
            )
        row.resolve("embed")(job.artefact, job.metadata)
        LOGGER.info(f"{row.title}: converted in {time.perf_counter() - begin:.1f} s")
        return job

    def _run(self, row: Format, job: ExportJob) -> ModelMetadata:
        """Convert in this process where the packages are here, else in an environment of their own."""
        if not row.convert.here:
            job.save()
            found = run_job(f"{row.module}:convert", job.folder, row.convert, self.args.toolchain, TIME_LIMIT)
            return ModelMetadata.from_dict(found, where=job.artefact) if found else job.metadata
        try:
            with preserve_process_state():
                made: ModelMetadata | None = row.resolve("convert")(job)
        except UltralyticsError:
            raise
        except Exception as error:
            raise ExportError(f"{row.title} could not be made: {type(error).__name__}: {error}") from error
        return made or job.metadata

    def _calibrate(self, path: Path) -> Path:
        images = self.prove.images
        count = images.write_calibration(path, CALIBRATION_IMAGES, self.args.fraction, self.options.batch)
        self.calibrated_on = f"{count} images of {self.args.data} (train)"
        LOGGER.info(f"{self.row.title}: calibrated on {self.calibrated_on}")
        return path

    # Quantising -----------------------------------------------------------------------------------------------------

    def _improve(self, made: Attempt) -> Attempt:
        """Keep layers out of a quantisation that costs too much, and tell whether it pays."""
        if made.report is not None and made.report.passed is False and self.row.keeps:
            network = reference_network(made.job)
            ranking = layer_sensitivity(network, _sample(made.job), self.task.resolve("comparison").divergence)
            made = spare_worst_layers(
                made, ranking, layer_readers(network), lambda kept: self._attempt(replace(self.options, keep=kept))
            )
        if made.report is not None and made.report.passed:
            self._race(made, made.report)
        return made

    def _race(self, made: Attempt, report: Report) -> None:
        """Compare size and speed with the same format in more bits; which of those is faster depends on the machine."""
        rivals = [bits for bits in self.row.bits if bits > 8]
        if not rivals or "artefact" not in report.milliseconds:
            return
        jobs = {"artefact": made.job}
        try:
            with self._proving():
                for bits in rivals:
                    jobs[f"fp{bits}"] = self._attempt(replace(self.options, bits=bits), prove=False).job
                report.milliseconds |= self.prove.race(jobs)
        except (ExportError, RuntimeUnavailable, MissingDependency) as error:
            LOGGER.warning(f"{self.row.title}: not compared with more bits: {error}")
            return
        report.megabytes = {name: disk_size(job.artefact) / 1e6 for name, job in jobs.items()}
        report.advice = advice(report.milliseconds, report.megabytes)
        split = ", ".join(latency(name, report.milliseconds[name]) for name in jobs)
        LOGGER.info(f"{self.row.title}: {report.advice}; per image {split}")

    @contextmanager
    def _proving(self) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds["prove"] += time.perf_counter() - begin


def _sample(job: ExportJob) -> Iterator[Tensor]:
    """Yield a few of the calibration images."""
    count = max(SENSITIVITY_IMAGES // job.options.batch, 1)
    yield from map(torch.from_numpy, itertools.islice(job.calibration_images(), count))
