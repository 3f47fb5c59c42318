"""What the user told pip is told to uv, unless uv was told otherwise."""

from __future__ import annotations

import os
import sys

import pytest

from ultralytics.deploy.sandbox.pip_settings import pip_settings, uv_settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="places of configuration files as on POSIX")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home and a machine without settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    return tmp_path


def _environ(home, **more):
    return {"PIP_CONFIG_FILE": str(home / "pip.ini"), **more}


def _variables(**more):
    return {"PIP_CONFIG_FILE": os.devnull, **more}


def test_variables_become_arguments(home):
    environ = _variables(
        PIP_INDEX_URL="https://mirror/simple",
        PIP_EXTRA_INDEX_URL="https://one/simple  https://two/simple",
        PIP_FIND_LINKS=f"{home} https://wheels/",
        PIP_TRUSTED_HOST="mirror",
        PIP_NO_INDEX="true",
    )
    assert uv_settings(environ)[0] == [
        "--default-index=https://mirror/simple",
        "--index=https://one/simple",
        "--index=https://two/simple",
        "--index-strategy=unsafe-best-match",
        f"--find-links={home}",
        "--find-links=https://wheels/",
        "--no-index",
        "--allow-insecure-host=mirror",
    ]


def test_local_folders_that_do_not_exist_are_passed_over(home):
    (home / "simple").mkdir()
    environ = _variables(
        PIP_FIND_LINKS=f"{home}/gone",
        PIP_EXTRA_INDEX_URL=f"file://{home}/gone file://{home}/simple",
        PIP_CERT="/gone",
    )
    arguments, variables = uv_settings(environ)
    assert arguments == [f"--index=file://{home}/simple", "--index-strategy=unsafe-best-match"]
    assert variables == {}


def test_what_uv_was_told_goes_before(home):
    certificates = home / "ca.pem"
    certificates.touch()
    environ = _variables(
        PIP_INDEX_URL="https://a",
        PIP_EXTRA_INDEX_URL="https://b",
        PIP_FIND_LINKS="https://c",
        PIP_CERT=str(certificates),
    )
    told = {"UV_DEFAULT_INDEX": "x", "UV_INDEX": "x", "UV_FIND_LINKS": "x", "SSL_CERT_FILE": "x"}
    assert uv_settings({**environ, **told}) == ([], {})
    assert uv_settings(environ)[1] == {"SSL_CERT_FILE": str(certificates)}
    assert "--index-strategy=unsafe-best-match" not in uv_settings({**environ, "UV_INDEX_STRATEGY": "first-index"})[0]


def test_files_count_less_than_variables_and_install_more_than_global(home):
    (home / "pip.ini").write_text(
        "[global]\nindex-url = https://global\nfind-links =\n    https://a\n    https://b\ntimeout = 60\n"
        "[install]\nindex-url = https://install\n[download]\ncert = /x\n"
    )
    found = pip_settings(_environ(home))
    assert found["index-url"] == "https://install"
    assert found["find-links"] == "https://a https://b"
    assert "timeout" not in found
    assert found.get("cert") != "/x"
    assert pip_settings(_environ(home, PIP_INDEX_URL="https://variable"))["index-url"] == "https://variable"


def test_a_nearer_file_counts_more(home):
    for folder, url in ((home / "machine/pip", "https://machine"), (home / "user/pip", "https://user")):
        folder.mkdir(parents=True)
        (folder / "pip.conf").write_text(f"[global]\nindex-url = {url}\n")
    machine = {"XDG_CONFIG_DIRS": str(home / "machine")}
    assert pip_settings(machine)["index-url"] == "https://machine"
    assert pip_settings({**machine, "XDG_CONFIG_HOME": str(home / "user")})["index-url"] == "https://user"


def test_the_null_device_switches_files_off_and_damaged_ones_are_passed_over(home):
    (home / "pip.ini").write_text("no section at all")
    assert "index-url" not in pip_settings(_environ(home))
    assert pip_settings({"PIP_CONFIG_FILE": os.devnull}) == {}
