"""Every byte of an environment has a hash, from its making on; what differs later is named."""

from __future__ import annotations

import os
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from ultralytics.cli import main
from ultralytics.deploy.sandbox import environments, integrity, toolchain
from ultralytics.errors import ConfigError, ToolchainMissing

NPM = """#!/bin/sh
mkdir -p "$3/node_modules/tiny" "$3/node_modules/.bin"
echo 'exports.answer = 42' > "$3/node_modules/tiny/index.js"
ln -s ../tiny/index.js "$3/node_modules/.bin/tiny"
"""


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A cache folder of one's own."""
    monkeypatch.setenv("YOLO_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "toolchains"


@pytest.fixture
def environment(shell_packages):
    """Folder of an environment."""
    return toolchain.ensure(shell_packages, "auto").parents[1]


@pytest.fixture
def site(environment):
    """Its folder of packages."""
    return integrity.site_folders(environment)[0]


@pytest.fixture
def node_packages(shell_packages, tmp_path, monkeypatch):
    """Packages of Python and of JavaScript; npm is a shell script."""
    if sys.platform == "win32":
        pytest.skip("the npm of this test is a shell script")
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(NPM)
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(npm.parent), os.environ["PATH"]]))
    return replace(shell_packages, npm=("tiny@1.0.0",))


def _exchange_a_byte(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def _path(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def test_nothing_differs_at_first_nor_after_python_compiled_it(environment, site):
    assert integrity.differences(environment) == {}
    (site / "__pycache__").mkdir()
    (site / "__pycache__" / "tiny_toolkit.cpython-311.pyc").write_bytes(b"compiled")
    assert integrity.differences(environment) == {}
    assert environments.fault(environment) == ""


def test_a_byte_that_changed_is_found_in_every_file(environment):
    files = [path for path in environment.rglob("*") if path.is_file() and not path.is_symlink()]
    for path in files:
        if path.stat().st_size and path.name != environments.MARKER and path != environment / integrity.RECORD:
            content = path.read_bytes()
            _exchange_a_byte(path)
            assert integrity.differences(environment).get(_path(path, environment)) == "was changed"
            path.write_bytes(content)
    assert integrity.differences(environment) == {}


def test_what_is_missing_or_added_is_found(environment, site):
    (site / "tiny_toolkit.py").unlink()
    (site / "tiny_toolkit").mkdir()
    (site / "tiny_toolkit" / "__init__.py").touch()
    assert integrity.differences(environment) == {
        _path(site / "tiny_toolkit.py", environment): "is missing",
        _path(site / "tiny_toolkit" / "__init__.py", environment): "is in no list",
    }


@pytest.mark.parametrize("damage", [b"\xff" * 10, b'"' + b"x" * 200_000], ids=["no text", "no row"])
def test_a_damaged_list_is_found(environment, site, damage):
    record = next(site.glob("tiny_toolkit-*/RECORD"))
    record.write_bytes(damage + record.read_bytes())
    assert environments.fault(environment) == "was changed after it was made"
    assert integrity.differences(environment)[_path(record, environment)] == "was changed"


def test_the_list_of_the_environment_is_kept_by_its_marker(environment):
    record = environment / integrity.RECORD
    _exchange_a_byte(record)
    assert environments.fault(environment) == "was changed after it was made"


def test_files_of_npm_are_listed_too(node_packages):
    folder = toolchain.ensure(node_packages, "auto").parents[1]
    file = folder / "node_modules" / "tiny" / "index.js"
    assert integrity.differences(folder) == {}
    _exchange_a_byte(file)
    assert environments.fault(folder) == ""  # its bytes are read on request only
    assert integrity.differences(folder) == {"node_modules/tiny/index.js": "was changed"}
    (folder / "node_modules" / "other.js").touch()
    assert integrity.differences(folder)["node_modules/other.js"] == "is in no list"
    file.write_bytes(b"cut")
    with pytest.raises(ToolchainMissing, match="was changed after it was made"):
        toolchain.ensure(node_packages, "never")


def test_a_wheel_that_is_not_what_it_says_makes_no_environment(shell_packages, wheels, tmp_path, monkeypatch, root):
    for wheel in wheels.glob("*-py3-none-any.whl"):
        with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(tmp_path / wheel.name, "w") as target:
            for name in source.namelist():
                target.writestr(name, b"evil" if name == "tiny_toolkit.py" else source.read(name))
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    with pytest.raises(ToolchainMissing, match=r"1 file: .*/tiny_toolkit\.py was changed"):
        toolchain.ensure(shell_packages, "auto")
    assert [path for path in root.iterdir() if path.suffix != ".lock"] == []


def test_check_reads_those_that_are_named_or_all(shell_packages, environment, site, capsys):
    other = toolchain.ensure(replace(shell_packages, name="other"), "auto").parents[1]
    assert main(["toolchains", "check"]) == 0
    assert capsys.readouterr().out.count("every file is as it was made") == 2
    _exchange_a_byte(site / "tiny_toolkit.py")
    (other / environments.MARKER).unlink()
    assert toolchain.check([other.name]) == {other.name: "was not finished"}
    assert main(["toolchains", "check", environment.name]) == 1
    told = capsys.readouterr().out
    assert "1 file: lib/" in told
    assert "tiny_toolkit.py was changed" in told
    assert f"yolo toolchains clean {environment.name}" in told
    assert other.name not in told
    with pytest.raises(ConfigError, match="Unknown toolchain 'nothing'"):
        toolchain.check(["nothing"])


def test_check_of_none_says_that_there_are_none(capsys, root):
    assert main(["toolchains", "check"]) == 0
    assert capsys.readouterr().out == f"0 toolchains in {root}\n"


def test_a_summary_names_the_first_five():
    faults = {f"{index}.py": "is missing" for index in range(6)}
    assert integrity.summary(faults) == (
        "6 files: 0.py is missing, 1.py is missing, 2.py is missing, 3.py is missing, 4.py is missing, …"
    )
