"""Text as pixels: a font that has the letters of a class name, in any script this machine can draw."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from PIL import ImageFont

# Tried in this order for letters that DejaVu Sans lacks, by the names they have on Linux, Windows and macOS.
_OTHER_FONTS = (
    "NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.ttf", "wqy-microhei.ttc", "DroidSansFallback.ttf",
    "msyh.ttc", "malgun.ttf", "Nirmala.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "Arial Unicode.ttf",
)  # fmt: skip
OTHER_FAMILIES = (
    "Noto Sans CJK SC", "Noto Sans SC", "WenQuanYi Micro Hei", "Droid Sans Fallback",
    "Microsoft YaHei", "Malgun Gothic", "Nirmala UI", "PingFang SC", "Hiragino Sans GB", "Arial Unicode MS",
)  # fmt: skip
"""The same fonts by the names matplotlib knows them by."""


@functools.lru_cache(maxsize=1024)
def text_mask(text: str, size: int) -> np.ndarray:
    """Draw one line of text: (height, width) uint8 coverage, the same height for every text of a size.

    Letters that no font of this machine has are drawn as boxes. The array is shared and cannot be written.
    """
    from PIL import Image, ImageDraw

    text = " ".join(text.split()) or " "
    font = _font_for(text, size)
    ascent, descent = _standard_font(size).getmetrics()
    width = max(1, round(font.getlength(text)) + 1)
    image = Image.new("L", (width, ascent + descent))
    ImageDraw.Draw(image).text((0, ascent), text, fill=255, font=font, anchor="ls")
    mask = np.asarray(image)
    mask.setflags(write=False)
    return mask


def fit_text(text: str, size: int, width: int) -> np.ndarray:
    """Draw one line of text no wider than `width` pixels; what does not fit gives way to an ellipsis."""
    mask = text_mask(text, size)
    shown = len(text)
    while mask.shape[1] > width and shown > 1:
        # The average letter tells about how much too long the text is; the loop settles the rest.
        shown = min(shown - 1, max(1, shown * width // mask.shape[1]))
        mask = text_mask(text[:shown].rstrip() + "…", size)
    return mask[:, : max(1, width)]


def _font_for(text: str, size: int) -> ImageFont.FreeTypeFont:
    """Pick the first font that has every letter of the text; the standard one when none has."""
    standard = _standard_font(size)
    if text.isascii():
        return standard
    fonts = [standard, *(font for name in _OTHER_FONTS if (font := _system_font(name, size)))]
    return next((font for font in fonts if _covers(font, text)), standard)


def _covers(font: ImageFont.FreeTypeFont, text: str) -> bool:
    missing = bytes(font.getmask("\uffff"))  # not a character, so every font answers with its box for unknown ones
    return all(bytes(font.getmask(letter)) != missing for letter in set(text) if not letter.isspace())


@functools.lru_cache(maxsize=64)
def _standard_font(size: int) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans, which comes with matplotlib; Pillow's own font, the last resort, knows ASCII only."""
    matplotlib = importlib.util.find_spec("matplotlib")
    if matplotlib is not None and matplotlib.origin is not None:
        folder = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf"
        if font := _system_font(str(folder / "DejaVuSans.ttf"), size):
            return font
    from PIL import ImageFont

    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))


@functools.lru_cache(maxsize=256)
def _system_font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    from PIL import ImageFont

    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None
