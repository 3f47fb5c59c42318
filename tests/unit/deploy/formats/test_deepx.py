"""DEEPX: pictures to calibrate with, inputs of the compiled network, and what is said without an NPU."""

from __future__ import annotations

import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from ultralytics.deploy.formats import deepx
from ultralytics.deploy.metadata import ModelMetadata, read_side_file
from ultralytics.errors import ModelError, RuntimeUnavailable
from ultralytics.utils.imports import available

METADATA = ModelMetadata(task="any", names={0: "road", 1: "sky"}, stride=32, imgsz=(4, 6), output="logits_lowres")

LOG = """\
2026-11-21 12:07:59,888 - INFO - Final result: 1 NPU groups, 2 CPU groups
2026-11-21 12:08:01,076 - INFO - [Quantization] wbit=8, abit=8, mode=ptq
2026-11-21 12:09:17,078 - INFO -            ONNX input : float32 NCHW [1, 3, 4, 6]
2026-11-21 12:09:17,078 - INFO -            NPU  input : uint8 NHWC [1, 4, 6, 3]
"""

RUNTIME = """\
import numpy as np
from pathlib import Path

class InferenceEngine:
    def __init__(self, path):
        if b"other" in Path(path).read_bytes():
            raise RuntimeError("no device found")
        self.disposed = False

    def get_input_tensors_info(self):
        return [{"name": "images", "shape": [1, 4, 6, 3], "dtype": np.uint8, "elem_size": 1}]

    def run(self, inputs):
        return [inputs[0].transpose(0, 3, 1, 2).astype(np.float32)]

    def dispose(self):
        self.disposed = True
"""


@pytest.fixture
def artefact(tmp_path):
    folder = tmp_path / "a_deepx_model"
    folder.mkdir()
    (folder / "a.dxnn").write_bytes(b"DXNN compiled")
    deepx.embed(folder, METADATA)
    return folder


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """A stand-in for the vendor's runtime, which needs an NPU."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    (folder / "dx_engine.py").write_text(RUNTIME, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    yield
    sys.modules.pop("dx_engine", None)


def test_pictures_are_png_files(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    decoded = cv2.imdecode(np.frombuffer(deepx.png(pixels), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded[..., ::-1], pixels)


def test_inputs_are_as_the_compiled_network_wants_them():
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 4, 6), dtype=np.uint8)
    images = pixels.astype(np.float32) / 255
    small = deepx.as_input(images, {"shape": [1, 4, 6, 3], "dtype": "uint8"})
    np.testing.assert_array_equal(small, pixels.transpose(0, 2, 3, 1))
    assert small.dtype == np.uint8
    assert small.flags.c_contiguous
    np.testing.assert_array_equal(deepx.as_input(images, {"shape": [1, 3, 4, 6], "dtype": np.float32}), images)


def test_metadata_lie_in_the_folder_and_can_be_replaced(artefact):
    deepx.embed(artefact, replace(METADATA, parity={"equal_pixels": 0.95}))
    assert read_side_file(artefact).parity == {"equal_pixels": 0.95}


@pytest.mark.skipif(available("dx_engine"), reason="DEEPX's runtime is here")
def test_without_the_runtime_it_is_said_what_is_needed(artefact):
    with pytest.raises(RuntimeUnavailable, match=r"DEEPX NPU .* DX-RT.*dx_engine"):
        deepx.Backend(artefact)


def test_images_go_through_the_runtime_one_by_one(artefact, runtime):
    backend = deepx.Backend(artefact)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 6), dtype=np.uint8)
    (answer,) = backend.infer(pixels.astype(np.float32) / 255)
    np.testing.assert_array_equal(answer, pixels.astype(np.float32))
    assert backend.metadata == METADATA
    backend.close()
    assert backend.engine.disposed


def test_a_runtime_without_its_device_is_unavailable(artefact, runtime):
    (artefact / "a.dxnn").write_bytes(b"DXNN other")
    with pytest.raises(RuntimeUnavailable, match="no device found"):
        deepx.Backend(artefact)


def test_folders_without_the_compiled_network_are_refused_by_name(artefact):
    (artefact / "a.dxnn").unlink()
    with pytest.raises(ModelError, match=r"a_deepx_model' should hold one \.dxnn file.*holds 0"):
        deepx.Backend(artefact)


def test_what_the_compiler_said_is_told(artefact):
    assert deepx.inspect(artefact) == {"bytes": 13}
    (artefact / deepx.LOG).write_text(LOG, encoding="utf-8")
    assert deepx.inspect(artefact) == {
        "bytes": 13,
        "npu_groups": 1,
        "cpu_groups": 2,
        "weight_bits": 8,
        "activation_bits": 8,
        "input": "uint8 NHWC [1, 4, 6, 3]",
    }
    (artefact / "a.dxnn").write_bytes(b"PK")
    with pytest.raises(ModelError, match=r"a\.dxnn' is not a compiled network"):
        deepx.inspect(artefact)
