"""Benchmarks: rows measured in processes of their own, rows that fail, going on, and what is written."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from ultralytics import YOLO
from ultralytics.benchmark import BenchmarkRow, BenchmarkTable
from ultralytics.benchmark.run import choose_formats, find_folder
from ultralytics.cfg import get_cfg
from ultralytics.cli import main
from ultralytics.errors import ConfigError, MissingFile, ModelError
from ultralytics.nn.checkpoint import Checkpoint, save_checkpoint
from ultralytics.nn.tasks import SemanticSegmentationModel
from ultralytics.utils.imports import available

FIGURES = ("size", "read", "preprocess", "inference", "postprocess")
NASTY = "<script>alert('x')</script>, \"5\"\n& more"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = SemanticSegmentationModel("yolo26n-sem.yaml", nc=3)
    model.names = {0: "ground", 1: "disc", 2: "bar"}
    path = tmp_path / "own folder" / "tiny.pt"
    path.parent.mkdir()
    save_checkpoint(path, Checkpoint.of_model(model, task="semantic"))
    return path


@pytest.fixture
def options(make_dataset: Callable[..., Path], tmp_path: Path) -> dict:
    return {"data": str(make_dataset()), "imgsz": [32, 64], "save_dir": str(tmp_path / "out"), "toolchain": "never"}


# Whole runs


@pytest.mark.slow
def test_a_row_may_fail_and_a_second_run_measures_only_what_is_missing(weights, options, tmp_path):
    model, out = YOLO(weights), tmp_path / "out"
    table = model.benchmark(formats="torchscript,edgetpu", **options)
    done, failed = table
    assert (done.format, failed.format) == ("torchscript", "edgetpu")
    assert all(getattr(done, name) is not None for name in FIGURES), done
    assert done.export > 0
    assert done.proof > 0
    assert done.parity["equal_pixels"] > 0.99
    assert done.error == ""
    assert done.size == pytest.approx((out / "tiny.torchscript").stat().st_size / 1e6)
    if sys.platform == "linux":
        assert 50 < done.memory < 20_000
    assert failed.error.startswith("export: ")
    assert "litert" in failed.error
    assert "\n" not in failed.error
    assert failed.figures == {}
    assert "failed" in str(table)
    assert {path.name for path in weights.parent.iterdir()} == {"tiny.pt"}, "nothing beside the user's checkpoint"

    artefact = (out / "tiny.torchscript").stat().st_mtime_ns
    again = model.benchmark(formats=["pytorch", "torchscript"], **options)
    assert [row.format for row in again] == ["pytorch", "torchscript", "edgetpu"]
    assert again["torchscript"] == done
    assert (out / "tiny.torchscript").stat().st_mtime_ns == artefact
    assert again["pytorch"].score["miou"] == pytest.approx(done.score["miou"], abs=0.02)
    assert again["pytorch"].export is None
    assert BenchmarkTable.load(out).rows == again.rows
    rows = list(csv.DictReader(io.StringIO((out / "results.csv").read_text(encoding="utf-8"))))
    assert [row["format"] for row in rows] == ["pytorch", "torchscript", "edgetpu"]

    with pytest.raises(ConfigError, match="holds another benchmark: imgsz="):
        model.benchmark(formats="torchscript", **{**options, "imgsz": 64})


@pytest.mark.skipif(not all(map(available, ("onnx", "onnxruntime", "onnxslim"))), reason="needs the extra 'onnx'")
def test_the_command_line(weights, options, caplog, tmp_path):
    line = [f"{name}={value}" for name, value in options.items()]
    assert main(["benchmark", f"model={weights}", "formats=onnx", "fraction=0.5", *line]) == 0
    assert "Benchmark of ONNX" in caplog.text
    assert "equal pixels" in caplog.text
    state = json.loads((tmp_path / "out" / "benchmark.json").read_text(encoding="utf-8"))
    assert state["rows"][0]["error"] == ""
    assert state["settings"]["fraction"] == 0.5


@pytest.mark.skipif(sys.platform != "linux", reason="finds the process in /proc")
def test_a_process_that_crashes_loses_its_row_only(weights, options):
    killer = threading.Thread(target=_crash_a_child)
    killer.start()
    table = YOLO(weights).benchmark(formats="torchscript", **options)
    killer.join()
    error = table["torchscript"].error
    assert error == "export: the process was ended by SIGSEGV; torchscript.log holds its last words"
    assert not list(Path(options["save_dir"]).glob(".*"))


def _crash_a_child() -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        for file in Path("/proc/self/task").glob("*/children"):
            for child in file.read_text().split():
                if b"ultralytics.benchmark.steps" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGSEGV)
                    return
        time.sleep(0.01)


def test_a_row_has_a_time_limit(weights, options):
    table = YOLO(weights).benchmark(format="pytorch", time_limit=0, **options)
    assert table["pytorch"].error.startswith("measure: the process took longer than the time limit")


def test_a_step_ends_when_the_benchmark_does(weights, tmp_path):
    answer = tmp_path / "answer.json"
    given = json.dumps([str(weights), {"format": "torchscript", "imgsz": 64}])
    command = [sys.executable, "-m", "ultralytics.benchmark.steps", str(answer), "export", given]
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=root)
    process.stdin.close()
    assert process.wait(120) == 1
    assert not answer.exists()


# What is refused before anything runs


def test_what_cannot_be_benchmarked(weights, options, tmp_path, make_dataset):
    model = YOLO(weights)
    with pytest.raises(ConfigError, match="Did you mean 'onnx'"):
        model.benchmark(formats="onxx", **options)
    with pytest.raises(ConfigError, match="Only in the model: ground, disc, bar"):
        model.benchmark(**{**options, "data": str(make_dataset("names: [a, b]", ids=(0, 1), name="other"))})
    with pytest.raises(MissingFile, match="no benchmark to resume"):
        model.benchmark(**{**options, "resume": str(tmp_path)})
    assert not (tmp_path / "out").exists()


def test_an_artefact_cannot_be_benchmarked(options, tmp_path):
    (tmp_path / "x.torchscript").write_bytes(b"no archive")
    with pytest.raises(ModelError):
        YOLO(tmp_path / "x.torchscript").benchmark(**options)


def test_formats_are_found_by_word_alias_and_once():
    assert [row.name for row in choose_formats("ONNX, torchscript,onnx")] == ["onnx", "torchscript"]
    assert [row.name for row in choose_formats(["litert"])] == ["tflite"]


def test_without_formats_all_are_taken_that_can_be_made_and_run_without_a_download():
    names = [row.name for row in choose_formats(None)]
    assert names[:2] == ["pytorch", "torchscript"]
    assert ("onnx" in names) == all(map(available, ("onnx", "onnxruntime", "onnxslim")))
    assert not {"edgetpu", "rknn", "saved_model", "tflite"} & set(names)


def test_without_formats_those_are_left_out_that_lack_the_precision():
    names = [row.name for row in choose_formats(None, bits=8)]
    assert names[0] == "pytorch", "what the others are compared with"
    assert not {"torchscript", "ncnn"} & set(names)


def test_with_downloads_allowed_those_come_in_that_have_a_runtime():
    names = {row.name for row in choose_formats((), "auto")}
    assert {"pytorch", "onnx", "saved_model", "tflite"} <= names
    assert "rknn" not in names


# Where


def test_a_benchmark_has_a_new_folder_unless_it_goes_on(tmp_path):
    def folder(**options: object) -> Path:
        return find_folder(get_cfg({"project": str(tmp_path), "name": "b", **options}, mode="benchmark"), "any")

    assert folder(resume=True) == tmp_path / "b", "there is none yet to go on with"
    for name, seconds in (("b", 2), ("b-2", 9), ("b-3", 5)):
        BenchmarkTable(folder=tmp_path / name).save()
        os.utime(tmp_path / name / "benchmark.json", (seconds, seconds))
    assert folder() == tmp_path / "b-4"
    assert folder(exist_ok=True) == tmp_path / "b"
    assert folder(resume=True) == tmp_path / "b-2", "the last that was written"
    assert folder(resume=str(tmp_path / "b-3")) == tmp_path / "b-3"
    assert folder(resume=True, save_dir=str(tmp_path / "own")) == tmp_path / "own"


# What is written


class _Page(HTMLParser):
    """Checks that tags are balanced, and collects their names and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {"src", "href"} & {name for name, _ in attributes}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _row(**changes: object) -> BenchmarkRow:
    figures = {
        "size": 6.25,
        "export": 1.5,
        "proof": 0.75,
        "score": {"miou": 0.4321},
        "parity": {"equal_pixels": 0.99987},
        "read": 1.0,
        "preprocess": 2.0,
    }
    known = {"format": "onnx", "title": "ONNX", **figures, "inference": 4.0, "postprocess": 0.5, "memory": 321.0}
    return BenchmarkRow(**{**known, **changes})


def _failed() -> BenchmarkRow:
    return BenchmarkRow(format="rknn", title="RKNN", error=NASTY)


def test_rows_come_back_from_the_folder(tmp_path):
    table = BenchmarkTable(folder=tmp_path, settings={"imgsz": [32, 64]}, rows=[_row(), _failed()])
    table.save()
    assert BenchmarkTable.load(tmp_path) == table
    assert len(BenchmarkTable.load(tmp_path / "nothing")) == 0


def test_the_csv_file_holds_any_text():
    rows = list(csv.DictReader(io.StringIO(BenchmarkTable(folder=Path(), rows=[_row(), _failed()]).to_csv())))
    assert rows[0]["miou"] == "0.4321"
    assert rows[1]["error"] == NASTY
    assert rows[1]["miou"] == ""


def test_the_page_is_whole_and_names_are_text():
    rows = [_row(), _row(format="pytorch", title="PyTorch", export=None, parity={}, inference=9.0), _failed()]
    html = BenchmarkTable(folder=Path(), settings={"data": NASTY}, rows=rows).to_html()
    page = _Page(html)
    assert page.open == []
    assert "script" not in page.tags
    assert page.text.count(NASTY) == 2
    for text in ("0.43210", "0.99987", "321", "7.5 ms", "12.5 ms"):
        assert text in page.text
    assert 'title="inference 9.0 ms"' in html
    assert "width:72.00%" in html, "the longest bar, 12.5 ms, is the whole width: 9 ms are 72 % of it"


def test_a_page_of_failures():
    page = _Page(BenchmarkTable(folder=Path(), rows=[_failed()]).to_html())
    assert "Not measured" in page.text
    assert "Latency" not in page.text


def test_the_table_has_dashes_for_what_is_not_known():
    head, first, second, error, _ = str(BenchmarkTable(folder=Path(), rows=[_row(), _failed()])).splitlines()
    assert head.split()[:2] == ["format", "MB"]
    assert first.split() == [
        "ONNX",
        "6.2",
        "1.5",
        "0.8",
        "0.43210",
        "0.99987",
        "1.0",
        "2.0",
        "4.0",
        "0.5",
        "7.5",
        "321",
    ]
    assert second.split() == ["RKNN", *"–" * 11, "failed"]
    assert error.startswith("RKNN: <script>")
