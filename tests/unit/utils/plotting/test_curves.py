"""Charts: what they show, and that no name or number breaks them. Warnings are errors here."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ultralytics.errors import ConfigError, MissingFile
from ultralytics.utils.plotting import plot_class_iou, plot_class_pixels, plot_confusion_matrix, plot_results
from ultralytics.utils.plotting.curves import confusion_figure

NAMES = ["road", "$x_1$ & 50%", "道路 🚗", "Straße"]
CSV = """epoch,time,train/ce_loss,val/ce_loss,train/aux_loss,val/aux_loss,metrics/mIoU,lr/pg0,lr/pg1
1,2.5,1.2,1.4,0.5,,0.1,0.01,0.1
2,5.0,0.9,nan,0.4,,0.3,0.02,0.05
3,7.5,0.7,inf,0.3,,0.2,0.01,0.01
"""


def read(path: Path) -> np.ndarray:
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)


class TestResults:
    @pytest.mark.parametrize("epochs", [1, 3])
    def test_draws_beside_the_file(self, tmp_path: Path, epochs: int) -> None:
        file = tmp_path / "results.csv"
        file.write_text("\n".join(CSV.splitlines()[: epochs + 1]))
        assert plot_results(file) == tmp_path / "results.png"
        assert (read(tmp_path / "results.png") < 128).any()

    def test_padded_columns_and_missing_cells(self, tmp_path: Path) -> None:
        file = tmp_path / "old.csv"
        file.write_text("   epoch,  train/ce_loss,  metrics/mIoU\n  1,  0.5,  0.2\n 2, 0.4\n")
        assert plot_results(file, tmp_path / "curves.jpg").is_file()

    def test_says_what_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(MissingFile, match=r"results\.csv"):
            plot_results(tmp_path / "results.csv")
        for text in ("", "epoch,metrics/mIoU\n", "epoch,metrics/mIoU\n1,\n"):
            (tmp_path / "results.csv").write_text(text)
            with pytest.raises(ConfigError, match="no figures"):
                plot_results(tmp_path / "results.csv")
        assert not (tmp_path / "results.png").exists()


class TestConfusion:
    matrix = np.array([[90, 10, 0, 0], [0, 50, 50, 0], [0, 0, 0, 0], [1, 0, 0, 999]], np.int64)

    @staticmethod
    def cells(figure: object) -> dict[tuple[float, float], str]:
        axis = figure.axes[0]  # type: ignore[attr-defined]
        return {text.get_position()[::-1]: text.get_text() for text in axis.texts}

    def test_rows_are_percent_of_the_label(self) -> None:
        cells = self.cells(confusion_figure(self.matrix, NAMES))
        assert cells == {(0, 0): "90", (0, 1): "10", (1, 1): "50", (1, 2): "50", (3, 3): "100"}

    def test_counts(self) -> None:
        matrix = self.matrix * 1234
        cells = self.cells(confusion_figure(matrix, NAMES, normalize=False))
        assert cells[(0, 0)] == "111k"
        assert cells[(0, 1)] == "12k"
        assert cells[(3, 0)] == "1.2k"
        assert cells[(3, 3)] == "1.2M"
        assert (2, 2) not in cells

    def test_rows_and_columns_are_named(self) -> None:
        wide = np.pad(self.matrix, ((0, 0), (0, 1)))
        axis = confusion_figure(wide, NAMES).axes[0]
        assert [label.get_text() for label in axis.get_yticklabels()] == NAMES
        assert [label.get_text() for label in axis.get_xticklabels()] == [*NAMES, "(no class)"]
        assert (axis.get_ylabel(), axis.get_xlabel()) == ("label", "predicted")

    @pytest.mark.parametrize("normalize", [True, False])
    @pytest.mark.parametrize("count", [1, 4, 70])
    def test_any_number_of_classes_can_be_written(self, tmp_path: Path, count: int, normalize: bool) -> None:
        names = {i: NAMES[i % 4] for i in range(count)}
        file = plot_confusion_matrix(np.eye(count) * 9, names, tmp_path / "c.png", normalize=normalize)
        assert (read(file) < 128).any()

    @pytest.mark.parametrize("normalize", [True, False])
    def test_an_empty_matrix_can_be_drawn(self, tmp_path: Path, normalize: bool) -> None:
        assert plot_confusion_matrix(np.zeros((3, 3)), NAMES, tmp_path / "c.png", normalize=normalize).is_file()


@pytest.mark.parametrize("iou", [[0.2, 0.9, np.nan, 0.0], [np.nan] * 4, [1.0]])
def test_class_iou(tmp_path: Path, iou: list[float]) -> None:
    assert (read(plot_class_iou(iou, NAMES, tmp_path / "iou.png")) < 128).any()


@pytest.mark.parametrize("pixels", [[10**9, 3, 0, 500], [0, 0, 0, 0], [7]])
def test_class_pixels(tmp_path: Path, pixels: list[int]) -> None:
    images = [min(count, 5) for count in pixels]
    file = plot_class_pixels(pixels, NAMES, tmp_path / "labels.jpg", images=images, num_images=5, ignored=100)
    assert (read(file) < 128).any()
    assert plot_class_pixels(pixels, {}, tmp_path / "bare.png").is_file()


def test_pyplot_and_the_settings_are_left_alone(tmp_path: Path) -> None:
    import matplotlib
    from matplotlib import pyplot as plt

    backend, settings = matplotlib.get_backend(), dict(matplotlib.rcParams)
    plot_class_iou([0.5], ["a"], tmp_path / "iou.png")
    assert plt.get_fignums() == []
    assert matplotlib.get_backend() == backend
    assert dict(matplotlib.rcParams) == settings
