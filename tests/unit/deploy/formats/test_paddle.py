"""PaddlePaddle: metadata in the folder, incomplete folders."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ultralytics.deploy.formats import paddle
from ultralytics.deploy.metadata import ModelMetadata, read_side_file
from ultralytics.errors import ModelError

METADATA = ModelMetadata(task="semantic", names={0: 'a "disc"', 1: "Straße"}, stride=32, imgsz=(64, 96))


@pytest.fixture
def artefact(tmp_path):
    folder = tmp_path / "best_paddle_model"
    folder.mkdir()
    paddle.embed(folder, METADATA)
    return folder


def test_metadata_are_replaced(artefact):
    changed = replace(METADATA, parity={"equal_pixels": 0.5})
    paddle.embed(artefact, changed)
    assert read_side_file(artefact) == changed
    assert [path.name for path in artefact.iterdir()] == ["metadata.yaml"]


@pytest.mark.parametrize("missing", ["model.json", "model.pdiparams"])
def test_a_missing_file_is_named(artefact, missing):
    for name in {"model.json", "model.pdiparams"} - {missing}:
        (artefact / name).write_bytes(b"")
    with pytest.raises(ModelError, match=rf"best_paddle_model.*{missing}"):
        paddle.Backend(artefact)


def test_a_folder_without_metadata_says_what_it_needs(tmp_path):
    with pytest.raises(ModelError, match=r"metadata\.yaml"):
        paddle.Backend(tmp_path)
