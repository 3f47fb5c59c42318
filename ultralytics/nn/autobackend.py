"""One callable for everything that runs a model: a network in this process, or an artefact of any format."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ultralytics.deploy import FORMATS, find_format
from ultralytics.deploy.base import Backend
from ultralytics.deploy.runtime import open_backend
from ultralytics.errors import ModelError
from ultralytics.nn.model import GraphModel


class AutoBackend(nn.Module):
    """A model ready to run: a network in eval mode, fused, on its device; or an artefact in its own runtime.

    Args:
        model: network (copied, so the caller's stays trainable), or the path of an artefact.
        device: where to run, and where inputs and outputs are.
        fuse: whether to fold batch norms into convolutions.
        palette: (R, G, B) of each class; an artefact brings its own.
        calibration: figures fitted on the validation split, as a checkpoint holds them; an artefact brings its own.
        runtime: where an artefact's runtime lives: "auto", "inprocess" or "isolated".
        toolchain: what to do where its packages have to be fetched: "ask", "auto", "never" or a folder.
        dnn: run an ONNX file with OpenCV.

    Attributes:
        task: word of the task, empty for a network.
        names: class names by id.
        stride: what both sides of an input must be a multiple of.
        channels: image channels it takes.
        palette: colours of the classes, None for the default ones.
        calibration: figures such as temperature and threshold; empty where none were fitted.
        dynamic: whether it takes inputs of any size.
        imgsz: (height, width) of its input where that is fixed, else None.
        usual_imgsz: (height, width) an artefact was exported with; a network has none.
        output: word for what an artefact returns, of its task's list; empty for a network, and where it does not say.
        pipeline: whether it takes whole uint8 images and returns results of their size.

    Example:
        >>> AutoBackend("best.onnx", torch.device("cpu")).names  # doctest: +SKIP
        {0: 'road', 1: 'sidewalk'}
    """

    def __init__(
        self,
        model: GraphModel | str | Path,
        device: torch.device,
        *,
        fuse: bool = True,
        palette: Sequence[Sequence[int]] | None = None,
        calibration: Mapping[str, Any] | None = None,
        runtime: str = "auto",
        toolchain: str = "ask",
        dnn: bool = False,
    ) -> None:
        super().__init__()
        self.device = device
        self.backend: Backend | None = None
        self._turn = threading.Lock()
        if isinstance(model, GraphModel):
            self._take_network(model, fuse=fuse)
            self.palette, self.calibration = palette, dict(calibration or {})
        else:
            path = Path(model)
            self.backend = open_backend(
                path,
                find_format(path, FORMATS),
                device=str(device),
                threads=torch.get_num_threads(),
                runtime=runtime,
                policy=toolchain,
                dnn=dnn,
            )
            self._take_metadata(self.backend)

    def _take_network(self, model: GraphModel, *, fuse: bool) -> None:
        self.task = ""
        self.names = dict(model.names)
        self.num_classes = model.nc
        self.stride = int(model.stride.max())
        self.channels = model.ch
        self.dynamic, self.output, self.pipeline = True, "", False
        self.imgsz: tuple[int, int] | None = None
        self.state = _state(model)
        network = copy.deepcopy(model).float().eval().requires_grad_(False)
        if fuse and not network.is_fused:
            network.fuse()
        self.network = network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def mirrors(self, model: Any) -> bool:
        """Tell whether this runs a model as it is now; weights that were changed since it was copied are others."""
        return self.backend is not None or self.state == _state(model)

    def _take_metadata(self, backend: Backend) -> None:
        facts = backend.metadata
        self.task = facts.task
        self.names = dict(facts.names)
        self.num_classes = len(facts.names)
        self.stride, self.channels = facts.stride, facts.channels
        self.palette, self.calibration = facts.palette, dict(facts.calibration)
        self.dynamic = facts.dynamic and not facts.pipeline
        self.usual_imgsz = facts.imgsz
        self.imgsz = None if self.dynamic else facts.imgsz
        self.pipeline = facts.pipeline
        self.output = facts.output

    @cached_property
    def example_outputs(self) -> tuple[np.ndarray, ...]:
        """What an artefact returns for an empty image: for artefacts that do not say."""
        if self.backend is None:
            raise ModelError("This model is a network, not an artefact.")
        facts = self.backend.metadata
        probe = np.zeros((facts.batch, facts.channels, *facts.imgsz), np.float32)
        return self.backend.infer(probe)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Run a batch of float images (B, C, H, W) in [0, 1]; of a pipeline uint8 images (1, H, W, C) RGB."""
        if self.backend is None:
            return self.network(images.contiguous(memory_format=torch.channels_last))
        if self.imgsz is not None and not self.pipeline and tuple(images.shape[2:]) != self.imgsz:
            raise ModelError(
                f"The artefact takes images of {self.imgsz[0]}×{self.imgsz[1]}, not "
                f"{images.shape[2]}×{images.shape[3]}. Export it with dynamic=True, or with another imgsz."
            )
        if self.pipeline and images.is_floating_point():  # what was prepared for a network
            images = images.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1)
        outputs = self._run(np.ascontiguousarray(images.cpu().numpy()))
        tensors = tuple(torch.from_numpy(output).to(self.device) for output in outputs)
        return tensors[0] if len(tensors) == 1 else tensors

    def _run(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run images in batches of the artefact's size; a last one that is not full repeats its last image."""
        backend = self.backend
        if backend is None:
            raise ModelError("This model is a network, not an artefact.")
        size = 1 if self.pipeline else len(images) if self.dynamic else backend.metadata.batch
        turn = nullcontext() if backend.concurrent else self._turn
        if len(images) == size:
            with turn:
                return backend.infer(images)
        parts = []
        for start in range(0, len(images), size):
            part = images[start : start + size]
            missing = size - len(part)
            full = np.concatenate([part, np.repeat(part[-1:], missing, 0)]) if missing else part
            with turn:
                outputs = backend.infer(full)
            parts.append([output[: len(part)] for output in outputs])
        return tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))

    def close(self) -> None:
        """Let go of an artefact's runtime."""
        if self.backend is not None:
            self.backend.close()


def _state(model: nn.Module) -> list[tuple[int, int]]:
    """List the tensors of a network and how often each was written to; inference tensors do not count that."""
    tensors = chain(model.parameters(), model.buffers())
    return [(id(tensor), 0 if tensor.is_inference() else tensor._version) for tensor in tensors]
