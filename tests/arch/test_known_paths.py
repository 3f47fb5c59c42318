"""Import paths and names that users of the public distribution have in their code."""

from __future__ import annotations

import importlib

import pytest

import ultralytics
from ultralytics.tasks import TASKS

KNOWN = [
    "ultralytics:YOLO",
    "ultralytics:settings",
    "ultralytics:checks",
    "ultralytics:__version__",
    "ultralytics.models:YOLO",
    "ultralytics.models.yolo:YOLO",
    "ultralytics.models.yolo.semantic:SemanticSegmentationTrainer",
    "ultralytics.models.yolo.semantic:SemanticSegmentationValidator",
    "ultralytics.models.yolo.semantic:SemanticSegmentationPredictor",
    "ultralytics.engine.results:Results",
    "ultralytics.engine.results:SemanticMask",
    "ultralytics.engine.trainer:BaseTrainer",
    "ultralytics.engine.validator:BaseValidator",
    "ultralytics.engine.predictor:BasePredictor",
    "ultralytics.nn.autobackend:AutoBackend",
    "ultralytics.nn.tasks:SemanticSegmentationModel",
    "ultralytics.nn.modules:Conv",
    "ultralytics.nn.modules.block:C3k2",
    "ultralytics.nn.modules.head:SemanticSegment",
    "ultralytics.utils:LOGGER",
    "ultralytics.utils.plotting:Annotator",
    "ultralytics.utils.plotting:colors",
    "ultralytics.utils.torch_utils:select_device",
    "ultralytics.data.utils:check_det_dataset",
    "ultralytics.data.utils:IMG_FORMATS",
    "ultralytics.data.augment:LetterBox",
]


@pytest.mark.parametrize("target", KNOWN)
def test_a_known_path_answers(target):
    module, name = target.split(":")
    assert getattr(importlib.import_module(module), name) is not None


@pytest.mark.parametrize("name", ["RTDETR", "YOLOE"])
def test_other_model_families_say_what_they_are(name):
    with pytest.raises(AttributeError, match="another model family"):
        getattr(ultralytics, name)


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
@pytest.mark.parametrize("role", ["model", "trainer", "validator", "predictor", "doctor"])
def test_names_in_the_task_table_resolve(task, role):
    assert callable(task.resolve(role))
