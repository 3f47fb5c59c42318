"""What stands in for the network of a model that was loaded from an exported artefact."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ultralytics.deploy import FORMATS, Format, find_format
from ultralytics.errors import MissingFile, ModelError
from ultralytics.nn.autobackend import AutoBackend
from ultralytics.utils.torch_utils import select_device


class Artefact:
    """An artefact that is opened when first needed, and again when it is to run elsewhere.

    Args:
        path: the artefact.

    Raises:
        MissingFile: there is no such artefact.
        ModelError: its ending is that of no format.
    """

    def __init__(self, path: Path) -> None:
        self.row: Format = find_format(path, FORMATS)
        if not path.exists():
            raise MissingFile(f"'{path}' does not exist. Make it: YOLO('best.pt').export(format='{self.row.name}').")
        self.path = path
        self._opened: AutoBackend | None = None
        self._how: tuple[Any, ...] = ()
        self._opening = threading.Lock()

    def open(self, options: Mapping[str, Any]) -> AutoBackend:
        """Open it as the options `device`, `runtime` and `dnn` say; one that is open like that is kept.

        Args:
            options: options by name; `toolchain` says what to do where packages have to be fetched for it.
        """
        device, runtime, dnn = options.get("device"), options.get("runtime", "auto"), options.get("dnn", False)
        place = select_device(device) if device is not None else torch.device(self.row.device)
        how = (str(place), runtime, dnn)
        with self._opening:  # threads that ask alike share what the first one opened
            if self._opened is None or how != self._how:
                self.close()
                toolchain = options.get("toolchain", "ask")
                self._opened = AutoBackend(self.path, place, runtime=runtime, toolchain=toolchain, dnn=dnn)
                self._how = how
            return self._opened

    @property
    def opened(self) -> AutoBackend:
        """The open artefact, opened with the defaults if it was not."""
        return self._opened or self.open({})

    @property
    def names(self) -> dict[int, str]:
        """Class names by id."""
        return self.opened.names

    @property
    def nc(self) -> int:
        """Number of classes."""
        return self.opened.num_classes

    def close(self) -> None:
        """Let go of the runtime."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def __getattr__(self, name: str) -> Any:
        # Reached only for names this class lacks: what only a network has.
        if name.startswith("_"):
            raise AttributeError(name)
        raise ModelError(
            f"'{self.path.name}' is {self.row.title}: it can be run and validated, but has no '{name}'. Load the "
            "checkpoint it was made from to train, change or export the network."
        )
