"""Quantisation of ONNX graphs: which nodes a layer's name means, and whose kernels the integers are for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats import onnx as onnx_format
from ultralytics.deploy.formats.qdq import kept_nodes, quantize

NAMES = [
    "/network/network/model.2/conv/Conv",
    "/network/network/model.22/conv/Conv",
    "/network/model.2.cv1/Conv",
    "Resize",
]


def test_a_layer_is_its_nodes_and_no_others():
    assert kept_nodes(NAMES, ("model.2",)) == [NAMES[0], NAMES[2]]


def test_nothing_is_kept_unless_asked():
    assert kept_nodes(NAMES, ()) == []


@pytest.fixture
def make_job(make_job: Callable[..., ExportJob]) -> Callable[..., ExportJob]:
    """Make jobs only where the toolkit is."""
    for package in ("onnx", "onnxruntime", "onnxslim"):
        pytest.importorskip(package)
    return make_job


def _initializers(path: object) -> dict[str, np.ndarray]:
    import onnx
    from onnx.numpy_helper import to_array

    return {tensor.name: to_array(tensor) for tensor in onnx.load(str(path)).graph.initializer}


@pytest.fixture
def float_job(make_job: Callable[..., ExportJob]) -> ExportJob:
    job = make_job("onnx", output="logits_lowres")
    onnx_format.convert(job)
    return job


@pytest.mark.parametrize(("for_cpus", "kind", "largest"), [(True, np.uint8, 64), (False, np.int8, 127)])
def test_integers_are_those_of_the_kernels(float_job, for_cpus, kind, largest):
    target = float_job.folder / "quantized.onnx"
    quantize(float_job, float_job.artefact, target, for_cpus=for_cpus)
    arrays = _initializers(target)
    weights = [array for name, array in arrays.items() if name.endswith("weight_quantized")]
    assert arrays["images_zero_point"].dtype == kind
    assert {array.dtype for array in weights} == {np.dtype(np.int8)}
    assert max(np.abs(array.astype(int)).max() for array in weights) == largest


def test_cpus_run_every_convolution_in_integers(make_job):
    import onnx
    import onnxruntime

    job = make_job("onnx", output="classmap", bits=8)
    onnx_format.convert(job)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(job.folder / "optimized.onnx")
    onnxruntime.InferenceSession(str(job.artefact), options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert operators.count("QLinearConv") == 60
    assert "Conv" not in operators


def test_kept_layers_have_no_integers(make_job):
    job = make_job("onnx", output="logits_lowres", bits=8, keep=("model.1", "model.17"))
    onnx_format.convert(job)
    quantized = {name.removesuffix("_quantized") for name in _initializers(job.artefact) if name.endswith("_quantized")}
    assert any("model.10." in name for name in quantized)
    assert any("model.2." in name for name in quantized)
    assert not any("model.1." in name or "model.17." in name for name in quantized)


@pytest.mark.parametrize("bits", [32, 8])
def test_a_file_declares_no_operator_domain_that_it_does_not_use(make_job, bits):
    import onnx

    job = make_job("onnx", bits=bits)
    onnx_format.convert(job)
    model = onnx.load(str(job.artefact))
    used = {node.domain for node in model.graph.node}
    assert {entry.domain for entry in model.opset_import} == used
