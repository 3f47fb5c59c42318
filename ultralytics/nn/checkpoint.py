"""Checkpoints: tensors and plain data in one file that loads with `weights_only=True`; no class is ever pickled."""

from __future__ import annotations

import copy
import datetime
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ultralytics.errors import CheckpointError
from ultralytics.nn.foreign import STORAGE_TYPES, read_reference
from ultralytics.nn.torch_zip import TorchArchive, damaged
from ultralytics.utils.files import replacing
from ultralytics.version import __version__

if TYPE_CHECKING:
    from ultralytics.nn.model import GraphModel

FORMAT = "ultralytics-semantic checkpoint"
FORMAT_VERSION = 1
CODE_LICENCE = "Apache-2.0"

_OWN_GLOBALS = frozenset(STORAGE_TYPES) | {"collections.OrderedDict", "torch._utils._rebuild_tensor_v2"}
_DAMAGE = (
    pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError, AssertionError,
    ArithmeticError, OSError,
)  # fmt: skip


@dataclass(kw_only=True, slots=True)
class Checkpoint:
    """What is known about a trained network.

    Attributes:
        task: word of the task; empty if the file does not tell (the architecture does).
        yaml: the architecture.
        names: class names by id.
        nc: number of classes.
        ch: image channels.
        stride: pixels per cell of each output level.
        state_dict: weights (of the moving average, where there is one); floating ones are float32 after loading.
        args: options of the training run.
        metrics: validation figures of these weights.
        epoch: epochs finished; -1 if unknown.
        date: when it was saved, ISO 8601 in UTC.
        version: version of the package that saved it.
        licence: terms of "code", "weights" and "data"; None where they are not known.
        fingerprint: facts that identify the dataset.
        calibration: figures fitted on the validation split: temperature, threshold and the like.
        palette: (R, G, B) of each class, None for the default colours.
        train_state: what a run needs to go on (model, optimizer, random numbers …); None in a finished checkpoint.
    """

    task: str
    yaml: dict[str, Any]
    names: dict[int, str]
    nc: int
    ch: int = 3
    stride: list[int]
    state_dict: dict[str, Tensor]
    args: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    epoch: int = -1
    date: str = ""
    version: str = __version__
    licence: dict[str, str | None] = field(default_factory=dict)
    fingerprint: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    palette: list[list[int]] | None = None
    train_state: dict[str, Any] | None = None

    @classmethod
    def of_model(cls, model: GraphModel, *, task: str, half: bool = False, **facts: Any) -> Checkpoint:
        """Describe a network as it is now; its tensors are shared, not copied.

        Args:
            model: the network.
            task: word of its task.
            half: keep floating weights in half precision, where their values fit.
            **facts: any other field of a checkpoint.
        """
        weights = dict(model.state_dict())
        facts.setdefault("licence", {"code": CODE_LICENCE, "weights": None, "data": None})
        return cls(
            task=task,
            yaml=copy.deepcopy(dict(model.yaml)),
            names=dict(model.names),
            nc=model.nc,
            ch=model.ch,
            stride=[int(value) for value in model.stride.flatten().tolist()],
            state_dict={name: _halved(value) for name, value in weights.items()} if half else weights,
            date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            **facts,
        )

    @property
    def is_fused(self) -> bool:
        """Whether batch normalisation is folded into the convolutions, so that the weights cannot be trained on."""
        return not any(name.endswith(".running_mean") for name in self.state_dict)


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, all or nothing.

    Raises:
        TypeError: a value is neither a tensor nor plain data; the message names where it is.
        OSError: the file cannot be written; what was there before is untouched.
    """
    content = {entry.name: getattr(checkpoint, entry.name) for entry in fields(checkpoint)}
    _write(Path(path), {"format": FORMAT, "format_version": FORMAT_VERSION, **content})


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint of ours or of the reference distribution; nothing in the file is executed.

    Raises:
        MissingFile: there is no such file.
        CheckpointError: the file is something else, damaged, refers to code, or holds weights that are NaN.
    """
    path = Path(path)
    with TorchArchive(path) as archive:
        facts = _read_own(path) if archive.globals <= _OWN_GLOBALS else read_reference(archive)
    checkpoint = _checked(path, facts)
    checkpoint.state_dict = {
        name: value.float() if value.is_floating_point() else value for name, value in checkpoint.state_dict.items()
    }
    return checkpoint


def strip(path: str | Path) -> None:
    """Drop the training state of one of our checkpoints, in place; the precision of its weights stays."""
    path = Path(path)
    with TorchArchive(path) as archive:
        if not archive.globals <= _OWN_GLOBALS:
            raise CheckpointError(f"'{path}' was not made by this package; only its own checkpoints can be stripped.")
    facts = _read_own(path)
    _write(path, {"format": FORMAT, "format_version": FORMAT_VERSION, **facts, "train_state": None})


def _write(path: Path, content: dict[str, Any]) -> None:
    plain = _plain(content, "checkpoint")
    try:
        # A file object, not a name: torch.save would put the temporary name into the archive.
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save(plain, file)
    except (OSError, RuntimeError) as error:
        reason = error if isinstance(error, OSError) else error.__context__  # torch wraps what the system said
        if not isinstance(reason, OSError):
            raise
        raise OSError(reason.errno, reason.strerror or str(reason), str(path)) from error


def _plain(value: Any, where: str) -> Any:
    """Copy containers as dict, list and tuple, and check that nothing else is in them than tensors and plain data."""
    if isinstance(value, Tensor) and value.layout == torch.strided and value.dtype in STORAGE_TYPES.values():
        return _compact(value)
    if value is None or type(value) in {bool, int, float, str}:
        return value
    if isinstance(value, Mapping):
        for key in value:
            if type(key) not in {str, int}:
                raise TypeError(f"{where} has the key {key!r} ({type(key).__name__}); keys are texts or integers.")
        return {key: _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(_plain(item, f"{where}[{index}]") for index, item in enumerate(value))
    raise TypeError(
        f"{where} is a {type(value).__module__}.{type(value).__qualname__}; "
        "a checkpoint holds tensors, numbers, texts, lists and dictionaries. Convert it first."
    )


def _compact(tensor: Tensor) -> Tensor:
    """Move a tensor to the CPU without the unused rest of the storage it may be a view of."""
    tensor = tensor.detach().cpu()
    used = tensor.numel() * tensor.element_size()
    return tensor if tensor.untyped_storage().nbytes() == used else tensor.clone()


def _halved(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point() or (tensor.numel() and tensor.abs().max() > torch.finfo(torch.half).max):
        return tensor
    return tensor.half()


def _read_own(path: Path) -> dict[str, Any]:
    """Read the fields of one of our files, in the precision they were saved with."""
    try:
        with path.open("rb") as file:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        raise damaged(path, str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise CheckpointError(_not_ours(path, content))
    if (version := content.pop("format_version", None)) != FORMAT_VERSION:
        raise CheckpointError(
            f"'{path}' has checkpoint format {version}; this version reads format {FORMAT_VERSION}. "
            f"It was saved by version {content.get('version')}: install that version or a newer one."
        )
    return content


def _not_ours(path: Path, content: Any) -> str:
    """Say what a file of tensors and plain data is that is no checkpoint."""
    if not isinstance(content, dict):
        return f"'{path}' holds a {type(content).__name__}, not a checkpoint."
    if content and all(isinstance(value, Tensor) for value in content.values()):
        what = f"a plain state_dict of {len(content)} tensors ({', '.join(map(str, list(content)[:3]))}, …)"
        bad = _nan_tensors(content)
        what += f", of which {', '.join(bad[:3])} hold NaN" if bad else ""
    else:
        what = f"a dictionary with the keys {', '.join(map(str, list(content)[:6])) or 'none'}"
    return (
        f"'{path}' is not one of our checkpoints: it is {what}. A checkpoint also holds task, yaml, names and stride. "
        "Load such tensors into a model you built with its load_state_dict."
    )


def _checked(path: Path, facts: dict[str, Any]) -> Checkpoint:
    """Make a checkpoint of the fields of a file, or say which is missing, of the wrong type or NaN."""
    known = {entry.name for entry in fields(Checkpoint)}
    try:
        checkpoint = Checkpoint(**{name: value for name, value in facts.items() if name in known})
    except TypeError as error:
        raise CheckpointError(f"'{path}' is not a whole checkpoint: {error}.") from error
    for name, kind in _KINDS.items():
        if not isinstance(getattr(checkpoint, name), kind):
            raise CheckpointError(f"'{path}' has a {type(getattr(checkpoint, name)).__name__} as its '{name}'.")
    weights = checkpoint.state_dict
    if not all(isinstance(value, Tensor) for value in weights.values()):
        raise CheckpointError(f"'{path}' has something else than tensors in its 'state_dict'.")
    if sum(value.numel() for value in weights.values()) > path.stat().st_size:
        raise damaged(path, "it holds more weights than the file has room for")
    if bad := _nan_tensors(weights):
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise CheckpointError(
            f"'{path}' holds NaN in {', '.join(bad[:3])}{more}: its training went wrong. Use an earlier checkpoint."
        )
    return checkpoint


_KINDS: dict[str, type | tuple[type, ...]] = {
    "task": str, "yaml": dict, "names": dict, "nc": int, "ch": int, "stride": list, "state_dict": dict, "args": dict,
    "metrics": dict, "epoch": int, "licence": dict, "fingerprint": dict, "calibration": dict,
    "palette": (list, type(None)), "train_state": (dict, type(None)),
}  # fmt: skip


def _nan_tensors(tensors: Mapping[str, Tensor]) -> list[str]:
    return [str(name) for name, value in tensors.items() if value.is_floating_point() and bool(value.isnan().any())]
