"""QNN: chips, metadata, and operators that the chip does not compute."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ultralytics.deploy.formats import qnn
from ultralytics.deploy.formats.protobuf import onnx_metadata
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ConfigError, ExportError, MissingDependency, ModelError
from ultralytics.utils.imports import available

METADATA = ModelMetadata(task="semantic", names={0: 'a "disc"', 1: "Straße"}, stride=32, imgsz=(64, 96))


def message(number: int, content: bytes) -> bytes:
    """Make a field with a length below 128."""
    return bytes([number << 3 | 2, len(content)]) + content


def model(*operators: str) -> bytes:
    """Make a ModelProto whose graph (7) has nodes (1) with nothing but an operator (4)."""
    nodes = b"".join(message(1, message(4, name.encode())) for name in operators)
    return b"\x08\x08" + message(7, nodes)


@pytest.fixture
def artefact(tmp_path):
    path = tmp_path / "best_qnn.onnx"
    path.write_bytes(model("QuantizeLinear", "EPContext", "DequantizeLinear"))
    return path


def test_a_chip_is_known_in_any_case_and_has_a_default():
    assert qnn.target_of("SM8750") == "sm8750"
    assert qnn.target_of("") == "sm8650"


def test_an_unknown_chip_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"sm8651.*sm8650.*sm8550"):
        qnn.target_of("sm8651")


def test_metadata_are_replaced_and_the_graph_stays(artefact):
    qnn.embed(artefact, METADATA)
    changed = replace(METADATA, parity={"equal_pixels": 0.5})
    qnn.embed(artefact, changed)
    assert ModelMetadata.from_dict(onnx_metadata(artefact.read_bytes()), where=artefact) == changed
    assert qnn.inspect(artefact) == {"operators": {"QuantizeLinear": 1, "EPContext": 1, "DequantizeLinear": 1}}


def test_a_graph_of_the_chip_alone_is_accepted(artefact):
    qnn.check_operators(artefact)


@pytest.mark.parametrize(
    ("operators", "named"), [(("EPContext", "ArgMax"), "ArgMax"), (("Conv",), "Conv"), ((), "whole")]
)
def test_what_is_left_to_the_cpu_is_named(artefact, operators, named):
    artefact.write_bytes(model(*operators))
    with pytest.raises(ExportError, match=named):
        qnn.check_operators(artefact)


def test_no_file_means_that_the_chip_took_nothing(tmp_path):
    with pytest.raises(ExportError, match="whole graph"):
        qnn.check_operators(tmp_path / "best_qnn.onnx")


def test_an_ordinary_onnx_file_is_refused(artefact):
    artefact.write_bytes(model("Conv"))
    qnn.embed(artefact, METADATA)
    with pytest.raises(ModelError, match=r"best_qnn\.onnx.*no program"):
        qnn.Backend(artefact)


def test_a_damaged_file_is_named(artefact):
    artefact.write_bytes(b"\x0a\x05abc")
    with pytest.raises(ModelError, match=r"best_qnn\.onnx.*damaged"):
        qnn.Backend(artefact)


@pytest.mark.skipif(available("onnxruntime_qnn"), reason="the plugin is here")
def test_a_missing_plugin_is_named(artefact):
    qnn.embed(artefact, METADATA)
    with pytest.raises(MissingDependency, match="onnxruntime"):
        qnn.Backend(artefact)
