"""Reading and writing YAML as plain data, with errors that name file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ultralytics.errors import ConfigError, MissingFile
from ultralytics.utils.files import write_atomic

_MAX_BYTES = 16 << 20
_MERGE = "tag:yaml.org,2002:merge"
_MAX_ALIASES = 64  # a description needs a handful of aliases; nested ones can expand to billions of items


class _UniqueKeys(yaml.constructor.BaseConstructor):
    """Refuses a key which occurs twice in a mapping: the first value would be lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[Any, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                continue
            key, line = self.construct_object(key_node), key_node.start_mark.line + 1
            if key in lines:
                where = f"lines {lines[key]} and {line}" if line != lines[key] else f"line {line}"
                problem = f"the key {key_node.value!r} is given twice, in {where}. Keep one"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            lines[key] = line
        return super().construct_mapping(node, deep)


class _Loader(_UniqueKeys, yaml.SafeLoader):
    """Reads plain data."""


class _TextLoader(_UniqueKeys, yaml.BaseLoader):
    """Reads every number, boolean and null as the text that is written."""


class YAML:
    """Load and save YAML files."""

    @staticmethod
    def load(path: str | Path, *, as_text: bool = False) -> dict[str, Any]:
        """Read a YAML file whose top level is a mapping; `as_text` leaves numbers, `no` and `null` as written.

        UTF-8 and UTF-16 with a byte-order mark are understood. Only plain data is built; tags that would create
        objects are refused.

        Raises:
            MissingFile: there is no such file.
            ConfigError: the file is not YAML, not a mapping, too large, or an alias bomb; the message names the line.
        """
        path = Path(path)
        if not path.is_file():
            raise MissingFile(f"'{path}' does not exist.")
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(
                f"'{path}' is larger than {_MAX_BYTES:,} bytes, the most that a YAML description may have."
            )
        data = YAML.parse(_decode(path.read_bytes(), path), str(path), as_text=as_text)
        if not isinstance(data, dict):
            raise ConfigError(f"'{path}' holds a {type(data).__name__}, not a mapping of keys to values.")
        return data

    @staticmethod
    def parse(text: str, name: str = "YAML text", *, as_text: bool = False) -> Any:
        """Read YAML text as plain data; `name` is what errors call it."""
        try:
            aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader))
            if aliases > _MAX_ALIASES:
                raise ConfigError(f"'{name}' uses {aliases} aliases, more than the {_MAX_ALIASES} allowed.")
            return yaml.load(text, Loader=_TextLoader if as_text else _Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
            raise ConfigError(f"'{name}' is not valid YAML{where}: {error.problem}.") from error
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"'{name}' is not valid YAML: {str(error).splitlines()[0]}.") from error

    @staticmethod
    def dump(data: dict[str, Any]) -> str:
        """Write plain data as YAML text, keeping the order of keys."""
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)

    @staticmethod
    def save(path: str | Path, data: dict[str, Any]) -> None:
        """Write plain data to a YAML file, all or nothing."""
        write_atomic(Path(path), YAML.dump(data).encode())


def _decode(raw: bytes, path: Path) -> str:
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise ConfigError(f"'{path}' is not text in UTF-8 or UTF-16 (byte {error.start}). Save it as UTF-8.") from error
