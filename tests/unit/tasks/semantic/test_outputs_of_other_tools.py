"""Artefacts that other tools made: the same metadata, but not what the graph returns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ultralytics import YOLO
from ultralytics.tasks.semantic.outputs import output_of

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SIZE = (32, 64)
NAMES = {0: "red", 1: "green", 2: "blue"}


def _argmax(to: str | None = None, *, keepdims: int = 0) -> list:
    nodes = [onnx.helper.make_node("ArgMax", ["images"], ["ids"], axis=1, keepdims=keepdims)]
    kind = getattr(onnx.TensorProto, to or "INT64")
    return [*nodes, onnx.helper.make_node("Cast", ["ids"], ["output"], to=kind)]


GRAPHS = {
    "64-bit ids": (_argmax(), "INT64", (1, *SIZE), "classmap"),
    "bytes": (_argmax("UINT8"), "UINT8", (1, *SIZE), "classmap"),
    "ids in floats": (_argmax("FLOAT"), "FLOAT", (1, *SIZE), "classmap"),
    "ids with an axis of one": (_argmax("INT32", keepdims=1), "INT32", (1, 1, *SIZE), "classmap"),
    "logits": ([onnx.helper.make_node("Identity", ["images"], ["output"])], "FLOAT", (1, 3, *SIZE), "logits"),
    "low-resolution logits": (
        [onnx.helper.make_node("AveragePool", ["images"], ["output"], kernel_shape=[8, 8], strides=[8, 8])],
        "FLOAT",
        (1, 3, 4, 8),
        "logits_lowres",
    ),
}
"""Nodes, type and shape of the output, and what that is; a pixel's class is its strongest colour."""


@pytest.fixture
def picture() -> np.ndarray:
    """Stripes of red, green, blue and red, in OpenCV's order of colours."""
    stripes = np.zeros((*SIZE, 3), np.uint8)
    for stripe, channel in enumerate((2, 1, 0, 2)):
        stripes[:, 16 * stripe : 16 * (stripe + 1), channel] = 255
    return stripes


@pytest.fixture(params=GRAPHS, ids=lambda name: name.replace(" ", "-"))
def artefact(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[YOLO, str]:
    """A model file with the least of public metadata, and what it should be taken for."""
    nodes, kind, shape, meaning = GRAPHS[request.param]
    graph = onnx.helper.make_graph(
        nodes,
        "made elsewhere",
        [onnx.helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, (1, 3, *SIZE))],
        [onnx.helper.make_tensor_value_info("output", getattr(onnx.TensorProto, kind), shape)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    texts = {"task": "semantic", "names": str(NAMES), "stride": "32", "imgsz": str(list(SIZE)), "batch": "1"}
    onnx.helper.set_model_props(model, texts)
    onnx.checker.check_model(model)
    onnx.save(model, tmp_path / "elsewhere.onnx")
    return YOLO(tmp_path / "elsewhere.onnx"), meaning


def test_what_the_graph_returns_is_seen(artefact: tuple[YOLO, str]) -> None:
    model, meaning = artefact
    assert model.names == NAMES
    assert output_of(model.model.opened) == meaning


def test_it_predicts_ids_of_the_usual_kind(artefact: tuple[YOLO, str], picture: np.ndarray) -> None:
    ids = artefact[0].predict(picture, verbose=False)[0].semantic_mask.data
    assert ids.dtype == torch.uint8
    assert ids.shape == SIZE
    for stripe, expected in enumerate((0, 1, 2, 0)):
        assert (ids[:, 16 * stripe + 4 : 16 * stripe + 12] == expected).all()
