"""Edge TPU: a compiler that is missing, fails or leaves all to the CPU, and a device that is not here."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats import edgetpu, litert
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.options import ExportOptions
from ultralytics.errors import MissingDependency, RuntimeUnavailable

METADATA = ModelMetadata(task="semantic", names={0: 'a "disc"', 1: "Straße"}, stride=32, imgsz=(64, 96), bits=8)
MODEL = b"\x1c\x00\x00\x00TFL3" + bytes(range(256))

posix = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for the compiler is a shell script")
COMPILER = """#!/bin/sh
if [ "$1" = --version ]; then echo "Edge TPU Compiler version 16.0.384591198"; exit; fi
[ "$1" = --show_operations ] && [ "$2" = --out_dir ] || exit 2
{body}
echo "Number of operations that will run on Edge TPU: 71"
echo "Number of operations that will run on CPU: 4"
"""


@pytest.fixture
def job(tmp_path):
    source = tmp_path / "via.tflite"
    source.write_bytes(MODEL)
    litert.write_metadata(source, METADATA)
    folder = tmp_path / "job"
    folder.mkdir()
    return ExportJob(
        folder=folder,
        artefact=folder / "best_edgetpu.tflite",
        options=ExportOptions(imgsz=(64, 96), bits=8),
        metadata=METADATA,
        weights=tmp_path / "best.pt",
        graph="",
        source=source,
    )


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Puts a program in the compiler's place that writes and says what the real one does."""

    def put(body: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "edgetpu_compiler"
        program.write_text(COMPILER.format(body=body), encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return put


def test_a_missing_compiler_says_where_it_comes_from(job, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingDependency, match=r"edgetpu-compiler.*coral\.ai"):
        edgetpu.convert(job)


@posix
def test_the_compiler_gets_the_model_alone(job, compiler):
    compiler('{ cat "$4"; echo edgetpu-custom-op; } > "$3/$(basename "$4" .tflite)_edgetpu.tflite"')
    metadata = edgetpu.convert(job)
    assert job.artefact.read_bytes() == MODEL + b"edgetpu-custom-op\n"
    assert metadata.tools == {
        "edgetpu_compiler": "16.0.384591198",
        "operators_edge_tpu": "71",
        "operators_cpu": "4",
    }


@posix
def test_a_failure_quotes_the_compiler(job, compiler):
    compiler("echo 'Model not quantized'; exit 1")
    with pytest.raises(RuntimeError, match="Model not quantized"):
        edgetpu.convert(job)


@posix
def test_a_file_with_nothing_for_the_chip_is_refused(job, compiler):
    compiler('cp "$4" "$3/$(basename "$4" .tflite)_edgetpu.tflite"')
    with pytest.raises(RuntimeError, match="left every operator to the CPU"):
        edgetpu.convert(job)


def _artefact(folder: Path) -> Path:
    path = folder / "best_edgetpu.tflite"
    path.write_bytes(MODEL + b"edgetpu-custom-op")
    edgetpu.embed(path, METADATA)
    return path


def test_metadata_are_replaced(tmp_path):
    path = _artefact(tmp_path)
    edgetpu.embed(path, replace(METADATA, parity={"equal_pixels": 0.5}))
    assert litert.read_metadata(path) == replace(METADATA, parity={"equal_pixels": 0.5})


def test_the_file_itself_is_looked_at(tmp_path):
    assert edgetpu.inspect(_artefact(tmp_path)) == {"edge_tpu_operators": 1, "metadata": "semantic"}


def test_a_machine_without_the_device_is_told_what_it_needs(tmp_path):
    with pytest.raises(RuntimeUnavailable, match=r"best_edgetpu\.tflite.*Coral Edge TPU.*libedgetpu"):
        edgetpu.Backend(_artefact(tmp_path))
