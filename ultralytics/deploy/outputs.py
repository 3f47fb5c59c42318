"""What an exported graph may return: kinds of output, offered by a task, and the tensors of each.

A format says what its target can compute (`Format.can`), a task what each of its kinds needs. Neither knows the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ultralytics.errors import ConfigError, unknown_name

CAPABILITIES = frozenset({"argmax", "gather", "multi_output", "resize", "softmax", "topk"})
"""What a target may be able to do behind the network's last layer."""

NETWORK_OUTPUT = ""
"""The kind of output that is no user's choice: what the network itself returns, with which artefacts are compared."""

FIXED_AXES = frozenset({"classes"})
"""Axes of an output that stay as they are where the input's size is open."""


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One tensor that a graph returns.

    Attributes:
        name: of the tensor in the graph.
        axes: names of its axes, such as ("batch", "classes", "rows", "columns").
        dtype: "float32", or "ids" for class ids.
    """

    name: str
    axes: tuple[str, ...]
    dtype: str = "float32"

    def numpy_dtype(self, num_classes: int) -> np.dtype[Any]:
        """Return the type a `Backend` promises: ids are uint8 where they and the ignore index fit, else int32."""
        if self.dtype != "ids":
            return np.dtype(np.float32)
        return np.dtype(np.uint8 if num_classes <= 256 else np.int32)

    @property
    def open_axes(self) -> dict[int, str]:
        """Axes whose size follows the input's, by position."""
        return {position: axis for position, axis in enumerate(self.axes) if axis not in FIXED_AXES}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> OutputTensor:
        """Read what `dataclasses.asdict` wrote."""
        return cls(str(values["name"]), tuple(values["axes"]), str(values["dtype"]))


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputKind:
    """One value of the option `output`.

    Attributes:
        name: the value.
        tensors: what the graph returns.
        needs: what the target must be able to do, of `CAPABILITIES`.
        pipeline: whether `pipeline=True` returns this kind, at the source's size.
    """

    name: str
    tensors: tuple[OutputTensor, ...]
    needs: frozenset[str] = frozenset()
    pipeline: bool = False

    def fits(self, can: frozenset[str]) -> bool:
        """Tell whether a target with these capabilities can return this kind."""
        return self.needs <= can and (len(self.tensors) == 1 or "multi_output" in can)


def choose_output(wanted: str | None, kinds: Sequence[OutputKind], can: frozenset[str], title: str) -> OutputKind:
    """Find the kind of output an export returns.

    Args:
        wanted: the user's `output`; None for the first kind that fits.
        kinds: those of the task, the preferred ones first.
        can: what the target can do; without a wish, only what it does cheaply.
        title: of the format, for the message.

    Raises:
        ConfigError: the word is unknown, or the target cannot return it; the message lists what it can.
    """
    fitting = [kind for kind in kinds if kind.fits(can)]
    if wanted is None:
        return fitting[0]
    for kind in kinds:
        if kind.name == wanted:
            if kind in fitting:
                return kind
            allowed = ", ".join(sorted(kind.name for kind in fitting))
            raise ConfigError(f"{title} cannot return output={wanted}. Allowed: {allowed}.")
    raise ConfigError(unknown_name("output", wanted, [kind.name for kind in kinds]))
