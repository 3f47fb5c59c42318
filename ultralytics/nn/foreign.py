"""Reader of the reference distribution's `.pt` files, which are pickled module trees.

Nothing of such a file is executed and nothing it names is imported: every name on the allow-list becomes an inert
class that only remembers its arguments and state, any other name is refused. Tensors are then built from the raw
records, and names, architecture and options are copied out as plain data.
"""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from ultralytics.errors import CheckpointError
from ultralytics.nn.torch_zip import TorchArchive, damaged

STORAGE_TYPES = {
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.DoubleStorage": torch.float64,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}

_MODERN_MODULES = {"__builtin__": "builtins"}  # the spelling of pickle protocol 2
_CONTAINERS: dict[str, type] = {
    "collections.OrderedDict": OrderedDict,
    "builtins.set": set,
    "torch.Size": tuple,
}


def _prefixed(prefix: str, names: str) -> set[str]:
    return {f"{prefix}.{name}" for name in names.split()}


_RECORDED = (
    set(STORAGE_TYPES)
    | {"torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"}
    | _prefixed(
        "torch.nn.modules",
        "activation.SiLU batchnorm.BatchNorm2d container.ModuleList container.Sequential conv.Conv2d "
        "conv.ConvTranspose2d linear.Identity pooling.MaxPool2d upsampling.Upsample",
    )
    | _prefixed(
        "ultralytics.nn.modules.block",
        "A2C2f AAttn ABlock ADown Attention Bottleneck C2PSA C2f C3 C3k C3k2 CBFuse CBLinear DFL PSABlock "
        "Proto Proto26 RepBottleneck RepCSP RepNCSPELAN4 SPPELAN SPPF Silence",
    )
    | _prefixed("ultralytics.nn.modules.conv", "Concat Conv DWConv RepConv")
    | _prefixed("ultralytics.nn.modules.head", "Detect Segment Segment26 SemanticSegment")
    | _prefixed(
        "ultralytics.nn.tasks", "DetectionModel SegmentationModel SemanticSegmentationModel YOLOv10DetectionModel"
    )
    | {"ultralytics.utils.IterableSimpleNamespace", "ultralytics.yolo.utils.IterableSimpleNamespace"}
    | {"ultralytics.utils.loss.v10DetectLoss", "numpy.dtype", "_codecs.encode"}
    | _prefixed("numpy", "core.multiarray.scalar _core.multiarray.scalar")
    | _prefixed("pathlib", "PosixPath WindowsPath _local.PosixPath _local.WindowsPath")
    # A bound method in old files. Only recorded: what it would return cannot be called.
    | {"builtins.getattr"}
)

_UNPICKLE_ERRORS = (
    pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError,
    ImportError,
)  # fmt: skip
_MAX_ITEMS = 200_000
_MAX_DEPTH = 64
_MAX_DIMENSIONS = 8


class Recorded:
    """Stand-in for an object of the reference's classes: what it was made from, and no behaviour."""

    global_name: ClassVar[str] = ""
    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any) -> Recorded:
        """Remember the arguments of the call."""
        self = object.__new__(cls)
        self.args, self.state = args, None
        return self

    def __init__(self, *args: Any) -> None:
        """Take any arguments; `__new__` has kept them."""

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def fields(self) -> dict[str, Any]:
        """Give the attributes the object had; an empty dictionary if it had none."""
        return self.state if isinstance(self.state, dict) else {}


class _Storage(NamedTuple):
    """A raw record: its key in the archive, its type and its number of elements."""

    key: str
    dtype: torch.dtype
    numel: int


class _InertUnpickler(pickle.Unpickler):
    """Build containers and recorders, whatever the pickle asks for."""

    def __init__(self, archive: TorchArchive) -> None:
        super().__init__(io.BytesIO(archive.pickle))
        self._archive = archive
        self._classes: dict[str, type] = dict(_CONTAINERS)

    def find_class(self, module: str, name: str) -> type:
        """Resolve a name of the allow-list to a container or a recorder class; refuse any other."""
        full_name = f"{_MODERN_MODULES.get(module, module)}.{name}"
        if full_name not in self._classes:
            if full_name not in _RECORDED:
                raise CheckpointError(
                    f"'{self._archive.path}' refers to '{full_name}', which no checkpoint needs. It was refused and "
                    "nothing in the file was run. Use files you trust, made by this package or the reference one."
                )
            self._classes[full_name] = type(full_name, (Recorded,), {"global_name": full_name})
        return self._classes[full_name]

    def persistent_load(self, pid: Any) -> _Storage:
        """Note which raw record a tensor lies in: ("storage", type, key, location, number of elements)."""
        if isinstance(pid, tuple) and len(pid) == 5:
            _, kind, key, _, numel = pid
            dtype = STORAGE_TYPES.get(getattr(kind, "global_name", ""))
            if dtype is not None and isinstance(key, str) and key.isdecimal() and type(numel) is int and numel >= 0:
                return _Storage(key, dtype, numel)
        raise damaged(self._archive.path, "it refers to a storage in a way torch.save does not")


def read_reference(archive: TorchArchive) -> dict[str, Any]:
    """Read a checkpoint of the reference distribution as the fields of a `Checkpoint`.

    Weights are those of `ema` if there are any, else of `model`, in the precision of the file.

    Raises:
        CheckpointError: a name outside the allow-list, or contents that are not a module tree.
    """
    try:
        return _fields(archive, _InertUnpickler(archive).load())
    except CheckpointError:
        raise
    except _UNPICKLE_ERRORS as error:
        raise damaged(archive.path, f"its description makes no sense ({error})") from error


def _find_model(archive: TorchArchive, content: Any) -> Recorded:
    if not isinstance(content, dict):
        raise CheckpointError(f"'{archive.path}' holds no checkpoint, but {_kind(content)}.")
    model = content.get("ema") or content.get("model")
    if model is None:
        keys = ", ".join(map(str, list(content)[:6])) or "none"
        raise CheckpointError(f"'{archive.path}' is not a checkpoint: no 'model' is among its keys ({keys}).")
    if not isinstance(model, Recorded) or not model.global_name.startswith("ultralytics.nn.tasks."):
        raise CheckpointError(f"'{archive.path}' holds no network: its 'model' is {_kind(model)}.")
    return model


def _fields(archive: TorchArchive, content: Any) -> dict[str, Any]:
    model = _find_model(archive, content)
    attributes = model.fields()
    tensors, copy = _Tensors(archive), _PlainCopy(archive)
    architecture, names = copy(attributes.get("yaml")), copy(attributes.get("names"))
    if not isinstance(architecture, dict) or not isinstance(names, (dict, list)):
        raise CheckpointError(f"'{archive.path}' names no architecture or no classes.")
    names = names if isinstance(names, dict) else dict(enumerate(names))
    args = copy(content.get("train_args") or attributes.get("args"))
    args = args if isinstance(args, dict) else {}
    metrics = copy(content.get("train_metrics"))
    return {
        "task": str(args.get("task") or copy(attributes.get("task")) or ""),
        "yaml": architecture,
        "names": {key: str(name) for key, name in names.items()},
        "nc": architecture.get("nc", len(names)),
        "ch": architecture.get("channels", architecture.get("ch", 3)),
        "stride": [int(value) for value in tensors(attributes.get("stride")).flatten().tolist()],
        "args": args,
        "metrics": metrics if isinstance(metrics, dict) else {},
        "epoch": content["epoch"] if isinstance(content.get("epoch"), int) else -1,
        "date": str(copy(content.get("date")) or ""),
        "version": f"reference {copy(content.get('version')) or 'of unknown version'}",
        "licence": {"code": None, "weights": str(copy(content.get("license")) or "unknown"), "data": None},
        "state_dict": tensors.state_dict(model),
    }


class _Tensors:
    """Makes tensors from recorded ones, checking that each lies inside its storage."""

    def __init__(self, archive: TorchArchive) -> None:
        self._archive = archive
        self._storages: dict[_Storage, Tensor] = {}
        self._modules_left = _MAX_ITEMS

    def __call__(self, record: Any) -> Tensor:
        """Build the tensor that a recorded `_rebuild_tensor_v2`, or a `_rebuild_parameter` around it, describes."""
        if isinstance(record, Recorded) and record.global_name == "torch._utils._rebuild_parameter" and record.args:
            record = record.args[0]
        if not isinstance(record, Recorded) or record.global_name != "torch._utils._rebuild_tensor_v2":
            raise damaged(self._archive.path, f"it has {_kind(record)} where a tensor belongs")
        storage, offset, size, stride = record.args[:4]
        if not (isinstance(storage, _Storage) and _are_sizes([offset]) and _are_sizes(size) and _are_sizes(stride)):
            raise damaged(self._archive.path, "a tensor has no valid shape")
        if len(size) != len(stride) or len(size) > _MAX_DIMENSIONS:
            raise damaged(self._archive.path, f"a tensor has {len(size)} sizes and {len(stride)} strides")
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        numel = math.prod(size)
        if numel > storage.numel or (numel and last >= storage.numel):
            raise damaged(self._archive.path, f"a tensor of shape {tuple(size)} exceeds its {storage.numel} values")
        return self._flat(storage).as_strided(tuple(size), tuple(stride), offset)

    def _flat(self, storage: _Storage) -> Tensor:
        if storage not in self._storages:
            data = self._archive.storage(storage.key, storage.numel * storage.dtype.itemsize)
            empty = torch.empty(0, dtype=storage.dtype)
            self._storages[storage] = torch.frombuffer(data, dtype=storage.dtype) if data else empty
        return self._storages[storage]

    def state_dict(self, model: Recorded) -> dict[str, Tensor]:
        """Collect a module tree's parameters and persistent buffers in the order `nn.Module.state_dict` has."""
        weights: dict[str, Tensor] = {}
        values = 0
        for name, record in self._walk(model, "", _MAX_DEPTH):
            weights[name] = self(record)
            values += weights[name].numel()
            # Every value of an honest file takes a byte at least; one tensor under many names would not.
            if values > self._archive.size:
                raise damaged(self._archive.path, "it holds more weights than the file has room for")
        return weights

    def _walk(self, module: Any, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
        self._modules_left -= 1
        if not isinstance(module, Recorded) or depth == 0 or self._modules_left < 0:
            raise damaged(self._archive.path, f"its layer '{prefix[:200]}' is {_kind(module)}")
        fields = module.fields()
        transient = fields.get("_non_persistent_buffers_set") or ()
        for name, record in _items(fields, "_parameters"):
            if record is not None:
                yield f"{prefix}{name}", record
        for name, record in _items(fields, "_buffers"):
            if record is not None and name not in transient:
                yield f"{prefix}{name}", record
        for name, child in _items(fields, "_modules"):
            if child is not None:
                yield from self._walk(child, f"{prefix}{name}.", depth - 1)


class _PlainCopy:
    """Copies metadata as plain data; recorded objects become their attributes, or their name if they have none."""

    def __init__(self, archive: TorchArchive) -> None:
        self._archive = archive
        self._left = _MAX_ITEMS

    def __call__(self, value: Any, depth: int = _MAX_DEPTH) -> Any:
        """Copy a value; shared parts are copied each time they occur, up to a limit."""
        self._left -= 1
        if self._left < 0 or depth == 0:
            raise damaged(self._archive.path, "its metadata never ends")
        if value is None or type(value) in {bool, int, float, str}:
            return value
        if isinstance(value, dict):
            return {key: self(item, depth - 1) for key, item in value.items() if type(key) in {int, str}}
        if isinstance(value, (list, tuple, set)) and not isinstance(value, _Storage):
            return [self(item, depth - 1) for item in value]
        if isinstance(value, Recorded) and value.fields():
            return self(value.fields(), depth - 1)
        return _kind(value)


def _items(fields: Mapping[str, Any], name: str) -> Iterable[tuple[Any, Any]]:
    value = fields.get(name)
    return value.items() if isinstance(value, dict) else ()


def _are_sizes(values: Any) -> bool:
    return isinstance(values, (tuple, list)) and all(type(value) is int and value >= 0 for value in values)


def _kind(value: Any) -> str:
    return getattr(value, "global_name", "") or f"a {type(value).__name__}"
