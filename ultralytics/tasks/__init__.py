"""The tasks this package knows, and how to find the one that a model belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultralytics.errors import ConfigError, ModelError, unknown_name
from ultralytics.tasks.semantic.spec import SPEC as SEMANTIC
from ultralytics.tasks.spec import TaskSpec

TASKS: dict[str, TaskSpec] = {SEMANTIC.name: SEMANTIC}
DEFAULT_TASK = SEMANTIC.name

__all__ = ["DEFAULT_TASK", "TASKS", "TaskSpec", "get_task", "register_task", "task_of"]


def get_task(name: str) -> TaskSpec:
    """Look a task up by the word used on the command line.

    Raises:
        ConfigError: there is no such task.
    """
    if name not in TASKS:
        raise ConfigError(unknown_name("task", name, TASKS))
    return TASKS[name]


def register_task(spec: TaskSpec) -> None:
    """Add a task of another package to the table.

    Raises:
        ConfigError: the name is taken.
    """
    if spec.name in TASKS:
        raise ConfigError(f"A task named '{spec.name}' is already registered.")
    TASKS[spec.name] = spec


def task_of(architecture: Mapping[str, Any]) -> TaskSpec:
    """Find the task of an architecture by the head that ends it.

    Raises:
        ModelError: no task has such a head.
    """
    try:
        head = str(architecture["head"][-1][2])
    except (KeyError, IndexError, TypeError) as error:
        raise ModelError("The architecture has no 'head' list of [from, repeats, module, args] rows.") from error
    for spec in TASKS.values():
        if spec.head == head:
            return spec
    heads = ", ".join(f"{spec.head} ({spec.name})" for spec in TASKS.values())
    raise ModelError(f"The architecture ends in '{head}', which belongs to no task here. Known heads: {heads}.")
