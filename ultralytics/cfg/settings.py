"""The user's settings: one JSON file, read when a value is first asked for, written only by `update` and `reset`.

The file is where the reference distribution keeps its own, with the same keys; keys this package does not know are
left in it untouched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ultralytics.errors import ConfigError, UnknownSetting, WrongSettingType, unknown_name
from ultralytics.utils.files import write_atomic

DEFAULTS: Mapping[str, str | bool] = {
    "settings_version": "0.0.8",
    "datasets_dir": "datasets",
    "weights_dir": "weights",
    "runs_dir": "runs",
    "uuid": "",
    "sync": False,
    "api_key": "",
    "openai_api_key": "",
    "clearml": False,
    "comet": False,
    "dvc": False,
    "mlflow": False,
    "raytune": False,
    "tensorboard": False,
    "wandb": False,
    "vscode_msg": False,
    "openvino_msg": False,
}
_FOLDERS = frozenset({"datasets_dir", "weights_dir", "runs_dir"})
_REMEDY = "Correct it, delete it, or start over: yolo settings reset"


class Settings(Mapping[str, Any]):
    """Mapping of the settings. Folders are absolute: relative ones lie in the working folder at the time of asking.

    Example:
        >>> from ultralytics import settings
        >>> settings["sync"]
        False
    """

    def __init__(self) -> None:
        self._known_files: dict[Path, dict[str, Any]] = {}

    @property
    def file(self) -> Path:
        """Where the settings are kept: `YOLO_CONFIG_DIR`, else the system's folder for configuration, decides."""
        return _config_folder() / "Ultralytics" / "settings.json"

    def __getitem__(self, key: str) -> Any:
        if key not in DEFAULTS:
            raise UnknownSetting(unknown_name("setting", key, DEFAULTS))
        try:
            value = _checked(key, self._read().get(key, DEFAULTS[key]))
        except WrongSettingType as error:
            raise ConfigError(f"In the settings file '{self.file}': {error} {_REMEDY}") from error
        return str(Path(value).expanduser().absolute()) if key in _FOLDERS else value

    def __iter__(self) -> Iterator[str]:
        return iter(DEFAULTS)

    def __len__(self) -> int:
        return len(DEFAULTS)

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def update(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Change settings and write the file.

        Raises:
            UnknownSetting: there is no such key (a KeyError).
            WrongSettingType: a value has another type than its default (a TypeError).
        """
        changes = {key: _checked(key, value) for key, value in {**(values or {}), **more}.items()}
        self._write({**DEFAULTS, **self._read(), **changes})

    def reset(self) -> None:
        """Write the defaults; what others keep in the file stays, unless the file cannot be read."""
        try:
            kept = {key: value for key, value in self._read().items() if key not in DEFAULTS}
        except ConfigError:
            kept = {}
        self._write({**DEFAULTS, **kept})

    def _read(self) -> dict[str, Any]:
        file = self.file
        if file not in self._known_files:
            self._known_files[file] = _load(file)
        return self._known_files[file]

    def _write(self, values: dict[str, Any]) -> None:
        file = self.file
        write_atomic(file, json.dumps(values, indent=2, ensure_ascii=False).encode())
        self._known_files[file] = values


SETTINGS = Settings()


def _config_folder() -> Path:
    """Folder of the user's configuration files, as each system has it."""
    if folder := os.environ.get("YOLO_CONFIG_DIR"):
        return Path(folder).expanduser()
    import platformdirs

    return platformdirs.user_config_path(roaming=True)


def _load(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ConfigError(f"The settings file '{file}' cannot be read: {error}. {_REMEDY}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"The settings file '{file}' holds no mapping of keys to values. {_REMEDY}")
    return values


def _checked(key: str, value: Any) -> Any:
    """Return a value that fits its key."""
    if key not in DEFAULTS:
        raise UnknownSetting(unknown_name("setting", key, DEFAULTS))
    wanted = type(DEFAULTS[key])
    if isinstance(value, os.PathLike) and key in _FOLDERS:
        value = os.fspath(value)
    if type(value) is not wanted:
        raise WrongSettingType(f"Setting '{key}' is {value!r}; it takes a {wanted.__name__}.")
    return value
