"""The modules an architecture file may name, each with the rule that sizes it; knows no torch.

A row of an architecture says `C3k2, [512, True]`. What the constructor gets depends on the channels that arrive and on
the model's scale: that is the module's *channel rule*, a small function registered together with the class, so a new
module needs no change anywhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ultralytics.errors import ModelError, unknown_name

_CHANNEL_MULTIPLE = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """How one size of a family (n, s, m, l, x) differs from the architecture as written.

    Attributes:
        letter: its key in the architecture's `scales`; empty where there are none.
        depth: factor on repeats.
        width: factor on channels.
        max_channels: channels are cut to this before `width` applies.
    """

    letter: str = ""
    depth: float = 1.0
    width: float = 1.0
    max_channels: float = math.inf

    def repeats(self, count: int) -> int:
        """Scale a number of repeats; what is there stays there at least once."""
        return max(round(count * self.depth), 1) if count > 1 else count

    def channels(self, count: int) -> int:
        """Scale a number of channels, rounded up to a multiple of 8."""
        return math.ceil(min(count, self.max_channels) * self.width / _CHANNEL_MULTIPLE) * _CHANNEL_MULTIPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRequest:
    """What a channel rule may look at: a row of the architecture and its surroundings.

    Attributes:
        in_channels: channels of each source, in the order the row names them.
        in_strides: pixels of the image per pixel of each source.
        args: the row's arguments, constants resolved, not scaled.
        repeats: the row's repeats, scaled.
        scale: the model's scale.
        num_classes: classes the model is built for.
        options: further top-level keys of the architecture, for heads that have settings there.
    """

    in_channels: tuple[int, ...]
    in_strides: tuple[float, ...]
    args: tuple[Any, ...]
    repeats: int
    scale: Scale
    num_classes: int
    options: Mapping[str, Any]

    @property
    def width(self) -> int:
        """Channels of the only source.

        Raises:
            ModelError: the row names several sources.
        """
        if len(self.in_channels) != 1:
            raise ModelError(f"takes one source, not {len(self.in_channels)}; join them with a Concat row first")
        return self.in_channels[0]

    @property
    def wanted_channels(self) -> int:
        """The first argument, the output channels before scaling.

        Raises:
            ModelError: it is missing or no positive integer.
        """
        if not self.args or not is_count(self.args[0]):
            raise ModelError(f"needs its output channels, a positive integer, as first argument, not {list(self.args)}")
        return int(self.args[0])


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """What a channel rule decides.

    Attributes:
        args: arguments of the constructor.
        out_channels: channels that leave the layer.
        copies: how many instances follow each other; more than one become an `nn.Sequential`.
        stride: pixels that come in per pixel that goes out, for one copy; below 1 where the map grows.
    """

    args: tuple[Any, ...]
    out_channels: int
    copies: int = 1
    stride: float = 1.0


ChannelRule = Callable[[LayerRequest], LayerPlan]


def widened(layer: LayerRequest) -> LayerPlan:
    """Size `Module(in, out, *rest)`: `out` follows the scale, repeats make copies."""
    out = layer.scale.channels(layer.wanted_channels)
    if layer.repeats > 1 and layer.width != out:
        raise ModelError(
            f"is repeated {layer.repeats} times but turns {layer.width} channels into {out}; give the first its own row"
        )
    return LayerPlan((layer.width, out, *layer.args[1:]), out, layer.repeats)


def convolution(layer: LayerRequest) -> LayerPlan:
    """Size `Module(in, out, kernel, stride, *rest)` like `widened`; the map shrinks by the stride."""
    plan = widened(layer)
    stride = plan.args[3] if len(plan.args) > 3 else 1
    if not is_count(stride):
        raise ModelError(f"has stride {stride!r}; it must be a positive integer")
    return replace(plan, stride=float(stride))


def widened_and_repeated(layer: LayerRequest) -> LayerPlan:
    """Size `Module(in, out, repeats, *rest)`: the module repeats its inner blocks itself."""
    out = layer.scale.channels(layer.wanted_channels)
    return LayerPlan((layer.width, out, layer.repeats, *layer.args[1:]), out)


def as_wide_as_input(layer: LayerRequest) -> LayerPlan:
    """Size `Module(channels, *args)` that keeps the number of channels."""
    return LayerPlan((layer.width, *layer.args), layer.width, layer.repeats)


def as_written(layer: LayerRequest) -> LayerPlan:
    """Size `Module(*args)` that knows no channels and keeps their number."""
    return LayerPlan(layer.args, layer.width, layer.repeats)


def resampled(layer: LayerRequest) -> LayerPlan:
    """Size `Upsample(None, factor, *rest)`: the map grows by the factor."""
    size, factor = (*layer.args, None, None)[:2]
    if size is not None or not isinstance(factor, int | float) or factor <= 0:
        raise ModelError(f"needs the arguments [None, factor, ...] with a positive factor, not {list(layer.args)}")
    return LayerPlan(layer.args, layer.width, layer.repeats, 1.0 / factor)


def joined(layer: LayerRequest) -> LayerPlan:
    """Size a module that stacks its sources, equal in size, along the channels."""
    if layer.args not in ((), (1,)):
        raise ModelError(f"joins channels, that is dimension 1; other arguments are not understood: {list(layer.args)}")
    if len(set(layer.in_strides)) != 1:
        sizes = ", ".join(f"1/{stride:g}" for stride in layer.in_strides)
        raise ModelError(f"joins maps of different sizes: {sizes} of the image; bring them to one size first")
    return LayerPlan(layer.args, sum(layer.in_channels))


def per_class_head(layer: LayerRequest) -> LayerPlan:
    """Size `Head(num_classes, [channels of each source])` with one output channel per class."""
    if layer.args[:1] != (layer.num_classes,):
        raise ModelError(f"has arguments {list(layer.args)} in a model of {layer.num_classes} classes; write [nc]")
    return LayerPlan((*layer.args, list(layer.in_channels)), layer.num_classes)


@dataclass(frozen=True, slots=True)
class ModuleKind:
    """A row of the table of modules: the class and its channel rule."""

    cls: type
    rule: ChannelRule


MODULES: dict[str, ModuleKind] = {}
"""The modules known by the name used in architecture files; filled by importing `ultralytics.nn.modules`."""

_Class = TypeVar("_Class", bound=type)


def register_module(rule: ChannelRule, name: str | None = None) -> Callable[[_Class], _Class]:
    """Make a module usable in architecture files.

    Args:
        rule: decides constructor arguments and output channels; `widened` suits modules that start like `nn.Conv2d`.
        name: what architectures call it; None: the class name.

    Raises:
        ModelError: another class has this name already.

    Example:
        >>> from torch import nn
        >>> @register_module(as_wide_as_input)
        ... class Gate(nn.Module):
        ...     def __init__(self, channels):
        ...         super().__init__()
        ...         self.gain = nn.Conv2d(channels, channels, 1)
        ...     def forward(self, x):
        ...         return x * self.gain(x).sigmoid()
        >>> _ = MODULES.pop("Gate")
    """

    def register(cls: _Class) -> _Class:
        key = name or cls.__name__
        known = MODULES.get(key)
        if known is not None and (known.cls.__module__, known.cls.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ModelError(
                f"The module name '{key}' is taken by {known.cls.__module__}. Register under another name."
            )
        MODULES[key] = ModuleKind(cls, rule)
        return cls

    return register


def module_kind(name: str) -> ModuleKind:
    """Look a module up by the name an architecture uses.

    Raises:
        ModelError: no module of that name is registered.
    """
    if name not in MODULES:
        raise ModelError(unknown_name("module", name, MODULES))
    return MODULES[name]


def is_count(value: object) -> bool:
    """Tell whether a value from YAML is a positive integer; `true` is not."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
