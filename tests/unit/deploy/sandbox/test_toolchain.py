"""Toolchains: made when that is allowed, once, whole; recognised; removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from ultralytics.deploy.sandbox import environments, toolchain
from ultralytics.errors import ConfigError, MissingDependency, ToolchainMissing

ENSURE = """
import sys
from ultralytics.deploy.sandbox import toolchain
from ultralytics.deploy.format import Packages
packages = Packages(name="Tiny toolkit", pins=tuple(sys.argv[2].split()), megabytes=7)
print(toolchain.ensure(packages, sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A cache folder of one's own, with a name as users have them."""
    monkeypatch.setenv("YOLO_CACHE_DIR", str(tmp_path / "my cäche"))
    return tmp_path / "my cäche" / "toolchains"


def _folder(python):
    return python.parents[1]


def _ensure_elsewhere(packages, policy, **streams):
    command = [sys.executable, "-c", ENSURE, policy, " ".join(packages.pins)]
    return subprocess.Popen(command, **streams)


@pytest.mark.parametrize("policy", ["ask", "never"])
def test_nothing_is_made_unasked(policy, shell_packages, root):
    with pytest.raises(
        ToolchainMissing, match=r"tiny-toolkit==1\.0.*7 MB.*toolchain=auto.*YOLO_TOOLCHAIN=auto"
    ) as error:
        toolchain.ensure(shell_packages, policy)
    assert 'pip install "ultralytics-semantic[tiny]"' in str(error.value)
    assert isinstance(error.value, ImportError)
    assert not root.exists()


def test_the_line_to_type_names_the_pins_where_no_extra_has_them(shell_packages):
    with pytest.raises(ToolchainMissing, match=r'pip install "tiny-toolkit==1\.0" "numpy==0\.0\.1"'):
        toolchain.ensure(replace(shell_packages, extra=""), "never")


def test_packages_that_never_stand_beside_the_users_have_no_such_line(shell_packages):
    with pytest.raises(ToolchainMissing) as error:
        toolchain.ensure(replace(shell_packages, alone=True), "never")
    assert "pip install" not in str(error.value)


def test_auto_makes_it_and_later_uses_need_no_permission(shell_packages):
    before = sorted(f"{found.name}=={found.version}" for found in metadata.distributions())
    python = toolchain.ensure(shell_packages, "auto")
    run = [str(python), "-I", "-c", "import importlib.metadata as m; print(sorted(d.name for d in m.distributions()))"]
    installed = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert installed.strip() == "['numpy', 'pyyaml', 'tiny_toolkit']"
    assert toolchain.ensure(shell_packages, "never") == python
    assert sorted(f"{found.name}=={found.version}" for found in metadata.distributions()) == before


def test_the_variable_decides_in_place_of_ask_and_of_nothing_else(shell_packages, monkeypatch):
    monkeypatch.setenv("YOLO_TOOLCHAIN", "auto")
    with pytest.raises(ToolchainMissing):
        toolchain.ensure(shell_packages, "never")
    assert toolchain.ensure(shell_packages).exists()


@pytest.mark.parametrize(("answer", "made"), [(b"y\n", True), (b"n\n", False), (b"\n", False)])
def test_a_person_is_asked(shell_packages, answer, made):
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    process = _ensure_elsewhere(shell_packages, "ask", stdin=slave, stderr=slave, stdout=subprocess.PIPE)
    os.close(slave)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(master, 1024)
    os.write(master, answer)
    said = process.communicate()[0]
    os.close(master)
    assert b"7 MB" in shown
    assert b"tiny-toolkit==1.0" in shown
    assert (process.returncode == 0) is made
    assert bool(said) is made
    assert len(toolchain.toolchains()) == made


def test_a_folder_is_an_environment_or_a_place_for_some(shell_packages, tmp_path, monkeypatch):
    assert toolchain.ensure(shell_packages, sys.prefix) == environments.python_of(Path(sys.prefix))
    monkeypatch.setenv("YOLO_CACHE_DIR", str(tmp_path / "shared"))
    python = toolchain.ensure(shell_packages, "auto")
    monkeypatch.setenv("YOLO_CACHE_DIR", str(tmp_path / "mine"))
    assert toolchain.ensure(shell_packages, str(tmp_path / "shared" / "toolchains")) == python
    python.unlink()
    with pytest.raises(ToolchainMissing, match="lost its Python"):
        toolchain.ensure(shell_packages, str(python.parents[1]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ToolchainMissing, match="empty"):
        toolchain.ensure(shell_packages, str(tmp_path / "empty"))


def test_a_word_that_means_nothing_is_refused(shell_packages):
    with pytest.raises(ConfigError, match="Did you mean 'auto'"):
        toolchain.ensure(shell_packages, "atuo")


def test_other_pins_are_another_environment(shell_packages):
    more = replace(shell_packages, pins=shell_packages.pins[1:])
    assert toolchain.ensure(shell_packages, "auto") != toolchain.ensure(more, "auto")
    assert len(toolchain.toolchains()) == 2


def test_overrides_replace_what_packages_ask_for(shell_packages):
    packages = replace(shell_packages, overrides=("tiny-toolkit; sys_platform == 'never'",))
    assert _folder(toolchain.ensure(packages, "auto")).is_dir()
    assert toolchain.toolchains()[0].packages == ("numpy==0.0.1", "pyyaml==0.0.1")


def test_two_processes_make_it_once(shell_packages):
    processes = [_ensure_elsewhere(shell_packages, "auto", stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    (info,) = toolchain.toolchains()
    assert answers == {f"{environments.python_of(info.folder)}\n"}


def test_what_waited_finds_what_was_made(shell_packages, root):
    """The lock is held until the environment is there; whoever waits does not make it again."""
    folder = _folder(toolchain.ensure(shell_packages, "auto"))
    aside = folder.rename(root / ".aside")
    with environments.locked(folder):
        waiting = _ensure_elsewhere(shell_packages, "auto", stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1.5)
        made = aside.rename(folder).stat().st_ino
    assert waiting.communicate()[0].strip() == str(environments.python_of(folder))
    assert folder.stat().st_ino == made


def test_a_creation_that_fails_says_why_and_leaves_nothing(shell_packages, root):
    packages = replace(shell_packages, pins=(*shell_packages.pins, "no-such-toolkit==9"))
    with pytest.raises(ToolchainMissing, match=r"no-such-toolkit(.|\n)*UV_FIND_LINKS"):
        toolchain.ensure(packages, "auto")
    assert [path for path in root.iterdir() if path.suffix != ".lock"] == []


def test_an_interrupted_creation_is_not_taken_for_whole(shell_packages, root):
    python = toolchain.ensure(shell_packages, "auto")
    folder = _folder(python)
    (folder / environments.MARKER).unlink()
    partial = folder.with_name(f".{folder.name}.partial")
    (partial / "bin").mkdir(parents=True)
    with pytest.raises(ToolchainMissing, match="was not finished"):
        toolchain.ensure(shell_packages, "never")
    assert toolchain.toolchains()[0].fault == "was not finished"
    assert toolchain.ensure(shell_packages, "auto") == python
    assert environments.fault(folder) == ""
    assert not partial.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the uv that hangs is a shell script")
def test_a_killed_creation_holds_no_lock_and_is_begun_anew(shell_packages, tmp_path, monkeypatch, root):
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text('#!/bin/sh\nfor last; do :; done\nmkdir -p "$last/bin"\nexec sleep 60\n')
    uv.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{uv.parent}:/usr/bin:/bin")
        patched.delenv("UV_PYTHON")
        patched.setenv("UV_PYTHON_DOWNLOADS", "automatic")
        process = _ensure_elsewhere(shell_packages, "auto", start_new_session=True)
        while not list(root.glob(".*.partial/bin")):
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with pytest.raises(ToolchainMissing, match="has not been made yet"):
        toolchain.ensure(shell_packages, "never")
    assert toolchain.ensure(shell_packages, "auto").exists()
    assert not list(root.glob(".*.partial"))


def _add_a_package(site):
    (site / "evil-1.0.dist-info").mkdir()


def _change_a_file_list(site):
    with next(site.glob("tiny_toolkit-*/RECORD")).open("a") as record:
        record.write("evil.py,,\n")


def _run_at_start(site):
    (site / "evil.pth").write_text("import os\n")


def _remove_a_file(site):
    (site / "tiny_toolkit.py").unlink()


def _cut_a_file_off(site):
    (site / "tiny_toolkit.py").write_text("evil")


@pytest.mark.parametrize(
    "tamper", [_add_a_package, _remove_a_file, _cut_a_file_off, _change_a_file_list, _run_at_start]
)
def test_a_changed_environment_is_noticed_and_made_again(tamper, shell_packages):
    python = toolchain.ensure(shell_packages, "auto")
    (site,) = _folder(python).glob("lib/python*/site-packages")
    tamper(site)
    with pytest.raises(ToolchainMissing, match="was changed after it was made"):
        toolchain.ensure(shell_packages, "never")
    toolchain.ensure(shell_packages, "auto")
    assert toolchain.ensure(shell_packages, "never") == python
    assert not [path for path in site.rglob("*") if "evil" in path.name]


def test_an_environment_without_its_python_is_noticed(shell_packages):
    python = toolchain.ensure(shell_packages, "auto")
    python.unlink()
    with pytest.raises(ToolchainMissing, match="lost its Python"):
        toolchain.ensure(shell_packages, "never")


def test_without_uv_the_message_says_how_to_get_it(shell_packages, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "uv", None)
    with pytest.raises(MissingDependency, match="pip install uv"):
        toolchain.ensure(shell_packages, "auto")


def test_toolchains_are_listed_and_removed(shell_packages, root):
    assert toolchain.toolchain_table(toolchain.toolchains()) == f"0 toolchains in {root}"
    folder = _folder(toolchain.ensure(shell_packages, "auto"))
    toolchain.ensure(replace(shell_packages, name="other"), "auto")
    first, second = toolchain.toolchains()
    assert (first.name.split("-")[0], second.name) == ("other", folder.name)
    assert second.packages == ("numpy==0.0.1", "pyyaml==0.0.1", "tiny_toolkit==1.0")
    assert second.fault == ""
    assert folder.name in toolchain.toolchain_table([first, second])
    with pytest.raises(ConfigError, match="Unknown toolchain 'nothing'"):
        toolchain.clean([first.name, "nothing"])
    assert toolchain.clean([first.name]) == first.bytes > 0
    assert [info.name for info in toolchain.toolchains()] == [second.name]
    folder.with_name(f".{folder.name}.partial").mkdir()
    assert toolchain.clean() == second.bytes
    assert {path.suffix for path in root.iterdir()} == {".lock"}


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"YOLO_CACHE_DIR": "/a"}, "/a/toolchains"),
        ({"YOLO_CONFIG_DIR": "/b"}, "/b/cache/toolchains"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/ultralytics-semantic/toolchains"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="folders of Linux")
def test_the_cache_folder_can_be_moved(variables, folder, monkeypatch):
    for name in ("YOLO_CACHE_DIR", "YOLO_CONFIG_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert toolchain.toolchain_folder() == Path(folder)
