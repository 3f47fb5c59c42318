"""Formats that a model can be kept and run in: how each is made, what it knows of itself, and what runs it."""

from ultralytics.deploy.format import Format, Packages, find_format, get_format
from ultralytics.deploy.table import FORMATS, register_format

__all__ = ["FORMATS", "Format", "Packages", "find_format", "get_format", "register_format"]
