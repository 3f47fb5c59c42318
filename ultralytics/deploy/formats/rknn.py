"""RKNN: a folder of one file for one Rockchip chip and its metadata, made from the ONNX graph.

The file takes pixels, uint8 (B, H, W, C) RGB, and divides them itself. It runs on the chip alone: the toolkit simulates
only what it has just built, so numbers are checked in the process that converts.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import PROBE_INPUTS, PROBE_OUTPUTS, ExportJob
from ultralytics.deploy.formats.qdq import kept_nodes
from ultralytics.deploy.metadata import ModelMetadata, read_side_file, write_side_file
from ultralytics.errors import ConfigError, ExportError, ModelError, RuntimeUnavailable, unknown_name
from ultralytics.utils.imports import available

DEFAULT_TARGET = "rk3588"
TARGETS = (
    "rk2118", "rk3562", "rk3566", "rk3568", "rk3576", "rk3588",
    "rv1103", "rv1103b", "rv1106", "rv1106b", "rv1126b",
)  # fmt: skip
"""Chips of RKNN-Toolkit2 2.5."""

_BROKEN_RULE = "fuse_exmatmul_add_mul_exsoftmax13_exmatmul_to_sdpa"
"""Fusion that ends in an IndexError on the attention of these networks."""

_LISTING = "calibration.txt"


def convert(job: ExportJob) -> ModelMetadata:
    """Build the graph for the chip; what its simulator answers is written if it was asked (see `ExportJob`).

    Raises:
        ConfigError: the toolkit does not know the chip.
    """
    from importlib.metadata import version

    target = target_of(job.options.target)
    toolkit = _build(job, target)
    try:
        job.artefact.mkdir()
        name = f"{job.artefact.name.removesuffix('_rknn_model')}-{target}.rknn"
        _check(toolkit.export_rknn(str(job.artefact / name)), "export_rknn")
        if (job.folder / PROBE_INPUTS).is_file():
            _answer(toolkit, job)
    finally:
        toolkit.release()
    return job.metadata.with_tools(**{"rknn-toolkit2": version("rknn-toolkit2"), "target": target})


def target_of(name: str) -> str:
    """Check the name of a chip, in any spelling of case; empty for the usual one."""
    target = name.lower() or DEFAULT_TARGET
    if target not in TARGETS:
        raise ConfigError(
            f"{unknown_name('chip', name, TARGETS)} RKNN is compiled for one chip: name={DEFAULT_TARGET}."
        )
    return target


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the folder."""
    write_side_file(artefact, metadata)


def inspect(artefact: Path) -> dict[str, Any]:
    """Tell what can be seen without the chip."""
    file = model_file(artefact)
    return {"file": file.name, "bytes": file.stat().st_size, "magic": file.read_bytes()[:4] == b"RKNN"}


def model_file(folder: Path) -> Path:
    """Find the one file of a folder.

    Raises:
        ModelError: there is none, or more than one.
    """
    files = sorted(folder.glob("*.rknn"))
    if len(files) != 1:
        raise ModelError(f"'{folder}' should hold one .rknn file and holds {len(files)}. Export it again.")
    return files[0]


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Turn float32 (B, C, H, W) in [0, 1] into what the file takes: uint8 (B, H, W, C)."""
    return np.ascontiguousarray(np.rint(images * 255).astype(np.uint8).transpose(0, 2, 3, 1))


class Backend(base.Backend):
    """Runs a file on the chip of this machine with RKNN-Toolkit-Lite2."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self.metadata = read_side_file(path)
        file = model_file(path)
        if platform.machine() not in {"aarch64", "armv7l"} or not available("rknnlite"):
            raise RuntimeUnavailable(
                f"'{file.name}' runs on that Rockchip chip, with its NPU driver and rknn-toolkit-lite2 (pip install "
                "rknn-toolkit-lite2). Elsewhere it is simulated only while it is exported."
            )
        from rknnlite.api import RKNNLite

        self.runtime = RKNNLite()
        if self.runtime.load_rknn(str(file)) != 0:
            raise ModelError(f"RKNN-Toolkit-Lite2 cannot read '{file}'. Export it again.")
        if self.runtime.init_runtime() != 0:
            self.runtime.release()
            raise RuntimeUnavailable(
                f"The NPU of this machine does not take '{file.name}': it is for another chip, the driver is missing, "
                "or librknnrt.so is older than the toolkit that made it. The lines above are the runtime's."
            )

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        outputs = self.runtime.inference(inputs=[to_pixels(images)], data_format=["nhwc"])
        if outputs is None:
            raise RuntimeUnavailable("The NPU failed; the lines above are the runtime's.")
        return tuple(np.asarray(output, dtype=np.float32) for output in outputs)

    def close(self) -> None:
        """Let go of the chip."""
        self.runtime.release()


def _build(job: ExportJob, target: str) -> Any:
    """Build for the chip; without quantisation it computes in half precision."""
    toolkit, source = _toolkit(job, target), str(job.source)
    if job.options.bits == 8 and job.options.keep:
        return _build_mixed(toolkit, job, target)
    _check(toolkit.load_onnx(model=source), "load_onnx")
    quantized = job.options.bits == 8
    dataset = _dataset(job) if quantized else None
    with _working_folder(job.folder):
        _check(toolkit.build(do_quantization=quantized, dataset=dataset), "build")
    return toolkit


def _build_mixed(toolkit: Any, job: ExportJob, target: str) -> Any:
    """Build with some layers in half precision: a first object lists the tensors, a second reads the edited list."""
    import onnx

    source = Path(str(job.source))
    nodes = {node.name: list(node.output) for node in onnx.load(str(source)).graph.node}
    _check(toolkit.load_onnx(model=str(source)), "load_onnx")
    with _working_folder(job.folder):  # it writes there
        _check(toolkit.hybrid_quantization_step1(dataset=_dataset(job)), "hybrid_quantization_step1")
        toolkit.release()
        config = job.folder / f"{source.stem}.quantization.cfg"
        text = config.read_text(encoding="utf-8")
        wanted = [tensor for name in kept_nodes(nodes, job.options.keep) for tensor in nodes[name]]
        kept = {tensor: "float16" for tensor in wanted if f"\n    {tensor}:" in text}
        text = text.replace("custom_quantize_layers: {}", f"custom_quantize_layers: {json.dumps(kept)}", 1)
        config.write_text(text, encoding="utf-8")
        mixed = _toolkit(job, target)
        _check(
            mixed.hybrid_quantization_step2(
                model_input=f"{source.stem}.model",
                data_input=f"{source.stem}.data",
                model_quantization_cfg=config.name,
            ),
            "hybrid_quantization_step2",
        )
    return mixed


def _toolkit(job: ExportJob, target: str) -> Any:
    from rknn.api import RKNN

    toolkit, channels = RKNN(), job.metadata.channels
    _check(
        toolkit.config(
            mean_values=[[0] * channels],
            std_values=[[255] * channels],
            target_platform=target,
            disable_rules=[_BROKEN_RULE],
        ),
        "config",
    )
    return toolkit


def _dataset(job: ExportJob) -> str:
    """Write calibration images as files of pixels (B, C, H, W), and the list of them.

    Returns:
        Name of the list in the job's folder. Names in it are without folders too, as blanks part the inputs of a line.
    """
    names = []
    for index, images in enumerate(job.calibration_images()):
        names.append(f"calibration-{index}.npy")
        np.save(job.folder / names[-1], images * 255)
    (job.folder / _LISTING).write_text("\n".join(names), encoding="utf-8")
    return _LISTING


def _answer(toolkit: Any, job: ExportJob) -> None:
    """Run the images of the job in the simulator."""
    _check(toolkit.init_runtime(), "init_runtime")
    images, batch = np.load(job.folder / PROBE_INPUTS, mmap_mode="r"), job.options.batch
    answers = [
        toolkit.inference(inputs=[to_pixels(images[start : start + batch])], data_format=["nhwc"])[0]
        for start in range(0, len(images), batch)
    ]
    np.save(job.folder / PROBE_OUTPUTS, np.concatenate(answers).astype(np.float32))


def _check(status: int, step: str) -> None:
    """Raise what the toolkit only prints."""
    if status != 0:
        raise ExportError(f"RKNN-Toolkit2 failed in {step}; its own words are in the log.")


@contextmanager
def _working_folder(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
