"""LiteRT: metadata at the end of the file, whole numbers, the names of layers; answers where its packages are here."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from ultralytics.deploy.formats import litert, tflite
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ModelError, RuntimeUnavailable

METADATA = ModelMetadata(task="semantic", names={0: 'a "disc"', 1: "Straße"}, stride=32, imgsz=(64, 96))
MODEL = b"\x1c\x00\x00\x00TFL3" + bytes(range(256))


@pytest.fixture
def artefact(tmp_path):
    path = tmp_path / "best.tflite"
    path.write_bytes(MODEL)
    return path


def test_metadata_are_replaced(artefact):
    tflite.embed(artefact, METADATA)
    once = artefact.stat().st_size
    tflite.embed(artefact, METADATA)
    assert artefact.stat().st_size == once
    tflite.embed(artefact, replace(METADATA, parity={"equal_pixels": 0.5}))
    assert litert.read_metadata(artefact) == replace(METADATA, parity={"equal_pixels": 0.5})


def test_the_model_before_the_metadata_stays_as_it_is(artefact):
    tflite.embed(artefact, METADATA)
    assert artefact.read_bytes().startswith(MODEL)
    assert litert.without_metadata(artefact.read_bytes()) == MODEL
    assert litert.without_metadata(MODEL) == MODEL


def test_any_reader_of_archives_finds_the_metadata(artefact):
    tflite.embed(artefact, METADATA)
    with zipfile.ZipFile(artefact) as archive:
        assert archive.namelist() == ["metadata.json"]


def test_a_file_without_metadata_is_named(artefact):
    with pytest.raises(ModelError, match=r"best\.tflite.*Export it again"):
        tflite.Backend(artefact)


def test_a_file_that_is_none_is_named(tmp_path):
    path = tmp_path / "best.tflite"
    path.write_bytes(b"TFL3")
    with pytest.raises(ModelError, match=r"best\.tflite.*not a LiteRT file"):
        tflite.Backend(path)


def test_it_runs_on_the_cpu_only(artefact):
    with pytest.raises(RuntimeUnavailable, match="device=cpu"):
        tflite.Backend(artefact, device="cuda:0")


def test_bytes_of_an_image_become_whole_numbers_exactly():
    pixels = np.arange(256, dtype=np.float32)
    tensor = {"quantization": (1 / 255, -128), "dtype": np.int8}
    steps = litert.quantize(pixels / 255, tensor)
    assert steps.dtype == np.int8
    assert (steps == pixels - 128).all()
    np.testing.assert_allclose(litert.dequantize(steps, tensor) * 255, pixels, rtol=1e-6, atol=1e-5)


def test_numbers_out_of_range_are_cut_off():
    tensor = {"quantization": (0.5, 0), "dtype": np.int8}
    assert litert.quantize(np.array([-100.0, -0.74, 0.74, 100.0]), tensor).tolist() == [-128, -1, 1, 127]


def test_what_is_not_quantised_stays():
    tensor = {"quantization": (0.0, 0), "dtype": np.uint8}
    ids = np.array([0, 200], np.uint8)
    assert litert.dequantize(ids, tensor) is ids


@pytest.mark.parametrize(
    ("layer", "name", "found"),
    [
        ("model.1", "Graph_w/_Precise_network/Model_network/conv.Conv_1/Conv2d_conv;3;", True),
        ("model.1", "Graph_w/_Precise_network/Model_network/conv.Conv_11/Conv2d_conv;3;", False),
        ("model.1", "Graph_w/_Precise_network/Model_network/csp.C3k2_2/Sequential_m/Conv_1/Conv2d_conv;3;", False),
        ("model.17.classifier", "Graph_w/_Precise_network/Model_network/Head_17/Sequential_classifier/Conv_0;", True),
        ("model.17.classifier", "Graph_w/_Precise_network/Model_network/Head_17/Conv_stem/Conv_0;", False),
    ],
)
def test_layers_to_keep_are_found_by_name(layer, name, found):
    assert bool(re.search(tflite.scope(layer), name)) is found
