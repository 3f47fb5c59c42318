"""What other packages change for the whole process, put back."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def preserve_process_state() -> Iterator[None]:
    """Put back, when the block ends, the working folder, and the root logger's handlers, which some imports add to."""
    folder, handlers = Path.cwd(), list(logging.root.handlers)
    try:
        yield
    finally:
        os.chdir(folder)
        for handler in [handler for handler in logging.root.handlers if handler not in handlers]:
            logging.root.removeHandler(handler)
