"""MNN: answers, metadata in the file's own text, damage."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.deploy.formats import mnn
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ModelError

METADATA = ModelMetadata(task="semantic", names={0: "ground", 1: "Straße"}, stride=32, imgsz=(64, 96))
# root at 12; its table of offsets at 4: 6 bytes, of an 8-byte table whose one field lies at 4; the field at 16 refers
# to a text at 20 of two letters
MODEL = struct.pack("<IHHHHiII", 12, 6, 8, 4, 0, 8, 4, 2) + b"{}\0\0"


def test_the_text_of_a_model_is_read():
    assert mnn.read_text(MODEL) == "{}"


@given(st.text(), st.text())
def test_a_text_replaces_the_one_before(first, second):
    model = mnn.with_text(mnn.with_text(MODEL, first), second)
    assert mnn.read_text(model) == second
    assert model == mnn.with_text(MODEL, second)


def test_what_follows_a_text_stays():
    model = mnn.with_text(MODEL + b"rest", "new")
    assert mnn.read_text(model) == "new"
    assert model[20:32] == (MODEL + b"rest")[20:]


def test_metadata_are_replaced(tmp_path):
    path = tmp_path / "best.mnn"
    path.write_bytes(MODEL)
    mnn.embed(path, METADATA)
    mnn.embed(path, replace(METADATA, parity={"equal_pixels": 0.5}))
    assert mnn.read_metadata(path) == replace(METADATA, parity={"equal_pixels": 0.5})


@pytest.mark.parametrize("content", [b"", b"not a model, but long enough", MODEL[:24], bytes(64)], ids=repr)
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "best.mnn"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"best\.mnn"):
        mnn.read_metadata(path)


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"output": "logits"}, 0.02),
        ({"output": "logits_lowres", "bits": 16, "batch": 2}, 0.2),
        ({"output": "probs", "bits": 8}, 0.2),
    ],
    ids=str,
)
def test_its_answers_are_the_networks(make_job, answer, images, options, tolerance):
    pytest.importorskip("MNN")
    job = make_job("mnn", **options)
    mnn.embed(job.artefact, mnn.convert(job))
    batch = images[: job.options.batch]
    (actual,) = mnn.Backend(job.artefact).infer(batch)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, answer(job, batch), atol=tolerance)


def test_a_class_map_is_of_bytes(make_job, answer, images):
    pytest.importorskip("MNN")
    job = make_job("mnn", output="classmap")
    mnn.embed(job.artefact, mnn.convert(job))
    (actual,) = mnn.Backend(job.artefact).infer(images[:1])
    assert actual.dtype == np.uint8
    assert (actual == answer(job, images[:1])).mean() > 0.99


def test_an_open_graph_takes_any_size(make_job, answer, images):
    pytest.importorskip("MNN")
    job = make_job("mnn", output="logits", dynamic=True)
    mnn.embed(job.artefact, mnn.convert(job))
    wide = np.concatenate([images[:2], images[2:]], axis=3)
    (actual,) = mnn.Backend(job.artefact).infer(wide)
    np.testing.assert_allclose(actual, answer(job, wide), atol=0.02)


def test_the_toolkit_reads_the_text_too(make_job):
    toolkit = pytest.importorskip("MNN")
    job = make_job("mnn")
    metadata = mnn.convert(job)
    mnn.embed(job.artefact, metadata)
    network = toolkit.nn.load_module_from_file(str(job.artefact), ["images"], ["output"])
    assert network.get_info()["bizCode"] == metadata.json()


def test_a_file_that_only_the_toolkit_finds_damaged_is_named(make_job):
    pytest.importorskip("MNN")
    job = make_job("mnn")
    mnn.embed(job.artefact, mnn.convert(job))
    content = bytearray(job.artefact.read_bytes())
    field = mnn._text_field(bytes(content))
    text = mnn._text_start(bytes(content), field)
    content[field + 4 : text] = bytes(text - field - 4)
    job.artefact.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.mnn"):
        mnn.Backend(job.artefact)
