"""From what a user calls a dataset to a `DatasetSpec`: finding the description, its folder and its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ultralytics.cfg.settings import SETTINGS
from ultralytics.data.description import document as parse
from ultralytics.data.description.fetch import download_dataset, generate_dataset, unpack_dataset, unpacked_folder
from ultralytics.data.description.folder import spec_from_folder
from ultralytics.data.description.listing import BESIDE, exists
from ultralytics.data.description.spec import SPLITS, DatasetSpec, check_mapping
from ultralytics.data.imread import IMG_FORMATS
from ultralytics.errors import DatasetError, MissingFile, unknown_name
from ultralytics.utils import LOGGER, ROOT
from ultralytics.utils.archives import ARCHIVES, is_archive
from ultralytics.utils.patterns import is_pattern

PACKAGED = ROOT / "cfg" / "datasets"
_YAML_SUFFIXES = {".yaml", ".yml"}


def load_spec(data: str | Path, *, fetch: bool = True) -> DatasetSpec:
    """Read a YAML, or look through a plain folder; see `DatasetSpec.load`."""
    path = _find(data)
    if path.is_file() and is_archive(path):
        path = unpack_dataset(path)
    if path.is_dir():
        described = sorted(file for file in path.iterdir() if file.suffix.lower() in _YAML_SUFFIXES)
        if len(described) > 1:
            names = ", ".join(file.name for file in described)
            raise DatasetError(f"'{path}' holds {len(described)} dataset YAMLs. Name the one you mean: {names}.")
        if not described:
            return spec_from_folder(path.resolve())
        path = described[0]
    if path.suffix.lower() not in _YAML_SUFFIXES:
        raise DatasetError(f"'{path}' is neither a dataset YAML, a folder nor an archive ({', '.join(ARCHIVES)}).")
    return _from_yaml(path.resolve(), fetch=fetch)


def polygon_classes(description: Mapping[str, Any], title: str) -> DatasetSpec:
    """Read which classes polygons mean and what stands for no object, by the rules of a dataset with such labels.

    Args:
        description: keys of a dataset YAML; those that name files are not looked at.
        title: what messages call it.

    Returns:
        A description without images, for its names and its `label_table`.

    Raises:
        DatasetError: the classes are faulty; the message names every fault.
    """
    fields = parse.Fields(description, title)
    values = _parse_classes(fields)
    fields.finish()
    return _with_classes(title, values, masks_dir=None)


def _find(data: str | Path) -> Path:
    """Find a description by path, by the name of a packaged one, or below the datasets folder."""
    path = Path(data).expanduser()
    packaged = PACKAGED / (path.name if path.suffix else f"{path.name}.yaml")
    for candidate in (path, *([packaged] if path.name == str(path) else []), Path(SETTINGS["datasets_dir"]) / path):
        if candidate.exists():
            return candidate
    known = [file.name for file in PACKAGED.glob("*.yaml")]
    raise MissingFile(f"The dataset '{data}' does not exist. {unknown_name('dataset', path.name, known)}")


def _from_yaml(file: Path, *, fetch: bool) -> DatasetSpec:
    raw = parse.read_description(file)
    values = _parse(raw, file)
    root = _root(file, values["path"], fetchable="download" in raw or "generate" in raw)
    if fetch and raw.get("generate") is not None:
        generate_dataset(raw["generate"], root, file)
    sources = {split: _resolve(root, values[split]) for split in SPLITS}
    if not fetch and (gone := _missing(sources)):
        raise MissingFile(f"'{file}': {', '.join(map(str, gone))} is not there.")
    if _missing(sources) and raw.get("download") is not None:
        download_dataset(raw["download"], root, file, _missing(sources))
        sources = {split: _resolve(root, values[split]) for split in SPLITS}

    masks_dir = _masks_dir(values, root, sources, file)
    spec = replace(
        _with_classes(str(file), values, masks_dir=masks_dir),
        file=file,
        root=root,
        sources=sources,
        colors=values["colors"],
        **{name: values[name] for name in ("channels", "images_dir", "image_end", "label_end", "threshold", "display")},
        class_weights=values["class_weights"],
    )
    if spec.threshold and (spec.num_ids != 2 or spec.uses_polygons or spec.colors):
        raise DatasetError(
            f"'{file}': threshold divides grey masks into two classes, 0 and 1; here are {spec.num_classes} classes"
            f"{', and labels are polygons' if spec.uses_polygons else ', and colors' if spec.colors else ''}."
        )
    for key, items in (("class_weights", spec.class_weights), ("palette", spec.display)):
        if items and len(items) != spec.num_classes:
            raise DatasetError(f"'{file}': {key} has {len(items)} entries, but there are {spec.num_classes} classes.")
    return spec


def _parse(raw: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Check every key of a description."""
    fields = parse.Fields(raw, str(file))
    classes = _parse_classes(fields)
    if all(raw.get(split) is None for split in SPLITS):
        fields.complain("train", "no images are named. Give a folder, a .txt list or a glob.")
    values = classes | {split: fields.take(split, parse.sources, ()) for split in SPLITS}
    values |= {
        "path": fields.take("path", parse.text, None),
        "channels": fields.take("channels", parse.whole(1, 512), 3),
        "images_dir": fields.take("images_dir", parse.text, "images"),
        "masks_dir": fields.take("masks_dir", parse.text, None),
        "image_end": fields.take("image_suffix", parse.text, ""),
        "label_end": fields.take("mask_suffix", parse.text, ""),
        "colors": fields.take("colors", parse.colors(classes["names"]), {}),
        "threshold": fields.take("threshold", parse.whole(1, 255), None),
        "display": fields.take("palette", parse.palette, ()),
        "class_weights": fields.take("class_weights", parse.weights, None),
    }
    fields.finish()
    return values


def _parse_classes(fields: parse.Fields) -> dict[str, Any]:
    """Check the keys that say what labels mean."""
    names = fields.take("names", parse.class_names, {})
    count = fields.take("nc", parse.whole(1, 65533), 0)
    if fields.description.get("names") is None:
        names = {number: f"class_{number}" for number in range(count)}
        if not count:
            fields.complain("names", "there is no list of class names, nor a number of classes ('nc').")
    elif names and count and count != len(names):
        fields.complain("nc", f"{count} is given, but there are {len(names)} names.")
    return {
        "names": names,
        "label_mapping": fields.take("label_mapping", parse.label_mapping, {}),
        "ignored": fields.take("ignore_index", parse.ignore_index, None),
        "background": fields.take("background", parse.background(names), None),
    }


def _with_classes(title: str, values: Mapping[str, Any], *, masks_dir: str | None) -> DatasetSpec:
    """Describe the classes and the meaning of labels; the files come later."""
    named: dict[int, str] = values["names"]
    names, background = _with_background(named, values["background"], polygons=masks_dir is None)
    spec = DatasetSpec(
        title=title,
        root=Path(),
        names=names,
        sources={},
        masks_dir=masks_dir,
        background=background,
        background_added=len(names) > len(named),
        mapping=values["label_mapping"],
        ignored=values["ignored"],
    )
    check_mapping(spec.mapping, spec.num_ids, spec.title)
    return spec


def _root(file: Path, path: str | None, *, fetchable: bool) -> Path:
    """Find the folder of a dataset: below the YAML's own, the datasets folder, or the working folder."""
    datasets = Path(SETTINGS["datasets_dir"])
    packaged = file.parent == PACKAGED
    if path is None:
        tried = [datasets / file.stem if packaged else file.parent]
    else:
        given = Path(path).expanduser()
        tried = (
            [given] if given.is_absolute() else [file.parent / given, datasets / given, Path.cwd() / given][packaged:]
        )
    if file.is_relative_to(unpacked_folder().resolve()):  # what was packed is meant, wherever it lay before
        beside = [] if path is None or Path(path).is_absolute() else [file.parent / path]
        tried = [*beside, file.parent]
    for folder in tried:
        if folder.is_dir():
            return folder.resolve()
    if fetchable or packaged:  # a packaged dataset's own message, when its images are asked for, says more
        return tried[0] if path is None or Path(path).is_absolute() else datasets / path
    raise DatasetError(
        f"'{file}': the folder of the dataset (path: {path}) was not found. Tried: "
        f"{', '.join(str(folder) for folder in tried)}. Correct 'path', or leave it out if the YAML is in that folder."
    )


def _resolve(root: Path, texts: tuple[str, ...]) -> tuple[Path, ...]:
    """Place sources below the root.

    Some exporters write '../train/images' for what is beside the YAML; separators may be those of Windows.
    """
    resolved = []
    for written in texts:
        text = written if exists(root / written) else written.replace("\\", "/")
        source = root / Path(text).expanduser()
        beside = root / text.removeprefix("../")
        resolved.append(beside if not exists(source) and exists(beside) else source)
    return tuple(resolved)


def _missing(sources: Mapping[str, tuple[Path, ...]]) -> list[Path]:
    return [source for split in ("train", "val") for source in sources[split] if not exists(source)]


def _masks_dir(
    values: Mapping[str, Any], root: Path, sources: Mapping[str, tuple[Path, ...]], file: Path
) -> str | None:
    """Name the folder of the masks; None for polygons.

    What is written holds; "none" stands for polygons. Else it is `masks` if there is one, at the root, beside the
    images of a split or in their folder; else masks lie beside their images if `mask_suffix` ends as images do.
    """
    given: str | None = values["masks_dir"]
    if given is not None:
        return None if given == "none" else Path(given).as_posix()
    named = [source for group in sources.values() for source in group if not is_pattern(source)]
    beside = {root, *named, *(source.parent for source in named)}
    with_masks = [folder for folder in beside if (folder / "masks").is_dir()]
    if any((folder / "labels").is_dir() for folder in with_masks):
        LOGGER.info(
            f"'{file}': 'masks' and 'labels' lie side by side; the masks are used. Write 'masks_dir: masks' to say so, "
            "or 'masks_dir: none' for the polygons in 'labels'."
        )
    if with_masks:
        return "masks"
    return BESIDE if values["label_end"].rpartition(".")[2].lower() in IMG_FORMATS else None


def _with_background(
    names: dict[int, str], wanted: int | str | None, *, polygons: bool
) -> tuple[dict[int, str], int | None]:
    """Decide which class stands for pixels of no object, adding one for polygons of several classes."""
    if isinstance(wanted, int):
        return names, wanted
    if wanted == "ignore":
        return names, None
    if polygons and (wanted == "add" or len(names) > 1):
        return {**names, len(names): "background"}, len(names)
    if len(names) == 1:
        return names, 0
    return names, next((number for number, name in names.items() if name.lower() == "background"), None)
