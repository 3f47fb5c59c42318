"""NCNN: answers, the side file, damage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ultralytics.deploy.formats import ncnn
from ultralytics.deploy.metadata import ModelMetadata, read_side_file
from ultralytics.errors import ModelError

METADATA = ModelMetadata(task="semantic", names={0: "ground", 1: "Straße"}, stride=32, imgsz=(64, 96))


def test_metadata_are_replaced(tmp_path):
    ncnn.embed(tmp_path, METADATA)
    ncnn.embed(tmp_path, replace(METADATA, parity={"equal_pixels": 0.5}))
    assert read_side_file(tmp_path) == replace(METADATA, parity={"equal_pixels": 0.5})


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"output": "logits_lowres"}, 1e-3),
        ({"output": "logits", "bits": 16, "batch": 2}, 0.1),
        ({"output": "probs"}, 1e-3),
    ],
    ids=str,
)
def test_its_answers_are_the_networks(make_job, answer, images, options, tolerance):
    pytest.importorskip("ncnn")
    pytest.importorskip("pnnx", exc_type=ImportError)
    job = make_job("ncnn", **options)
    ncnn.embed(job.artefact, ncnn.convert(job))
    assert {file.name for file in job.artefact.iterdir()} == {ncnn.GRAPH, ncnn.WEIGHTS, "metadata.yaml"}
    batch = images[: job.options.batch]
    backend = ncnn.Backend(job.artefact)
    (actual,) = backend.infer(batch)
    backend.close()
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, answer(job, batch), atol=tolerance)


@pytest.mark.parametrize("content", [None, b"", b"7767517\n1 1\nInput in0 0 1 in0\nUnknown x 0 0\n"], ids=repr)
def test_a_damaged_folder_is_named(tmp_path, content):
    pytest.importorskip("ncnn")
    ncnn.embed(tmp_path, METADATA)
    if content is not None:
        (tmp_path / ncnn.GRAPH).write_bytes(content)
    with pytest.raises(ModelError, match=tmp_path.name):
        ncnn.Backend(tmp_path)


def test_a_folder_without_its_side_file_says_so(tmp_path):
    pytest.importorskip("ncnn")
    with pytest.raises(ModelError, match=r"metadata\.yaml"):
        ncnn.Backend(tmp_path)
