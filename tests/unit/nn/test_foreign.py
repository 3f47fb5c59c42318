"""The reference distribution's files: weights and facts come out, and nothing in them ever runs."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from ultralytics.errors import CheckpointError
from ultralytics.nn.checkpoint import load_checkpoint
from ultralytics.nn.foreign import Recorded, read_reference
from ultralytics.nn.torch_zip import TorchArchive

CONV = "torch.nn.modules.conv.Conv2d"
MODEL = "ultralytics.nn.tasks.SemanticSegmentationModel"


@dataclass
class Name:
    """A global that the pickle refers to."""

    path: str


@dataclass
class Made:
    """An object a pickle makes: by a call (REDUCE), or by `__new__` and a state (NEWOBJ, BUILD)."""

    path: str
    args: tuple[Any, ...] = ()
    state: Any = None
    call: bool = False


@dataclass
class Opcodes:
    """Bytes of a pickle as they are."""

    data: bytes


@dataclass
class Stored:
    """A tensor: a view of a raw record."""

    values: torch.Tensor
    numel: int | None = None
    shape: tuple[Any, ...] | None = None
    stride: tuple[Any, ...] | None = None


class Writer:
    """Writes the pickles that torch.save would write, and those it never would."""

    kinds: ClassVar = {torch.float32: "Float", torch.float16: "Half", torch.int64: "Long"}

    def __init__(self) -> None:
        self.storages: list[bytes] = []
        self.memo = b""
        self.memoised = 0

    def remember(self, value: Any) -> Opcodes:
        """Put a value into the pickle's memo; what is returned stands for it."""
        self.memo += self.write(value) + b"q" + bytes([self.memoised]) + b"0"
        self.memoised += 1
        return Opcodes(b"h" + bytes([self.memoised - 1]))

    def write(self, value: Any) -> bytes:
        """Give the opcodes that put a value on the stack; only `remember` uses the memo."""
        match value:
            case Opcodes():
                opcodes = value.data
            case Name():
                module, _, name = value.path.rpartition(".")
                opcodes = f"c{module}\n{name}\n".encode()
            case Made():
                opcodes = self.write(Name(value.path)) + self.write(value.args) + (b"R" if value.call else b"\x81")
                opcodes += b"" if value.state is None else self.write(value.state) + b"b"
            case Stored():
                opcodes = self.tensor(value)
            case dict():
                opcodes = b"}(" + b"".join(self.write(key) + self.write(item) for key, item in value.items()) + b"u"
            case list():
                opcodes = b"](" + b"".join(map(self.write, value)) + b"e"
            case tuple():
                opcodes = b"(" + b"".join(map(self.write, value)) + b"t"
            case str():
                opcodes = b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()
            case _:
                opcodes = pickle.dumps(value, protocol=2)[2:-1]
        return opcodes

    def tensor(self, stored: Stored) -> bytes:
        values = stored.values
        key = str(len(self.storages))
        self.storages.append(values.contiguous().numpy().tobytes())
        kind = Name(f"torch.{self.kinds[values.dtype]}Storage")
        numel = values.numel() if stored.numel is None else stored.numel
        storage = self.write(("storage", kind, key, "cpu", numel)) + b"Q"
        shape = tuple(values.shape) if stored.shape is None else stored.shape
        stride = values.contiguous().stride() if stored.stride is None else stored.stride
        rest = self.write(0) + self.write(shape) + self.write(tuple(stride)) + self.write(False) + self.write({})
        return self.write(Name("torch._utils._rebuild_tensor_v2")) + b"(" + storage + rest + b"tR"

    def save(self, value: Any, file: Path) -> Path:
        return self.save_pickle(b"\x80\x02" + self.memo + self.write(value) + b".", file)

    def save_pickle(self, pickled: bytes, file: Path) -> Path:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("x/data.pkl", pickled)
            archive.writestr("x/version", "3\n")
            for key, data in enumerate(self.storages):
                archive.writestr(f"x/data/{key}", data)
        return file


def module(path: str, *, parameters: Any = (), buffers: Any = (), children: Any = (), **attributes: Any) -> Made:
    state = {"_parameters": dict(parameters), "_buffers": dict(buffers), "_modules": dict(children), **attributes}
    return Made(path, state=state)


def network(weights: Any, **attributes: Any) -> Made:
    facts = {
        "yaml": {"nc": 1, "backbone": [], "head": []},
        "names": {0: "road"},
        "stride": Stored(torch.tensor([32.0])),
    }
    layers = {"0": module(CONV, parameters=weights)}
    tree = {"model": module("torch.nn.modules.container.Sequential", children=layers)}
    return module(MODEL, children=tree, **{**facts, **attributes})


@pytest.mark.parametrize(
    ("name", "recorded", "num_classes", "task"),
    [
        ("yolo26n-sem-rand", "yolo26n-sem", 19, "semantic"),
        ("camvid12-last", "yolo26n-sem-nc11", 11, "semantic"),
        ("camvid12-e80-best", "yolo26n-sem-nc11", 11, "semantic"),
        ("yolo26n-seg-rand", "yolo26n-seg", 80, "segment"),
        ("yolov8n-seg-rand", "yolov8n-seg", 80, "segment"),
    ],
)
def test_recorded_checkpoints(shared: Path, name: str, recorded: str, num_classes: int, task: str) -> None:
    facts = json.loads((shared / f"interop/arch/{recorded}.json").read_text())
    checkpoint = load_checkpoint(shared / f"interop/ckpt/{name}.pt")
    found = [
        [key, list(value.shape), str(value.dtype).removeprefix("torch.")]
        for key, value in checkpoint.state_dict.items()
    ]
    assert found == facts["state_dict"]
    assert (checkpoint.task, checkpoint.nc, checkpoint.ch) == (task, num_classes, 3)
    assert checkpoint.stride == facts["stride"]
    assert list(checkpoint.names) == list(range(num_classes))
    assert "AGPL" in str(checkpoint.licence["weights"])
    assert checkpoint.version == "reference 8.4.190"
    assert checkpoint.train_state is None


def test_facts_of_a_trained_checkpoint(shared: Path) -> None:
    checkpoint = load_checkpoint(shared / "interop/ckpt/camvid12-e80-best.pt")
    assert checkpoint.names[10] == "bicyclist"
    assert checkpoint.metrics["metrics/mIoU"] == 0.18757
    assert (checkpoint.args["imgsz"], checkpoint.args["data"]) == (320, "camvid12.yaml")
    assert checkpoint.yaml["yaml_file"] == "yolo26n-sem.yaml"
    assert checkpoint.epoch == -1
    assert checkpoint.date.startswith("2026-11-21")


def test_weights_equal_the_raw_records(shared: Path) -> None:
    file = shared / "interop/ckpt/camvid12-last.pt"
    with TorchArchive(file) as archive:
        weights = read_reference(archive)["state_dict"]
        raw = archive.storage("0", weights["model.0.conv.weight"].numel() * 2)
    assert torch.equal(weights["model.0.conv.weight"].flatten(), torch.frombuffer(raw, dtype=torch.float16))


def test_averaged_weights_win_and_optimizer_state_is_left_alone(tmp_path: Path) -> None:
    kernel = torch.tensor([[1.0, 2.0]], dtype=torch.float16)
    parameter = Made("torch._utils._rebuild_parameter", (Stored(kernel), True, {}), call=True)
    args = Made("ultralytics.utils.IterableSimpleNamespace", (), {"task": "semantic", "imgsz": 320}, call=True)
    content = {
        "epoch": 4,
        "model": None,
        "ema": network({"weight": parameter, "bias": None}, args=args),
        "optimizer": {"state": {0: {"exp_avg": Stored(torch.zeros(3))}}, "param_groups": [{"lr": 0.1}]},
        "scaler": {},
        "train_args": {"task": "semantic", "save_dir": Made("pathlib.PosixPath", ("runs", "a"), call=True)},
        "version": "8.1.0",
    }
    checkpoint = load_checkpoint(Writer().save(content, tmp_path / "epoch4.pt"))
    assert checkpoint.state_dict.keys() == {"model.0.weight"}
    assert checkpoint.state_dict["model.0.weight"].tolist() == [[1.0, 2.0]]
    assert checkpoint.state_dict["model.0.weight"].dtype == torch.float32
    assert (checkpoint.task, checkpoint.epoch, checkpoint.version) == ("semantic", 4, "reference 8.1.0")
    assert checkpoint.args == {"task": "semantic", "save_dir": "pathlib.PosixPath"}


def test_saved_model_without_training(tmp_path: Path) -> None:
    args = Made("ultralytics.utils.IterableSimpleNamespace", (), {"task": "semantic"}, call=True)
    content = {"model": network({"weight": Stored(torch.ones(2))}, args=args), "ema": None, "license": "AGPL-3.0"}
    checkpoint = load_checkpoint(Writer().save(content, tmp_path / "a.pt"))
    assert (checkpoint.task, checkpoint.epoch) == ("semantic", -1)
    assert checkpoint.licence["weights"] == "AGPL-3.0"


def test_names_as_a_list_and_task_as_an_attribute(tmp_path: Path) -> None:
    model = network({"weight": Stored(torch.ones(2))}, names=["road", "sky"], task="semantic")
    checkpoint = load_checkpoint(Writer().save({"model": model}, tmp_path / "a.pt"))
    assert checkpoint.names == {0: "road", 1: "sky"}
    assert checkpoint.task == "semantic"


def test_transient_buffers_are_left_out(tmp_path: Path) -> None:
    layer = module(CONV, buffers={"kept": Stored(torch.ones(1)), "grid": Stored(torch.ones(1))})
    layer.state["_non_persistent_buffers_set"] = Made("__builtin__.set", (["grid"],), call=True)
    model = network({}, _modules={"0": layer})
    assert load_checkpoint(Writer().save({"model": model}, tmp_path / "a.pt")).state_dict.keys() == {"0.kept"}


class Marker:
    """Pickles as a call that would leave a file behind."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


def hostile_pickles(marker: Path) -> dict[str, bytes]:
    code, command = f"open({str(marker)!r}, 'w')", f"touch {marker}"
    return {
        "builtins.exec": pickle.dumps(Marker(exec, code), protocol=2),
        "builtins.eval": pickle.dumps(Marker(eval, code), protocol=4),
        "io.open": pickle.dumps(Marker(open, str(marker), "w"), protocol=2),
        "posix.system": pickle.dumps(Marker(os.system, command), protocol=5),
        "subprocess.Popen": pickle.dumps(Marker(subprocess.Popen, ["touch", str(marker)]), protocol=4),
        "os.system": b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.",
        "torch.hub.load": b"\x80\x02ctorch.hub\nload\nX\x01\x00\x00\x00x\x85R.",
        "ultralytics.utils.downloads.download": b"\x80\x02cultralytics.utils.downloads\ndownload\n)R.",
        "ultralytics.nn.modules.block.Evil": b"\x80\x02cultralytics.nn.modules.block\nEvil\n)\x81.",
        # an attribute of an allowed name
        "torch.nn.modules.conv.Conv2d.__init__": b"\x80\x04\x8c\x15torch.nn.modules.conv\x8c\x0fConv2d.__init__\x93)R.",
        "importlib.import_module": b"\x80\x02(iimportlib\nimport_module\n.",
    }


NAMES = list(hostile_pickles(Path("x")))


@pytest.mark.parametrize("name", NAMES)
def test_hostile_globals_are_refused_by_name(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "pwned"
    file = Writer().save_pickle(hostile_pickles(marker)[name], tmp_path / "evil.pt")
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load_checkpoint(file)
    assert not marker.exists()


def test_hostile_global_inside_a_real_checkpoint(tmp_path: Path) -> None:
    marker = tmp_path / "pwned"
    evil = Made("__builtin__.exec", (f"open({str(marker)!r}, 'w')",), call=True)
    content = {"model": network({"weight": Stored(torch.ones(1))}), "zzz": evil}
    with pytest.raises(CheckpointError, match=r"builtins\.exec.*nothing in the file was run"):
        load_checkpoint(Writer().save(content, tmp_path / "evil.pt"))
    assert not marker.exists()


@pytest.mark.parametrize(
    "tail",
    [
        # calls what a recorded getattr would return
        b"c__builtin__\ngetattr\n(ctorch.nn.modules.conv\nConv2d\nX\x08\x00\x00\x00__init__tR)R.",
        b"ctorch.nn.modules.conv\nConv2d\n)\x81)R.",  # calls an instance
        b"ctorch.nn.modules.conv\nConv2d\n}X\x01\x00\x00\x00aK\x01sb.",  # state on a class
        b"ccollections\nOrderedDict\n}X\x06\x00\x00\x00updateK\x01sb.",  # state on a built-in class
        b"ctorch._utils\n_rebuild_tensor_v2\nN}X\x0c\x00\x00\x00__defaults__K\x01s\x86b.",
        b"K\x01}X\x01\x00\x00\x00aK\x01sb.",  # state on a number
        b"ctorch.nn.modules.conv\nConv2d\n)\x81X\x01\x00\x00\x00aK\x01s.",  # items on an instance
        b"X\x01\x00\x00\x00xQ.",  # a persistent id that is none
    ],
)
def test_odd_opcodes_are_refused(tmp_path: Path, tail: bytes) -> None:
    file = Writer().save_pickle(b"\x80\x02ctorch.nn.modules.conv\nConv2d\n0" + tail, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match=r"odd\.pt"):
        load_checkpoint(file)


@pytest.mark.parametrize("state", [None, 3, ["x"], (None, {"_modules": {}}), {"_modules": 5}, {"_modules": {"0": 7}}])
def test_odd_states_of_modules_are_refused_or_inert(tmp_path: Path, state: Any) -> None:
    content = {"model": Made(MODEL, state=state)}
    with pytest.raises(CheckpointError, match=r"a\.pt"):
        load_checkpoint(Writer().save(content, tmp_path / "a.pt"))


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (Stored(torch.ones(4), numel=5), "16 bytes long, 20 bytes are declared"),
        (Stored(torch.ones(4), numel=1 << 62), "are declared"),
        (Stored(torch.ones(4), numel=-1), "storage"),
        (Stored(torch.ones(4), shape=(5,)), "exceeds its 4 values"),
        (Stored(torch.ones(4), shape=(2, 2), stride=(3, 1)), "exceeds its 4 values"),
        (Stored(torch.ones(4), shape=(1 << 40,), stride=(0,)), "exceeds its 4 values"),
        (Stored(torch.ones(4), shape=(2,), stride=(1, 1)), "sizes"),
        (Stored(torch.ones(4), shape=(1,) * 100, stride=(1,) * 100), "sizes"),
        (Stored(torch.ones(4), shape=("4",)), "no valid shape"),
        (Stored(torch.ones(4), shape=(-1,)), "no valid shape"),
        (17, "where a tensor belongs"),
        (Name("torch._utils._rebuild_tensor_v2"), "where a tensor belongs"),
        (Made("torch._utils._rebuild_tensor_v2", (1,), call=True), "makes no sense"),
    ],
)
def test_dishonest_tensors_are_refused(tmp_path: Path, tensor: Any, said: str) -> None:
    file = Writer().save({"model": network({"weight": tensor})}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(file)


def test_one_tensor_under_many_names_is_refused(tmp_path: Path) -> None:
    writer = Writer()
    shared_layer = writer.remember(module(CONV, parameters={"w": Stored(torch.ones(4096))}))
    model = network({}, _modules={str(i): shared_layer for i in range(100)})
    with pytest.raises(CheckpointError, match="more weights than the file has room for"):
        load_checkpoint(writer.save({"model": model}, tmp_path / "a.pt"))


def test_layers_that_double_forty_times_are_refused(tmp_path: Path) -> None:
    writer = Writer()
    layer = writer.remember(module(CONV))
    for _ in range(40):
        layer = writer.remember(module(CONV, children={"a": layer, "b": layer}))
    file = writer.save({"model": network({}, _modules={"0": layer})}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"its layer '0\.a"):
        load_checkpoint(file)


def test_metadata_that_doubles_forty_times_is_refused(tmp_path: Path) -> None:
    writer = Writer()
    items = writer.remember(["x"])
    for _ in range(40):
        items = writer.remember([items, items])
    model = network({}, yaml={"backbone": items})
    with pytest.raises(CheckpointError, match="never ends"):
        load_checkpoint(writer.save({"model": model}, tmp_path / "a.pt"))


def test_recorder_keeps_and_does_nothing() -> None:
    made = Recorded("a", 1)
    made.__setstate__({"x": 2})
    assert (made.args, made.fields()) == (("a", 1), {"x": 2})
    with pytest.raises(TypeError, match="not callable"):
        made()  # type: ignore[operator]
