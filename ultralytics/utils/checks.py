"""Checks of what users hand in, and the report on the installation that a bug report should begin with."""

from __future__ import annotations

import difflib
import functools
import math
import platform
import shutil
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from ultralytics.errors import ConfigError, MissingFile
from ultralytics.utils import env
from ultralytics.utils.log import LOGGER, colorstr, show_logs
from ultralytics.version import __version__

_PACKAGES = ("numpy", "opencv-python-headless", "opencv-python", "pillow", "PyYAML", "tqdm", "matplotlib")
_OPTIONAL = (
    "torchvision", "onnx", "onnxruntime", "openvino", "tensorrt", "ncnn", "MNN", "tensorflow", "coremltools",
    "executorch", "paddlepaddle", "rasterio", "tensorboard", "wandb", "mlflow",
)  # fmt: skip


def check_imgsz(imgsz: int | Sequence[int], stride: int = 32, floor: int = 0) -> list[int]:
    """Make an image size fit a network: multiples of its stride, rounded up; each change is told once.

    Args:
        imgsz: one size for both sides, or (height, width), in pixels.
        stride: largest stride of the network.
        floor: smallest side allowed.

    Returns:
        [height, width]

    Raises:
        ConfigError: a size is not positive, or there are more than two.
    """
    sides = [imgsz] * 2 if isinstance(imgsz, int) else list(imgsz) * (2 if len(imgsz) == 1 else 1)
    if len(sides) != 2 or min(sides) < 1:
        raise ConfigError(f"imgsz={imgsz} is not a size: give a positive whole number, or [height, width].")
    fitting = [max(math.ceil(side / stride) * stride, math.ceil(floor / stride) * stride) for side in sides]
    if fitting != sides:
        _warn_once(f"imgsz={imgsz} becomes {fitting}: sides are multiples of the network's stride {stride}.")
    return fitting


def check_file(path: str | Path, folders: Iterable[str | Path] = ()) -> Path:
    """Find a file by its path, or below one of several folders.

    Raises:
        MissingFile: it is nowhere; the message lists the places and a file of a similar name.
    """
    places = [Path(path).expanduser(), *(Path(folder) / path for folder in folders)]
    for place in places:
        if place.is_file():
            return place
    neighbours = [file.name for file in places[0].parent.glob("*")] if places[0].parent.is_dir() else []
    near = difflib.get_close_matches(places[0].name, neighbours, n=1)
    hint = f" Did you mean '{places[0].with_name(near[0])}'?" if near else ""
    tried = f" Looked for: {', '.join(str(place.absolute()) for place in places)}."
    raise MissingFile(f"'{path}' does not exist.{hint}{tried}")


def check_version(current: str, required: str) -> bool:
    """Tell whether a version meets requirements such as ">=2.4,<3"; a bare version means "at least".

    Only release numbers count: 2.4.0a0+cu121 is 2.4.

    Raises:
        ConfigError: one of them is not written as versions are.

    Example:
        >>> check_version("2.13.0+cpu", ">=2.4,<3")
        True
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    wanted = ",".join(f">={part}" if part[:1].isdigit() else part for part in map(str.strip, required.split(",")))
    try:
        return SpecifierSet(wanted).contains(Version(current).base_version)
    except (InvalidSpecifier, InvalidVersion) as error:
        raise ConfigError(f"Versions are written as 2.4 or >=2.4,<3. {error}") from error


def checks(verbose: bool = True) -> dict[str, str]:
    """Report on the installation: versions, processor, memory, GPUs, packages.

    Args:
        verbose: whether to log the report as well.
    """
    report = {
        "ultralytics-semantic": f"{__version__} at {env.ROOT}",
        "Python": f"{platform.python_version()} at {sys.executable}",
        "System": platform.platform(),
        "Processor": f"{env.cpu_name()}, {env.num_cores()} cores",
        "Memory": f"{_gib(env.memory_available())} of {_gib(env.memory_total())} free",
        "Disk": f"{_gib(shutil.disk_usage(Path.cwd()).free)} free at {Path.cwd()}",
        **_torch_facts(),
        "Packages": _versions(_PACKAGES),
        "Optional packages": _versions(_OPTIONAL),
    }
    if verbose:
        show_logs()
        width = max(map(len, report))
        LOGGER.info("\n".join(f"{colorstr('bold', name.ljust(width))}  {value}" for name, value in report.items()))
    if conflict := reference_conflict():
        report["Conflict"] = conflict
        LOGGER.error(conflict)
    return report


def reference_conflict() -> str | None:
    """Explain what to do if the reference distribution is installed beside this one; None if it is not.

    Both are imported as `ultralytics` and overwrite each other's files, so that neither works reliably.
    """
    if (version := _version("ultralytics")) is None:
        return None
    return (
        f"The distribution 'ultralytics' {version} is installed in this environment too, and both are imported as "
        "'ultralytics'. Keep one: pip uninstall -y ultralytics ultralytics-semantic && pip install ultralytics-semantic"
    )


@functools.lru_cache(maxsize=64)
def _warn_once(message: str) -> None:
    LOGGER.warning(message)


def _torch_facts() -> dict[str, str]:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library is missing or broken
        return {"PyTorch": f"cannot be imported ({error})"}
    facts = {"PyTorch": f"{torch.__version__}, {torch.get_num_threads()} threads"}
    devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    facts["CUDA"] = (
        "; ".join(f"{index}: {device.name}, {_gib(device.total_memory)}" for index, device in enumerate(devices))
        or "none"
    )
    if torch.backends.mps.is_available():
        facts["MPS"] = "available"
    return facts


def _versions(names: Iterable[str]) -> str:
    found = [f"{name} {version}" for name in names if (version := _version(name)) is not None]
    return ", ".join(found) or "none"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _gib(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 2**30:.1f} GiB"
