"""ExecuTorch: a folder with one program for XNNPACK's kernels on the CPU; metadata are a side file.

Sizes are fixed: the program's memory is planned for the largest it may meet, and its batch cannot vary at all.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.metadata import ModelMetadata, read_side_file, write_side_file
from ultralytics.errors import ModelError, RuntimeUnavailable

PROGRAM = "model.pte"


def convert(job: ExportJob) -> ModelMetadata:
    """Capture the network, quantise it on the calibration images with 8 bits, and lower it to XNNPACK."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    example = (job.example(),)
    versions = {"torch": torch.__version__, "executorch": version("executorch")}
    with torch.no_grad():
        program = torch.export.export(job.network(), example)
        if job.options.bits == 8:
            program = torch.export.export(_quantize(program.module(), job), example)
            versions["torchao"] = version("torchao")
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
    job.artefact.mkdir()
    (job.artefact / PROGRAM).write_bytes(lowered.buffer)
    return job.metadata.with_tools(**versions)


def _quantize(network: Any, job: ExportJob) -> Any:
    """Quantise weights, per channel, and activations."""
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    class SparingQuantizer(XNNPACKQuantizer):
        """Leaves out the layers that are kept: the filter of its parent is not asked about concatenations."""

        def annotate(self, model: Any) -> Any:
            annotated = super().annotate(model)
            for node in annotated.graph.nodes:
                if _belongs(_module_names(node), job.options.keep):
                    node.meta.pop("quantization_annotation", None)
            return annotated

    quantizer = SparingQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(network, quantizer)
    for images in job.calibration_images():
        prepared(torch.from_numpy(images))
    return convert_pt2e(prepared)


def _module_names(node: Any) -> list[str]:
    """Names of the modules that a captured operation lies in."""
    return [name for name, _ in node.meta.get("nn_module_stack", {}).values()]


def _belongs(modules: list[str], layers: tuple[str, ...]) -> bool:
    """Tell whether one of the modules is one of the layers: "network.network.model.2" is "model.2"."""
    return any(f".{name}".endswith(f".{layer}") for name in modules for layer in layers)


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the folder."""
    write_side_file(artefact, metadata)


class Backend(base.Backend):
    """Runs a program with ExecuTorch on the CPU.

    Its threads are those of the process: the last backend that was opened sets their number for all.
    """

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        if device != "cpu":
            raise RuntimeUnavailable(f"ExecuTorch artefacts run on the CPU, not on device={device}. Use device=cpu.")
        self.metadata = read_side_file(path)
        program = path / PROGRAM
        if not program.is_file():
            raise ModelError(f"'{path}' lacks its program '{PROGRAM}'. Export it again.")

        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime

        if portable_lib._threadpool_get_thread_count() != threads:
            portable_lib._unsafe_reset_threadpool(threads)
        try:
            # The toolkit keeps neither the bytes nor the program alive, and reads both when it runs.
            self.content = program.read_bytes()
            self.program = Runtime.get().load_program(self.content)
            self.method = self.program.load_method("forward")
        except RuntimeError as error:
            raise ModelError(f"ExecuTorch cannot load '{program}': {error}") from error

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        import torch

        # Copied, as the next answer is written to the same memory.
        return tuple(answer.contiguous().numpy().copy() for answer in self.method.execute([torch.from_numpy(images)]))
