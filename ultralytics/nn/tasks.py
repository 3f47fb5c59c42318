"""Networks by what they are for: a GraphModel whose head is the right one. The names are known import paths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ultralytics.errors import ModelError, unknown_name
from ultralytics.nn.graph import head_name, load_architecture
from ultralytics.nn.model import GraphModel
from ultralytics.nn.modules.head import SemanticSegment


class SemanticSegmentationModel(GraphModel):
    """A network that gives every pixel a class: in evaluation logits, in training also those of the auxiliary head."""

    head_type = SemanticSegment


_MODELS: Mapping[str, type[GraphModel]] = {"SemanticSegment": SemanticSegmentationModel}


def build_model(cfg: str | Path | Mapping[str, Any], ch: int | None = None, nc: int | None = None) -> GraphModel:
    """Build the network an architecture describes, as the class that its head calls for.

    Args:
        cfg: architecture file, name of a packaged one, or dictionary.
        ch: channels of the images; None: what the architecture says.
        nc: number of classes; None: what the architecture says.

    Raises:
        ModelError: the architecture does not make a network, or ends in no known head.
        MissingFile: there is no such architecture.
    """
    architecture = load_architecture(cfg, num_classes=nc, channels=ch)
    name = head_name(architecture)
    if name not in _MODELS:
        raise ModelError(unknown_name("head", name, _MODELS))
    return _MODELS[name](architecture)
