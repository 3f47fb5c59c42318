"""SavedModel: metadata in the folder, and what is said where TensorFlow or a file is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats import saved_model
from ultralytics.deploy.metadata import ModelMetadata, read_side_file
from ultralytics.deploy.options import ExportOptions
from ultralytics.errors import ModelError
from ultralytics.utils.imports import available

METADATA = ModelMetadata(task="semantic", names={0: 'a "disc"', 1: "Straße"}, stride=32, imgsz=(64, 96))


def test_metadata_are_replaced(tmp_path):
    saved_model.embed(tmp_path, METADATA)
    saved_model.embed(tmp_path, replace(METADATA, parity={"equal_pixels": 0.5}))
    assert [path.name for path in tmp_path.iterdir()] == ["metadata.yaml"]
    assert read_side_file(tmp_path) == replace(METADATA, parity={"equal_pixels": 0.5})


def test_a_folder_without_metadata_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"metadata\.yaml"):
        saved_model.Backend(tmp_path)


@pytest.mark.skipif(available("onnx2tf"), reason="the converter is here")
def test_a_failed_conversion_quotes_the_converter(tmp_path):
    job = ExportJob(
        folder=tmp_path,
        artefact=tmp_path / "best_saved_model",
        options=ExportOptions(imgsz=(64, 96)),
        metadata=METADATA,
        weights=tmp_path / "best.pt",
        graph="",
        source=tmp_path / "best.onnx",
    )
    with pytest.raises(RuntimeError, match="No module named onnx2tf"):
        saved_model.convert(job)
