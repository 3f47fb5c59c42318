"""Formats that a model can be kept and run in."""

from ultralytics.deploy.format import Format, find_format, format_table
from ultralytics.deploy.table import FORMATS

__all__ = ["FORMATS", "Format", "find_format", "format_table"]
