"""The semantic task's row in the task table."""

from ultralytics.tasks.spec import TaskSpec

SPEC = TaskSpec(
    name="semantic",
    head="SemanticSegment",
    model="ultralytics.nn.tasks:SemanticSegmentationModel",
    trainer="ultralytics.tasks.semantic.train:SemanticTrainer",
    validator="ultralytics.tasks.semantic.val:SemanticValidator",
    predictor="ultralytics.tasks.semantic.predict:SemanticPredictor",
    graph="ultralytics.tasks.semantic.export:build_graph",
    outputs="ultralytics.tasks.semantic.outputs:OUTPUTS",
    prepare="ultralytics.tasks.semantic.export:prepare_checkpoint",
    comparison="ultralytics.tasks.semantic.compare:SemanticComparison",
    doctor="ultralytics.tasks.semantic.doctor:diagnose",
    default_model="yolo26n-sem.yaml",
    default_data="streets.yaml",
)
