"""The picture of the curves."""

from pathlib import Path

import numpy as np
from edge_digits_train.engine import curves
from PIL import Image

HISTORY = {
    "loss": [2.0, 1.0, 0.5],
    "accuracy": [0.1, 0.5, 0.9],
    "val_loss": [2.1, 1.2, 0.8],
    "val_accuracy": [0.1, 0.4, 0.8],
}


def test_the_curves_of_a_history() -> None:
    figure = curves.draw(HISTORY, "cnn-8-16-32")
    assert figure.get_suptitle() == "cnn-8-16-32"
    loss, accuracy = figure.axes
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        assert axes.get_title() == name
        training, validation = axes.get_lines()
        assert training.get_xdata().tolist() == validation.get_xdata().tolist() == [1, 2, 3]
        assert training.get_ydata().tolist() == HISTORY[name]
        assert validation.get_ydata().tolist() == HISTORY[f"val_{name}"]
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation"]
        # Epochs are whole numbers.
        assert all(tick == round(tick) for tick in axes.get_xticks())


def test_the_file_is_a_png_that_shows_the_curves(tmp_path: Path) -> None:
    pictures = []
    for history in (HISTORY, HISTORY | {"val_loss": [2.1, 1.9, 1.9]}):
        curves.save_curves(tmp_path / "curves.png", history, "cnn-8-16-32")
        with Image.open(tmp_path / "curves.png") as picture:
            assert (picture.format, picture.size) == ("PNG", (1000, 400))
            pictures.append(np.asarray(picture.convert("L")).astype(int))
    changed = (pictures[0] != pictures[1]).any(axis=0)
    # The other validation loss is drawn on the left half, and the right one stays as it was.
    assert changed[:500].any()
    assert not changed[500:].any()


def test_one_epoch_is_drawn_as_a_point() -> None:
    figure = curves.draw({name: values[:1] for name, values in HISTORY.items()}, "short")
    assert [line.get_marker() for axes in figure.axes for line in axes.get_lines()] == ["o"] * 4
    assert figure.axes[0].get_xlim()[0] < 1 < figure.axes[0].get_xlim()[1]
