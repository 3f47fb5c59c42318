"""The package's logger. Libraries stay silent; only the command line and `verbose` calls attach a handler."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import nullcontext

LOGGER = logging.getLogger("ultralytics")

_CODES = {
    "black": 30, "red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "white": 37,
    "bold": 1, "underline": 4,
}  # fmt: skip


class _StdoutHandler(logging.StreamHandler):
    """Write to whatever `sys.stdout` is now, so that redirections and captures see the lines; bars step aside."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        bars = sys.modules.get("tqdm")
        with bars.tqdm.external_write_mode() if bars and sys.stderr.isatty() else nullcontext():
            super().emit(record)


class _MessageFormatter(logging.Formatter):
    """Plain text for information, a named prefix for anything worse."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{colorstr('bold', 'yellow', record.levelname)} {text}"


def show_logs(level: int = logging.INFO) -> None:
    """Print the package's messages to standard output; only rank 0 of a distributed run says more than errors.

    A host program that has handlers of its own keeps them and gets no second copy.
    """
    if int(os.environ.get("RANK", "-1")) > 0:
        level = logging.ERROR
    LOGGER.setLevel(level)
    if not any(isinstance(handler, _StdoutHandler) for handler in LOGGER.handlers) and not logging.root.handlers:
        handler = _StdoutHandler()
        handler.setFormatter(_MessageFormatter("%(message)s"))
        LOGGER.addHandler(handler)


def colorstr(*arguments: str) -> str:
    """Colour a text for a terminal: `colorstr("blue", "bold", "text")`; plain where output is no terminal."""
    *styles, text = arguments if len(arguments) > 1 else ("blue", "bold", arguments[0])
    if not getattr(sys.stdout, "isatty", bool)() or os.environ.get("NO_COLOR"):
        return text
    return "".join(f"\033[{_CODES[style]}m" for style in styles) + f"{text}\033[0m"
