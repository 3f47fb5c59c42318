"""IMX500: what is in its folder, and what is said where it cannot be made or run."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats import imx
from ultralytics.deploy.metadata import ModelMetadata, read_side_file
from ultralytics.deploy.options import ExportOptions
from ultralytics.errors import MissingDependency, ModelError, RuntimeUnavailable

METADATA = ModelMetadata(task="any", names={0: "road", 1: "sky"}, stride=32, imgsz=(64, 96), output="logits_lowres")


@pytest.fixture
def artefact(tmp_path):
    folder = tmp_path / "a_imx_model"
    folder.mkdir()
    (folder / imx.PACKED).write_bytes(b"packed")
    return folder


def test_metadata_lie_in_the_folder_and_can_be_replaced(artefact):
    for parity in ({}, {"equal_pixels": 0.95}):
        imx.embed(artefact, replace(METADATA, parity=parity))
        assert read_side_file(artefact) == replace(METADATA, parity=parity)


def test_without_java_nothing_is_begun(tmp_path, monkeypatch):
    names = {"artefact": tmp_path / "a_imx_model", "weights": tmp_path / "a.pt"}
    job = ExportJob(
        folder=tmp_path, options=ExportOptions(imgsz=(64, 96)), metadata=METADATA, graph="none:none", **names
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match="Java 17"):
        imx.convert(job)


def test_the_exporter_of_torch_is_as_before_afterwards():
    def export(*arguments, **named):
        return named

    module = SimpleNamespace(export=export)
    with imx.tracing_exporter(module):
        assert module.export("network", opset_version=15) == {"opset_version": 15, "dynamo": False}
    with pytest.raises(ZeroDivisionError), imx.tracing_exporter(module):
        raise ZeroDivisionError
    assert module.export is export


def test_the_quantised_graph_runs_on_the_cpu_only(artefact):
    imx.embed(artefact, METADATA)
    with pytest.raises(RuntimeUnavailable, match=r"packerOut\.zip' runs in an IMX500 camera"):
        imx.Backend(artefact, device="cuda:0")


def test_folders_that_lack_something_are_refused_by_name(artefact):
    with pytest.raises(ModelError, match=r"a_imx_model.*metadata\.yaml"):
        imx.Backend(artefact)
    imx.embed(artefact, METADATA)
    with pytest.raises(ModelError, match=r"a_imx_model' should hold one \.onnx file.*holds 0"):
        imx.Backend(artefact)


def test_what_the_camera_would_load_is_told(artefact):
    assert imx.inspect(artefact) == {"packed_bytes": 6}
    report = {"Memory Usage": "3.18MB", "Total Memory Available On Chip": "8.00MB", "Fit In Chip": True, "Networks": []}
    (artefact / imx.REPORT).write_text(json.dumps({"Memory Report": report}), encoding="utf-8")
    assert imx.inspect(artefact) == {
        "packed_bytes": 6,
        "memory": "3.18MB",
        "memory_of_chip": "8.00MB",
        "fits": True,
    }
