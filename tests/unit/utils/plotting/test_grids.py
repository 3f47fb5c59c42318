"""Contact sheets and image files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ultralytics.errors import ConfigError
from ultralytics.utils.plotting import LegendEntry, contact_sheet, save_grid, write_image
from ultralytics.utils.plotting.grids import legend_strip


def plain(height: int, width: int, color: tuple[int, int, int]) -> np.ndarray:
    return np.full((height, width, 3), color, np.uint8)


def shows(sheet: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((sheet == color).all(axis=2).sum())


RED, BLUE, GREEN = (0, 0, 255), (255, 0, 0), (0, 255, 0)


def test_every_picture_is_there_side_by_side() -> None:
    sheet = contact_sheet([[plain(40, 60, RED), plain(40, 60, BLUE)], [plain(40, 60, GREEN)]], columns=1)
    for color in (RED, BLUE, GREEN):
        assert shows(sheet, color) == pytest.approx(80 * 120, rel=0.05)
    assert shows(sheet, (255, 255, 255)) > 0


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_the_sheet_keeps_to_its_width(count: int) -> None:
    sheet = contact_sheet([[plain(50, 70, RED)]] * count, ["name"] * count, max_width=300)
    assert sheet.shape[1] <= 300
    assert shows(sheet, RED) > 0


def test_pictures_of_different_sizes_and_kinds() -> None:
    sheet = contact_sheet([[plain(30, 60, RED), np.zeros((60, 20), np.uint8)], [plain(90, 10, BLUE)], []])
    assert shows(sheet, RED)
    assert shows(sheet, BLUE)


def test_no_pictures_make_an_empty_sheet() -> None:
    assert (contact_sheet([]) == 255).all()


def test_titles_and_legend_take_room_of_their_own() -> None:
    bare = contact_sheet([[plain(50, 70, RED)]])
    titled = contact_sheet([[plain(50, 70, RED)]], ["дорога.png"], legend=[LegendEntry(GREEN, "Straße", "5%")])
    assert titled.shape[0] > bare.shape[0]
    assert shows(titled, RED) == shows(bare, RED)
    assert shows(titled, GREEN) > 0


def test_a_legend_wraps() -> None:
    entries = [LegendEntry(GREEN, f"class {i}") for i in range(30)]
    narrow, wide = legend_strip(entries, 200), legend_strip(entries, 2000)
    assert narrow.shape[1] == 200
    assert narrow.shape[0] > wide.shape[0]
    assert shows(narrow, GREEN) == shows(wide, GREEN)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_written_images_read_back(tmp_path: Path, suffix: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    file = write_image(tmp_path / "új mappa" / f"kép{suffix}", image)
    assert np.array_equal(cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR), image)


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".webp"])
def test_lossy_formats_come_close(tmp_path: Path, suffix: str) -> None:
    file = save_grid(tmp_path / f"grid{suffix}", [[plain(40, 40, (90, 90, 90))]])
    assert shows(cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR) // 8, (11, 11, 11)) > 1000


def test_unknown_formats_are_refused_before_a_file_is_made(tmp_path: Path) -> None:
    for name in ("a.xyz", "a"):
        with pytest.raises(ConfigError, match="Cannot write"):
            write_image(tmp_path / name, plain(2, 2, RED))
    assert list(tmp_path.iterdir()) == []
