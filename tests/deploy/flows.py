"""One row per format: what is made in its flow, and what it must refuse.

A row that is `heavy` needs a toolchain of its own; `make test-formats` runs those, the default run the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Flow:
    """The flow of one format.

    Attributes:
        format: its word.
        variants: options of each artefact that is made.
        refuses: an option that means nothing for it.
        heavy: whether converter or runtime need an environment of their own.
        runs: whether numerics can be compared on a Linux machine without special hardware.
        made: whether it can be made there, by anyone: DEEPX's compiler is licensed to its customers only.
    """

    format: str
    refuses: Mapping[str, Any]
    variants: tuple[Mapping[str, Any], ...] = ({},)
    heavy: bool = False
    runs: bool = True
    made: bool = True


FLOWS = (
    Flow(
        format="torchscript",
        refuses={"opset": 17},
        variants=({}, {"quantize": 16}, {"dynamic": True, "output": "logits_lowres"}, {"pipeline": True}),
    ),
    Flow(
        format="onnx",
        refuses={"workspace": 4},
        variants=(
            {},
            {"quantize": 16},
            {"quantize": 8},
            {"dynamic": True, "output": "logits"},
            {"output": "probs", "batch": 2, "opset": 18},
            {"output": "logits_lowres", "simplify": False},
            {"pipeline": True},
            {"quantize": 8, "pipeline": True},
        ),
    ),
    Flow(
        format="openvino",
        refuses={"opset": 17},
        variants=({}, {"quantize": 16}, {"quantize": 8}, {"dynamic": True, "output": "logits"}, {"pipeline": True}),
    ),
    Flow(format="ncnn", refuses={"dynamic": True}, variants=({}, {"quantize": 16}, {"output": "logits"})),
    Flow(
        format="mnn",
        refuses={"workspace": 4},
        variants=({}, {"quantize": 16}, {"quantize": 8}, {"dynamic": True, "output": "logits"}),
    ),
    Flow(format="executorch", refuses={"opset": 17}, variants=({}, {"quantize": 8})),
    Flow(format="tflite", refuses={"dynamic": True}, variants=({}, {"quantize": 16}, {"quantize": 8}), heavy=True),
    Flow(format="saved_model", refuses={"dynamic": True}, heavy=True),
    Flow(format="pb", refuses={"quantize": 16}, heavy=True),
    Flow(format="tfjs", refuses={"quantize": 8}, heavy=True),
    Flow(format="paddle", refuses={"quantize": 16}, heavy=True),
    Flow(format="rknn", refuses={"dynamic": True}, variants=({}, {"quantize": 8}), heavy=True),
    Flow(format="qnn", refuses={"dynamic": True}, variants=({"quantize": 8}, {}), heavy=True),
    Flow(format="imx", refuses={"batch": 2}, variants=({"quantize": 8},), heavy=True),
    Flow(
        format="coreml",
        refuses={"opset": 17},
        variants=({}, {"quantize": 16}, {"quantize": 8}, {"dynamic": True}, {"pipeline": True}),
        heavy=True,
        runs=False,
    ),
    Flow(format="deepx", refuses={"batch": 2}, heavy=True, runs=False, made=False),
    Flow(format="engine", refuses={"pipeline": True}, heavy=True, runs=False, made=False),
    Flow(format="edgetpu", refuses={"batch": 2}, heavy=True, runs=False, made=False),
    Flow(format="axelera", refuses={"dynamic": True}, heavy=True, runs=False, made=False),
)
