"""Adding, renaming or removing an option is a decision: it shows in `options.txt`, and in the generated files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ultralytics.cfg import OPTIONS, Config
from ultralytics.utils import ROOT, YAML

REPOSITORY = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).with_name("options.txt")


def test_the_options_are_those_that_were_decided_on():
    """If this is on purpose, correct tests/arch/options.txt by hand."""
    lines = [f"{option.name} = {option.default!r}" for option in OPTIONS.values()]
    assert "\n".join(lines) == SNAPSHOT.read_text(encoding="utf-8").strip()


def test_the_shipped_default_yaml_is_the_list():
    assert YAML.load(ROOT / "cfg" / "default.yaml") == Config().as_dict()


def test_generated_files_are_up_to_date():
    command = [sys.executable, str(REPOSITORY / "docs" / "generate.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
