"""The user's settings of pip, said to uv, which does not read them; what is set for uv itself goes before."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ultralytics.utils.env import MACOS, WINDOWS

_KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "cert", "trusted-host")
_MANY = {"extra-index-url", "find-links", "trusted-host"}  # values are lists, parted by blanks


def uv_settings(environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Say to uv where pip would look for packages.

    Local folders that do not exist are left out: pip passes over them, uv does not.

    Args:
        environ: environment variables.

    Returns:
        Arguments of `uv pip install`, and environment variables to add.
    """
    pip = pip_settings(environ)
    arguments: list[str] = []
    if not _any(environ, "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        arguments += [f"--default-index={url}" for url in _present([pip.get("index-url", "")])]
    if not _any(environ, "UV_INDEX", "UV_EXTRA_INDEX_URL"):
        extra = [f"--index={url}" for url in _present(pip.get("extra-index-url", "").split())]
        if extra and "UV_INDEX_STRATEGY" not in environ:  # pip takes the best of all indexes, uv the first that answers
            extra.append("--index-strategy=unsafe-best-match")
        arguments += extra
    if not _any(environ, "UV_FIND_LINKS"):
        arguments += [f"--find-links={place}" for place in _present(pip.get("find-links", "").split())]
    if pip.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        arguments.append("--no-index")
    if not _any(environ, "UV_INSECURE_HOST"):
        arguments += [f"--allow-insecure-host={host}" for host in pip.get("trusted-host", "").split()]
    certificates = pip.get("cert", "")
    wanted = certificates and not _any(environ, "SSL_CERT_FILE", "SSL_CERT_DIR") and Path(certificates).is_file()
    return arguments, {"SSL_CERT_FILE": certificates} if wanted else {}


def pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Read what pip would: its files, from the machine's to the user's, then its environment variables."""
    found: dict[str, str] = {}
    for file in _files(environ):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            continue  # pip itself would complain; uv may well do without
        for section in ("global", "install"):
            if parser.has_section(section):
                found.update({key: value for key, value in parser.items(section) if key in _KEYS})
    for key in _KEYS:
        if value := environ.get(f"PIP_{key.replace('-', '_').upper()}"):
            found[key] = value
    return {key: " ".join(value.split()) if key in _MANY else value.strip() for key, value in found.items()}


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Pip's configuration files, later ones go before; a `PIP_CONFIG_FILE` that is the null device switches all off."""
    chosen = environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return
    home = Path.home()
    if WINDOWS:
        yield Path(environ.get("PROGRAMDATA", "C:/ProgramData")) / "pip" / "pip.ini"
        yield home / "pip" / "pip.ini"
        yield Path(environ.get("APPDATA", str(home / "AppData/Roaming"))) / "pip" / "pip.ini"
    else:
        for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep):
            yield Path(folder) / "pip" / "pip.conf"
        yield Path("/etc/pip.conf")
        if MACOS:
            yield home / "Library/Application Support/pip/pip.conf"
        yield home / ".pip" / "pip.conf"
        yield Path(environ.get("XDG_CONFIG_HOME", str(home / ".config"))) / "pip" / "pip.conf"
    yield Path(sys.prefix) / ("pip.ini" if WINDOWS else "pip.conf")
    if chosen:
        yield Path(chosen)


def _any(environ: Mapping[str, str], *names: str) -> bool:
    return any(environ.get(name) for name in names)


def _present(places: list[str]) -> list[str]:
    """Leave out folders of this machine that do not exist, and nothing."""
    return [place for place in places if place and ((folder := _local(place)) is None or folder.exists())]


def _local(place: str) -> Path | None:
    """Path of a place on this machine, None for one elsewhere."""
    url = urlsplit(place)
    if url.scheme == "file":
        return Path(url2pathname(url.path))
    return None if len(url.scheme) > 1 else Path(place).expanduser()  # one letter is a drive of Windows
