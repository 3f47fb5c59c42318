"""The proof of an export: the artefact, run by its own backend, against the network it was made from."""

from __future__ import annotations

import json
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

UNLABELLED_INT8 = 0.9
"""Equal pixels asked of a quantised artefact without labels: good ones move borders, which costs nothing on labels."""

MIN_IMAGES = 16
"""Images a comparison of pixels needs to mean something."""


class Comparison(Protocol):
    """A task's way to compare an artefact's answers with the network's."""

    def update(self, batch: Mapping[str, Any], expected: Any, answer: Sequence[np.ndarray]) -> None:
        """Compare one batch; `expected` is what the network made of it."""

    def figures(self) -> dict[str, float]:
        """Return the figures by name; `equal_pixels` and, where there are labels, `miou_drop` decide."""


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
        milliseconds: per image, the smallest of the runs: "prepare" (pixels to the artefact's input), "artefact" and
            "torch"; with quantisation also its rival, "fp16" or "fp32".
        megabytes: size of the artefact and of its rival.
        calibration: what a quantised artefact was calibrated on.
        kept: layers that a quantised artefact has in higher precision.
        candidates: what was tried, each with the layers "kept" and the mIoU "drop" in points.
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
    milliseconds: dict[str, float] = field(default_factory=dict)
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

    @property
    def drop(self) -> float:
        """Points of mIoU that are lost: on labels, or without them with the network as the truth."""
        lost = self.figures["miou_drop"] if "miou_drop" in self.figures else 1 - self.figures["miou_with_network"]
        return 100 * lost

    def save(self, path: Path) -> None:
        """Write the report as JSON."""
        write_atomic(path, json.dumps(asdict(self), indent=1, ensure_ascii=False).encode())

    def text(self) -> str:
        """Say it in a line or two."""
        if self.passed is None:
            checked = ", ".join(f"{name}: {value}" for name, value in self.checks.items()) or "nothing"
            return f"numerics not checked here: {self.reason} Checked on the file: {checked}."
        figures = ", ".join(f"{name} {_shown(name, value)}" for name, value in self.figures.items())
        speed = ", ".join(f"{name} {value:.1f} ms" for name, value in self.milliseconds.items())
        verdict = "passed" if self.passed else "FAILED"
        kept = f"; in higher precision: {', '.join(self.kept)}" if self.kept else ""
        return (
            f"parity {verdict} ({self.gate}) on {self.images} images of {self.data}: {figures}; per image {speed}{kept}"
        )


def _shown(name: str, value: float) -> str:
    return f"{value:.3g}" if "error" in name else f"{100 * value:.3f} %"


def compare(
    backend: Backend,
    network: Callable[[Any], Any],
    batches: Iterable[Mapping[str, Any]],
    comparison: Comparison,
) -> tuple[int, dict[str, float]]:
    """Run the artefact and the network on the same images.

    Args:
        backend: the artefact.
        network: float32 tensor (B, C, H, W) to what the comparison expects.
        batches: batches with uint8 images (B, C, H, W) as "img", and what the comparison wants to know besides.
        comparison: takes both answers.

    Returns:
        Images compared, and milliseconds per image: see `Report`.
    """
    count, watch = 0, _Watch()
    for batch in batches:
        images = batch["img"].float().div(255)
        inputs = watch("prepare", len(images), _inputs, batch, backend.metadata)
        answer = watch("artefact", len(images), backend.infer, inputs)
        expected = watch("torch", len(images), network, images)
        comparison.update(batch, expected, answer)
        count += len(images)
    return count, watch.milliseconds


def race(backends: Mapping[str, Backend], batches: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Run artefacts in turn on the same images, so that what else the machine does hits all alike.

    Args:
        backends: artefacts by name.
        batches: see `compare`.

    Returns:
        Milliseconds per image, the smallest of the runs.
    """
    watch = _Watch()
    for batch in batches:
        for name, backend in backends.items():
            inputs = _inputs(batch, backend.metadata)
            watch(name, len(batch["img"]), backend.infer, inputs)
    return watch.milliseconds


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


class _Watch:
    """Notes the smallest time per image that a call took."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    def __call__(self, name: str, images: int, function: Callable[..., Any], *arguments: Any) -> Any:
        begin = time.perf_counter()
        result = function(*arguments)
        taken = 1000 * (time.perf_counter() - begin) / images
        self.milliseconds[name] = min(self.milliseconds.get(name, taken), taken)
        return result


def _inputs(batch: Mapping[str, Any], metadata: ModelMetadata) -> np.ndarray:
    if metadata.pipeline:
        return np.ascontiguousarray(batch["img"].permute(0, 2, 3, 1).numpy())
    return np.ascontiguousarray(batch["img"].float().div(255).numpy())


def judge(report: Report, row: Format) -> None:
    """Compare the figures with the row's gate: equal pixels, or of quantised artefacts the mIoU they lose."""
    wanted = row.agreement.get(report.bits)
    if wanted is not None:
        report.gate = f"equal pixels >= {100 * wanted:.1f} %"
        report.passed = report.figures["equal_pixels"] >= wanted
    elif "miou_drop" in report.figures:
        report.gate = f"mIoU drop <= {row.drop:.1f} points"
        report.passed = report.drop <= row.drop
    else:
        report.gate = f"equal pixels >= {100 * UNLABELLED_INT8:.0f} %, as there are no labels of these classes"
        report.passed = report.figures["equal_pixels"] >= UNLABELLED_INT8


def machine_facts() -> dict[str, str]:
    """Name the machine that a comparison ran on."""
    return {
        "machine": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "python": platform.python_version(),
    }
