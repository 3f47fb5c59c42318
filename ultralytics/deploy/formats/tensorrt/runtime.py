"""Runs an engine: tensors live on the GPU as torch's, which TensorRT is told the addresses of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.formats.tensorrt.header import read_header
from ultralytics.deploy.formats.tensorrt.vendor import find_gpu, load_tensorrt, make_logger
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ModelError, RuntimeUnavailable

_TYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BF16": "bfloat16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
}
"""TensorRT's names of types to torch's."""

_ELSEWHERE = ("version", "compute capability", "incompatible device", "platform")
"""Words in TensorRT's errors about engines that were made for another TensorRT or another GPU."""


class Backend(base.Backend):
    """Runs an engine on a GPU; not from several threads at once, as its input's shape is a state."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        content = path.read_bytes()
        self.metadata, start = read_header(content, where=path)
        self.device = find_gpu(device)
        tensorrt = load_tensorrt()
        import torch

        words: list[str] = []
        self.stream = torch.cuda.Stream(self.device)
        with torch.cuda.device(self.device):
            # The runtime and its logger must live as long as the engine does.
            self.logger = make_logger(tensorrt, words)
            self.runtime = tensorrt.Runtime(self.logger)
            self.engine = self.runtime.deserialize_cuda_engine(content[start:])
            if self.engine is None:
                raise refusal(path, self.metadata, str(tensorrt.__version__), words)
            self.context = self.engine.create_execution_context()
        if self.context is None:
            raise RuntimeUnavailable(f"The GPU has not the memory that '{path}' needs: {'; '.join(words)}")
        names = [self.engine.get_tensor_name(index) for index in range(self.engine.num_io_tensors)]
        self.inputs = [name for name in names if self.engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT]
        self.outputs = [name for name in names if name not in self.inputs]
        if len(self.inputs) != 1:
            raise ModelError(
                f"'{path}' has the inputs {', '.join(self.inputs) or 'none'}; one, of images, is expected."
            )
        self.words = words

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class.

        Raises:
            ModelError: the engine was not made for images of this shape.
            RuntimeUnavailable: the GPU failed.
        """
        import torch

        self._set_shape(images)
        self.words.clear()
        # TensorRT computes on the current device of the thread.
        with torch.cuda.device(self.device), torch.cuda.stream(self.stream):
            given = torch.from_numpy(images).to(self.device, self._type(self.inputs[0]))
            answers = [
                torch.empty(tuple(self.context.get_tensor_shape(name)), dtype=self._type(name), device=self.device)
                for name in self.outputs
            ]
            for name, tensor in zip([*self.inputs, *self.outputs], [given, *answers], strict=True):
                self.context.set_tensor_address(name, tensor.data_ptr())
            if not self.context.execute_async_v3(self.stream.cuda_stream):
                raise RuntimeUnavailable(f"TensorRT could not run the engine: {'; '.join(self.words)}")
            # Copying to the host waits for what the stream has to do before.
            promised = zip(answers, self._types(), strict=True)
            return tuple(answer.to(kind).cpu().numpy() for answer, kind in promised)

    def close(self) -> None:
        """Let go of the GPU's memory, in the order in which TensorRT wants it."""
        self.context = None
        self.engine = None
        self.runtime = None

    def _set_shape(self, images: np.ndarray) -> None:
        """Tell the shape of the input, if it is one of those that the engine takes."""
        name = self.inputs[0]
        smallest = largest = tuple(self.engine.get_tensor_shape(name))
        if -1 in smallest:
            smallest, _, largest = map(tuple, self.engine.get_tensor_profile_shape(name, 0))
        fits = len(images.shape) == len(smallest) and all(
            low <= given <= high for low, given, high in zip(smallest, images.shape, largest, strict=True)
        )
        if not fits or not self.context.set_input_shape(name, tuple(images.shape)):
            allowed = f"of shape {smallest}" if smallest == largest else f"from {smallest} to {largest}"
            raise ModelError(
                f"The engine takes images {allowed} (B, C, H, W), not {images.shape}. Give imgsz and batch that fit, "
                "or export it for them."
            )

    def _type(self, name: str) -> Any:
        import torch

        return getattr(torch, _TYPES[self.engine.get_tensor_dtype(name).name])

    def _types(self) -> list[Any]:
        """List the types that the base class promises: of ids, and single precision of anything else."""
        import torch

        classes, outputs = len(self.metadata.names), self.metadata.outputs
        if not outputs:  # made by another tool, which does not say what comes out
            return [torch.float32] * len(self.outputs)
        return [getattr(torch, output.numpy_dtype(classes).name) for output in outputs]


def refusal(path: Path, metadata: ModelMetadata, here: str, words: list[str]) -> Exception:
    """Make the error for a plan that TensorRT refuses.

    Args:
        path: the file.
        metadata: of the file; `tools` names the TensorRT and the GPU that it was made with.
        here: version of TensorRT here.
        words: TensorRT's errors.
    """
    made, said = metadata.tools.get("tensorrt", "another version"), "; ".join(words) or "it did not say why"
    if made != here or any(hint in said.lower() for hint in _ELSEWHERE):
        return RuntimeUnavailable(
            f"'{path}' was made with TensorRT {made} on {metadata.tools.get('gpu', 'another GPU')}, and runs only with "
            f"both; here is TensorRT {here}. Export it again on this machine. TensorRT says: {said}"
        )
    return ModelError(f"TensorRT cannot read the plan in '{path}', which is damaged: {said}. Export it again.")
