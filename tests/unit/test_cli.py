"""The command line: what it understands, what it says, how it ends. Runs of models are in tests/e2e."""

from __future__ import annotations

import errno
import inspect
import json
import logging
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ultralytics.cfg import MODES, OPTIONS, get_cfg, read_options
from ultralytics.cli import SUBCOMMANDS, Command, main, parse
from ultralytics.errors import ConfigError, DatasetError
from ultralytics.tasks import DEFAULT_TASK, TASKS, TaskSpec
from ultralytics.utils.imports import load
from ultralytics.version import __version__

ROOT = Path(__file__).resolve().parents[2]


# What is understood


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("", Command(action="help")),
        ("help", Command(action="help")),
        ("--help", Command(action="help")),
        ("help train", Command(action="help", words=("train",))),
        ("train --help", Command(action="help", words=("train",))),
        (f"{DEFAULT_TASK} predict -h", Command(action="help", words=("predict",))),
        ("-v", Command(action="version")),
        ("--version", Command(action="version")),
        ("c", Command(action="copy-cfg")),
        ("setting", Command(action="settings")),
        ("settings sync=True", Command(action="settings", options={"sync": "True"})),
        ("settings reset", Command(action="settings", words=("reset",))),
        ("check data=d --help", Command(action="help", words=("check",))),
        ("convert x -h", Command(action="help", words=("convert", "x"))),
        ("convert x source=a", Command(action="convert", options={"source": "a"}, words=("x",))),
        (f"{DEFAULT_TASK} check data=d", Command(action="check", task=DEFAULT_TASK, options={"data": "d"})),
        ("train", Command(action="train")),
        (f"{DEFAULT_TASK} train", Command(action="train", task=DEFAULT_TASK)),
        (f"train {DEFAULT_TASK}", Command(action="train", task=DEFAULT_TASK)),
        (f"mode=train task={DEFAULT_TASK}", Command(action="train", task=DEFAULT_TASK)),
        ("train epochs=3 lr0=1e-3", Command(action="train", options={"epochs": 3, "lr0": 0.001})),
        ("train imgsz=[480, 640]", Command(action="train", options={"imgsz": [480, 640]})),
        ("train epochs = 3 cos_lr", Command(action="train", options={"epochs": 3, "cos_lr": True})),
        ("train val", Command(action="train", options={"val": True})),
        ("val", Command(action="val")),
        ("predict show source=0", Command(action="predict", options={"show": True, "source": "0"})),
        ("predict name=007 half", Command(action="predict", options={"name": "007", "quantize": 16})),
        ("export format=onnx int8=True", Command(action="export", options={"format": "onnx", "quantize": 8})),
    ],
)
def test_a_line_is_read(line, command):
    assert parse(line.split()) == command


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("trian", "Did you mean 'train'"),  # codespell:ignore trian
        ("train epoch=3", "Did you mean 'epochs'"),
        ("train epochs 3", "'epochs' needs a value"),
        ("train epochs=0", "'epochs' takes a whole number"),
        ("train epochs=", "half an option"),
        ("train predict", "one word too many"),
        ("predict bus.jpg", r"source=bus\.jpg"),
        ("model=x.pt", "Say what to do"),
        (DEFAULT_TASK, "Say what to do"),
        ("track source=0", "Tracking follows boxes"),
        ("train crop_fraction=0.5", "removed"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(line, message):
    with pytest.raises(ConfigError, match=message):
        parse(line.split())


def test_an_option_of_another_mode_is_named(caplog):
    caplog.set_level(logging.WARNING, logger="ultralytics")
    assert parse(["predict", "epochs=3", "source=x"]).options == {"epochs": 3, "source": "x"}
    assert [record.getMessage() for record in caplog.records] == [
        "'epochs' has no effect in predict; it belongs to train."
    ]


# How it ends


@dataclass
class Report:
    ok: bool

    def text(self, *, verbose: bool = False) -> str:
        return "three masks are missing" + (" (all are named)" if verbose else "")


def look(data: str, *, label_map: str | None = None, strict: bool = False, fix: bool = False) -> Report:
    """Stand in for a task's doctor: the name of the dataset says what happens."""
    failures = {
        "interrupted": KeyboardInterrupt(),
        "broken": DatasetError("The masks of 'broken' are pictures."),
        "full": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/x.png"),
        "bug": ZeroDivisionError("division by zero"),
    }
    if data in failures:
        raise failures[data]
    return Report(ok=data == "good" or label_map == "auto" or fix)


@pytest.fixture
def probe(monkeypatch):
    """Add a task whose dataset check is `look`."""
    names = dict.fromkeys(
        ("head", "model", "trainer", "validator", "predictor", "graph", "outputs", "prepare", "comparison"), ""
    )
    spec = TaskSpec(name="probe", doctor=f"{__name__}:look", default_model="p.pt", default_data="p.yaml", **names)
    monkeypatch.setitem(TASKS, "probe", spec)
    return ["probe", "check"]


@pytest.mark.parametrize(
    ("argument", "code", "message"),
    [
        ("data=interrupted", 130, "\ninterrupted"),
        ("data=broken", 1, "error: The masks of 'broken' are pictures."),
        ("data=full", 1, "error: [Errno 28] No space left on device: '/data/x.png'"),
        ("data=bug", 70, "internal error: ZeroDivisionError: division by zero"),
        ("epochs=3", 2, "error: 'yolo check' takes data, label_map, strict, verbose and fix, not epochs."),
        ("label_map=auto", 2, "error: Which dataset?"),
    ],
)
def test_each_failure_is_one_message_and_a_code(probe, capsys, argument, code, message):
    assert main([*probe, argument]) == code
    output = capsys.readouterr()
    assert output.err.startswith(message)
    assert "Traceback" not in output.err
    assert output.out == ""


@pytest.mark.parametrize("way", ["debug=True", "YOLO_DEBUG"])
def test_tracebacks_are_shown_on_request(probe, capsys, monkeypatch, way):
    arguments = [*probe, "data=broken"]
    if way == "YOLO_DEBUG":
        monkeypatch.setenv(way, "1")
    else:
        arguments.append(way)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert error.splitlines()[-1] == "error: The masks of 'broken' are pictures."


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["data=good"], 0), (["data=bad"], 1), (["data=bad", "label_map=auto"], 0), (["data=bad", "fix=true"], 0)],
)
def test_a_dataset_check_prints_its_report_and_tells_by_its_code(probe, capsys, arguments, code):
    assert main([*probe, *arguments]) == code
    assert capsys.readouterr().out == "three masks are missing\n"


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("predict model=x.pt", 1, "Nothing to predict on"),
        ("train resume", 2, "resume=runs"),
        ("train task=juggle", 2, "Unknown task 'juggle'"),
        ("train cfg=nowhere.yaml", 1, "'nowhere.yaml' does not exist"),
        ("help juggle", 2, "Unknown command 'juggle'"),
        ("help convert juggle", 2, "Unknown converter 'juggle'"),
        ("version train", 2, "one word too many"),
        ("settings runs=x", 2, "Did you mean 'runs_dir'"),
        ("settings sync=maybe", 2, "'sync' takes true or false"),
        ("settings rest", 2, "reset or key=value"),
    ],
)
def test_what_is_missing_or_wrong_is_said_before_anything_starts(capsys, line, code, message):
    assert main(line.split()) == code
    assert message in capsys.readouterr().err


# Special commands


def test_help_names_every_command_and_every_option_of_a_mode(capsys):
    assert main(["help"]) == 0
    page = capsys.readouterr().out
    assert all(f"  {name} " in page for name in SUBCOMMANDS)
    assert all(mode in page for mode in (*MODES, *TASKS))
    assert main(["predict", "--help"]) == 0
    page = capsys.readouterr().out
    listed = {line.split("=")[0].strip() for line in page.splitlines() if line.startswith("  ")}
    assert listed == {name for name, option in OPTIONS.items() if "predict" in option.modes}
    assert "batch=1 " in page  # the mode's own default
    assert "save=true " in page


@pytest.mark.parametrize("word", SUBCOMMANDS)
def test_help_knows_every_special_command(capsys, word):
    assert main(["help", word]) == 0
    assert capsys.readouterr().out.startswith(f"yolo {word} ")


def test_help_on_the_check_lists_what_it_takes(capsys):
    assert main(["check", "--help"]) == 0
    page = capsys.readouterr().out
    assert "  data=" in page
    assert "  label_map=" in page


def test_help_says_what_each_converter_and_each_of_its_arguments_does(capsys):
    from ultralytics.data.convert import CONVERTERS

    assert main(["help", "convert"]) == 0
    page = capsys.readouterr().out
    for name, target in CONVERTERS.items():
        assert f"  {name} " in page
        assert main(["help", "convert", name]) == 0
        lines = capsys.readouterr().out.splitlines()[1:]
        told = dict(re.fullmatch(r"  (\w+)=\S+ +(\S.*)", line).groups() for line in lines)
        assert list(told) == list(inspect.signature(load(target)).parameters)
    assert "ignore_unknown=false " in _page(capsys, "help convert colors-to-ids")
    assert "target=… " in _page(capsys, "help convert coco")


def _page(capsys, line: str) -> str:
    assert main(line.split()) == 0
    return capsys.readouterr().out


def test_settings_are_shown_changed_and_reset(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    file = tmp_path / "Ultralytics" / "settings.json"
    assert main(["settings"]) == 0
    assert str(file) in capsys.readouterr().out
    assert not file.exists()
    assert main(["settings", "sync=true", f"runs_dir={tmp_path / 'ö'}"]) == 0
    assert str(tmp_path / "ö") in capsys.readouterr().out
    assert json.loads(file.read_text(encoding="utf-8"))["sync"] is True
    assert main(["settings", "reset"]) == 0
    assert json.loads(file.read_text(encoding="utf-8"))["sync"] is False


def test_the_options_are_printed_and_copied_and_the_copy_is_usable(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["cfg"]) == 0
    text = capsys.readouterr().out
    assert main(["copy-cfg"]) == 0
    assert main(["copy-cfg"]) == 0
    assert (tmp_path / "default_copy.yaml").read_text(encoding="utf-8") == text
    assert (tmp_path / "default_copy-2.yaml").is_file()
    assert get_cfg(read_options("default_copy.yaml")) == get_cfg()


def copy(source: Path, target: Path, *, times: int = 1, names: list[str] | None = None) -> str:
    """Stand in for a converter."""
    return f"{source.name} -> {target.name}, {times} times, {names}"


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("", 2, "Which converter?"),
        ("juggle", 2, "Unknown converter 'juggle'"),
        ("probe source=a/b target=c", 0, "b -> c, 1 times, None"),
        ("probe source=b target=c times=2 names=[x,y] debug=True", 0, "b -> c, 2 times, ['x', 'y']"),
        ("probe source=b", 2, "'yolo convert probe' needs target=…"),
        ("probe source=b target=c times=x", 2, "'times' takes a whole number"),
        ("probe source=b target=c time=2", 2, "Did you mean 'times'"),
    ],
)
def test_a_converter_gets_the_types_it_declares(capsys, monkeypatch, line, code, told):
    from ultralytics.data.convert import CONVERTERS

    monkeypatch.setitem(CONVERTERS, "probe", f"{__name__}:copy")
    assert main(["convert", *line.split()]) == code
    output = capsys.readouterr()
    assert told in (output.err if code else output.out)


# As a process


def _yolo(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    """Run the command; the last line of its output says which heavy packages it imported."""
    code = (
        "import sys; from ultralytics.cli import main; code = main(sys.argv[1:]);"
        "print([name for name in ('torch', 'cv2', 'matplotlib') if name in sys.modules]); sys.exit(code)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("", 0),
        ("help train", 0),
        ("version", 0),
        ("settings", 0),
        ("cfg", 0),
        ("train epoch=3", 2),
        ("predict", 1),
        ("train cfg=nowhere.yaml", 1),
    ],
)
def test_nothing_heavy_is_imported_for_what_needs_no_model(line, code, tmp_path):
    result = _yolo(*line.split(), cwd=tmp_path)
    assert result.returncode == code, result.stderr
    assert result.stdout.splitlines()[-1] == "[]"
    assert list(tmp_path.iterdir()) == []


def test_the_module_is_the_command(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "ultralytics", "version"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{__version__}\n", "")


def test_a_reader_that_stops_early_causes_no_error(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "ultralytics", "cfg"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0
