"""Core ML: metadata and operators in a hand-made specification, weights that are kept, other systems than macOS."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ultralytics.deploy.formats import coreml
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ModelError, RuntimeUnavailable
from ultralytics.tasks.semantic.outputs import OUTPUTS

METADATA = ModelMetadata(task="semantic", names={0: 'a "disc"', 1: "Straße"}, stride=32, imgsz=(64, 96))


def message(number: int, content: bytes) -> bytes:
    """Make a field with a length below 128."""
    tag = number << 3 | 2
    parts = [tag] if tag < 0x80 else [tag & 0x7F | 0x80, tag >> 7]
    return bytes([*parts, len(content)]) + content


def specification() -> bytes:
    """Make a Model with an input, an output and a program of three operators, one of them a constant."""
    operations = b"".join(message(3, message(1, name)) for name in (b"const", b"conv", b"conv"))
    function = message(3, message(1, b"CoreML5") + message(2, operations))
    program = message(2, message(1, b"main") + message(2, function))
    description = message(1, message(1, b"images")) + message(10, message(1, b"output"))
    return b"\x08\x06" + message(2, description) + message(502, program)


@pytest.fixture
def artefact(tmp_path):
    package = tmp_path / "best.mlpackage"
    folder = package / "Data" / "com.apple.CoreML"
    folder.mkdir(parents=True)
    (folder / "model.mlmodel").write_bytes(specification())
    return package


def test_metadata_are_replaced(artefact):
    coreml.embed(artefact, METADATA)
    changed = replace(METADATA, parity={"equal_pixels": 0.5})
    coreml.embed(artefact, changed)
    assert coreml.read_metadata(artefact) == changed


def test_the_specification_is_read_before_and_after(artefact):
    expected = {"inputs": ["images"], "outputs": ["output"], "operators": {"conv": 2}}
    assert coreml.inspect(artefact) == expected
    coreml.embed(artefact, METADATA)
    assert coreml.inspect(artefact) == expected


def test_a_folder_that_is_no_package_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"model\.mlmodel"):
        coreml.read_metadata(tmp_path)


def test_a_damaged_specification_is_named(artefact):
    (artefact / "Data" / "com.apple.CoreML" / "model.mlmodel").write_bytes(b"\x12\x7fabc")
    with pytest.raises(ModelError, match=r"best\.mlpackage.*damaged"):
        coreml.read_metadata(artefact)


def test_the_weights_of_a_layer_are_found():
    names = ["network_network_model_2_conv_weight_to_fp16", "network_network_model_22_conv_weight", "op_7"]
    assert coreml.kept_weights(names, ("model.2",)) == names[:1]
    assert coreml.kept_weights(names, ()) == []


@pytest.mark.skipif(sys.platform == "darwin", reason="this is macOS")
def test_other_systems_are_told_what_runs_it(artefact):
    coreml.embed(artefact, METADATA)
    with pytest.raises(RuntimeUnavailable, match="macOS"):
        coreml.Backend(artefact)


class Package:
    """Answers as Core ML does: int32 ids of the picture's size; here the red of its pixels."""

    def __init__(self, path, compute_units):
        self.units = compute_units

    def predict(self, given):
        picture = given["images"]
        assert isinstance(picture, Image.Image)
        assert picture.mode == "RGB"
        return {"output": np.asarray(picture)[None, ..., 0].astype(np.int32)}


def test_a_pipeline_is_given_a_picture(artefact, monkeypatch):
    units = SimpleNamespace(CPU_ONLY="cpu", ALL="all")
    toolkit = SimpleNamespace(ComputeUnit=units, models=SimpleNamespace(MLModel=Package))
    monkeypatch.setitem(sys.modules, "coremltools", toolkit)
    monkeypatch.setattr(sys, "platform", "darwin")
    kind = next(kind for kind in OUTPUTS if kind.pipeline)
    coreml.embed(artefact, replace(METADATA, output=kind.name, outputs=kind.tensors, pipeline=True))
    backend = coreml.Backend(artefact)
    images = np.random.default_rng(0).integers(0, 256, (1, 5, 7, 3), dtype=np.uint8)
    (ids,) = backend.infer(images)
    assert backend.model.units == "cpu"
    assert ids.dtype == np.uint8
    assert np.array_equal(ids, images[..., 0])
