"""What an artefact says of itself."""

from __future__ import annotations

import numpy as np

from ultralytics.deploy.metadata import ModelMetadata

METADATA = ModelMetadata(task="t", names={0: "a", 1: "b"}, stride=32, imgsz=(64, 96), channels=5)


def test_texts_and_json_are_read_as_they_were_written() -> None:
    assert ModelMetadata.from_json(METADATA.json(), where="x").as_dict() == {**METADATA.as_dict(), "imgsz": (64, 96)}
    assert ModelMetadata.from_dict(METADATA.texts(), where="x") == METADATA


def test_pixels_of_every_depth_become_inputs_from_0_to_1() -> None:
    scale = ModelMetadata.from_dict(METADATA.texts(), where="x").normalization["scale"]
    for dtype in (np.uint8, np.uint16):
        assert np.iinfo(dtype).max * scale[np.dtype(dtype).name] == 1
