"""The validation page: complete, self-contained, and safe against names."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ultralytics.tasks.semantic.report import Case, write_report

NAMES = {0: "road", 1: "<script>alert('x')</script>", 2: "Straße"}
ROWS = [
    {"Class": "road", "Images": 2, "Pixels": 12345, "IoU": 0.5, "mIoU": 0.4},
    {"Class": NAMES[1], "Images": 1, "Pixels": 7, "IoU": float("nan"), "mIoU": 0.4},
]
CONFUSION = np.array([[90, 10, 0], [0, 50, 50], [0, 0, 0]])
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Checks that tags are balanced and collects what the page would load, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attributes if name in {"src", "href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def case(**changes: object) -> Case:
    label = np.array([[0, 1, 255], [0, 2, 2]], np.uint8).repeat(20, 0).repeat(20, 1)
    prediction = np.zeros_like(label)
    fields = {"file": "a & b.png", "score": 0.25, "image": np.zeros((40, 60, 3), np.uint8), "label": label}
    return Case(**{**fields, "prediction": prediction, **changes})


def report(tmp_path: Path, **changes: object) -> str:
    fields: dict = {
        "metrics": {"metrics/mIoU": 0.4321, "metrics/pixel_acc": 0.9, "images": 3},
        "names": NAMES,
        "per_class": ROWS,
        "confusion": CONFUSION,
        "worst": [case()],
        "settings": {"model": "best.pt", "imgsz": 480},
    }
    file = write_report(tmp_path / "new" / "report.html", **{**fields, **changes})
    assert file == tmp_path / "new" / "report.html"
    return file.read_text(encoding="utf-8")


def test_the_page_holds_what_it_was_given(tmp_path: Path) -> None:
    page = Page(report(tmp_path))
    assert page.open == []
    for text in ("0.4321", "0.9000", "12,345", "Straße", "best.pt", "480", "a & b.png", "0.2500", "int64"):
        assert text in page.text
    assert "mIoU" in page.text
    assert page.tags.count("img") == 1 + 4


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    html = report(tmp_path)
    links = Page(html).links
    assert all(link.startswith("data:image/") for link in links)
    assert not re.search(r"https?://|url\(|@import", html)
    for link in links:
        data = np.frombuffer(base64.b64decode(link.partition(",")[2]), np.uint8)
        assert cv2.imdecode(data, cv2.IMREAD_COLOR) is not None


def test_names_are_text_not_markup(tmp_path: Path) -> None:
    page = Page(report(tmp_path))
    assert "script" not in page.tags
    assert NAMES[1] in page.text


def test_largest_confusions_are_listed_by_share(tmp_path: Path) -> None:
    text = Page(report(tmp_path)).text
    table = text[text.index("Largest confusions") :]
    assert table.index("0.5000") < table.index("0.1000")


def test_the_share_of_wrong_pixels_leaves_ignored_ones_out(tmp_path: Path) -> None:
    assert "wrong: 60.0%" in Page(report(tmp_path)).text


@pytest.mark.parametrize("image", [np.zeros((40, 60), np.uint8), np.zeros((40, 60, 13), np.uint16)])
def test_any_image_and_tensors(tmp_path: Path, image: np.ndarray) -> None:
    ids = torch.zeros(40, 60, dtype=torch.int32)
    assert "wrong: 0.0%" in report(tmp_path, worst=[case(image=image, label=ids, prediction=ids)])


def test_one_class_has_a_background_row(tmp_path: Path) -> None:
    html = report(tmp_path, names=["crack"], confusion=np.array([[9, 1], [2, 8]]), per_class=[], worst=[])
    assert "background" in Page(html).text
    assert "No class has labelled pixels" in html


def test_nothing_but_figures(tmp_path: Path) -> None:
    html = report(tmp_path, worst=(), settings=None, confusion=np.zeros((3, 3)))
    assert "Worst images" not in html
    assert "Settings" not in html
