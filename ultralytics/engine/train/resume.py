"""Which run a training goes on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ultralytics.engine.run_folder import find_run
from ultralytics.errors import ConfigError, MissingFile
from ultralytics.nn.checkpoint import Checkpoint, load_checkpoint
from ultralytics.utils import LOGGER


def resumed_run(options: dict[str, Any], loaded: str | None) -> tuple[Checkpoint | None, Path | None]:
    """Find the run to go on with, and take what says so out of the options.

    Args:
        options: of the call; `resume` is True for the loaded checkpoint, or a path.
        loaded: file of the loaded checkpoint.

    Returns:
        The checkpoint, and the folder of its run: None for a new one. Both are None where nothing is resumed.

    Raises:
        ConfigError: no checkpoint is loaded.
        MissingFile: there is no such checkpoint.
    """
    resume = options.pop("resume", False)
    if not resume:
        return None, None
    path = Path(loaded or "") if resume is True else Path(str(resume))
    if path.suffix != ".pt":
        raise ConfigError("resume=True goes on from a loaded checkpoint: YOLO('runs/…/last.pt').train(resume=True).")
    if not path.is_file():
        raise MissingFile(f"'{path}' does not exist: nothing to resume.")
    checkpoint = load_checkpoint(path)
    if options.setdefault("save_dir", None):  # else that of the run would be taken, which may be gone
        return checkpoint, Path(options["save_dir"])
    folder = find_run(path, checkpoint.args)
    if folder is None:
        LOGGER.warning(f"The folder of the run that '{path}' belongs to is not here: it goes on in a new one.")
    return checkpoint, folder
