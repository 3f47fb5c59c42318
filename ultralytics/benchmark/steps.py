"""The program of a benchmark's processes: `python -m ultralytics.benchmark.steps ANSWER STEP ARGUMENTS`.

Export and measurement have a process each, so that the memory measured is not that of the converter.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ultralytics.benchmark.table import PHASES
from ultralytics.cfg import Config
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.data.imread import read_image
from ultralytics.errors import UltralyticsError
from ultralytics.model import YOLO
from ultralytics.nn.artefact import Artefact
from ultralytics.tasks import get_task
from ultralytics.utils.env import memory_peak
from ultralytics.utils.files import write_atomic

TIMED_IMAGES = 50
"""Images, at most, whose latency is measured."""

_FEWEST, _WARM_UP = 20, 3
"""Images predicted at least, a small split being gone through again, and batches at the start that do not count."""


def main(arguments: Sequence[str]) -> None:
    """Do a step and write its answer to a file."""
    answer, step, given = arguments
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        found = _STEPS[step](*json.loads(given))
    except UltralyticsError as error:
        found = {"error": _first_line(error)}
    except Exception as error:  # noqa: BLE001 - whatever a toolkit raises is the row's, and the others go on
        found = {"error": f"{type(error).__name__}: {_first_line(error)}"}
        traceback.print_exc()
    write_atomic(Path(answer), json.dumps(found).encode())


def _end_with_parent() -> None:
    os.read(0, 1)
    os._exit(1)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")


def _export(weights: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Make an artefact beside the weights."""
    model = YOLO(weights)
    artefact = model.export(**options)
    report, seconds = model.exporter.report, model.exporter.seconds
    found = {"artefact": artefact, "export": seconds["convert"]}
    if report is not None:
        found |= {"proof": seconds["prove"], "parity": {report.headline: report.figures.get(report.headline)}}
    return found


def _measure(path: str, options: Mapping[str, Any], fraction: float, threads: int) -> dict[str, Any]:
    """Take the figures of a model that runs here, memory before the validation adds its own."""
    torch.set_num_threads(threads)
    model = YOLO(path)
    figures = _latency(model, options)
    peak = memory_peak()
    metrics = model.val(
        validator=_of_a_part(get_task(model.task).resolve("validator"), fraction),
        **{**options, "rect": False, "plots": False},
    )
    if isinstance(model.model, Artefact):
        model.model.close()
    name, score = metrics.headline
    return {**figures, "memory": peak and peak / 1e6, "score": {name: None if math.isnan(score) else score}}


def _latency(model: YOLO, options: Mapping[str, Any]) -> dict[str, float]:
    """Median milliseconds per image of each phase, one after the other: a folder is otherwise read ahead."""
    spec = DatasetSpec.load(options["data"])
    images = spec.images("val")
    chosen = images[:: math.ceil(len(images) / TIMED_IMAGES)]
    chosen = chosen * math.ceil(_FEWEST / len(chosen))
    batch = max(int(options.get("batch", 1)), 1)
    speeds: list[dict[str, float]] = []
    for files in (chosen[start : start + batch] for start in range(0, len(chosen) - batch + 1, batch)):
        begin = time.perf_counter()
        pictures = [read_image(file, spec.channels) for file in files]
        read = 1000 * (time.perf_counter() - begin) / batch
        results = list(model.predict(pictures, **{**options, "verbose": False, "save": False, "rect": False}))
        speeds.append({phase: results[0].speed[phase] or 0.0 for phase in PHASES} | {"read": read})
    counted = speeds[_WARM_UP:] or speeds[-1:]
    return {phase: median(speed[phase] for speed in counted) for phase in PHASES}


def _of_a_part(validator: Any, fraction: float) -> type:
    """Make a validator of a share of a split."""

    class OfAPart(validator):  # type: ignore[misc]
        @staticmethod
        def build_dataset(config: Config, spec: DatasetSpec, names: Mapping[int, str] | None = None) -> Any:
            return validator.build_dataset(config.replace(mode="benchmark", fraction=fraction), spec, names)

    return OfAPart


_STEPS: Mapping[str, Callable[..., dict[str, Any]]] = {"export": _export, "measure": _measure}

if __name__ == "__main__":
    main(sys.argv[1:])
