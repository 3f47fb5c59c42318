"""Options: the one list, its checks, files and user settings."""

from ultralytics.cfg.loader import MODE_DEFAULTS, dump, get_cfg, read_options
from ultralytics.cfg.schema import INERT, MODES, OPTIONS, Config, Option

DEFAULT_CFG = Config()

__all__ = [
    "DEFAULT_CFG",
    "INERT",
    "MODES",
    "MODE_DEFAULTS",
    "OPTIONS",
    "Config",
    "Option",
    "dump",
    "get_cfg",
    "read_options",
]
