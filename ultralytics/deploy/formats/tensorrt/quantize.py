"""8 bits as TensorRT wants them said: nodes in the ONNX graph that quantise symmetrically, before what has weights.

Scales come from the calibration images, measured by ONNX Runtime. Biases, activations and what follows the logits stay
in floating point, and so do the outputs of convolutions, whose quantisation would keep TensorRT from fusing them.
"""

from __future__ import annotations

from pathlib import Path

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats import qdq

_QUANTIZED = ("Conv", "MatMul", "Gemm")
_DETAILS = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "QuantizeBias": False,
    "AddQDQPairToWeight": True,
    "OpTypesToExcludeOutputQuantization": list(_QUANTIZED),
}


def quantize(job: ExportJob, source: Path) -> tuple[Path, str]:
    """Write a quantised copy of an ONNX graph into the job's folder; returns it and the tool's version."""
    target = job.folder / "quantized.onnx"
    return target, qdq.quantize(job, source, target, _QUANTIZED, details=_DETAILS)
