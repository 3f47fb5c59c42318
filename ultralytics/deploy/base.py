"""The two halves of a format: a job to convert, given as files, and a backend that answers in arrays.

Both work alike in the user's process and in an environment of their own, which may lack torch or anything else of the
user's: a job is a folder, and a backend takes and returns numpy arrays.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.options import ExportOptions
from ultralytics.utils.imports import load

if TYPE_CHECKING:
    from torch import Tensor, nn

JOB_FILE = "job.json"
PROBE_INPUTS = "verify.npy"
PROBE_OUTPUTS = "answers.npy"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportJob:
    """What a format is given to make one artefact.

    Some toolkits can simulate a chip only in the process that converts. Their `convert`, where `folder` holds
    `PROBE_INPUTS`, float32 images (N, C, H, W) in [0, 1] with N a multiple of the batch, writes what the artefact
    makes of them beside it, as `PROBE_OUTPUTS`: the outputs of `Backend.infer`, all batches in one array.

    Attributes:
        folder: scratch folder of the job; whatever else a converter leaves there is thrown away.
        artefact: file or folder to make, in `folder`.
        options: what to make it with.
        metadata: what it should know about itself.
        weights: checkpoint of the network.
        graph: "module:function" that builds the network to convert from (weights, options, metadata).
        source: artefact of the intermediate format; None where there is none.
        calibration: .npy file of float32 images (N, C, H, W) in [0, 1]; None without quantisation.
    """

    folder: Path
    artefact: Path
    options: ExportOptions
    metadata: ModelMetadata
    weights: Path
    graph: str
    source: Path | None = None
    calibration: Path | None = None

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """(B, C, H, W) of the input, or of the example of a dynamic one."""
        return (self.options.batch, self.metadata.channels, *self.options.imgsz)

    def network(self, *, half: bool = False) -> nn.Module:
        """Build the network to convert: eval mode, fused, on the CPU, what `options.output` names as its output.

        Args:
            half: compute in half precision between inputs and outputs that stay single.
        """
        network: nn.Module = load(self.graph)(self.weights, self.options, self.metadata, half=half)
        return network

    def example(self) -> Tensor:
        """Return an input to trace with: random, as zeros hide branches that do nothing to them."""
        import torch

        generator = torch.Generator().manual_seed(0)
        if self.options.pipeline:
            height, width = self.options.imgsz
            shape = (1, height, width, self.metadata.channels)
            return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        return torch.rand(self.input_shape, generator=generator)

    def calibration_images(self) -> Iterator[np.ndarray]:
        """Yield calibration inputs, float32 (B, C, H, W) in [0, 1], `options.batch` images each.

        They are the caller's to write to: the file, which is read as they are used, stays as it is.
        """
        if self.calibration is None:
            raise ValueError("This job has no calibration images; only quantised exports do.")
        images = np.load(self.calibration, mmap_mode="c")  # writable, as torch wants arrays; pages written are copies
        batch = self.options.batch
        for start in range(0, len(images) - batch + 1, batch):
            yield np.ascontiguousarray(images[start : start + batch])

    def calibration_inputs(self) -> Iterator[np.ndarray]:
        """Yield `calibration_images` as the graph takes them: of a pipeline as pictures, uint8 (1, H, W, C)."""
        for images in self.calibration_images():
            if self.options.pipeline:
                images = np.ascontiguousarray((images * 255).round().astype(np.uint8).transpose(0, 2, 3, 1))
            yield images

    def save(self) -> None:
        """Write the job into its folder."""
        content = {
            "folder": str(self.folder),
            "artefact": str(self.artefact),
            "options": self.options.as_dict(),
            "metadata": self.metadata.as_dict(),
            "weights": str(self.weights),
            "graph": self.graph,
            "source": None if self.source is None else str(self.source),
            "calibration": None if self.calibration is None else str(self.calibration),
        }
        (self.folder / JOB_FILE).write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> ExportJob:
        """Read the job of a folder."""
        content: dict[str, Any] = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
        paths: dict[str, Any] = {name: Path(content[name]) for name in ("folder", "artefact", "weights")}
        optional: dict[str, Any] = {name: content[name] and Path(content[name]) for name in ("source", "calibration")}
        metadata = ModelMetadata.from_dict(content["metadata"], where=content["artefact"])
        options = ExportOptions.from_dict(content["options"])
        return cls(**paths, **optional, options=options, metadata=metadata, graph=content["graph"])


class Backend(ABC):
    """Runs one artefact; final: a backend is not subclassed twice.

    Args:
        path: the artefact.
        device: "cpu", or "cuda:0" and the like.
        threads: CPU threads it may use.

    Attributes:
        metadata: what the artefact says about itself.
        concurrent: whether `infer` may run in several threads at once; else its callers take turns.

    Raises:
        ModelError: the artefact is damaged or lacks its metadata.
        RuntimeUnavailable: this machine lacks what runs it.
    """

    metadata: ModelMetadata
    concurrent: ClassVar[bool] = False

    @abstractmethod
    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None: ...

    @abstractmethod
    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch.

        Args:
            images: float32 (B, C, H, W) RGB in [0, 1], C-contiguous, of the size the metadata says; of a pipeline uint8
                (1, H, W, C) RGB of any size.

        Returns:
            The graph's outputs: a class map as uint8 or int32 (B, H, W), anything else as float32 (B, classes, H, W).
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to let go
        """Let go of what the artefact holds: files, memory, devices."""
