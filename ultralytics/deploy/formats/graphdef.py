"""TensorFlow GraphDef: a SavedModel with its weights as constants, in one .pb file; metadata lie in one beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats.tensorflow_function import call, start_tensorflow
from ultralytics.deploy.metadata import ModelMetadata, read_side_file, write_side_file
from ultralytics.errors import ModelError

_SIGNATURE = "serving_default"


def convert(job: ExportJob) -> ModelMetadata:
    """Freeze the SavedModel."""
    import tensorflow
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    if job.source is None:
        raise ValueError("A GraphDef is made from a SavedModel, which this job lacks.")
    loaded = tensorflow.saved_model.load(str(job.source))
    frozen = convert_variables_to_constants_v2(loaded.signatures[_SIGNATURE])
    job.artefact.write_bytes(frozen.graph.as_graph_def().SerializeToString())
    return job.metadata.with_tools(tensorflow=tensorflow.__version__)


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata beside the file, which has no place for them."""
    write_side_file(artefact, metadata)


class Backend(base.Backend):
    """Runs a frozen graph, whose one input is its placeholder and whose output is what nothing else takes in."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self.metadata = read_side_file(path)
        self.tensorflow, self.device = start_tensorflow(device, threads)
        from google.protobuf.message import DecodeError

        graph = self.tensorflow.compat.v1.GraphDef()
        try:
            graph.ParseFromString(path.read_bytes())
            source, target = ends(graph)
            wrapped = self.tensorflow.compat.v1.wrap_function(
                lambda: self.tensorflow.graph_util.import_graph_def(graph, name=""), []
            )
            self.function = wrapped.prune(f"{source}:0", f"{target}:0")
        except (DecodeError, ValueError) as error:
            raise ModelError(f"'{path}' is not a frozen TensorFlow graph, or a damaged one: {error}") from error

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        return (call(self.tensorflow, self.device, self.function, images),)


def ends(graph: Any) -> tuple[str, str]:
    """Find the names of the nodes where a GraphDef begins and ends.

    Raises:
        ValueError: it has not one input and one output.
    """
    inputs = [node.name for node in graph.node if node.op == "Placeholder"]
    taken = {name.lstrip("^").partition(":")[0] for node in graph.node for name in node.input}
    outputs = [node.name for node in graph.node if node.op != "NoOp" and node.name not in taken]
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(f"it should have one input and one output, and has {len(inputs)} and {len(outputs)}")
    return inputs[0], outputs[0]
