"""Every code block of the README and the docs is run, in order, one folder per page.

Trainings are cut to one epoch on a few small scenes; nothing else about a block is changed.
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from ultralytics import YOLO, cli, scenes, settings
from ultralytics.cfg import get_cfg, read_options
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.deploy import FORMATS
from ultralytics.utils.yamlio import YAML

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)

# Commands that make an environment; CI runs them as they stand.
SET_UP = ("pip ", "make ", "python -m pip ")
SMALL = {"epochs": 1, "imgsz": 64, "batch": 4, "workers": 0, "plots": False}


def _blocks(page: Path) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in BLOCK.finditer(page.read_text(encoding="utf-8"))]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's folder: pictures, weights of an official name, the embedded dataset in small."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "settings"))
    monkeypatch.setattr(scenes, "generate", functools.partial(scenes.generate, train=8, val=4, size=(64, 96)))
    settings.update(runs_dir=str(tmp_path / "runs"), datasets_dir=str(tmp_path / "datasets"))
    image, _ = scenes.scene(3, (96, 128))
    (tmp_path / "images").mkdir()
    for name in ("street.jpg", "images/a.jpg", "images/b.jpg"):
        (tmp_path / name).write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
    scenes.generate(tmp_path / "my-data")
    names = [kind.name.lower() for kind in scenes.StreetClass]
    YAML.save(tmp_path / "my-data" / "data.yaml", {"train": "images/train", "val": "images/val", "names": names})
    YOLO("yolo26n-sem.yaml").save(tmp_path / "yolo26n-sem.pt")

    train = YOLO.train

    def train_a_little(self: YOLO, *arguments: object, **options: object) -> object:
        small = dict(SMALL)
        if options.get("resume"):
            small = {"epochs": 2}
        return train(self, *arguments, **{**options, **small})

    monkeypatch.setattr(YOLO, "train", train_a_little)
    formats = list(FORMATS)
    yield tmp_path
    FORMATS[:] = formats  # a page may register one


def _run_python(code: str, page: Path) -> None:
    exec(compile(code, str(page), "exec"), {"__name__": page.stem})


def _run_shell(code: str) -> None:
    for line in filter(None, (line.partition(" #")[0].strip() for line in code.replace("\\\n", " ").splitlines())):
        if line.startswith(SET_UP):
            continue
        command, *arguments = shlex.split(line)
        assert command == "yolo", f"a shell block holds '{line}'"
        assert cli.main(arguments) == 0, line


def _check_yaml(text: str, folder: Path) -> None:
    """A YAML block is a dataset description of the folder `my-data`, or options of a run."""
    file = folder / "block.yaml"
    file.write_text(text, encoding="utf-8")
    if "names" in YAML.load(file):
        spec = DatasetSpec.load(file)
        assert spec.num_classes == len(spec.names) > 0
    else:
        get_cfg(read_options(file))


RUNNABLE = [page for page in PAGES if any(kind in {"python", "bash", "yaml"} for kind, _ in _blocks(page))]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_blocks_of_a_page_run(page, workplace):
    for kind, code in _blocks(page):
        if kind == "python":
            _run_python(code, page)
        elif kind == "bash":
            _run_shell(code)
        elif kind == "yaml":
            _check_yaml(code, workplace)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_files_lead_somewhere(page):
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), target
