"""Known import path of the semantic classes, under this package's names and the ones users know."""

from ultralytics.tasks.semantic.predict import SemanticPredictor
from ultralytics.tasks.semantic.train import SemanticTrainer
from ultralytics.tasks.semantic.val import SemanticValidator

SemanticSegmentationPredictor = SemanticPredictor
SemanticSegmentationTrainer = SemanticTrainer
SemanticSegmentationValidator = SemanticValidator

__all__ = [
    "SemanticPredictor",
    "SemanticSegmentationPredictor",
    "SemanticSegmentationTrainer",
    "SemanticSegmentationValidator",
    "SemanticTrainer",
    "SemanticValidator",
]
