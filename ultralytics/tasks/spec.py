"""What makes a task: a typed row of names, resolved when first used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ultralytics.utils.imports import load


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSpec:
    """One row of the task table.

    Attributes:
        name: word used on the command line.
        head: class name of the head that marks the task in an architecture.
        model: "module:Class" of the network.
        trainer: "module:Class" of the trainer.
        validator: "module:Class" of the validator.
        predictor: "module:Class" of the predictor.
        graph: "module:function" that builds the network an export converts; called in converters' environments.
        outputs: "module:tuple" of the `OutputKind`s that an export may return, the preferred ones first.
        prepare: "module:function" that puts options of an export into the checkpoint it is made from.
        comparison: "module:Class" that compares an artefact's answers with the network's.
        doctor: "module:function" that checks the labels of a dataset before training.
        default_model: architecture that is trained when no model is named.
        default_data: dataset used when none is named.
        defaults: option defaults that differ for this task.
    """

    name: str
    head: str
    model: str
    trainer: str
    validator: str
    predictor: str
    graph: str
    outputs: str
    prepare: str
    comparison: str
    doctor: str
    default_model: str
    default_data: str
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def resolve(self, role: str) -> Any:
        """Import the class of a role: `spec.resolve("trainer")`."""
        return load(getattr(self, role))
