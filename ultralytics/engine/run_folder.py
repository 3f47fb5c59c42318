"""The folder of a run: reserved before anything is written to it, and found again by what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ultralytics.cfg import Config
from ultralytics.cfg.settings import SETTINGS
from ultralytics.errors import ConfigError
from ultralytics.utils import YAML
from ultralytics.utils.dist import broadcast_object, world_size
from ultralytics.utils.env import is_main_process
from ultralytics.utils.files import reserved_folder

OPTIONS_FILE = "args.yaml"
"""File of a training's folder that says which run it is of: its `save_dir` is the folder it was made as."""


@contextmanager
def open_run_folder(config: Config, task: str, mode: str) -> Iterator[Path]:
    """Make the folder of a run for the block: runs_dir/task/project/name, numbered unless `exist_ok`.

    An absolute `project` is used as it is; `save_dir` names the folder itself. Processes that start together get
    folders of their own; those of one distributed run, which have to meet here, share that of the first. One that stays
    empty is removed at the end.

    Raises:
        ConfigError: it cannot be made.
    """
    with ExitStack() as stack:
        made = ""
        if world_size() == 1 or is_main_process():
            made = str(stack.enter_context(_reserved(config, task, mode)))
        yield Path(broadcast_object(made))


@contextmanager
def _reserved(config: Config, task: str, mode: str) -> Iterator[Path]:
    wanted = run_folder(config, task, mode)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(reserved_folder(wanted, config.exist_ok or bool(config.save_dir)))
        except OSError as error:
            raise ConfigError(
                f"The folder '{wanted}' cannot be made: {error.strerror or error}. Name a place you may write to: "
                "project=FOLDER, save_dir=FOLDER, or `yolo settings runs_dir=FOLDER`."
            ) from error
        yield folder


def run_folder(config: Config, task: str, mode: str) -> Path:
    """Name the folder that a run asks for; nothing is made, and it may be taken."""
    if config.save_dir:
        return Path(config.save_dir)
    project = Path(config.project or "")
    base = project if project.is_absolute() else Path(SETTINGS["runs_dir"]) / task / project
    return base / (config.name or mode)


def find_run(checkpoint: Path, options: Mapping[str, Any]) -> Path | None:
    """Find the folder of the run that a checkpoint belongs to, wherever either of them is now.

    Args:
        checkpoint: the file, which may have been copied elsewhere.
        options: of the run, as the checkpoint has them; `save_dir` is the folder it was made as.

    Returns:
        The folder around the checkpoint if it is the run's, moved or copied as a whole; else the one it was made as, or
        None if that is not the run's either.
    """
    made_as = options.get("save_dir")
    around = checkpoint.resolve().parent.parent
    places = [around, Path(str(made_as))] if made_as else [around]
    return next((place for place in places if _is_of(place, made_as)), None)


def _is_of(folder: Path, made_as: object) -> bool:
    file = folder / OPTIONS_FILE
    if not file.is_file():
        return False
    known = YAML.load(file)
    return isinstance(known, dict) and known.get("save_dir") == made_as
