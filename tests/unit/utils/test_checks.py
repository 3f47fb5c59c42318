from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.errors import ConfigError, MissingFile
from ultralytics.utils.checks import check_file, check_imgsz, check_version, checks, reference_conflict

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("imgsz", "options", "fitting"),
    [
        (640, {}, [640, 640]),
        ([480, 640], {}, [480, 640]),
        ((641,), {}, [672, 672]),
        ([1, 33], {}, [32, 64]),
        (100, {"stride": 8}, [104, 104]),
        (32, {"floor": 50}, [64, 64]),
    ],
)
def test_sizes_are_rounded_up_to_the_stride(imgsz, options, fitting):
    assert check_imgsz(imgsz, **options) == fitting


@given(st.lists(st.integers(1, 5000), min_size=2, max_size=2), st.sampled_from([8, 16, 32, 64]))
def test_a_fitting_size_is_the_next_multiple(sides, stride):
    for side, fitting in zip(sides, check_imgsz(sides, stride), strict=True):
        assert fitting % stride == 0
        assert side <= fitting < side + stride


def test_a_change_is_told_once(caplog):
    caplog.set_level(logging.WARNING, logger="ultralytics")
    assert [check_imgsz(6401) for _ in range(3)] == [[6432, 6432]] * 3
    check_imgsz(6400)
    assert [record.getMessage() for record in caplog.records] == [
        "imgsz=6401 becomes [6432, 6432]: sides are multiples of the network's stride 32."
    ]


@pytest.mark.parametrize("imgsz", [0, -32, [], [0, 64], [1, 2, 3]])
def test_what_is_no_size_is_refused(imgsz):
    with pytest.raises(ConfigError, match="is not a size"):
        check_imgsz(imgsz)


def test_a_file_is_found_by_path_or_below_a_folder(tmp_path, monkeypatch):
    (tmp_path / "ä").mkdir()
    (tmp_path / "ä" / "data.yaml").touch()
    assert check_file(tmp_path / "ä" / "data.yaml") == tmp_path / "ä" / "data.yaml"
    assert check_file("data.yaml", [tmp_path, tmp_path / "ä"]) == tmp_path / "ä" / "data.yaml"
    monkeypatch.chdir(tmp_path / "ä")
    assert check_file("data.yaml", [tmp_path]) == Path("data.yaml")


def test_a_missing_file_names_the_places_and_a_neighbour(tmp_path):
    (tmp_path / "data.yaml").touch()
    with pytest.raises(MissingFile, match=r"Did you mean '.*data\.yaml'") as caught:
        check_file(tmp_path / "dta.yaml", [tmp_path / "other"])
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(MissingFile, match=r"Looked for: .*other"):
        check_file("nothing.like.it", [tmp_path / "other"])
    with pytest.raises(MissingFile):
        check_file(tmp_path)


@pytest.mark.parametrize(
    ("current", "required", "meets"),
    [
        ("2.13.0+cpu", ">=2.4,<3", True),
        ("2.4", "2.4.0", True),
        ("2.4.0a0+git", ">= 2.4", True),
        ("2.9", ">2.10", False),
        ("2.10.1", ">2.10", True),
        ("1.0", "1.0.1", False),
        ("v3.1", "==3.1", True),
        ("3.1", "!=3.1", False),
        ("3.0", "<=3", True),
        ("1.4", "~=1.0", True),
        ("2.0", "~=1.0", False),
    ],
)
def test_versions_compare_by_their_numbers(current, required, meets):
    assert check_version(current, required) is meets


def test_what_is_no_version_is_refused():
    with pytest.raises(ConfigError, match="new"):
        check_version("new", "1.0")
    with pytest.raises(ConfigError, match="=>1"):
        check_version("1.0", "=>1")


def test_the_report_names_this_installation(caplog):
    caplog.set_level(logging.INFO, logger="ultralytics")
    report = checks()
    assert report["Python"].endswith(sys.executable)
    assert "numpy" in report["Packages"]
    assert report["PyTorch"][0].isdigit()
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert all(value in text for value in report.values())
    assert checks(verbose=False).keys() == report.keys()


def _install_reference(folder: Path) -> None:
    """Leave the traces of an installed distribution named `ultralytics`."""
    info = folder / "ultralytics-8.4.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ultralytics\nVersion: 8.4.0\n")


def test_the_reference_distribution_beside_this_one_is_reported(tmp_path, monkeypatch):
    assert reference_conflict() is None
    _install_reference(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "ultralytics' 8.4.0 is installed" in reference_conflict()
    assert "pip uninstall" in reference_conflict()


def test_the_report_works_without_torch(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')")
    _install_reference(tmp_path)
    code = "import ultralytics; ultralytics.checks()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "cannot be imported (no torch here)" in result.stdout
    assert "pip uninstall" in result.stdout
