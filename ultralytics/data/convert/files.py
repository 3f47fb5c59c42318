"""What all converters share: finding files, writing masks, going on past a faulty file and saying so at the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ultralytics.data.description.document import Fields, class_names, colors, palette, read_description
from ultralytics.data.description.locate import polygon_classes
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.errors import DatasetError, ImageError, MissingFile
from ultralytics.utils import YAML
from ultralytics.utils.files import read_regular, write_atomic
from ultralytics.utils.output_names import MANIFEST, Manifest, OutputNames
from ultralytics.utils.parallel import in_threads

Color = tuple[int, int, int]

NAMES_FILE = "names.yaml"
_SHOWN = 5


def find_files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """List the files below a folder that have one of these suffixes (lower case, without the dot), sorted.

    Raises:
        MissingFile: there is no such folder.
        DatasetError: it holds no such file.
    """
    if not folder.is_dir():
        raise MissingFile(f"The folder '{folder}' does not exist.")
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix[1:].lower() in suffixes and path.is_file() and not path.name.startswith(".")
    )
    if not files:
        raise DatasetError(f"'{folder}' holds no file that ends in {', '.join(f'.{end}' for end in sorted(suffixes))}.")
    return files


def below(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Name files by their place in a folder."""
    return [file.relative_to(folder) for file in files]


def convert_files(
    convert: Callable[[Path, Path], None],
    files: Sequence[Path],
    *,
    desc: str,
    target: Path,
    suffix: str = ".png",
    names: Sequence[Path] | None = None,
) -> str:
    """Convert files one by one, all that can be, and write which file became which.

    Args:
        convert: takes a file, and the file to write, which no other file is converted to.
        files: to convert.
        desc: what the progress bar says.
        target: folder to write to.
        suffix: of the written files.
        names: where below `target` each should go, whatever suffix; None takes `files`, which are relative then.

    Returns:
        One line that says what was written, and one more if names had to be changed.

    Raises:
        DatasetError: some could not be converted; the others are written.
    """
    given, manifest, lock = OutputNames(), Manifest(target), threading.Lock()
    wanted = [name.with_suffix("").as_posix() for name in names or files]
    written = {file: given.name(str(file), name) for file, name in zip(files, wanted, strict=True)}
    renamed = [file for file, name in zip(files, wanted, strict=True) if written[file] != name]

    def attempt(file: Path) -> str | None:
        made = target / f"{written[file]}{suffix}"
        try:
            convert(file, made)
        except (DatasetError, ImageError, MissingFile) as error:
            return str(error)
        with lock:
            manifest.add(str(file), [made])
        return None

    faults = [fault for fault in in_threads(attempt, files, desc=desc) if fault]
    if faults:
        more = f"\n  and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        listed = "".join(f"\n  {fault}" for fault in faults[:_SHOWN])
        raise DatasetError(f"{len(faults)} of {len(files)} files could not be converted:{listed}{more}")
    line = f"{len(files)} files converted, results in '{target}'"
    if renamed:
        example = f"'{renamed[0]}' became '{written[renamed[0]]}{suffix}'"
        line += (
            f"\n{len(renamed)} would have overwritten the result of another file of the same name and have a number: "
            f"{example}; {MANIFEST} lists all. Give such images names of their own before training."
        )
    return line


def write_image(path: Path, image: np.ndarray) -> None:
    """Write a PNG, whole or not at all."""
    write_atomic(path, cv2.imencode(".png", image)[1].tobytes())


def write_ids(path: Path, ids: np.ndarray) -> None:
    """Write class ids as a single-channel PNG of 8 bits if they fit, else of 16."""
    fits = ids.dtype == np.uint8 or not ids.size or ids.max() <= 255
    write_image(path, ids.astype(np.uint8 if fits else np.uint16))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file whose top level is an object.

    Raises:
        MissingFile: there is no such file.
        DatasetError: it is not JSON, or no object.
    """
    try:
        content = json.loads(read_regular(path).decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise MissingFile(f"'{path}' does not exist.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"'{path}' is not a readable JSON file: {error}.") from error
    if not isinstance(content, dict):
        raise DatasetError(f"'{path}' holds a JSON {type(content).__name__}, not an object.")
    return content


def shape_classes(description: Mapping[str, Any], background: int | str | None, title: str) -> DatasetSpec:
    """Read which classes drawn shapes mean and what stands for the rest, by the rules of a dataset with polygons.

    Args:
        description: keys of a dataset YAML.
        background: takes the place of its key `background`; None keeps that.
        title: what messages call the description.

    Raises:
        DatasetError: the classes are faulty.
    """
    return polygon_classes({**description, **({} if background is None else {"background": background})}, title)


def class_ids(raw: np.ndarray, spec: DatasetSpec, name: str) -> np.ndarray:
    """Look up the class ids that a training with these shapes has.

    Args:
        raw: (H, W) uint16 ids as labelled, `NO_POLYGON` where nothing was drawn.
        spec: the classes.
        name: what messages call the label.

    Returns:
        (H, W) uint8, or uint16 with more than 255 classes.

    Raises:
        DatasetError: an id is no class.
    """
    unknown = np.unique(raw[~spec.known_ids()[raw]]).tolist()
    if unknown:
        listed = ", ".join(map(str, unknown[:_SHOWN]))
        raise DatasetError(f"'{name}' holds objects of the class {listed}; class ids are 0 to {spec.label_ids[-1]}.")
    return spec.label_table()[raw]


def write_names(target: Path, spec: DatasetSpec) -> str:
    """Write `names.yaml`, the class names of the masks beside it, and tell in a sentence what the ids mean."""
    YAML.save(target / NAMES_FILE, {"names": dict(spec.names)})
    rest = spec.ignore_index if spec.background is None else spec.background
    meaning = "1 is the object" if spec.is_binary else f"{NAMES_FILE} names the others"
    return f"Id {rest} is what no shape covers, {spec.ignore_index} is ignored in training, {meaning}."


def read_colors(data: Path) -> dict[Color, int | None]:
    """Read which colour means which class (None: ignored) from `colors`, else `palette`, of a dataset YAML.

    Raises:
        DatasetError: it has neither, or they are faulty.
    """
    fields = Fields(read_description(data), str(data))
    names = fields.take("names", class_names, {})
    if not names and not fields.complaints:
        fields.complain("names", "there is no list of class names.")
    table = fields.take("colors", colors(names), {})
    display = fields.take("palette", palette, ())
    fields.finish()
    if not table and len(display) != len(names):
        raise DatasetError(
            f"'{data}' has no 'colors'. Add them: colors: {{{next(iter(names.values()))}: [128, 64, 128]}}"
        )
    return dict(table) or {color: number for number, color in enumerate(display)}
