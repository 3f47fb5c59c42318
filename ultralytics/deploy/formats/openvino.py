"""OpenVINO: a folder with the graph as XML and its weights beside it; metadata are in the XML's `rt_info`.

They are read and written as XML, so that neither needs the toolkit.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.script import write_script
from ultralytics.errors import ModelError, RuntimeUnavailable
from ultralytics.utils.files import write_atomic

SUFFIX = "_openvino_model"

PINNED = {"INFERENCE_PRECISION_HINT": "f32"}
"""Without it processors with bf16 instructions compute in bf16, unasked: another map than the one that was proved."""

_LOAD = """\
import openvino

SETTINGS = {settings}  # as proved; without it some processors compute in bf16
MODEL = openvino.compile_model(Path(__file__).with_suffix("") / "{name}.xml", "CPU", SETTINGS)"""
"""Lines of the script beside a pipeline."""


def convert(job: ExportJob) -> ModelMetadata:
    """Read the ONNX graph, quantise it on the calibration images with 8 bits, and save it."""
    openvino = _load("openvino")
    model = _core().read_model(str(job.source))
    versions = {"openvino": openvino.__version__}
    if job.options.bits == 8:
        model, versions["nncf"] = _quantize(model, job)
    job.artefact.mkdir()
    name = job.artefact.name.removesuffix(SUFFIX)
    openvino.save_model(model, str(job.artefact / f"{name}.xml"), compress_to_fp16=job.options.bits == 16)
    write_script(
        job,
        package="openvino",
        load=_LOAD.format(name=name, settings=PINNED),
        run="MODEL(images)[0][0]",
    )
    precision = "int8, float32 outside" if job.options.bits == 8 else "float32"
    return replace(job.metadata.with_tools(**versions), precision=precision)


def _quantize(model: Any, job: ExportJob) -> tuple[Any, str]:
    """Quantise weights and activations; returns the model and the tool's version."""
    nncf = _load("nncf")
    batches = list(job.calibration_inputs())
    # Activations are asymmetric (MIXED), as SiLU's range is.
    quantized = nncf.quantize(
        model,
        nncf.Dataset(batches),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(batches),
        ignored_scope=nncf.IgnoredScope(patterns=_kept_nodes(job.options.keep), validate=False),
    )
    return quantized, str(nncf.__version__)


def _load(name: str) -> Any:
    """Import a toolkit as if its reporting package were not installed: so it sends nothing and leaves no id at home."""
    reporter = "openvino_telemetry"
    hidden = sys.modules.get(reporter)
    sys.modules[reporter] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules[reporter]
        if hidden is not None:
            sys.modules[reporter] = hidden


@functools.cache
def _core() -> Any:
    """Return the process's one Core, which is never let go, as OpenVINO itself advises.

    A workaround too: on Linux each Core's CPU plugin gives the thread a signal stack. At its end it unmaps that and, if
    still in use, puts the one before back, even where that has been unmapped since (OpenVINO 2026.4.1). Two Cores that
    end in the order they began so leave a stack that is gone, and the next signal with a handler, as Ctrl-C or the end
    of a data loader's worker, kills the process with SIGSEGV.
    """
    return _load("openvino").Core()


def _kept_nodes(layers: tuple[str, ...]) -> list[str]:
    """Patterns of the nodes of layers ("/network/network/model.2/conv/Conv" is of "model.2") and of what is of none.

    The latter follows the logits, or precedes a pipeline's network: exact in floats, and no faster in integers.
    """
    return [r"(?!.*/model\.\d).*", *(rf".*/{re.escape(layer)}/.*" for layer in layers)]


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the XML, in place of what it says of the same things."""
    path = _graph_file(artefact)
    root = _parse(path)
    entries = _child(_child(root, "rt_info"), "model_info")
    for key, text in metadata.texts().items():
        _child(entries, key).set("value", text)
    write_atomic(path, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def read_metadata(artefact: Path) -> ModelMetadata:
    """Read the metadata of a folder.

    Raises:
        ModelError: it holds no graph, a damaged one or one without metadata.
    """
    entries = _parse(_graph_file(artefact)).findall("rt_info/model_info/*")
    return ModelMetadata.from_dict({entry.tag: entry.get("value", "") for entry in entries}, where=artefact)


def _graph_file(artefact: Path) -> Path:
    """Find the XML; by its ending, as folders are renamed."""
    files = sorted(artefact.glob("*.xml"))
    if len(files) != 1:
        raise ModelError(f"'{artefact}' is to hold one .xml file and holds {len(files)}. Export it again.")
    return files[0]


def _parse(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(path.read_bytes())
    except ElementTree.ParseError as error:
        raise ModelError(f"'{path}' is not an OpenVINO graph, or a damaged one: {error}.") from error


def _child(parent: ElementTree.Element, tag: str) -> ElementTree.Element:
    found = parent.find(tag)
    return ElementTree.SubElement(parent, tag) if found is None else found


class Backend(base.Backend):
    """Runs a graph with OpenVINO.

    Args:
        path: the folder.
        device: "cpu", or one of Intel's as OpenVINO names it, with or without "intel:": "intel:gpu", "npu".
        threads: CPU threads it may use.
    """

    concurrent = True

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self.metadata = read_metadata(path)
        core = _core()
        name = device.lower().removeprefix("intel:").upper()
        if name not in core.available_devices:
            here = ", ".join(found.lower() for found in core.available_devices)
            raise RuntimeUnavailable(f"OpenVINO has no device '{device}' on this machine, only: {here}.")
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if name == "CPU":
            settings |= {"INFERENCE_NUM_THREADS": threads, **PINNED}
        elif self.metadata.bits == 32:
            settings |= PINNED
        try:
            model = core.read_model(str(_graph_file(path)))
            self.network = core.compile_model(model, name, settings)
            self._requests = threading.local()
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot load '{path}': {error}") from error

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        if not hasattr(self._requests, "mine"):  # a request holds the answer of one inference
            self._requests.mine = self.network.create_infer_request()
        # Copied, as the next answer is written to the same memory.
        return tuple(np.array(answer) for answer in self._requests.mine.infer([images]).values())
