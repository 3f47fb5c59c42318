"""GraphModel: an architecture made into a network that runs its layers in order, each fed by the layers it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import ultralytics.nn.modules  # noqa: F401  (registers the modules that an architecture may name)
from ultralytics.errors import ModelError
from ultralytics.nn.fuse import fuse_modules
from ultralytics.nn.graph import IMAGE, LayerSpec, finished_outputs, load_architecture, named_outputs, parse_layers
from ultralytics.nn.modules.conv import make_activation, use_activation
from ultralytics.nn.modules.head import Head
from ultralytics.nn.registry import module_kind


class GraphModel(nn.Module):
    """A network built from an architecture.

    Args:
        cfg: architecture file, name of a packaged one (`yolo26n-sem.yaml`), or dictionary.
        ch: channels of the images; None: what the architecture says, else 3.
        nc: number of classes; None: what the architecture says.

    Attributes:
        yaml: the architecture with scale, classes and channels filled in; `GraphModel(model.yaml)` builds the same.
        specs: the layers' final numbers.
        model: the layers.
        save: layers whose outputs later layers take by name.
        names: class names by id; numbers until someone knows better.
        nc: number of classes.
        ch: channels of the images.
        stride: float tensor; height and width of the input must be multiples of its maximum.
        is_fused: whether `fuse` was called.

    Raises:
        ModelError: the architecture does not make a network.
        MissingFile: there is no such architecture.
    """

    head_type: ClassVar[type[nn.Module]] = nn.Module
    """What the last layer must be; subclasses narrow it."""

    def __init__(self, cfg: str | Path | Mapping[str, Any], ch: int | None = None, nc: int | None = None) -> None:
        super().__init__()
        self.yaml = load_architecture(cfg, num_classes=nc, channels=ch)
        self.nc: int = self.yaml["nc"]
        self.ch: int = self.yaml["channels"]
        self.names = {index: str(index) for index in range(self.nc)}
        self.is_fused = False

        self.specs = parse_layers(self.yaml)
        self.save = named_outputs(self.specs)
        self._finished = finished_outputs(self.specs)
        self.model = nn.Sequential(*map(_build_layer, self.specs))
        use_activation(self.model, make_activation(str(self.yaml.get("activation", "SiLU"))))
        if not isinstance(self.head, self.head_type):
            raise ModelError(
                f"{type(self).__name__} needs an architecture that ends in {self.head_type.__name__}, "
                f"not in {self.specs[-1].module}."
            )
        self.stride = self._choose_stride()

    @property
    def head(self) -> nn.Module:
        """The last layer."""
        return self.model[-1]

    def forward(self, x: Tensor) -> Any:
        """Run the layers on images (B, ch, H, W) and return what the head returns.

        An output is let go as soon as no later layer needs it.
        """
        outputs = {IMAGE: x}
        for spec, layer, finished in zip(self.specs, self.model, self._finished, strict=True):
            inputs = [outputs[source] for source in spec.sources]
            outputs[spec.index] = layer(inputs if isinstance(spec.origin, tuple) else inputs[0])
            for index in finished:
                del outputs[index]
        return outputs[self.specs[-1].index]

    def fuse(self) -> GraphModel:
        """Fold batch norms into convolutions, in place; evaluation gives the same up to rounding."""
        fuse_modules(self)
        self.is_fused = True
        return self

    def _choose_stride(self) -> Tensor:
        """Let the head, which knows what its predictions stand for, choose among the strides of the layers."""
        strides = {IMAGE: 1.0, **{spec.index: spec.stride for spec in self.specs}}
        stride = [max(strides.values())]
        if isinstance(self.head, Head):
            stride = self.head.strides([strides[source] for source in self.specs[-1].sources], stride[0])
            self.head.stride = torch.tensor(stride, device="cpu")
        return torch.tensor(stride, device="cpu")


def _build_layer(spec: LayerSpec) -> nn.Module:
    """Construct the module of one layer, several copies as a sequence."""
    cls = module_kind(spec.module).cls
    try:
        copies = [cls(*spec.args) for _ in range(spec.copies)]
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise ModelError(f"{_describe(spec)} cannot be built: {error}") from error
    return copies[0] if spec.copies == 1 else nn.Sequential(*copies)


def _describe(spec: LayerSpec) -> str:
    arguments = ", ".join(map(repr, spec.args))
    return f"Layer {spec.index}, {spec.module}({arguments}) of {spec.origin},"
