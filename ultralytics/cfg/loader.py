"""The options of a run, put together: defaults < the task's < the mode's < a YAML file < what is given directly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ultralytics.cfg.schema import Config
from ultralytics.cfg.validate import check_options, coerce
from ultralytics.errors import ConfigError
from ultralytics.utils.yamlio import YAML

MODE_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "val": {"rect": True},
    "predict": {"batch": 1, "rect": True, "save": False},
    "export": {"batch": 1},
    "benchmark": {"batch": 1},
}
"""Defaults of a model's methods where they differ from the list."""


def get_cfg(
    overrides: Mapping[str, Any] | None = None,
    *,
    base: Mapping[str, Any] | Config | None = None,
    mode: str | None = None,
) -> Config:
    """Put the options of a run together and check them.

    Args:
        overrides: what the user gave; `cfg` among it names a YAML file whose options lie beneath the others.
        base: what lies beneath the mode's defaults: a task's defaults, or the options of an earlier run.
        mode: what is done; None: no defaults of a mode are laid in between.

    Raises:
        ConfigError: an option is unknown, or a value is not allowed.
        MissingFile: the YAML file does not exist.

    Example:
        >>> get_cfg({"imgsz": "320"}, mode="predict").batch
        1
    """
    given = check_options(overrides or {})
    values = base.as_dict() if isinstance(base, Config) else check_options(base or {})
    if mode is not None:
        values |= MODE_DEFAULTS.get(coerce("mode", mode), {})
    if given.get("cfg"):
        values |= read_options(given["cfg"])
    values |= given
    if mode is not None:
        values["mode"] = coerce("mode", mode)
    return Config(**values)


def read_options(path: str | Path) -> dict[str, Any]:
    """Read the options in a YAML file, such as the `args.yaml` of a run; one that is null there says nothing.

    Raises:
        ConfigError: the file is not YAML, or holds something that is not an option; the message names the file.
        MissingFile: there is no such file.
    """
    given = YAML.load(path)
    try:
        options = check_options(given)
    except ConfigError as error:
        raise ConfigError(f"In '{path}': {error}") from error
    return {name: value for name, value in options.items() if value is not None and name != "cfg"}


def dump(config: Config, path: str | Path) -> None:
    """Write all options to a YAML file, all or nothing; arrays and other objects given as `source` become null."""
    plain = {name: value if _is_plain(value) else None for name, value in config.as_dict().items()}
    YAML.save(path, plain)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)
