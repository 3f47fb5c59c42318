"""Makes a plan: the ONNX graph parsed, an optimisation profile for open sizes, and the fastest kernels of this GPU.

Networks are strongly typed, as TensorRT 11 has no others: each tensor has the type that the graph says. Half precision
is a graph in half precision then, and 8 bits are a graph with nodes that quantise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats.tensorrt.header import with_header
from ultralytics.deploy.formats.tensorrt.quantize import quantize
from ultralytics.deploy.formats.tensorrt.vendor import find_gpu, load_tensorrt, make_logger
from ultralytics.deploy.metadata import ModelMetadata

Shape = tuple[int, int, int, int]


def convert(job: ExportJob) -> ModelMetadata:
    """Build an engine from the ONNX graph; it serves GPUs of this kind and this version of TensorRT.

    Raises:
        MissingDependency: TensorRT is not here.
        RuntimeUnavailable: there is no GPU.
    """
    tensorrt = load_tensorrt()
    gpu = find_gpu("cuda:0")
    versions = {"tensorrt": str(tensorrt.__version__), "gpu": _name(gpu)}
    source = with_wide_ids(Path(str(job.source)), job.folder / "wide.onnx")
    if job.options.bits == 8:
        source, versions["onnxruntime"] = quantize(job, source)
    metadata = job.metadata.with_tools(**versions)
    job.artefact.write_bytes(with_header(build_plan(tensorrt, source, job), metadata))
    return metadata


def build_plan(tensorrt: Any, source: Path, job: ExportJob) -> bytes:
    """Build a plan.

    Args:
        tensorrt: the vendor's package.
        source: ONNX graph.
        job: sizes, and the memory that may be used meanwhile.

    Raises:
        RuntimeError: the graph cannot be parsed, or no plan could be made of it; the message is TensorRT's.
    """
    words: list[str] = []
    logger = make_logger(tensorrt, words)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(source)):
        faults = [str(parser.get_error(index)) for index in range(parser.num_errors)]
        raise RuntimeError(f"TensorRT {tensorrt.__version__} cannot parse the graph: {'; '.join(faults or words)}")
    config = builder.create_builder_config()
    if job.options.workspace is not None:
        config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, int(job.options.workspace * 2**30))
    if job.options.dynamic:
        profile = builder.create_optimization_profile()
        profile.set_shape(network.get_input(0).name, *profile_shapes(job.input_shape, job.metadata.stride))
        config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise RuntimeError(
            f"TensorRT {tensorrt.__version__} made no engine: {'; '.join(words) or 'it did not say why'}"
        )
    return bytes(plan)


def profile_shapes(shape: Shape, stride: int) -> tuple[Shape, Shape, Shape]:
    """Choose the smallest, the usual and the largest input of a dynamic engine, each (B, C, H, W).

    Memory is set aside for the largest: the batch that was asked for, at twice the size along each side.
    """
    batch, channels, height, width = shape
    return (1, channels, stride, stride), shape, (batch, channels, 2 * height, 2 * width)


def with_wide_ids(source: Path, copy: Path) -> Path:
    """Return the graph, or a copy whose ids are int32 where they are uint8.

    TensorRT turns only floating point into uint8; the runtime makes ids small on the GPU, before they are copied.
    """
    import onnx
    from onnx import TensorProto

    model = onnx.load(str(source))
    small = {value.name: value for value in model.graph.output if value.type.tensor_type.elem_type == TensorProto.UINT8}
    if not small:
        return source
    for node in model.graph.node:
        if node.op_type == "Cast" and node.output[0] in small:
            next(entry for entry in node.attribute if entry.name == "to").i = TensorProto.INT32
            small.pop(node.output[0]).type.tensor_type.elem_type = TensorProto.INT32
    if small:
        raise RuntimeError(f"The graph's outputs {', '.join(small)} are uint8 without a Cast that makes them so.")
    onnx.save(model, str(copy))
    return copy


def _name(gpu: Any) -> str:
    import torch

    return torch.cuda.get_device_name(gpu)
