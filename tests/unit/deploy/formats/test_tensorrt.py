"""TensorRT: what stands before a plan, how one is asked for, and what is said where TensorRT or its GPU is missing."""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats.tensorrt import Backend, convert, embed, inspect
from ultralytics.deploy.formats.tensorrt.build import build_plan, profile_shapes, with_wide_ids
from ultralytics.deploy.formats.tensorrt.header import read_header, with_header
from ultralytics.deploy.formats.tensorrt.quantize import quantize
from ultralytics.deploy.formats.tensorrt.runtime import refusal
from ultralytics.deploy.formats.tensorrt.vendor import find_gpu, load_tensorrt
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.options import ExportOptions
from ultralytics.errors import MissingDependency, ModelError, RuntimeUnavailable
from ultralytics.utils.imports import available

METADATA = ModelMetadata(task="any", names={0: "road", 1: "sky"}, stride=32, imgsz=(64, 96), output="classmap")
PLAN = b"ftrt\x00\x01plan"


@pytest.fixture
def job(tmp_path):
    options = ExportOptions(imgsz=(64, 96), batch=2)
    names = {"artefact": tmp_path / "a.engine", "weights": tmp_path / "a.pt", "source": tmp_path / "a.onnx"}
    return ExportJob(folder=tmp_path, options=options, metadata=METADATA, graph="none:none", **names)


def _tensorrt(version: str = "11.4.0.106", parses: bool = True, plan: bytes | None = PLAN) -> ModuleType:
    """Stand in for the vendor's package, whose libraries need a GPU: it notes what it is asked for."""
    module = ModuleType("tensorrt")
    module.asked = asked = {}
    network = SimpleNamespace(get_input=lambda index: SimpleNamespace(name="images"))
    profile = SimpleNamespace(set_shape=lambda *shapes: asked.update(profile=shapes))
    config = SimpleNamespace(
        set_memory_pool_limit=lambda pool, size: asked.update({pool: size}),
        add_optimization_profile=lambda added: asked.update(profiles=added is profile),
    )

    class Builder:
        def __init__(self, logger):
            logger.log("info", "small talk")
            logger.log("error", "no kernel for Resize")

        def create_network(self, flags):
            asked["flags"] = flags
            return network

        create_builder_config = staticmethod(lambda: config)
        create_optimization_profile = staticmethod(lambda: profile)
        build_serialized_network = staticmethod(lambda network, config: plan)

    class OnnxParser:
        num_errors = 1

        def __init__(self, network, logger):
            pass

        def parse_from_file(self, path):
            asked["source"] = path
            return parses

        def get_error(self, index):
            return f"node {index} is unknown"

    module.__version__ = version
    module.ILogger = type("ILogger", (), {"Severity": SimpleNamespace(INTERNAL_ERROR="fatal", ERROR="error")})
    module.NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
    module.MemoryPoolType = SimpleNamespace(WORKSPACE="workspace")
    module.Builder, module.OnnxParser = Builder, OnnxParser
    return module


def test_metadata_stand_before_the_plan_and_can_be_replaced(tmp_path):
    path = tmp_path / "a.engine"
    path.write_bytes(with_header(PLAN, METADATA))
    for parity in ({}, {"equal_pixels": 0.99}):
        embed(path, replace(METADATA, parity=parity))
        content = path.read_bytes()
        metadata, start = read_header(content, where=path)
        assert (metadata.parity, metadata.names, content[start:]) == (parity, {0: "road", 1: "sky"}, PLAN)


def test_what_an_engine_is_for_is_told(tmp_path):
    path = tmp_path / "a.engine"
    path.write_bytes(with_header(PLAN, METADATA.with_tools(tensorrt="11.4", gpu="A100")))
    assert inspect(path) == {"plan_bytes": len(PLAN), "tensorrt": "11.4", "gpu": "A100"}


def test_headers_of_public_engine_files_are_read(tmp_path):
    text = json.dumps({"task": "any", "names": {"0": "road"}, "stride": 32, "imgsz": [64, 96], "author": "x"}).encode()
    metadata, start = read_header(struct.pack("<i", len(text)) + text + PLAN, where=tmp_path / "a.engine")
    assert (metadata.names, metadata.imgsz, start) == ({0: "road"}, (64, 96), 4 + len(text))


@pytest.mark.parametrize("content", [b"", b"ab", PLAN, struct.pack("<i", -5) + b"{}", struct.pack("<i", 2) + b"{}"])
def test_other_files_are_refused_by_name(content, tmp_path):
    with pytest.raises(ModelError, match=r"a\.engine"):
        read_header(content, where=tmp_path / "a.engine")


def test_a_header_without_its_plan_is_cut_off(tmp_path):
    with pytest.raises(ModelError, match="cut off"):
        read_header(with_header(b"", METADATA), where=tmp_path / "a.engine")


@given(st.binary(max_size=64), st.integers(0, 60))
def test_any_bytes_are_read_or_refused(noise, length):
    for content in (noise, struct.pack("<i", length) + b"{" + noise):
        with pytest.raises(ModelError):
            read_header(content, where=Path("a.engine"))


def test_networks_are_strongly_typed_and_memory_is_limited(job):
    tensorrt = _tensorrt()
    limited = replace(job, options=replace(job.options, workspace=1.5))
    assert build_plan(tensorrt, Path("a.onnx"), limited) == PLAN
    assert tensorrt.asked == {"flags": 2, "source": "a.onnx", "workspace": 3 * 2**29}


def test_open_sizes_have_a_profile(job):
    tensorrt = _tensorrt()
    build_plan(tensorrt, Path("a.onnx"), replace(job, options=replace(job.options, dynamic=True)))
    assert tensorrt.asked["profiles"]
    assert tensorrt.asked["profile"] == ("images", (1, 3, 32, 32), (2, 3, 64, 96), (2, 3, 128, 192))


def test_a_profile_goes_from_one_stride_to_twice_the_size():
    assert profile_shapes((4, 1, 512, 1024), 32) == ((1, 1, 32, 32), (4, 1, 512, 1024), (4, 1, 1024, 2048))


def test_what_tensorrt_says_is_passed_on(job):
    with pytest.raises(RuntimeError, match=r"11\.4\.0\.106 cannot parse the graph: node 0 is unknown"):
        build_plan(_tensorrt(parses=False), Path("a.onnx"), job)
    with pytest.raises(RuntimeError, match="made no engine: no kernel for Resize"):
        build_plan(_tensorrt(plan=None), Path("a.onnx"), job)


@pytest.mark.skipif(available("tensorrt"), reason="TensorRT is here")
def test_without_tensorrt_the_line_that_installs_it_is_given(job):
    with pytest.raises(MissingDependency, match=r"pip install tensorrt --extra-index-url https://pypi\.nvidia\.com"):
        convert(job)


def test_old_versions_of_tensorrt_are_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", _tensorrt("8.6.1"))
    with pytest.raises(MissingDependency, match=r"TensorRT 8\.6\.1 is too old: 10 or newer"):
        load_tensorrt()


def test_engines_need_a_gpu(tmp_path):
    path = tmp_path / "a.engine"
    path.write_bytes(with_header(PLAN, METADATA))
    with pytest.raises(RuntimeUnavailable, match="device=cpu: engine files run on NVIDIA GPUs only"):
        Backend(path)
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeUnavailable, match="torch finds none here"):
            find_gpu("cuda:0")


def test_engines_of_elsewhere_and_damaged_ones_are_told_apart():
    made = METADATA.with_tools(tensorrt="10.3", gpu="A100")
    other = refusal(Path("a.engine"), made, "11.4", ["Version tag does not match."])
    assert isinstance(other, RuntimeUnavailable)
    assert "made with TensorRT 10.3 on A100" in str(other)
    words = ["The engine plan file is generated on an incompatible device, expecting compute 8.6 got compute 7.5"]
    assert isinstance(refusal(Path("a.engine"), made, "10.3", words), RuntimeUnavailable)
    damaged = refusal(Path("a.engine"), made, "10.3", ["Magic tag does not match"])
    assert isinstance(damaged, ModelError)
    assert "Magic tag does not match" in str(damaged)


def _graph(path: Path, *, cast: bool = True) -> Path:
    """Write a graph: a convolution, then the id of the largest channel as uint8."""
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    weight = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["images", "weight"], ["logits"], "/model.0/Conv", pads=[1, 1, 1, 1]),
        helper.make_node("ArgMax", ["logits"], ["ids"], axis=1, keepdims=0),
        helper.make_node("Cast" if cast else "Identity", ["ids"], ["output"], **({"to": kinds.UINT8} if cast else {})),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("images", kinds.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("output", kinds.UINT8, [1, 8, 8])],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def test_ids_are_wide_inside_the_engine(tmp_path):
    source = _graph(tmp_path / "a.onnx")
    onnx = pytest.importorskip("onnx")
    wide = onnx.load(str(with_wide_ids(source, tmp_path / "wide.onnx")))
    onnx.checker.check_model(wide, full_check=True)
    assert wide.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.INT32


def test_small_ids_of_unknown_origin_are_refused(tmp_path):
    with pytest.raises(RuntimeError, match="output are uint8 without a Cast"):
        with_wide_ids(_graph(tmp_path / "a.onnx", cast=False), tmp_path / "wide.onnx")


def test_quantisation_is_symmetric_and_leaves_outputs_alone(job, tmp_path):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    np.save(tmp_path / "images.npy", np.random.default_rng(0).random((4, 3, 8, 8), dtype=np.float32))
    options = replace(job.options, batch=1, bits=8)
    quantized, _ = quantize(
        replace(job, options=options, calibration=tmp_path / "images.npy"), _graph(tmp_path / "a.onnx")
    )
    graph = onnx.load(str(quantized)).graph
    assert [node.op_type for node in graph.node].count("QuantizeLinear") == 2  # images and weight
    zeros = {node.input[2] for node in graph.node if node.op_type == "QuantizeLinear"}
    values = [onnx.numpy_helper.to_array(entry) for entry in graph.initializer if entry.name in zeros]
    assert values
    assert all(value.dtype == np.int8 and not value.any() for value in values)
