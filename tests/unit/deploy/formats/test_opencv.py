"""ONNX files in OpenCV: answers, what it cannot do, damage."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from ultralytics.deploy.formats import onnx, opencv
from ultralytics.deploy.formats.protobuf import with_onnx_metadata
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ModelError, RuntimeUnavailable

METADATA = ModelMetadata(task="semantic", names={0: "ground"}, stride=32, imgsz=(64, 96))


@pytest.mark.parametrize("output", ["logits", "logits_lowres", "probs"])
def test_its_answers_are_the_networks(make_job, answer, images, output):
    pytest.importorskip("onnx")
    job = make_job("onnx", output=output, batch=2, simplify=False)
    onnx.embed(job.artefact, onnx.convert(job))
    backend = opencv.Backend(job.artefact)
    (actual,) = backend.infer(images[:2])
    backend.infer(images[2:])
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, answer(job, images[:2]), atol=1e-3)


def test_a_class_map_is_of_bytes_and_threads_are_given_back(make_job, answer, images):
    pytest.importorskip("onnx")
    job = make_job("onnx", simplify=False)
    onnx.embed(job.artefact, onnx.convert(job))
    before = cv2.getNumThreads()
    (actual,) = opencv.Backend(job.artefact, threads=1).infer(images[:1])
    assert cv2.getNumThreads() == before
    assert actual.dtype == np.uint8
    assert (actual == answer(job, images[:1])).mean() > 0.99


@pytest.mark.parametrize(
    "content", [b"\x0a\x05abc", with_onnx_metadata(b"\x3a\x02\xff\xff", METADATA.texts())], ids=["message", "graph"]
)
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "best.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"best\.onnx"):
        opencv.Backend(path)


def test_a_pipeline_is_refused(tmp_path):
    path = tmp_path / "best.onnx"
    path.write_bytes(with_onnx_metadata(b"", replace(METADATA, pipeline=True).texts()))
    with pytest.raises(RuntimeUnavailable, match="dnn=True"):
        opencv.Backend(path)
