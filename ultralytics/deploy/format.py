"""What is known of a format without loading anything that belongs to it."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ultralytics.errors import ConfigError, ModelError, unknown_name
from ultralytics.utils.imports import available, load

COMMON_OPTIONS = frozenset(
    {"format", "imgsz", "device", "output", "verify", "toolchain", "data", "fraction", "conf", "verbose"}
)
"""Options of an export that mean something for every format."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packages:
    """What has to be installed for one purpose, and what an environment made for it would hold.

    Attributes:
        name: of the environment; rows that share it share the environment.
        imports: import names that tell whether the user's own environment will do.
        pins: exact requirements, as pip writes them; without hashes, since a user's own index may hold other builds.
        overrides: requirements that replace what the pins' own metadata asks for.
        programs: programs that must be on the PATH (java, node).
        npm: exact npm packages, as npm writes them; installed into the environment's folder.
        megabytes: what `yolo toolchains list` tells after the first use, on Linux x86-64 with torch for CPUs, in 10^6
            bytes, rounded up to the next ten; 0 if it was never measured.
        extra: this distribution's extra that brings the packages; empty if there is none.
        terms: what the packages' licences ask of a user beyond the usual.
        alone: never in the user's process, even where everything is importable.
    """

    name: str
    imports: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    megabytes: int = 0
    extra: str = ""
    terms: str = ""
    alone: bool = False

    @property
    def space(self) -> str:
        """What an environment of these packages takes, in words."""
        return f"about {self.megabytes} MB" if self.megabytes else "space that was not measured"

    @property
    def here(self) -> bool:
        """Whether the user's own environment has the packages and programs."""
        return not self.alone and all(map(available, self.imports)) and all(map(shutil.which, self.programs))


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """One row of the table of formats.

    Attributes:
        name: word of the option `format`.
        title: what people call it.
        suffix: ending of its files or folders.
        module: module with `convert`, `embed` and `Backend`; empty for checkpoints.
        aliases: other words for `format`.
        via: format whose artefact it is made from; None: from the network itself.
        options: export options it understands beyond those of every format.
        bits: precisions it can be made in; the first is the default.
        can: what its target can compute behind the network's last layer, of `outputs.CAPABILITIES`.
        costly: what it can do but does badly, and does only when asked: emulated, or off the accelerator.
        dynamic: whether it can take inputs of any size.
        convert: packages of the converter.
        run: packages of the runtime; None: nothing here runs it.
        device: where it runs unless a device is asked for.
        needs: what a machine must have to run it, in words.
        platforms: values of `sys.platform` on which the runtime exists; empty for all.
        emulated_on: values of `platform.machine()`, in small letters, on which the runtime only emulates the device.
        drop: points of the task's score that an int8 artefact may lose.
        keeps: whether a quantised artefact can have layers in higher precision, those of `ExportOptions.keep`.
        agreement: share of the answers that must be equal to the network's, by bits.
        verified: where its numbers were checked last, or "no".
        via_options: export options set for the intermediate artefact.
        via_bits: precisions that the intermediate artefact is made in, too; for others it stays in single precision.
    """

    name: str
    title: str
    suffix: str
    module: str = ""
    aliases: tuple[str, ...] = ()
    via: str | None = None
    options: frozenset[str] = frozenset()
    bits: tuple[int, ...] = (32,)
    can: frozenset[str] = frozenset({"argmax", "resize", "softmax"})
    costly: frozenset[str] = frozenset()
    dynamic: bool = False
    convert: Packages = Packages(name="torch", imports=("torch",))
    run: Packages | None = Packages(name="torch", imports=("torch",))
    device: str = "cpu"
    needs: str = ""
    platforms: frozenset[str] = frozenset()
    emulated_on: frozenset[str] = frozenset()
    drop: float = 1.0
    keeps: bool = False
    agreement: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({32: 0.995, 16: 0.99}))
    verified: str = "no"
    via_options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    via_bits: frozenset[int] = frozenset()

    def resolve(self, name: str) -> Any:
        """Import `convert`, `embed` or `Backend` of the format's module."""
        return load(f"{self.module}:{name}")

    @property
    def emulated(self) -> bool:
        """Whether this machine has only an emulator, whose answers count and whose speed says nothing."""
        return platform.machine().lower() in self.emulated_on


def get_format(name: str, formats: Iterable[Format]) -> Format:
    """Look a format up by the word of the option `format`.

    Raises:
        ConfigError: there is no such format.
    """
    formats = list(formats)
    for row in formats:
        if name.lower() in {row.name, *row.aliases}:
            return row
    raise ConfigError(unknown_name("format", name, [row.name for row in formats]))


def find_format(path: str | Path, formats: Iterable[Format]) -> Format:
    """Find the format of a file or folder by its ending; the longest that fits, as some end in another's.

    Raises:
        ModelError: no format has such an ending.
    """
    formats = sorted(formats, key=lambda row: -len(row.suffix))
    text = str(path).rstrip("/\\")
    for row in formats:
        if text.endswith(row.suffix):
            return row
    known = ", ".join(sorted(row.suffix for row in formats))
    raise ModelError(
        f"'{path}' has the ending of no format that runs here. Give a .yaml architecture, or one of: {known}."
    )
