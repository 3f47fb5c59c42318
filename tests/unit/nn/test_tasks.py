"""Networks by what they are for."""

from __future__ import annotations

import pytest

from ultralytics.errors import ModelError
from ultralytics.nn.tasks import SemanticSegmentationModel, build_model

HEADLESS = {"nc": 2, "backbone": [[-1, 1, "Conv", [8]]], "head": [[-1, 1, "nn.Identity", []]]}


def test_the_head_decides_the_class_of_the_model():
    model = build_model("yolo26n-sem.yaml", ch=1, nc=3)
    assert type(model) is SemanticSegmentationModel
    assert (model.ch, model.nc) == (1, 3)


def test_the_known_name_builds_by_itself():
    assert SemanticSegmentationModel("yolo26n-sem.yaml", nc=7).head.nc == 7


def test_another_head_is_refused_with_the_one_that_is_needed():
    with pytest.raises(ModelError, match=r"ends in SemanticSegment, not in nn\.Identity"):
        SemanticSegmentationModel(HEADLESS)
    with pytest.raises(ModelError, match=r"Unknown head 'nn\.Identity'\. Known: SemanticSegment"):
        build_model(HEADLESS)
