"""ONNX: answers, metadata, layers that are kept, damage."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ultralytics.deploy.formats import onnx
from ultralytics.deploy.formats.protobuf import with_onnx_metadata
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ModelError
from ultralytics.utils.env import ROOT

RUN = """
import sys
from pathlib import Path
import numpy as np
from ultralytics.deploy.formats.onnx import Backend
print(len(Backend(Path(sys.argv[1])).infer(np.zeros((1, 3, 64, 64), np.float32))))
"""
METADATA = ModelMetadata(task="semantic", names={0: 'a "disc"', 1: "Straße"}, stride=32, imgsz=(64, 96))


def test_metadata_are_replaced(tmp_path):
    path = tmp_path / "best.onnx"
    path.write_bytes(b"\x08\x08")
    onnx.embed(path, METADATA)
    onnx.embed(path, replace(METADATA, parity={"equal_pixels": 0.5}))
    assert onnx.read_metadata(path) == replace(METADATA, parity={"equal_pixels": 0.5})


def test_a_file_that_is_none_is_named(tmp_path):
    path = tmp_path / "best.onnx"
    path.write_bytes(b"\x0a\x05abc")
    with pytest.raises(ModelError, match=r"best\.onnx"):
        onnx.read_metadata(path)


def test_a_damaged_graph_is_named(tmp_path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "best.onnx"
    path.write_bytes(with_onnx_metadata(b"\x3a\x02\xff\xff", METADATA.texts()))
    with pytest.raises(ModelError, match=r"best\.onnx"):
        onnx.Backend(path)


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"output": "logits", "batch": 2}, 1e-3),
        ({"output": "logits_lowres", "bits": 16}, 0.1),
        ({"output": "classmap", "simplify": False}, 0),
    ],
    ids=str,
)
def test_its_answers_are_the_networks(make_job, answer, images, options, tolerance):
    for package in ("onnx", "onnxruntime", "onnxslim"):
        pytest.importorskip(package)
    job = make_job("onnx", **options)
    onnx.embed(job.artefact, onnx.convert(job))
    batch = images[: job.options.batch]
    (actual,) = onnx.Backend(job.artefact).infer(batch)
    expected = answer(replace(job, options=replace(job.options, bits=32)), batch)
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, atol=tolerance)


def test_an_open_graph_takes_any_size(make_job, answer, images):
    for package in ("onnx", "onnxruntime", "onnxslim"):
        pytest.importorskip(package)
    job = make_job("onnx", output="logits", dynamic=True)
    onnx.embed(job.artefact, onnx.convert(job))
    wide = np.concatenate([images[:2], images[2:]], axis=3)
    np.testing.assert_allclose(onnx.Backend(job.artefact).infer(wide)[0], answer(job, wide), atol=1e-3)


def test_a_pipeline_takes_a_picture(make_job, answer):
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package)
    job = make_job("onnx", pipeline=True)
    onnx.embed(job.artefact, onnx.convert(job))
    picture = np.random.default_rng(0).integers(0, 256, (1, 45, 70, 3), dtype=np.uint8)
    (actual,) = onnx.Backend(job.artefact).infer(picture)
    assert actual.dtype == np.uint8
    assert (actual == answer(job, picture)).mean() > 0.99


@pytest.mark.skipif(sys.platform == "win32", reason="there it reports to the system, not to files")
def test_running_a_graph_leaves_the_users_home_as_it_is(make_job, tmp_path):
    for package in ("onnx", "onnxruntime", "onnxslim"):
        pytest.importorskip(package)
    job = make_job("onnx")
    onnx.embed(job.artefact, onnx.convert(job))
    home = tmp_path / "home"
    home.mkdir()
    # nothing else of this environment, where a variable such as CI might be what silences it
    environ = {"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT.parent)}
    command = [sys.executable, "-c", RUN, str(job.artefact)]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "1\n"), result.stderr
    assert list(home.rglob("*")) == []
