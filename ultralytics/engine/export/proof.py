"""Proof: an artefact is compared with the network it was made from or, where nothing runs it, looked at as a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ultralytics.cfg import Config
from ultralytics.deploy import Format
from ultralytics.deploy.base import PROBE_OUTPUTS, Backend, ExportJob
from ultralytics.deploy.outputs import NETWORK_OUTPUT
from ultralytics.deploy.runtime import open_backend, runtime_versions
from ultralytics.deploy.verify import MIN_IMAGES, Report, Runner, Simulation, compare, machine_facts, race
from ultralytics.engine.export.proof_images import ProofImages
from ultralytics.errors import MissingDependency, RuntimeUnavailable
from ultralytics.nn.checkpoint import Checkpoint
from ultralytics.utils import LOGGER
from ultralytics.utils.files import disk_size
from ultralytics.utils.torch_utils import select_device

if TYPE_CHECKING:
    from ultralytics.tasks.spec import TaskSpec

INT8_IMAGES = 128
"""Labelled images, at most, on which a quantised artefact's mIoU is compared."""


class Prover:
    """Proves what one export makes.

    Args:
        row: the format.
        task: row of the model's task.
        checkpoint: the model.
        config: options of the export.
        given: names of the options that the user gave.
    """

    def __init__(self, row: Format, task: TaskSpec, checkpoint: Checkpoint, config: Config, given: set[str]) -> None:
        self.row, self.task, self.checkpoint, self.args, self.given = row, task, checkpoint, config, given

    @cached_property
    def images(self) -> ProofImages:
        """The images to prove and calibrate with, opened when first needed."""
        validator, checkpoint = self.task.resolve("validator"), self.checkpoint
        return ProofImages.find(self.args, validator, checkpoint.names, checkpoint.ch, asked="data" in self.given)

    def count(self, bits: int) -> int:
        """Images to prove with: pixels need a few, the mIoU that quantisation costs needs more."""
        if bits != 8 or self.images.dataset is None:
            return MIN_IMAGES
        return max(MIN_IMAGES, min(len(self.images.dataset), INT8_IMAGES))

    def __call__(self, job: ExportJob) -> Report:
        """Compare an artefact with the network; where nothing here runs it, look at the file."""
        report = Report(
            artefact=job.artefact.name,
            format=self.row.name,
            bits=job.options.bits,
            kept=list(job.options.keep),
            megabytes={"artefact": disk_size(job.artefact) / 1e6},
        )
        try:
            backend = self._open(job)
        except (RuntimeUnavailable, MissingDependency) as error:
            report.reason = str(error)
            report.checks = self._inspect(job)
        else:
            with closing(backend):
                self._compare(job, backend, report)
            report.runtime = {"precision": job.metadata.precision, **runtime_versions(self.row, backend)}
        report.runtime = {**machine_facts(), **job.metadata.tools, **report.runtime}
        LOGGER.info(f"{self.row.title}: {report.text()}")
        return report

    def race(self, jobs: Mapping[str, ExportJob]) -> dict[str, dict[str, float]]:
        """Let artefacts take turns.

        Args:
            jobs: made the artefacts, by the names that the times are to have; batches are alike.

        Returns:
            See `Report.milliseconds`.

        Raises:
            RuntimeUnavailable: one does not run here.
            MissingDependency: what runs it is not here.
        """
        with ExitStack() as opened, torch.inference_mode():
            backends = {name: opened.enter_context(closing(self._open(job))) for name, job in jobs.items()}
            runners = {name: Runner.of_artefact(one, self._comparison(one)) for name, one in backends.items()}
            return race(runners, self.images.batches(MIN_IMAGES, next(iter(jobs.values())).options.batch))

    def _open(self, job: ExportJob) -> Backend:
        """Open an artefact, or what its toolkit answered while it converted."""
        answers = job.folder / PROBE_OUTPUTS
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

    def _comparison(self, backend: Backend) -> Any:
        return self.task.resolve("comparison")(backend.metadata, labelled=self.images.labelled)

    def _compare(self, job: ExportJob, backend: Backend, report: Report) -> None:
        comparison = self._comparison(backend)
        network = reference_network(job).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with torch.inference_mode():
            batches = self.images.batches(self.count(job.options.bits), job.options.batch)
            report.images, report.milliseconds = compare(backend, network, batches, comparison)
        report.data = self.images.title
        report.judge(comparison, self.row)
        if isinstance(backend, Simulation) or self.row.emulated:
            report.reason = "answers of the toolkit's simulator, whose speed says nothing"
            del report.milliseconds["artefact"]

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


def reference_network(job: ExportJob) -> nn.Module:
    """Build the network of a job in single precision, returning what it makes itself."""
    return replace(job, options=replace(job.options, output=NETWORK_OUTPUT, pipeline=False)).network()
