"""The proof of an export: the artefact, run by its own backend, against the network it was made from."""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ultralytics.deploy.base import Backend
from ultralytics.deploy.format import Format
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.utils.env import cpu_name
from ultralytics.utils.files import write_atomic

MIN_IMAGES = 16
"""Images a comparison of pixels needs to mean something."""

PHASES = ("preprocess", "inference", "postprocess")
"""What a program does with an image at the input's size: pixels to input, input to outputs, outputs to result."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a format's row allows an artefact of one precision.

    Attributes:
        agreement: share of the answers that must be equal to the network's; None where the score decides.
        drop: points of the task's score that may be lost.
    """

    agreement: float | None
    drop: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A task's judgement of an artefact.

    Attributes:
        passed: whether the artefact may be delivered.
        gate: what was asked for, in words.
        drop: points of the task's score that are lost: on labels, or without them with the network as the truth.
    """

    passed: bool
    gate: str
    drop: float


class Comparison(Protocol):
    """A task's way to compare an artefact with the network; the results of both are of one kind."""

    headline: str
    """The figure that a table shows."""

    @staticmethod
    def divergence(expected: Any, actual: Any) -> float:
        """Measure how far one output of the network moved; 0 where it did not."""

    def read_network(self, outputs: Any, size: tuple[int, int]) -> Any:
        """Make the result for an input of (height, width) of what the network returned."""

    def read_artefact(self, outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Any:
        """Make the result for an input of (height, width) of what the artefact returned."""

    def update(self, batch: Mapping[str, Any], network: tuple[Any, Any], artefact: tuple[Any, Any]) -> None:
        """Compare one batch; of either the outputs and the result."""

    def figures(self) -> dict[str, float]:
        """Return the figures by name, `headline` among them."""

    def judge(self, figures: Mapping[str, float], limits: Limits) -> Verdict:
        """Decide whether the figures meet the limits."""


@dataclass(kw_only=True, slots=True)
class Report:
    """What is known about how far an artefact can be trusted.

    Attributes:
        artefact: its name.
        format: word of the format.
        bits: precision.
        images: images compared; 0 if nothing here runs it.
        data: where they come from.
        figures: see `Comparison`.
        headline: the figure that a table shows.
        drop: see `Verdict`; None if numerics could not be checked.
        milliseconds: per image; of the "artefact", of "torch" and, with quantisation, of the rivals "fp16" and "fp32":
            the phases of its fastest run and their "total". All begin with pixels and end with the task's result.
        megabytes: size of the artefact and of its rivals.
        calibration: what a quantised artefact was calibrated on.
        kept: layers that a quantised artefact has in higher precision.
        candidates: what was tried, each with the layers "kept" and the "drop" in points.
        sensitivity: layers and what quantising them alone does; see `layer_sensitivity`.
        advice: whether quantisation pays on this machine.
        gate: what was asked for, in words.
        passed: whether the gate was met; None if numerics could not be checked.
        checks: what was checked on the file itself.
        runtime: what ran it, with versions.
        reason: why numerics were not checked, or by what if not by what runs it elsewhere; else empty.
    """

    artefact: str
    format: str
    bits: int
    images: int = 0
    data: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    headline: str = ""
    drop: float | None = None
    milliseconds: dict[str, dict[str, float]] = field(default_factory=dict)
    megabytes: dict[str, float] = field(default_factory=dict)
    calibration: str = ""
    kept: list[str] = field(default_factory=list)
    candidates: list[dict[str, Any]] = field(default_factory=list)
    sensitivity: dict[str, float] = field(default_factory=dict)
    advice: str = ""
    gate: str = ""
    passed: bool | None = None
    checks: dict[str, Any] = field(default_factory=dict)
    runtime: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    def judge(self, comparison: Comparison, row: Format) -> None:
        """Take a task's figures, and its verdict on them under the limits of the format's row."""
        self.figures, self.headline = comparison.figures(), comparison.headline
        limits = Limits(agreement=row.agreement.get(self.bits), drop=row.drop)
        verdict = comparison.judge(self.figures, limits)
        self.passed, self.gate, self.drop = verdict.passed, verdict.gate, verdict.drop

    def save(self, path: Path) -> None:
        """Write the report as JSON."""
        write_atomic(path, json.dumps(asdict(self), indent=1, ensure_ascii=False).encode())

    def text(self) -> str:
        """Say it in a line or two."""
        if self.passed is None:
            checked = ", ".join(f"{name}: {value}" for name, value in self.checks.items()) or "nothing"
            return f"numerics not checked here: {self.reason} Checked on the file: {checked}."
        figures = ", ".join(f"{name} {_shown(name, value)}" for name, value in self.figures.items())
        speed = ", ".join(latency(name, phases) for name, phases in self.milliseconds.items())
        verdict = "passed" if self.passed else "FAILED"
        kept = f"; in higher precision: {', '.join(self.kept)}" if self.kept else ""
        return (
            f"parity {verdict} ({self.gate}) on {self.images} images of {self.data}: {figures}; per image {speed}{kept}"
        )


def _shown(name: str, value: float) -> str:
    return f"{value:.3g}" if "error" in name else f"{100 * value:.3f} %"


def latency(name: str, milliseconds: Mapping[str, float]) -> str:
    """Say how long something takes, and which part of it: see `Report.milliseconds`."""
    parts = " + ".join(f"{phase} {milliseconds[phase]:.1f}" for phase in PHASES)
    return f"{name} {milliseconds['total']:.1f} ms ({parts})"


class Runner:
    """Takes images all the way to the task's result, and keeps the times of the fastest run.

    Args:
        preprocess: uint8 images (B, C, H, W), a tensor, to input.
        inference: input to outputs.
        postprocess: outputs and the (height, width) of the images to result.

    Attributes:
        milliseconds: per image; empty before the first run. See `Report`.
    """

    def __init__(
        self,
        preprocess: Callable[[Any], Any],
        inference: Callable[[Any], Any],
        postprocess: Callable[[Any, tuple[int, int]], Any],
    ) -> None:
        self.preprocess, self.inference, self.postprocess = preprocess, inference, postprocess
        self.milliseconds: dict[str, float] = {}

    @classmethod
    def of_artefact(cls, backend: Backend, comparison: Comparison) -> Runner:
        """Run an artefact; a pipeline's input are the pixels themselves."""
        inputs = _pictures if backend.metadata.pipeline else _arrays
        return cls(inputs, backend.infer, comparison.read_artefact)

    @classmethod
    def of_network(cls, network: Callable[[Any], Any], comparison: Comparison) -> Runner:
        """Run the network, which takes float32 tensors (B, C, H, W) in [0, 1]."""
        return cls(lambda images: images.float().div(255), network, comparison.read_network)

    def __call__(self, images: Any) -> tuple[Any, Any]:
        """Return outputs and result."""
        marks = [time.perf_counter()]
        inputs = self.preprocess(images)
        marks.append(time.perf_counter())
        outputs = self.inference(inputs)
        marks.append(time.perf_counter())
        result = self.postprocess(outputs, tuple(images.shape[2:]))
        marks.append(time.perf_counter())
        begins_and_ends = zip(PHASES, marks, marks[1:], strict=False)
        taken = {phase: 1000 * (end - begin) / len(images) for phase, begin, end in begins_and_ends}
        taken["total"] = sum(taken.values())
        if taken["total"] < self.milliseconds.get("total", math.inf):
            self.milliseconds = taken
        return outputs, result


def _arrays(images: Any) -> np.ndarray:
    return np.ascontiguousarray(images.float().div(255).numpy())


def _pictures(images: Any) -> np.ndarray:
    return np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())


def compare(
    backend: Backend,
    network: Callable[[Any], Any],
    batches: Iterable[Mapping[str, Any]],
    comparison: Comparison,
) -> tuple[int, dict[str, dict[str, float]]]:
    """Run the artefact and the network on the same images.

    Args:
        backend: the artefact.
        network: float32 tensor (B, C, H, W) to what the comparison expects.
        batches: batches with uint8 images (B, C, H, W) as "img", and what the comparison wants to know besides.
        comparison: takes both answers.

    Returns:
        Images compared, and the milliseconds of a `Report`.
    """
    count, artefact, torch = 0, Runner.of_artefact(backend, comparison), Runner.of_network(network, comparison)
    for batch in batches:
        comparison.update(batch, torch(batch["img"]), artefact(batch["img"]))
        count += len(batch["img"])
    return count, {"artefact": artefact.milliseconds, "torch": torch.milliseconds}


def race(runners: Mapping[str, Runner], batches: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Let runners take turns on the same images, so that what else the machine does hits all alike.

    Args:
        runners: by name.
        batches: see `compare`.

    Returns:
        The milliseconds of a `Report`, by name.
    """
    for batch in batches:
        for runner in runners.values():
            runner(batch["img"])
    return {name: runner.milliseconds for name, runner in runners.items()}


class Simulation(Backend):
    """Repeats what a toolkit answered while it converted; see `ExportJob`.

    Args:
        path: file of the answers.
        metadata: of the artefact.
    """

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1, metadata: ModelMetadata) -> None:
        self.metadata = metadata
        self.answers = iter(np.load(path, mmap_mode="r"))

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the next answers; the images have to come as they were asked."""
        return (np.stack([next(self.answers) for _ in images]),)


def machine_facts() -> dict[str, str]:
    """Name the machine that a comparison ran on."""
    return {
        "machine": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "python": platform.python_version(),
    }
