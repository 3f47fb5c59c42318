"""Quantisation of ONNX graphs: weights and activations to 8 bits, with nodes that say so (QDQ), by ONNX Runtime."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy.base import ExportJob

_QUANTIZED = ("Conv", "MatMul", "Add", "Mul", "Concat", "MaxPool", "Gemm")
"""What follows the logits is exact in float and costs accuracy in integers."""

_LAYER = re.compile(r"(^|[/.])model\.\d+([/.]|$)")


def silence_onnxruntime() -> None:
    """Keep ONNX Runtime, before it is imported, from writing an identity into the user's home and telling its maker."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def quantize(
    job: ExportJob,
    source: Path,
    target: Path,
    operators: Iterable[str] = _QUANTIZED,
    *,
    for_cpus: bool = False,
    details: Mapping[str, Any] | None = None,
) -> str:
    """Quantise a graph on the job's calibration images, weights per channel; layers of `options.keep` stay in float.

    Args:
        job: images, layers to keep, and a folder for scratch.
        source: float graph with the input "images".
        target: file to write; may be `source`.
        operators: types of nodes to quantise; empty for all.
        for_cpus: whether ONNX Runtime's own kernels are to run it. On x86 they take unsigned activations only, and
            without VNNI add products up in 16 bits, which two fit if weights use 7 of their 8 bits.
        details: ONNX Runtime's `extra_options`.

    Returns:
        Version of the tool.
    """
    silence_onnxruntime()
    import onnx
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self, batches: Iterator[np.ndarray]) -> None:
            self.batches = batches

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"images": batch}

    prepared = job.folder / "prepared.onnx"
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    names = [node.name for node in onnx.load(str(prepared)).graph.node]
    outside = [name for name in names if not _LAYER.search(name)]  # of a pipeline: its arithmetic on pixels and ids
    quantize_static(
        str(prepared),
        str(target),
        Reader(job.calibration_inputs()),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8 if for_cpus else QuantType.QInt8,
        reduce_range=for_cpus,
        op_types_to_quantize=list(operators) or None,
        nodes_to_exclude=[*kept_nodes(names, job.options.keep), *(outside if job.options.pipeline else ())],
        extra_options=dict(details or {}),
    )
    return str(onnxruntime.__version__)


def kept_nodes(names: Iterable[str], layers: tuple[str, ...]) -> list[str]:
    """Find the nodes that belong to layers of the network: "/network/network/model.2/conv/Conv" is of "model.2"."""
    wanted = [re.compile(rf"(^|[/.]){re.escape(layer)}([/.]|$)") for layer in layers]
    return [name for name in names if any(pattern.search(name) for pattern in wanted)]


def drop_unused_opsets(path: Path) -> None:
    """Drop the operator domains that no node of an ONNX file uses: older runtimes refuse those they do not know."""
    import onnx

    model = onnx.load(str(path))
    used = {"", *_domains(model.graph), *(name for function in model.functions for name in _domains(function))}
    kept = [entry for entry in model.opset_import if (entry.domain or "") in used or entry.domain == "ai.onnx"]
    if len(kept) < len(model.opset_import):
        del model.opset_import[:]
        model.opset_import.extend(kept)
        onnx.save(model, str(path))


def _domains(graph: Any) -> Iterator[str]:
    """List the domains of all nodes, those of branches and loops included."""
    for node in graph.node:
        yield node.domain
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _domains(inner)
