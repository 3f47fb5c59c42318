"""Arguments of a command line, taken apart into words and `key=value` pairs of text."""

from __future__ import annotations

from collections.abc import Sequence

from ultralytics.errors import ConfigError
from ultralytics.utils.log import LOGGER


def split_arguments(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Take a command line apart.

    What the shell split is put together again (`key = value`, lists with spaces), and the dashes and commas of other
    conventions are taken off.

    Raises:
        ConfigError: a pair lacks its key or its value.

    Example:
        >>> split_arguments(["train", "epochs", "=", "3", "imgsz=[480,", "640]"])
        (['train'], {'epochs': '3', 'imgsz': '[480,640]'})
    """
    words: list[str] = []
    pairs: dict[str, str] = {}
    for argument in filter(None, map(_tidy, _join(argv))):
        key, sign, value = (part.strip() for part in argument.partition("="))
        if not sign:
            words.append(argument)
            continue
        if not key or not value:
            raise ConfigError(f"'{argument}' is half an option: write key=value, without spaces.")
        if key in pairs:
            LOGGER.warning(f"'{key}' is given twice; the last counts: {key}={value}.")
        pairs[key] = value
    return words, pairs


def _join(argv: Sequence[str]) -> list[str]:
    """Put together what belongs to one pair."""
    joined: list[str] = []
    for argument in argv:
        if joined and _belong_together(joined[-1], argument):
            joined[-1] += argument
        else:
            joined.append(argument)
    return joined


def _belong_together(before: str, argument: str) -> bool:
    if argument.startswith("="):
        return "=" not in before
    if "=" in argument:
        return False
    _, sign, value = before.partition("=")
    is_open_list = value.startswith(("[", "(")) and value.count("[") + value.count("(") > value.count(
        "]"
    ) + value.count(")")
    return bool(sign) and (not value or is_open_list)


def _tidy(argument: str) -> str:
    tidy = argument.lstrip("-").rstrip(",")
    if tidy != argument and "=" in tidy:
        LOGGER.warning(f"'{argument}' is read as '{tidy}'.")
    return tidy
