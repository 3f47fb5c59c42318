"""Drawing on images, sheets of images, and charts."""

from ultralytics.utils.plotting.annotator import Annotator, LegendEntry
from ultralytics.utils.plotting.colors import CITYSCAPES, colors, default_palette, resolve_palette
from ultralytics.utils.plotting.curves import (
    plot_class_iou,
    plot_class_pixels,
    plot_confusion_matrix,
    plot_results,
)
from ultralytics.utils.plotting.grids import contact_sheet, save_grid, write_image

__all__ = [
    "CITYSCAPES",
    "Annotator",
    "LegendEntry",
    "colors",
    "contact_sheet",
    "default_palette",
    "plot_class_iou",
    "plot_class_pixels",
    "plot_confusion_matrix",
    "plot_results",
    "resolve_palette",
    "save_grid",
    "write_image",
]
