"""Drawing on one image: class maps, legends, text, boxes and masks.

Colours given one by one are BGR, as the image is (`colors(i, bgr=True)`); palettes are RGB, as palettes always are.
Nothing is drawn outside the image, and whatever does not fit is left out rather than refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import cv2
import numpy as np

from ultralytics.utils.plotting.fonts import fit_text, text_mask

if TYPE_CHECKING:
    from PIL import Image

Color: TypeAlias = "tuple[int, int, int]"

_WHITE: Color = (255, 255, 255)
_BAND = 64  # rows tinted at a time, few enough to stay in the processor's cache
_MIN_LEGEND_SIDE = 96  # on a smaller picture a legend would hide what it explains


class LegendEntry(NamedTuple):
    """One line of a legend: the colour (BGR), what it stands for, and a figure such as "41.2%"."""

    color: Color
    name: str
    value: str = ""


def displayable(image: np.ndarray) -> np.ndarray:
    """Copy any image to (H, W, 3) uint8 BGR: grey is repeated, of more channels the first three are shown.

    Values that are not 8-bit are stretched from their 1st-99th percentile to 0-255.
    """
    image = image if image.ndim == 3 else image[..., None]
    image = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image).copy()
    values = np.nan_to_num(image.astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = np.percentile(values, (1, 99)) if values.size else (0.0, 1.0)
    return np.clip((values - low) * (255.0 / max(high - low, 1e-12)), 0, 255).astype(np.uint8)


class Annotator:
    """A copy of an image to draw on.

    Example:
        >>> annotator = Annotator(np.zeros((120, 160, 3), np.uint8))
        >>> annotator.box_label((20, 30, 80, 90), "car 0.91", color=colors(13, bgr=True))  # doctest: +SKIP
        >>> picture = annotator.result()

    Attributes:
        image: (H, W, 3) uint8 BGR, drawn on in place.
        line_width: of lines and boxes, in pixels.
        font_size: of text, in pixels.
    """

    def __init__(self, image: np.ndarray, line_width: int | None = None, font_size: int | None = None) -> None:
        self.image = displayable(image)
        side = sum(self.image.shape[:2]) / 2
        self.line_width = line_width or max(round(side * 0.003), 2)
        self.font_size = font_size or max(round(side * 0.016), 12)

    def result(self, pil: bool = False) -> np.ndarray | Image.Image:
        """Return the picture: BGR array, or a PIL image."""
        return self.to_pil() if pil else self.image

    def to_pil(self) -> Image.Image:
        """Return the picture as a PIL image."""
        from PIL import Image

        return Image.fromarray(cv2.cvtColor(self.image, cv2.COLOR_BGR2RGB))

    def class_map(self, ids: np.ndarray, palette: np.ndarray, *, alpha: float = 0.5, contours: bool = False) -> None:
        """Tint every pixel with the colour of its class; ids that the palette does not reach leave it as it is.

        Args:
            ids: (H, W) whole numbers; another size than the image is brought to it by the nearest pixel.
            palette: (N, 3) uint8 RGB.
            alpha: strength of the tint, 0-1.
            contours: also draw the borders between classes, in full colour.
        """
        if ids.size == 0 or len(palette) == 0:
            return
        height, width = self.image.shape[:2]
        ids = ids if ids.shape == (height, width) else ids[nearest_index(ids.shape, (height, width))]
        edge = None
        if contours:
            brush = np.ones((max(1, self.line_width - 1),) * 2, np.uint8)
            edge = cv2.dilate(borders(ids).view(np.uint8), brush)
        for top in range(0, height, _BAND):
            band = slice(top, top + _BAND)
            color = _colorize(ids[band], palette, self.image[band])
            cv2.addWeighted(self.image[band], 1 - alpha, color, alpha, 0, dst=self.image[band])
            if edge is not None:
                cv2.copyTo(color, edge[band], self.image[band])

    def mask(self, region: np.ndarray, color: Color, alpha: float = 0.5) -> None:
        """Tint the true pixels of an (H, W) bool array."""
        tinted = cv2.addWeighted(self.image, 1 - alpha, np.full_like(self.image, color), alpha, 0)
        cv2.copyTo(tinted, region.astype(np.uint8), self.image)

    def box_label(
        self, box: Sequence[float], label: str = "", color: Color = (128, 128, 128), txt_color: Color = _WHITE
    ) -> None:
        """Draw a box given as xyxy pixels, its label above it, or inside where there is no room above."""
        left, top, right, bottom = (round(float(value)) for value in box[:4])
        cv2.rectangle(self.image, (left, top), (right, bottom), color, self.line_width, cv2.LINE_AA)
        if label:
            tall = text_mask(label, self.font_size).shape[0]
            corner = (max(left, 0), top - tall if top >= tall else max(top, 0))
            self.text(corner, label, txt_color, background=color)

    def text(self, xy: tuple[int, int], text: str, color: Color = _WHITE, *, background: Color | None = None) -> None:
        """Write one line of text whose upper left corner is `xy`."""
        mask = text_mask(text, self.font_size)
        if background is not None:
            x, y = xy
            cv2.rectangle(self.image, (x, y), (x + mask.shape[1], y + mask.shape[0]), background, cv2.FILLED)
        blend_mask(self.image, mask, xy, color)

    def legend(self, entries: Sequence[LegendEntry]) -> None:
        """Explain the colours in a panel in the upper left corner, as many lines as there is room for."""
        height, width = self.image.shape[:2]
        size, pad, row = self.font_size, round(self.font_size * 0.6), round(self.font_size * 1.5)
        room = round(height * 0.6) // row - 1  # the rest of the picture stays to be seen
        if not entries or room < 2 or min(height, width) < _MIN_LEGEND_SIDE:
            return
        shown = entries if len(entries) <= room else entries[: room - 1]
        names = [fit_text(entry.name, size, round(width * 0.3)) for entry in shown]
        values = [text_mask(entry.value, size) for entry in shown]
        if len(shown) < len(entries):
            names.append(text_mask(f"+ {len(entries) - len(shown)} more", size))

        swatch = round(size * 0.9)
        name_left = 2 * pad + swatch + pad
        value_right = name_left + max(name.shape[1] for name in names) + pad + max(value.shape[1] for value in values)
        if value_right + 2 * pad > width * 0.7:
            return
        panel = self.image[pad : 2 * pad + row * len(names), pad : value_right + pad]
        cv2.addWeighted(panel, 0.25, panel, 0, 18, dst=panel)
        tops = [pad + pad // 2 + row * line for line in range(len(names))]
        for top, name in zip(tops, names, strict=True):
            blend_mask(self.image, name, (name_left, top + (row - name.shape[0]) // 2), _WHITE)
        for top, value, entry in zip(tops, values, shown, strict=False):
            blend_mask(self.image, value, (value_right - value.shape[1], top + (row - value.shape[0]) // 2), _WHITE)
            cv2.rectangle(self.image, (2 * pad, top + (row - swatch) // 2, swatch, swatch), entry.color, cv2.FILLED)


def nearest_index(given: tuple[int, ...], wanted: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Index a (height, width) array so that it becomes another size: each pixel centre takes the value there."""
    rows, columns = (
        ((np.arange(new) + 0.5) * (old / new)).astype(np.int64) for old, new in zip(given, wanted, strict=True)
    )
    return rows[:, None], columns[None]


def borders(ids: np.ndarray) -> np.ndarray:
    """Mark, in an (H, W) bool array, the pixels whose id differs from that of one of their four neighbours."""
    edge = np.zeros(ids.shape, dtype=bool)
    across = ids[:, 1:] != ids[:, :-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    down = ids[1:] != ids[:-1]
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def blend_mask(image: np.ndarray, mask: np.ndarray, xy: tuple[int, int], color: Color) -> None:
    """Paint `color` into an image through a mask of coverage 0-255 whose upper left corner lies at `xy`."""
    x, y = xy
    top, left = max(y, 0), max(x, 0)
    region = image[top : y + mask.shape[0], left : x + mask.shape[1]]
    if region.size == 0 or y + mask.shape[0] <= 0 or x + mask.shape[1] <= 0:
        return
    cover = mask[top - y :, left - x :][: region.shape[0], : region.shape[1]]
    kept = cv2.multiply(region, cv2.merge([255 - cover] * 3), scale=1 / 255)
    paint = cv2.merge([cv2.convertScaleAbs(cover, alpha=value / 255) for value in color])
    cv2.add(kept, paint, dst=region)


def _colorize(ids: np.ndarray, palette: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Look up the BGR colour of every id; where the palette has none, it is that of the image."""
    outside = (ids < 0) | (ids >= len(palette))
    bgr = np.ascontiguousarray(palette[:, ::-1], dtype=np.uint8)
    if len(palette) <= 256:
        table = np.zeros((256, 1, 3), dtype=np.uint8)
        table[: len(bgr), 0] = bgr
        color = cv2.applyColorMap(np.ascontiguousarray(ids, dtype=np.uint8), table)
    else:
        color = np.take(bgr, ids, axis=0, mode="clip")
    if outside.any():
        cv2.copyTo(image, outside.view(np.uint8), color)
    return color
