"""OpenVINO: answers, metadata in the graph's XML, damage."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ultralytics.deploy.formats import openvino
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ModelError, RuntimeUnavailable

TWO_GRAPHS = """
import signal, sys
from pathlib import Path
from ultralytics.deploy.formats.openvino import Backend

first, second = (Backend(Path(sys.argv[1])) for _ in range(2))
del first
del second
signal.signal(signal.SIGINT, lambda *_: print("handled"))
signal.raise_signal(signal.SIGINT)
"""
METADATA = ModelMetadata(task="semantic", names={0: 'a "disc"', 1: "Straße\n&"}, stride=32, imgsz=(64, 96))


@pytest.fixture
def graph(tmp_path):
    """A graph of the least that the format needs."""
    folder = tmp_path / "best_openvino_model"
    folder.mkdir()
    (folder / "best.xml").write_text(
        '<?xml version="1.0"?>\n<net name="n"><layers/><rt_info><Runtime_version value="1"/></rt_info></net>'
    )
    return folder


def test_metadata_are_replaced(graph):
    openvino.embed(graph, METADATA)
    openvino.embed(graph, replace(METADATA, parity={"equal_pixels": 0.5}))
    assert openvino.read_metadata(graph) == replace(METADATA, parity={"equal_pixels": 0.5})
    text = (graph / "best.xml").read_text(encoding="utf-8")
    assert text.count("<parity ") == 1
    assert '<Runtime_version value="1"' in text


def test_a_renamed_folder_is_read(graph):
    openvino.embed(graph, METADATA)
    assert openvino.read_metadata(graph.rename(graph.with_name("other"))) == METADATA


def test_a_damaged_graph_is_named(graph):
    (graph / "best.xml").write_text("<net><layers>")
    with pytest.raises(ModelError, match=r"best\.xml"):
        openvino.read_metadata(graph)


def test_a_folder_without_a_graph_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"holds 0"):
        openvino.read_metadata(tmp_path)


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [({"output": "logits"}, 1e-3), ({"output": "logits_lowres", "bits": 16}, 0.1), ({"output": "classmap"}, 0)],
    ids=str,
)
def test_its_answers_are_the_networks(make_job, answer, images, options, tolerance):
    pytest.importorskip("openvino")
    job = make_job("openvino", **options)
    openvino.embed(job.artefact, openvino.convert(job))
    (actual,) = openvino.Backend(job.artefact).infer(images[:1])
    expected = answer(job, images[:1])
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, atol=tolerance)


def test_an_open_graph_takes_any_size(make_job, answer, images):
    pytest.importorskip("openvino")
    job = make_job("openvino", output="logits", dynamic=True)
    openvino.embed(job.artefact, openvino.convert(job))
    wide = np.concatenate([images[:2], images[2:]], axis=3)
    (actual,) = openvino.Backend(job.artefact).infer(wide)
    np.testing.assert_allclose(actual, answer(job, wide), atol=1e-3)


def test_a_pipeline_takes_a_picture(make_job, answer):
    pytest.importorskip("openvino")
    job = make_job("openvino", pipeline=True)
    openvino.embed(job.artefact, openvino.convert(job))
    picture = np.random.default_rng(0).integers(0, 256, (1, 45, 70, 3), dtype=np.uint8)
    (actual,) = openvino.Backend(job.artefact).infer(picture)
    assert actual.dtype == np.uint8
    assert (actual == answer(job, picture)).mean() > 0.99


def test_quantised_answers_are_near_and_answers_outlive_the_next(make_job, answer, images):
    pytest.importorskip("openvino")
    pytest.importorskip("nncf")
    job = make_job("openvino", bits=8, output="logits", keep=("model.16",))
    openvino.embed(job.artefact, openvino.convert(job))
    backend = openvino.Backend(job.artefact)
    (first,) = backend.infer(images[:1])
    backend.infer(images[1:2])
    assert np.abs(first - answer(job, images[:1])).mean() < 0.5
    weights = next(job.artefact.glob("*.bin")).stat().st_size
    assert weights < 0.5 * job.source.stat().st_size


def test_its_makers_are_told_nothing():
    pytest.importorskip("openvino")
    before = sys.modules.get("openvino_telemetry")
    openvino._load("openvino")
    assert sys.modules.get("openvino_telemetry") is before


def test_signals_are_handled_after_two_graphs_were_let_go(make_job):
    pytest.importorskip("openvino")
    job = make_job("openvino")
    openvino.embed(job.artefact, openvino.convert(job))
    command = [sys.executable, "-c", TWO_GRAPHS, str(job.artefact)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (result.returncode, result.stdout.split()) == (0, ["handled"]), result.stderr


def test_missing_weights_are_named(make_job):
    pytest.importorskip("openvino")
    job = make_job("openvino")
    openvino.embed(job.artefact, openvino.convert(job))
    next(job.artefact.glob("*.bin")).write_bytes(b"")
    with pytest.raises(ModelError, match="model_openvino_model"):
        openvino.Backend(job.artefact)


def test_a_missing_device_names_those_that_are_here(graph):
    pytest.importorskip("openvino")
    openvino.embed(graph, METADATA)
    with pytest.raises(RuntimeUnavailable, match=r"intel:npu.*only: .*cpu"):
        openvino.Backend(graph, device="intel:npu")


@pytest.mark.parametrize("bits", [32, 16])
def test_a_cpu_computes_in_the_precision_that_was_proved(make_job, bits: int) -> None:
    pytest.importorskip("openvino")
    job = make_job("openvino", bits=bits)
    metadata = openvino.convert(job)
    openvino.embed(job.artefact, metadata)
    assert metadata.precision == "float32"
    hint = openvino.Backend(job.artefact).network.get_property("INFERENCE_PRECISION_HINT")
    assert hint.to_string() == "f32"


def test_the_script_beside_a_pipeline_pins_the_precision_too(make_job) -> None:
    pytest.importorskip("openvino")
    job = make_job("openvino", pipeline=True)
    openvino.embed(job.artefact, openvino.convert(job))
    script = job.artefact.with_name(f"{job.artefact.name}.py")
    program = f"{script.read_text()}\nprint(MODEL.get_property('INFERENCE_PRECISION_HINT').to_string())"
    script.write_text(program)
    said = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert said.stdout.split()[-1] == "f32"
