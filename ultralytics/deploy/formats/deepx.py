"""DEEPX: a folder with the network compiled for the vendor's NPUs, and nothing that could run it elsewhere.

The compiler reads its calibration images as PNG files with a recipe for turning them into inputs. Parts of the recipe
become part of the compiled network, whose input are then the pictures themselves: uint8, (1, H, W, C).
"""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.metadata import ModelMetadata, read_side_file, write_side_file
from ultralytics.errors import ModelError, RuntimeUnavailable
from ultralytics.utils.imports import available

SUFFIX, COMPILED, LOG = "_deepx_model", ".dxnn", "compiler.log"
_PICTURES, _RECIPE, _OUTPUT = "calibration", "recipe.json", "compiled"

_FACTS = {
    "npu_groups": r"(\d+) NPU groups",
    "cpu_groups": r"(\d+) CPU groups",
    "weight_bits": r"wbit=(\d+)",
    "activation_bits": r"abit=(\d+)",
    "input": r"NPU\s+input\s*:\s*(.+)",
}
"""What the compiler's log says of the compiled network; groups on the CPU are operators that the NPU lacks."""


def convert(job: ExportJob) -> ModelMetadata:
    """Compile the ONNX graph, quantised on the calibration images; all of it, whatever `options.keep` names."""
    stem = job.artefact.name.removesuffix(SUFFIX)
    count = _write_pictures(job, job.folder / _PICTURES)
    (job.folder / _RECIPE).write_text(json.dumps(_recipe(job, count)), encoding="utf-8")
    shutil.copy(str(job.source), job.folder / f"{stem}.onnx")  # the compiled file is named after it
    words = _compile(job.folder, f"{stem}.onnx", level=int(job.options.optimize))
    output = job.folder / _OUTPUT
    compiled = sorted(output.glob(f"*{COMPILED}"))
    if len(compiled) != 1:
        raise RuntimeError(f"dxcom made {len(compiled)} {COMPILED} files in place of one.{words}")
    job.artefact.mkdir()
    shutil.copy(compiled[0], job.artefact / f"{stem}{COMPILED}")
    log = (output / LOG).read_text(encoding="utf-8", errors="replace")
    (job.artefact / LOG).write_text(log.replace(str(job.folder), "."), encoding="utf-8")
    return job.metadata.with_tools(**{"dx-com": version("dx-com")})


def _recipe(job: ExportJob, count: int) -> dict[str, Any]:
    """Say what the compiler has to know: the input, and how a picture becomes one (the vendor's names)."""
    _, _, height, width = job.input_shape
    return {
        "inputs": {"images": list(job.input_shape)},
        "calibration_num": count,
        "calibration_method": "ema",
        "default_loader": {
            "dataset_path": _PICTURES,
            "file_extensions": ["png"],
            "preprocessings": [
                {"resize": {"width": width, "height": height}},
                {"convertColor": {"form": "BGR2RGB"}},
                {"div": {"x": 255}},
                {"transpose": {"axis": [2, 0, 1]}},
                {"expandDim": {"axis": 0}},
            ],
        },
    }


def _write_pictures(job: ExportJob, folder: Path) -> int:
    """Write the calibration images as PNG files; returns how many."""
    folder.mkdir()
    count = 0
    for batch in job.calibration_images():
        for image in batch:
            pixels = np.rint(image.transpose(1, 2, 0) * 255).astype(np.uint8)
            (folder / f"{count:05d}.png").write_bytes(png(pixels))
            count += 1
    return count


def png(pixels: np.ndarray) -> bytes:
    """Encode a picture: uint8 (H, W, 3) RGB."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # 0: the row is stored as it is
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _compile(folder: Path, model: str, *, level: int) -> str:
    """Run the compiler in a folder; returns its last words. Names are relative, as it writes some into its file."""
    command = [
        str(Path(sys.executable).with_name("dxcom")),
        *("-m", model, "-c", _RECIPE, "-o", _OUTPUT),
        *("--opt_level", str(level), "--use_gpu", "False", "--gen_log"),
    ]  # fmt: skip
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    words = "\n".join(["", *(result.stdout + result.stderr).strip().splitlines()[-15:]])
    if result.returncode:
        raise RuntimeError(f"dxcom could not compile the network (status {result.returncode}):{words}")
    return words


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the folder."""
    write_side_file(artefact, metadata)


class Backend(base.Backend):
    """Runs the network on an NPU, through the vendor's runtime."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self.metadata = read_side_file(path)
        compiled = compiled_file(path)
        if not available("dx_engine"):
            raise RuntimeUnavailable(
                f"'{path.name}' runs on a DEEPX NPU (DX-M1 and others), on a machine with DX-RT: its driver, its "
                "service and its Python package 'dx_engine', which is not here. DEEPX gives them to its customers."
            )
        import dx_engine

        try:
            self.engine = dx_engine.InferenceEngine(str(compiled))
        except RuntimeError as error:
            raise RuntimeUnavailable(
                f"DX-RT cannot run '{compiled}': {error}. It needs a DEEPX NPU and a DX-RT not older than the compiler "
                f"(dx-com {self.metadata.tools.get('dx-com', 'unknown')})."
            ) from error
        self.input = self.engine.get_input_tensors_info()[0]

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch, image by image, as the compiler knows no batches; see the base class."""
        answers = [self.engine.run([as_input(image[None], self.input)]) for image in images]
        return tuple(
            np.concatenate([np.asarray(part, np.float32) for part in parts]) for parts in zip(*answers, strict=True)
        )

    def close(self) -> None:
        """Let go of the NPU."""
        self.engine.dispose()


def as_input(images: np.ndarray, wanted: dict[str, Any]) -> np.ndarray:
    """Turn an input of the network into one of the compiled network.

    Args:
        images: float32 (1, C, H, W) in [0, 1].
        wanted: "shape" and "dtype" of the compiled network's input: (1, C, H, W), or (1, H, W, C) where the compiler
            took the recipe in; float32, or uint8 pixels.
    """
    if np.dtype(wanted["dtype"]) == np.uint8:
        images = np.rint(images * 255).astype(np.uint8)
    if tuple(wanted["shape"])[1:] != images.shape[1:]:
        images = images.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images)


def compiled_file(artefact: Path) -> Path:
    """Find the compiled network in its folder.

    Raises:
        ModelError: there is none, or more than one.
    """
    files = sorted(artefact.glob(f"*{COMPILED}"))
    if len(files) != 1:
        raise ModelError(f"'{artefact}' should hold one {COMPILED} file, the compiled network, and holds {len(files)}.")
    return files[0]


def inspect(artefact: Path) -> dict[str, Any]:
    """Tell what can be seen without an NPU: the file's size, and what the compiler said of the network."""
    compiled, log = compiled_file(artefact), artefact / LOG
    if not compiled.read_bytes().startswith(b"DXNN"):
        raise ModelError(f"'{compiled}' is not a compiled network of DEEPX, or a damaged one. Export it again.")
    words = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    found = {name: re.search(pattern, words) for name, pattern in _FACTS.items()}
    facts = {name: match[1].strip() for name, match in found.items() if match}
    return {
        "bytes": compiled.stat().st_size,
        **{name: int(text) if text.isdigit() else text for name, text in facts.items()},
    }
