"""The figures of a study show the values that they are given: read back from the axes, and from the pixels."""

from pathlib import Path

import numpy as np
import pytest
from edge_digits_study import plots
from edge_digits_study.plots import Answer, Fold
from edge_digits_study.results import History
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from edge_digits.report.charts import INK, LINE, SERIES, TONES


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    figures: list[Figure] = []
    save = plots._save

    def keep(figure: Figure, path: Path) -> None:
        figures.append(figure)
        save(figure, path)

    monkeypatch.setattr(plots, "_save", keep)
    return figures


def history(start: float) -> History:
    """Four epochs, each value different from all others."""
    return {
        "loss": [start + 0.4, start + 0.3, start + 0.2, start + 0.1],
        "val_loss": [start + 0.45, start + 0.35, start + 0.25, start + 0.15],
        "accuracy": [0.80, 0.85, 0.90, 0.95 - start],
        "val_accuracy": [0.79, 0.84, 0.89, 0.94 - start],
        "seconds": [1.0] * 4,
    }


def test_curves_are_means_over_seeds_with_a_band_of_the_deviation(drawn: list[Figure], tmp_path: Path) -> None:
    plots.curves(tmp_path / "curves.png", {"two seeds": [history(0.0), history(0.02)], "one seed": [history(0.01)]})
    (figure,) = drawn
    for axes, name in zip(figure.axes, ("loss", "val_loss", "accuracy", "val_accuracy"), strict=True):
        two, one = axes.lines
        seeds = np.array([history(0.0)[name], history(0.02)[name]])  # type: ignore[literal-required]
        np.testing.assert_allclose(two.get_ydata(), seeds.mean(axis=0))
        np.testing.assert_allclose(one.get_ydata(), history(0.01)[name])  # type: ignore[literal-required]
        assert list(two.get_xdata()) == [1, 2, 3, 4]
        assert (to_hex(two.get_color()), to_hex(one.get_color())) == SERIES[:2]
        (band,) = axes.collections
        top = band.get_paths()[0].vertices[:, 1].max()
        assert top == pytest.approx((seeds.mean(axis=0) + seeds.std(axis=0, ddof=1)).max())
        low, high = axes.get_ylim()
        assert all(low <= value <= high for line in axes.lines for value in line.get_ydata())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["two seeds", "one seed"]


def test_confusion_shows_every_count_and_colours_mistakes(drawn: list[Figure], tmp_path: Path) -> None:
    counts = np.diag(np.arange(10) + 1000)
    counts[4, 9], counts[7, 2] = 40, 10
    plots.confusion(tmp_path / "confusion.png", counts, "A title")
    (axes,) = drawn[0].axes
    texts = {(int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in axes.texts}
    assert texts == {(k, k): f"{1000 + k:,}" for k in range(10)} | {(4, 9): "40", (7, 2): "10"}
    colours = axes.images[0].get_array()
    assert {to_hex(colours[k, k]) for k in range(10)} == {LINE}
    assert to_hex(colours[4, 9]) == SERIES[0]
    assert to_hex(colours[0, 1]) == "#ffffff"
    assert colours[4, 9].sum() < colours[7, 2].sum() < 3, "fewer mistakes are paler"
    assert axes.get_title(loc="left") == "A title"


def test_gallery_shows_pictures_with_their_answers(drawn: list[Figure], tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
    answers = [Answer(image, k % 10, (k % 10) if k < 10 else 3, 0.5 + k / 100) for k, image in enumerate(images)]
    plots.gallery(tmp_path / "answers.png", answers, "A title")
    panels = drawn[0].axes
    assert len(panels) == 20
    for axes, answer in zip(panels, answers, strict=False):
        np.testing.assert_array_equal(axes.images[0].get_array(), 255 - answer.pixels)
        right = answer.truth == answer.answer
        assert axes.get_title() == f"{answer.truth} → {answer.answer}\n{100 * answer.confidence:.0f} %"
        assert axes.title.get_color() == (INK if right else TONES["bad"])
    assert not any(axes.images for axes in panels[12:])


def test_weights_shows_one_picture_for_each_unit(drawn: list[Figure], tmp_path: Path) -> None:
    kernel = np.random.default_rng(0).normal(size=(784, 12)).astype(np.float32)
    plots.weights(tmp_path / "weights.png", kernel, "A title")
    image = drawn[0].axes[0].images[0]
    wall = np.ma.filled(image.get_array(), np.nan)
    assert wall.shape == (2 * 31, 10 * 31)
    for unit in range(12):
        line, column = divmod(unit, 10)
        picture = wall[31 * line : 31 * line + 28, 31 * column : 31 * column + 28]
        np.testing.assert_array_equal(picture, kernel[:, unit].reshape(28, 28))
    assert np.isnan(wall[31:, 2 * 31 :]).all(), "there is no 13th unit"
    limit = np.percentile(np.abs(kernel), 99)
    assert image.get_clim() == pytest.approx((-limit, limit))


def test_folds_shows_each_fold_and_their_mean(drawn: list[Figure], tmp_path: Path) -> None:
    parts = [Fold(f"fold {k}", 97.0 + k, 96.0 - k) for k in range(3)]
    plots.folds(tmp_path / "folds.png", parts)
    (axes,) = drawn[0].axes
    points = [line for line in axes.lines if len(line.get_xdata()) == 3]
    assert [list(line.get_xdata()) for line in points] == [[97, 98, 99], [96, 95, 94]]
    assert [list(line.get_ydata()) for line in points] == [[0, 1, 2]] * 2
    assert [label.get_text() for label in axes.get_yticklabels()] == ["fold 0", "fold 1", "fold 2"]
    words = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert words == ["held out: 98.00 ± 1.00 %", "test: 95.00 ± 1.00 %"]


def test_a_saved_figure_keeps_its_colours(tmp_path: Path) -> None:
    counts = np.diag(np.full(10, 1000))
    counts[4, 9] = 40
    plots.confusion(tmp_path / "confusion.png", counts, "A title")
    with Image.open(tmp_path / "confusion.png") as image:
        assert image.mode == "P"
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    colours = {to_hex(np.array(pixel) / 255) for pixel in np.unique(pixels, axis=0)}
    assert {SERIES[0], LINE, "#ffffff"} <= colours
