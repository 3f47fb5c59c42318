"""RKNN: chips, metadata, the one file, and what a machine without the chip is told."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats import rknn
from ultralytics.deploy.metadata import ModelMetadata, read_side_file
from ultralytics.deploy.options import ExportOptions
from ultralytics.errors import ConfigError, ModelError, RuntimeUnavailable
from ultralytics.utils.imports import available

METADATA = ModelMetadata(task="semantic", names={0: "Straße"}, stride=32, imgsz=(64, 96), tools={"target": "rk3576"})


@pytest.fixture
def artefact(tmp_path):
    folder = tmp_path / "best_rknn_model"
    folder.mkdir()
    (folder / "best-rk3576.rknn").write_bytes(b"RKNN" + bytes(4))
    rknn.embed(folder, METADATA)
    return folder


def test_a_chip_is_known_in_any_case_and_has_a_default():
    assert rknn.target_of("RK3576") == "rk3576"
    assert rknn.target_of("") == "rk3588"


def test_an_unknown_chip_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"rk3589.*rk3588.*rk3562.*rv1126b"):
        rknn.target_of("rk3589")


def test_the_folder_holds_metadata_and_one_file(artefact):
    assert read_side_file(artefact) == METADATA
    assert rknn.inspect(artefact) == {"file": "best-rk3576.rknn", "bytes": 8, "magic": True}
    (artefact / "other.rknn").write_bytes(b"")
    with pytest.raises(ModelError, match=r"best_rknn_model.*holds 2"):
        rknn.model_file(artefact)


def test_pixels_come_back_as_they_were():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16).repeat(3, axis=1)
    actual = rknn.to_pixels(pixels.astype(np.float32) / 255)
    assert actual.flags.c_contiguous
    np.testing.assert_array_equal(actual, pixels.transpose(0, 2, 3, 1))


@pytest.mark.skipif(available("rknnlite"), reason="this machine has the runtime")
def test_a_machine_without_the_chip_is_told_what_is_needed(artefact):
    with pytest.raises(RuntimeUnavailable, match=r"rk3576.*rknn-toolkit-lite2"):
        rknn.Backend(artefact)


class Toolkit:
    """Reads the list of calibration images as RKNN-Toolkit2 does: blanks part the inputs of a line."""

    read: list[np.ndarray]

    def build(self, *, do_quantization, dataset):
        lines = Path(dataset).read_text(encoding="utf-8").splitlines()
        Toolkit.read = [np.load(name) for line in lines for name in line.split()]
        return 0

    def export_rknn(self, path):
        Path(path).write_bytes(b"RKNN")
        return 0

    def config(self, **settings):
        return 0

    load_onnx = release = config


def test_calibration_images_are_found_in_a_folder_with_blanks(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rknn", ModuleType("rknn"))
    monkeypatch.setitem(sys.modules, "rknn.api", ModuleType("rknn.api"))
    sys.modules["rknn.api"].RKNN = Toolkit
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.5.0")
    folder = tmp_path / "Wagen é"
    folder.mkdir()
    images = np.linspace(0, 1, 4 * 3 * 2 * 2, dtype=np.float32).reshape(4, 3, 2, 2)
    np.save(folder / "images.npy", images)
    job = ExportJob(
        folder=folder,
        artefact=folder / "best_rknn_model",
        options=ExportOptions(imgsz=(2, 2), batch=2, bits=8, output="logits"),
        metadata=METADATA,
        weights=folder / "weights.pt",
        graph="",
        source=folder / "best.onnx",
        calibration=folder / "images.npy",
    )
    before = Path.cwd()
    assert rknn.convert(job).tools["rknn-toolkit2"] == "2.5.0"
    np.testing.assert_array_equal(np.concatenate(Toolkit.read), images * 255)
    assert Path.cwd() == before
