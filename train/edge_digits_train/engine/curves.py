"""The loss and accuracy curves of a training as one picture."""

import os
from collections.abc import Mapping

from edge_digits_runtime.records import files
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def save_curves(path: str | os.PathLike[str], history: Mapping[str, list[float]], title: str) -> None:
    """Write the picture of `draw` as a PNG of 1000 × 400 pixels."""
    with files.replacing(path) as temporary:
        draw(history, title).savefig(temporary, dpi=100)


def draw(history: Mapping[str, list[float]], title: str) -> Figure:
    """Draw loss and accuracy side by side, training and validation in each.

    Args:
        history: ``loss``, ``accuracy``, ``val_loss`` and ``val_accuracy`` by epoch.
        title: of the whole picture.
    """
    # The Agg canvas is named and pyplot avoided: no display is needed, and the caller's backend stays as it is.
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    epochs = range(1, len(history["loss"]) + 1)
    for axes, (name, label) in zip(
        figure.subplots(1, 2), (("loss", "cross-entropy"), ("accuracy", "share of right answers")), strict=True
    ):
        axes.plot(epochs, history[name], marker="o", markersize=3, label="training")
        axes.plot(epochs, history[f"val_{name}"], marker="o", markersize=3, label="validation")
        axes.set(xlabel="epoch", ylabel=label, title=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure
