"""TensorRT: a plan for one kind of NVIDIA GPU, made from ONNX; metadata stand before it in the file."""

from __future__ import annotations

from ultralytics.deploy.formats.tensorrt.build import convert
from ultralytics.deploy.formats.tensorrt.header import embed, inspect
from ultralytics.deploy.formats.tensorrt.runtime import Backend

__all__ = ["Backend", "convert", "embed", "inspect"]
