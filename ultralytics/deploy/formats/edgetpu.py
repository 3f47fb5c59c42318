"""Edge TPU: a LiteRT file in whole numbers, most of which Google's compiler turned into one operator of the chip.

Written after Coral's documentation (coral.ai/docs/edgetpu: compiler, models-intro, tflite-python), not run here. The
compiler exists for x86-64 Debian and Ubuntu only. The chip takes one image at a time and has neither argmax nor the
matrix products of attention; from the first operator that it lacks on, the compiler leaves the rest to the CPU. How
many operators went where is among the tools' versions in the metadata.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats import litert
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import MissingDependency, ModelError, RuntimeUnavailable
from ultralytics.utils.imports import available

_COMPILER = "edgetpu_compiler"
_OPERATOR = b"edgetpu-custom-op"
"""Name, in the file, of the operator that the chip runs."""

_LIBRARIES = {"linux": "libedgetpu.so.1", "darwin": "libedgetpu.1.dylib", "win32": "edgetpu.dll"}
_INTERPRETERS = ("ai_edge_litert", "tflite_runtime")


def convert(job: ExportJob) -> ModelMetadata:
    """Compile the quantised LiteRT file."""
    if job.source is None:
        raise ValueError("An Edge TPU file is compiled from a LiteRT file, which this job lacks.")
    compiler = shutil.which(_COMPILER)
    if compiler is None:
        raise MissingDependency(
            f"'{_COMPILER}' is needed, Google's compiler for x86-64 Debian and Ubuntu. Install the package "
            "edgetpu-compiler from Coral's own package source: https://coral.ai/docs/edgetpu/compiler"
        )
    stem, folder = job.artefact.name.removesuffix("_edgetpu.tflite"), job.folder / "compiled"
    folder.mkdir()
    plain = job.folder / f"{stem}.tflite"  # the compiler makes the other name of it
    plain.write_bytes(litert.without_metadata(job.source.read_bytes()))
    version = _run([compiler, "--version"], job.folder)
    words = _run([compiler, "--show_operations", "--out_dir", str(folder), str(plain)], job.folder)
    shutil.move(folder / job.artefact.name, job.artefact)
    if _OPERATOR not in job.artefact.read_bytes():
        raise RuntimeError(f"{_COMPILER} left every operator to the CPU:\n{words}")
    return job.metadata.with_tools(**{_COMPILER: version.split()[-1], **operator_counts(words)})


def _run(command: list[str], folder: Path) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    words = (result.stdout + result.stderr).strip()
    if result.returncode or not words:
        last = "\n".join(words.splitlines()[-15:])
        raise RuntimeError(f"{_COMPILER} failed (status {result.returncode}):\n{last}")
    return words


def operator_counts(words: str) -> dict[str, str]:
    """Read from the compiler's words how many operators run where.

    Example:
        >>> operator_counts("Number of operations that will run on Edge TPU: 71")
        {'operators_edge_tpu': '71'}
    """
    counts = re.findall(r"will run on (Edge TPU|CPU): (\d+)", words)
    return {f"operators_{place.lower().replace(' ', '_')}": number for place, number in counts}


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata to the end of the file."""
    litert.write_metadata(artefact, metadata)


class Backend(base.Backend):
    """Runs a compiled file on a Coral device.

    `device` is "cpu" for the first that is found, or Coral's name of one: "usb:0", "pci:1".
    """

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self.metadata = litert.read_metadata(path)
        name = next(filter(available, _INTERPRETERS), None)
        if name is None:
            raise RuntimeUnavailable(
                f"'{path}' runs on a Coral Edge TPU with a LiteRT interpreter (pip install ai-edge-litert) and "
                "Google's Edge TPU runtime (libedgetpu): https://coral.ai/software. Export format=tflite to run on the "
                "CPU."
            )
        module = importlib.import_module(f"{name}.interpreter")
        delegate = _delegate(module, path, device)
        try:
            interpreter = module.Interpreter(str(path), experimental_delegates=[delegate], num_threads=threads)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"'{path}' does not fit the Edge TPU runtime that is installed here, or is damaged: {error}"
            ) from error
        self.runner = litert.Runner(interpreter)

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        return (self.runner(images),)


def _delegate(module: Any, path: Path, device: str) -> Any:
    library = _LIBRARIES.get(sys.platform, _LIBRARIES["linux"])
    try:
        return module.load_delegate(library, {} if device == "cpu" else {"device": device})
    except (OSError, ValueError) as error:
        missing = "the runtime cannot be loaded" if isinstance(error, OSError) else "it finds no such device"
        raise RuntimeUnavailable(
            f"'{path}' needs a Coral Edge TPU (USB, PCIe, M.2 or a Dev Board) and Google's runtime for it ({library}, "
            f"see https://coral.ai/software). Here {missing}: {error}. Export format=tflite to run on the CPU."
        ) from error


def inspect(artefact: Path) -> dict[str, Any]:
    """Check on the file itself that the compiler left work for the chip."""
    content = artefact.read_bytes()
    return {"edge_tpu_operators": content.count(_OPERATOR), "metadata": litert.read_metadata(artefact).task}
