"""Axelera: tensors as the card holds them, the calls that the SDK documents, and what is said without it."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats import axelera
from ultralytics.deploy.metadata import ModelMetadata, read_side_file
from ultralytics.deploy.options import ExportOptions
from ultralytics.errors import MissingDependency, ModelError, RuntimeUnavailable
from ultralytics.utils.imports import available

METADATA = ModelMetadata(task="any", names={0: "road"}, stride=8, imgsz=(2, 3), batch=2, output="logits_lowres")

COMPILER = """\
import json
__version__ = "1.6.0"

class CompilerConfig:
    aipu_cores_used, multicore_mode = 1, "multiprocess"

def quantize(model, calibration_dataset, config):
    return model, [list(images.shape) for images in calibration_dataset]

def compile(model, config, output_dir):
    folder = output_dir / "compiled_model"
    folder.mkdir(parents=True)
    facts = [*model, config.aipu_cores_used, config.multicore_mode]
    (folder / "model.json").write_text(json.dumps(facts))
"""

RUNTIME = """\
import numpy as np
from types import SimpleNamespace

class ConnectionError(Exception): pass
class DeviceInUse(Exception): pass
class IncompatibleDevice(Exception): pass

devices, busy, released = ["metis-0:1:0"], False, []
info = SimpleNamespace(
    shape=(2, 2, 3, 4), dtype=np.int8, padding=[(0, 0), (0, 0), (0, 0), (0, 1)], scale=0.5, zero_point=-10
)

class Context:
    def list_devices(self):
        return devices

    def load_model(self, path):
        return SimpleNamespace(
            inputs=lambda: [info], outputs=lambda: [info], preamble_graph="", postamble_graph=""
        )

    def device_connect(self, device, num_sub_devices):
        if busy:
            raise DeviceInUse("the cores are taken")
        def load_model_instance(model, num_sub_devices, aipu_cores):
            return self
        return SimpleNamespace(load_model_instance=load_model_instance)

    def run(self, inputs, outputs):
        outputs[0][...] = inputs[0]

    def release(self):
        released.append(True)
"""


@pytest.fixture
def sdk(tmp_path, monkeypatch):
    """A stand-in for the vendor's SDK, which only its own index holds, and the card, which answers what it is given."""
    package = tmp_path / "sdk" / "axelera"
    package.mkdir(parents=True)
    for name, content in {"__init__": "", "compiler": COMPILER, "runtime": RUNTIME}.items():
        (package / f"{name}.py").write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(package.parent)
    import axelera.runtime

    yield axelera.runtime
    for name in [name for name in sys.modules if name.split(".")[0] == "axelera"]:
        del sys.modules[name]


@pytest.fixture
def artefact(tmp_path):
    folder = tmp_path / "a_axelera_model"
    folder.mkdir()
    (folder / "model.json").write_text("{}", encoding="utf-8")
    axelera.embed(folder, METADATA)
    return folder


@pytest.fixture
def job(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((5, 3, 2, 3), np.float32))
    names = {"artefact": tmp_path / "b_axelera_model", "weights": tmp_path / "b.pt", "source": tmp_path / "b.onnx"}
    options = ExportOptions(imgsz=(2, 3), batch=2, bits=8)
    return ExportJob(
        folder=tmp_path,
        options=options,
        metadata=METADATA,
        graph="none:none",
        calibration=tmp_path / "images.npy",
        **names,
    )


def test_tensors_of_the_card_are_int8_channels_last_and_padded():
    info = SimpleNamespace(scale=0.5, zero_point=-2, padding=[(0, 0), (0, 0), (0, 0), (1, 2)])
    values = np.array([[[[0.0, 1.0]], [[-100.0, 100.0]]]], np.float32)  # (1, 2 channels, 1, 2)
    inside = axelera.to_card(values, info)
    assert inside.tolist() == [[[[-2, -2, -128, -2, -2], [-2, 0, 127, -2, -2]]]]
    assert inside.dtype == np.int8
    assert axelera.from_card(inside, info).tolist() == [[[[0.0, 1.0]], [[-63.0, 64.5]]]]


@given(st.integers(0, 3), st.integers(0, 3), st.integers(-128, 127), st.floats(0.001, 0.1))
def test_values_within_the_range_come_back_within_half_a_step(before, after, zero_point, scale):
    info = SimpleNamespace(scale=scale, zero_point=zero_point, padding=[(0, 0), (0, 0), (0, 0), (before, after)])
    low, high = (-128 - zero_point) * scale, (127 - zero_point) * scale
    values = np.linspace(low, high, 24, dtype=np.float32).reshape(1, 2, 3, 4)
    back = axelera.from_card(axelera.to_card(values, info), info)
    np.testing.assert_allclose(back, values, atol=0.501 * scale)


def test_the_graph_is_quantised_and_compiled_for_as_many_cores_as_images(job, sdk):
    metadata = axelera.convert(job)
    facts = (job.artefact / "model.json").read_text(encoding="utf-8")
    assert facts == f'["{job.source}", [[2, 3, 2, 3], [2, 3, 2, 3]], 2, "batch"]'
    assert metadata.tools == {"axelera-compiler": "1.6.0"}


def test_images_go_to_the_card_and_back(artefact, sdk):
    backend = axelera.Backend(artefact)
    values = np.random.default_rng(0).integers(0, 20, (2, 3, 2, 3)).astype(np.float32)
    (answer,) = backend.infer(values)
    np.testing.assert_array_equal(answer, values)
    backend.close()
    assert sdk.released == [True]


def test_a_missing_or_taken_card_is_unavailable(artefact, sdk):
    sdk.busy = True
    with pytest.raises(RuntimeUnavailable, match="the cores are taken"):
        axelera.Backend(artefact)
    sdk.devices.clear()
    with pytest.raises(RuntimeUnavailable, match="finds none"):
        axelera.Backend(artefact)
    assert sdk.released == [True, True]


@pytest.mark.skipif(available("axelera"), reason="Axelera's SDK is here")
def test_without_the_sdk_the_line_that_installs_it_is_given(artefact, job):
    with pytest.raises(RuntimeUnavailable, match=r"Metis card.*pip install axelera-rt --extra-index-url https://"):
        axelera.Backend(artefact)
    with pytest.raises(MissingDependency, match="pip install axelera-devkit --extra-index-url https://"):
        axelera.convert(job)


def test_metadata_lie_in_the_folder_and_can_be_replaced(artefact):
    axelera.embed(artefact, replace(METADATA, parity={"equal_pixels": 0.95}))
    assert read_side_file(artefact).parity == {"equal_pixels": 0.95}


def test_folders_without_the_compiled_network_are_refused_by_name(artefact):
    (artefact / "model.json").unlink()
    with pytest.raises(ModelError, match=r"a_axelera_model' should hold one model\.json.*holds 0"):
        axelera.Backend(artefact)


def test_parts_that_the_host_computes_are_told(artefact):
    (artefact / "postprocess_graph.onnx").write_bytes(b"onnx")
    assert axelera.inspect(artefact)["on_host"] == ["postprocess_graph.onnx"]
