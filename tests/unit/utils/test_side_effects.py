"""What toolkits change for the whole process is put back."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from ultralytics.utils.side_effects import preserve_process_state


def test_folder_and_root_handlers_are_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    before = list(logging.root.handlers)

    def misbehave() -> None:
        os.chdir(tmp_path / "elsewhere")
        logging.root.addHandler(logging.NullHandler())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), preserve_process_state():
        misbehave()
    assert Path.cwd() == tmp_path
    assert logging.root.handlers == before
