"""TorchScript: answers, metadata in the archive, damage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ultralytics.deploy.formats import torchscript
from ultralytics.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [({"output": "logits", "batch": 2}, 1e-4), ({"output": "logits_lowres", "bits": 16}, 0.1), ({"optimize": True}, 0)],
    ids=str,
)
def test_its_answers_are_the_networks(make_job, answer, images, options, tolerance):
    job = make_job("torchscript", **options)
    torchscript.embed(job.artefact, torchscript.convert(job))
    batch = images[: job.options.batch]
    (actual,) = torchscript.Backend(job.artefact).infer(batch)
    expected = answer(job, batch)
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, atol=tolerance)


def test_an_open_graph_takes_any_size(make_job, answer, images):
    job = make_job("torchscript", output="logits", dynamic=True)
    torchscript.embed(job.artefact, torchscript.convert(job))
    wide = np.concatenate([images[:2], images[2:]], axis=3)
    np.testing.assert_allclose(torchscript.Backend(job.artefact).infer(wide)[0], answer(job, wide), atol=1e-4)


def test_metadata_are_replaced(make_job):
    job = make_job("torchscript")
    metadata = torchscript.convert(job)
    torchscript.embed(job.artefact, metadata)
    torchscript.embed(job.artefact, replace(metadata, parity={"equal_pixels": 0.5}))
    assert torchscript.Backend(job.artefact).metadata == replace(metadata, parity={"equal_pixels": 0.5})


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "best.torchscript"
    path.write_bytes(b"no archive")
    with pytest.raises(ModelError, match=r"best\.torchscript"):
        torchscript.Backend(path)
