"""Results: one image and what was found in it, as payloads that draw, list and describe themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ultralytics.engine.results.base import Array, Payload, Style, as_numpy
from ultralytics.engine.results.semantic import SemanticMask
from ultralytics.engine.results.writers import geojson, rounded, rows_to_csv, rows_to_frame, write_class_raster
from ultralytics.errors import ConfigError, unknown_name
from ultralytics.utils.log import LOGGER
from ultralytics.utils.plotting.annotator import Annotator
from ultralytics.utils.plotting.colors import PaletteLike, resolve_palette
from ultralytics.utils.plotting.grids import IMAGE_SUFFIXES, write_image

if TYPE_CHECKING:
    from typing_extensions import Self

    from ultralytics.data.georeference import GeoReference

PHASES = ("read", "preprocess", "inference", "postprocess", "write")
"""Keys of `Results.speed`, in the order of the work."""

_PAYLOADS = ("boxes", "masks", "semantic_mask")
# Options of `plot` that concern boxes, keypoints or another library's way of drawing.
_OTHER_PLOT_OPTIONS = frozenset(
    {
        "conf", "line_width", "font_size", "font", "im_gpu", "kpt_radius", "kpt_line", "labels", "boxes", "probs",
        "color_mode", "txt_color",
    }
)  # fmt: skip


class Results:
    """What was found in one image.

    Args:
        orig_img: (H, W, C) image as read, BGR.
        path: where it came from.
        names: class names by id.
        speed: milliseconds by phase.
        palette: colours of the dataset, for `resolve_palette`; None uses the default ones.
        payloads: what was found, each under the name of its attribute: `boxes`, `masks`, `semantic_mask` (of which a
            bare (H, W) array of ids will do), or a name that a task of another package gives.

    Example:
        >>> image = np.zeros((2, 3, 3), np.uint8)
        >>> ids = np.array([[0, 0, 1], [0, 1, 255]], np.uint8)
        >>> result = Results(image, "street.jpg", {0: "road", 1: "car"}, semantic_mask=ids)
        >>> result.verbose()
        'road 50.0%, car 33.3%'

    Attributes:
        orig_shape: (height, width) of the image; of a picture too large to hold, `orig_img` is a smaller preview.
        geo: where the pixels of the class map lie, of a GeoTIFF; None for other images.
        mask_file: file that the class map was written to, None if to none.
        save_dir: folder of the run, None where nothing is saved.
        probs: always None, as are `keypoints`, `obb` and `depth`: kinds of result this package does not make.
    """

    probs = None
    keypoints = None
    obb = None
    depth = None

    def __init__(
        self,
        orig_img: np.ndarray,
        path: str,
        names: Mapping[int, str] | Sequence[str],
        *,
        speed: Mapping[str, float | None] | None = None,
        palette: PaletteLike | None = None,
        **payloads: Payload | Array | None,
    ) -> None:
        self.orig_img = orig_img
        self.orig_shape: tuple[int, int] = (int(orig_img.shape[0]), int(orig_img.shape[1]))
        self.path = str(path)
        self.names = dict(names) if isinstance(names, Mapping) else dict(enumerate(names))
        self.speed: dict[str, float | None] = {**dict.fromkeys(PHASES), **(speed or {})}
        self.palette = palette
        self.geo: GeoReference | None = None
        self.mask_file: str | None = None
        self.save_dir: str | None = None
        self.boxes: Payload | None = None
        self.masks: Payload | None = None
        self.semantic_mask: SemanticMask | None = None
        self.update(**payloads)

    def __repr__(self) -> str:
        found = "; ".join(f"{name}: {payload.describe(self.names)}" for name, payload in self.payloads.items())
        return f"Results({self.path!r}, {self.orig_shape[0]}x{self.orig_shape[1]}, {found or 'nothing'})"

    @property
    def payloads(self) -> dict[str, Payload]:
        """What this result holds, by attribute name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Payload)}

    def update(self, **payloads: Payload | Array | None) -> None:
        """Replace the payloads that are given.

        Raises:
            TypeError: a value is no payload, or its name is taken by something else.
        """
        for name, payload in payloads.items():
            if payload is None:
                continue
            if name == "semantic_mask" and not isinstance(payload, Payload):
                payload = SemanticMask(payload, self.orig_shape)
            if not isinstance(payload, Payload):
                raise TypeError(f"{name}={type(payload).__name__} is not a payload. Subclass `Payload` to hold it.")
            if name not in _PAYLOADS and hasattr(type(self), name):
                raise TypeError(f"A payload cannot be called '{name}': `Results` has an attribute of that name.")
            setattr(self, name, payload.with_names(self.names))

    def new(self) -> Self:
        """Return a result of the same image that holds nothing."""
        result = type(self)(self.orig_img, self.path, self.names, speed=self.speed, palette=self.palette)
        result.orig_shape, result.geo = self.orig_shape, self.geo
        result.mask_file, result.save_dir = self.mask_file, self.save_dir
        return result

    def __len__(self) -> int:
        return max((len(payload) for payload in self.payloads.values()), default=0)

    def __getitem__(self, index: Any) -> Self:
        """Select items of every payload by number, slice or mask.

        Raises:
            IndexError: there is no such item.
        """
        return self._each(lambda payload: payload[index])

    def __iter__(self) -> Iterator[Self]:
        return (self[number] for number in range(len(self)))

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move the payloads to a device or dtype, as `Tensor.to`."""
        return self._each(lambda payload: payload.to(*args, **kwargs))

    def cpu(self) -> Self:
        """Move the payloads to main memory."""
        return self._each(lambda payload: payload.cpu())

    def cuda(self) -> Self:
        """Move the payloads to the CUDA device."""
        return self._each(lambda payload: payload.cuda())

    def numpy(self) -> Self:
        """Turn the payloads' tensors into numpy arrays."""
        return self._each(lambda payload: payload.numpy())

    def plot(
        self,
        *,
        alpha: float = 0.5,
        legend: bool = True,
        contours: bool = False,
        palette: PaletteLike | None = None,
        masks: bool = True,
        img: np.ndarray | None = None,
        pil: bool = False,
        **others: Any,
    ) -> Any:
        """Draw what was found onto the image, in its size.

        Args:
            alpha: strength of the tint, 0-1.
            legend: list the classes that are present, with their share, in a corner.
            contours: draw borders between classes.
            palette: colours other than the result's, see `resolve_palette`.
            masks: draw areas; without them the picture is the image.
            img: draw on this image instead.
            pil: return a PIL image (RGB) instead of an (H, W, 3) uint8 BGR array.
            others: `show`, `save` and `filename` as the methods; options that only boxes have are accepted.

        Raises:
            ConfigError: an option is unknown.
        """
        show, save, filename = others.pop("show", False), others.pop("save", False), others.pop("filename", None)
        if unknown := sorted(others.keys() - _OTHER_PLOT_OPTIONS):
            known = ["alpha", "legend", "contours", "palette", "masks", "img", "pil", "show", "save", "filename"]
            raise ConfigError(unknown_name("option of plot", unknown[0], known))
        colors = resolve_palette(self.palette if palette is None else palette, _num_colors(self.names))
        style = Style(names=self.names, palette=colors, alpha=alpha, legend=legend, contours=contours)
        canvas = Annotator(self.orig_img if img is None else img)
        for name, payload in self.payloads.items():
            if masks or name == "boxes":
                payload.draw(canvas, style)
        if save:
            write_image(self._picture_file(filename), canvas.image)
        if show:
            _show(canvas, self.path)
        return canvas.result(pil)

    def show(self, **options: Any) -> None:
        """Open the picture in the system's viewer, or in the notebook; takes the options of `plot`."""
        self.plot(**{**options, "show": True})

    def save(self, filename: str | Path | None = None, **options: Any) -> str:
        """Write the picture to a file and return its name; takes the options of `plot`.

        Args:
            filename: None is `results_<image name>` in the current folder. Missing folders are made.
            options: see `plot`.
        """
        file = self._picture_file(filename)
        write_image(file, self.plot(**{**options, "pil": False}))
        return str(file)

    def save_mask(self, filename: str | Path, mode: str = "ids", palette: PaletteLike | None = None) -> str:
        """Write the class map to a PNG, or a GeoTIFF with the image's coordinates, and return its name.

        Args:
            filename: file ending in .png, or with no ending; in .tif for a GeoTIFF.
            mode: "ids" for grey levels that are class ids (8-bit, or 16-bit where ids need it), "palette" for the same
                ids in a PNG that viewers show in colour.
            palette: colours other than the result's.

        Raises:
            ConfigError: this result holds no class map, or the file cannot hold it.
        """
        if self.semantic_mask is None:
            raise ConfigError(f"The result of '{self.path}' holds no class map; only models that predict one make it.")
        if Path(filename).suffix.lower() in {".tif", ".tiff"} and mode == "ids":
            return str(write_class_raster(filename, as_numpy(self.semantic_mask.data), self.geo))
        colors = resolve_palette(self.palette if palette is None else palette, _num_colors(self.names))
        return str(self.semantic_mask.save(filename, mode, colors))

    def save_txt(self, txt_file: str | Path, save_conf: bool = False) -> str:
        """Write what was found as labels to train on, and return the file's name.

        A class map's label is a PNG of class ids: polygons could not hold it exactly. It is written beside where the
        text file would be, with the ending .png.

        Args:
            txt_file: file wanted; the ending follows the kind of label.
            save_conf: write confidences too, where labels have a place for them.
        """
        written = [file for payload in self.payloads.values() if (file := payload.save_labels(Path(txt_file)))]
        if not written:
            LOGGER.warning(f"The result of '{self.path}' has no form as a label file, so nothing is written.")
        return str(written[0] if written else txt_file)

    def save_crop(self, save_dir: str | Path, file_name: str | Path = "im.jpg") -> None:
        """Say that there is nothing to cut out: crops are made of boxes."""
        LOGGER.warning(f"save_crop cuts out boxes and '{self.path}' has none, so nothing is written to '{save_dir}'.")

    def verbose(self) -> str:
        """Say in a few words what was found: "road 41.2%, car 8.0%"."""
        return ", ".join(payload.describe(self.names) for payload in self.payloads.values())

    def summary(self, normalize: bool = False, decimals: int = 5) -> list[dict[str, Any]]:
        """List what was found, one row of plain values per class or object.

        Args:
            normalize: give coordinates relative to the image's size.
            decimals: digits kept of fractions.
        """
        rows = [row for payload in self.payloads.values() for row in payload.rows(self.names, normalize=normalize)]
        return [rounded(row, decimals) for row in rows]

    def to_json(self, normalize: bool = False, decimals: int = 5) -> str:
        """Write `summary` as JSON text."""
        return json.dumps(self.summary(normalize, decimals), indent=2, ensure_ascii=False)

    def to_csv(self, normalize: bool = False, decimals: int = 5) -> str:
        """Write `summary` as CSV text."""
        return rows_to_csv(self.summary(normalize, decimals))

    def to_df(self, normalize: bool = False, decimals: int = 5) -> Any:
        """Make a polars or pandas data frame of `summary`.

        Raises:
            MissingDependency: neither is installed.
        """
        return rows_to_frame(self.summary(normalize, decimals))

    def to_geojson(
        self,
        simplify: float = 0.0,
        min_area: float = 0.0,
        *,
        transform: Sequence[float] | None = None,
        crs: str | None = None,
    ) -> str:
        """Write the areas found as GeoJSON text: one polygon, with its holes, per connected region.

        Args:
            simplify: distance in pixels a line may leave the true outline; 0 is exact.
            min_area: regions of fewer pixels are left out.
            transform: from pixels to map coordinates, six numbers as rasterio gives them; None takes those of the
                image's GeoTIFF, and keeps pixels where there is none.
            crs: name of the map's coordinate system; None takes that of the image.
        """
        if transform is None and self.geo is not None:
            transform, crs = self.geo.transform, crs or self.geo.crs_name
        shapes = [
            shape
            for payload in self.payloads.values()
            for shape in payload.shapes(self.names, simplify=simplify, min_area=min_area)
        ]
        return geojson(shapes, transform, crs)

    def to_rle(self) -> str:
        """Write the areas found as JSON text: COCO annotations whose segmentation is compressed run lengths."""
        found = [row for payload in self.payloads.values() for row in payload.annotations(self.names)]
        return json.dumps(found, ensure_ascii=False)

    def _each(self, function: Callable[[Payload], Payload]) -> Self:
        result = self.new()
        for name, payload in self.payloads.items():
            setattr(result, name, function(payload))
        return result

    def _picture_file(self, filename: str | Path | None) -> Path:
        if filename is not None:
            file = Path(filename)
            return file if file.suffix else file.with_suffix(".jpg")
        source = Path(self.path)
        suffix = source.suffix if source.suffix.lower() in IMAGE_SUFFIXES else ".jpg"
        stem = re.sub(r"[^\w.\- ]", "_", source.stem)  # a URL may end in what a file name cannot hold
        return Path(f"results_{stem or 'image'}{suffix}")


def _num_colors(names: Mapping[int, str]) -> int:
    return max(names) + 1 if names else 256


def _show(canvas: Annotator, title: str) -> None:
    from PIL import ImageShow

    if not ImageShow.show(canvas.to_pil(), title=title):
        LOGGER.warning(f"No image viewer was found to show '{title}'. Use save() and open the file.")
