"""Runs an ONNX file with OpenCV's DNN module: no runtime has to be installed, as this package needs OpenCV anyway."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.formats.protobuf import onnx_metadata
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ModelError, RuntimeUnavailable


class Backend(base.Backend):
    """Runs an ONNX file with OpenCV on the CPU."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        if device != "cpu":
            raise RuntimeUnavailable(f"dnn=True runs on the CPU, not on device={device}. Use device=cpu or dnn=False.")
        model = path.read_bytes()
        try:
            entries = onnx_metadata(model)
        except ValueError as error:
            raise ModelError(f"'{path}' is not an ONNX file, or a damaged one: {error}.") from error
        self.metadata = ModelMetadata.from_dict(entries, where=path)
        if self.metadata.pipeline:
            raise RuntimeUnavailable(f"OpenCV cannot run '{path}', whose graph resizes. Leave dnn=True out.")
        self.threads = threads
        try:
            # From memory, as OpenCV cannot open every path.
            self.network = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
        except cv2.error as error:
            raise ModelError(
                f"OpenCV cannot load '{path}': {error}. Leave dnn=True out to use ONNX Runtime."
            ) from error

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        before = cv2.getNumThreads()
        cv2.setNumThreads(self.threads)
        try:
            self.network.setInput(images)
            answer = self.network.forward()
        finally:
            cv2.setNumThreads(before)
        return (np.array(answer if answer.dtype != np.int64 else answer.astype(np.int32)),)
