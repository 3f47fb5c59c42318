"""8 bits as TensorRT wants them said: nodes in the ONNX graph that quantise symmetrically, before what has weights.

Scales come from the calibration images, measured by ONNX Runtime. Biases, activations and what follows the logits stay
in floating point, and so do the outputs of convolutions, whose quantisation would keep TensorRT from fusing them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.qdq import kept_nodes

_QUANTIZED = ("Conv", "MatMul", "Gemm")


def quantize(job: ExportJob, source: Path) -> tuple[Path, str]:
    """Write a quantised copy of an ONNX graph into the job's folder; returns it and the tool's version."""
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

    prepared, quantized = job.folder / "prepared.onnx", job.folder / "quantized.onnx"
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    names = [node.name for node in onnx.load(str(prepared)).graph.node]
    quantize_static(
        str(prepared),
        str(quantized),
        Reader(job.calibration_images()),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=list(_QUANTIZED),
        nodes_to_exclude=kept_nodes(names, job.options.keep),
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "QuantizeBias": False,
            "AddQDQPairToWeight": True,
            "OpTypesToExcludeOutputQuantization": list(_QUANTIZED),
        },
    )
    return quantized, str(onnxruntime.__version__)
