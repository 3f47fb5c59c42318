"""ExecuTorch: answers, the side file, damage, layers that are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ultralytics.deploy.formats import executorch
from ultralytics.deploy.metadata import ModelMetadata, read_side_file
from ultralytics.errors import ModelError, RuntimeUnavailable

METADATA = ModelMetadata(task="semantic", names={0: "ground", 1: "Straße"}, stride=32, imgsz=(64, 96))


def test_metadata_are_replaced(tmp_path):
    executorch.embed(tmp_path, METADATA)
    executorch.embed(tmp_path, replace(METADATA, parity={"equal_pixels": 0.5}))
    assert read_side_file(tmp_path) == replace(METADATA, parity={"equal_pixels": 0.5})


@pytest.mark.parametrize(
    ("module", "kept"),
    [
        ("network.network.model.2", True),
        ("model.2", True),
        ("network.network.model.22", False),
        ("model.2.conv", False),
    ],
)
def test_a_layer_is_known_by_the_end_of_its_name(module, kept):
    assert executorch._belongs(["network", module], ("model.2",)) is kept


def test_a_folder_without_its_program_is_named(tmp_path):
    executorch.embed(tmp_path, METADATA)
    with pytest.raises(ModelError, match=tmp_path.name):
        executorch.Backend(tmp_path)


def test_other_devices_are_refused(tmp_path):
    with pytest.raises(RuntimeUnavailable, match="cuda:0"):
        executorch.Backend(tmp_path, device="cuda:0")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the toolkit's imports warn of each other
def test_its_answers_are_the_networks(make_job, answer, images):
    pytest.importorskip("executorch.runtime", exc_type=ImportError)
    job = make_job("executorch", output="logits", batch=2)
    executorch.embed(job.artefact, executorch.convert(job))
    backend = executorch.Backend(job.artefact)
    (actual,) = backend.infer(images[:2])
    backend.infer(images[2:])
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, answer(job, images[:2]), atol=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_program_is_named(tmp_path):
    pytest.importorskip("executorch.runtime", exc_type=ImportError)
    executorch.embed(tmp_path, METADATA)
    (tmp_path / executorch.PROGRAM).write_bytes(b"not a program" * 10)
    with pytest.raises(ModelError, match=r"model\.pte"):
        executorch.Backend(tmp_path)
