"""TF.js: what node is told and tells, with a stand-in for TF.js; and what is said where something is missing."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from ultralytics.deploy.formats import tfjs
from ultralytics.deploy.metadata import ModelMetadata, read_side_file
from ultralytics.errors import MissingDependency, ModelError, RuntimeUnavailable

METADATA = ModelMetadata(task="semantic", names={0: 'a "disc"', 1: "Straße"}, stride=32, imgsz=(2, 3), output="logits")
WEIGHTS = np.array([10.0, 20.0, 30.0], np.float32)

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")

CORE = """
exports.setBackend = async () => { console.log("a word of TF.js, which is no answer"); };
exports.tidy = (make) => make();
exports.tensor = (values, shape) => ({ values, shape });
"""
CONVERTER = """
exports.loadGraphModel = async (files) => {
  const model = await files.load();
  if (model.format !== "graph-model") throw new Error("no graph model");
  const weights = new Float32Array(model.weightData);
  return {
    inputs: [{ shape: model.modelTopology.shape }],
    execute: ({ values, shape }) => {
      if (values[0] < 0) throw new Error("cannot be negative");
      const ids = model.modelTopology.ids;
      const result = ids ? Int32Array.from(values.slice(0, 6)) : values.map((value, i) => value + weights[i % 3]);
      const size = ids ? [1, 2, 3] : shape;
      return { shape: size, dtype: ids ? "int32" : "float32", data: async () => result, dispose() {} };
    },
  };
};
"""


@pytest.fixture
def artefact(tmp_path):
    """Folder of a model that adds its three weights to the channels."""
    folder = tmp_path / "best_web_model"
    folder.mkdir()
    _write_model(folder)
    (folder / "shard1.bin").write_bytes(WEIGHTS[:1].tobytes())
    (folder / "shard2.bin").write_bytes(WEIGHTS[1:].tobytes())
    tfjs.embed(folder, METADATA)
    return folder


def _write_model(folder, **topology):
    manifest = [{"paths": ["shard1.bin", "shard2.bin"], "weights": []}]
    content = {
        "format": "graph-model", "modelTopology": {"shape": [1, 2, 3, 3], **topology}, "weightsManifest": manifest,
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """An environment with a stand-in for TF.js."""
    for name, content in {"core": CORE, "converter": CONVERTER, "backend-wasm": ""}.items():
        package = tmp_path / "node_modules" / "@tensorflow" / f"tfjs-{name}"
        package.mkdir(parents=True)
        (package / "package.json").write_text('{"main": "index.js"}', encoding="utf-8")
        (package / "index.js").write_text(content, encoding="utf-8")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))


def test_metadata_are_replaced(artefact):
    tfjs.embed(artefact, replace(METADATA, parity={"equal_pixels": 0.5}))
    assert read_side_file(artefact) == replace(METADATA, parity={"equal_pixels": 0.5})


@needs_node
def test_images_go_in_and_logits_come_out_channels_first(artefact, modules):
    rng = np.random.default_rng(0)
    backend = tfjs.Backend(artefact)
    for _ in range(2):
        images = rng.random((1, 3, 2, 3), dtype=np.float32)
        (logits,) = backend.infer(images)
        np.testing.assert_array_equal(logits, images + WEIGHTS.reshape(1, 3, 1, 1))
    backend.close()
    assert backend.process.returncode == 0


@needs_node
def test_ids_come_out_as_bytes(artefact, modules):
    _write_model(artefact, ids=True)
    backend = tfjs.Backend(artefact)
    (ids,) = backend.infer(np.full((1, 3, 2, 3), 2, np.float32))
    assert ids.dtype == np.uint8
    assert ids.tolist() == [[[2, 2, 2], [2, 2, 2]]]
    backend.close()


@needs_node
def test_an_error_names_the_artefact_and_ends_node(artefact, modules):
    backend = tfjs.Backend(artefact)
    images = np.full((1, 3, 2, 3), -1, np.float32)
    with pytest.raises(ModelError, match=r"best_web_model.*cannot be negative"):
        backend.infer(images)
    with pytest.raises(RuntimeUnavailable, match="ended with status 1"):
        backend.infer(images)


@needs_node
def test_a_batch_of_another_size_is_refused(artefact, modules):
    backend = tfjs.Backend(artefact)
    with pytest.raises(ModelError, match=r"\(1, 2, 3, 3\)"):
        backend.infer(np.zeros((2, 3, 2, 3), np.float32))
    backend.close()


@needs_node
def test_a_damaged_model_is_named(artefact, modules):
    (artefact / "model.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="best_web_model"):
        tfjs.Backend(artefact)


@needs_node
def test_missing_packages_are_named_with_the_line_that_brings_them(artefact, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "elsewhere"))
    with pytest.raises(MissingDependency, match=r"npm install --prefix .*elsewhere.* @tensorflow/tfjs-core@4"):
        tfjs.Backend(artefact)


def test_a_machine_without_node_is_told(artefact, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeUnavailable, match=r"Node\.js"):
        tfjs.Backend(artefact)


def test_a_folder_without_its_model_is_named(tmp_path):
    folder = tmp_path / "best_web_model"
    folder.mkdir()
    tfjs.embed(folder, METADATA)
    with pytest.raises(ModelError, match=r"model\.json"):
        tfjs.Backend(folder)
