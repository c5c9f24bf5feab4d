"""The figures of the page of a study: small PNG files on white, in the style of the figures of the report."""

import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from edge_digits_runtime.mnist_format import DIGITS
from edge_digits_runtime.records import files
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray
from PIL import Image

from edge_digits.formatting import percent
from edge_digits.report.charts import INK, LINE, MUTED, SERIES, TONES, drawing
from edge_digits_study.results import History
from edge_digits_study.together import Model

_Curve = Literal["loss", "val_loss", "accuracy", "val_accuracy"]
_DPI = 144
_WIDTH = 8.4
_DASHES = "-", (0, (5, 1.5)), (0, (2, 1))
_FLOOR = 0.01
"""Losses below this share of the lowest validation loss lie outside the axes."""
_MARKERS = "osD^v*"
"""Markers of several groups in one figure, in the order of the colours."""
_CURVES: tuple[tuple[_Curve, _Curve], ...] = (("loss", "val_loss"), ("accuracy", "val_accuracy"))
"""What each panel shows, by line and column."""


@dataclass(frozen=True)
class Answer:
    """A picture and the answer of a network."""

    pixels: NDArray[np.uint8]
    """Shape ``(28, 28)``, 255 ink."""
    truth: int
    answer: int
    confidence: float
    """Confidence of the answer in [0, 1]."""


@dataclass(frozen=True)
class Fold:
    """One fold of a k-fold cross-validation."""

    name: str
    held_out: float
    """Accuracy on the pictures held out, in percent."""
    test: float
    """Accuracy on the test pictures, in percent."""


def curves(path: Path, histories: Mapping[str, Sequence[History]]) -> None:
    """Draw loss and accuracy by epoch on training and validation pictures: mean over seeds, ± std as a band.

    Args:
        path: the file.
        histories: for each title of a system one history for each seed, all equally long; at most six systems.
    """
    with drawing(_WIDTH, 5.2) as figure:
        panels = figure.subplots(2, 2, sharex=True, sharey="row")
        for axes, name in zip(panels.flat, itertools.chain(*_CURVES), strict=True):
            for k, (title, seeds) in enumerate(histories.items()):
                _curve(axes, np.array([seed[name] for seed in seeds]), title, k)
        losses, accuracies = (np.concatenate([_settled(axes) for axes in line]) for line in panels)
        panels[0, 0].set_yscale("log")
        # The training loss can fall to nothing, which would leave no room for all others.
        floor = _FLOOR * _settled(panels[0, 1]).min()
        panels[0, 0].set_ylim(0.8 * losses[losses > floor].min(initial=1), 1.25 * (losses.max() or 1))
        panels[0, 0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panels[0, 0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panels[0, 0].yaxis.set_minor_formatter(NullFormatter())
        margin = 0.05 * np.ptp(accuracies) + 1e-4
        panels[1, 0].set_ylim(accuracies.min() - margin, accuracies.max() + margin)
        panels[1, 0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.5g} %"))
        panels[0, 0].set_ylabel("cross-entropy, nats")
        panels[1, 0].set_ylabel("accuracy")
        for axes, title in zip(panels[0], ("training", "validation"), strict=True):
            axes.set_title(title)
        for axes in panels[1]:
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panels[0, 0].set_xlim(left=0.5)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=3, labelcolor=INK)
        _save(figure, path)


def confusion(path: Path, counts: NDArray[np.int64], title: str) -> None:
    """Draw the confusion matrix ``counts``, shape ``(10, 10)``, coloured by the share of the pictures of each digit."""
    # The scale shows the mistakes only; the diagonal is grey.
    wrong = counts * ~np.eye(DIGITS, dtype=bool)
    strength = (wrong / np.maximum(counts.sum(axis=1, keepdims=True), 1))[..., np.newaxis]
    strength = strength / (strength.max() or 1)
    colours = 1 - strength * (1 - np.array(to_rgb(SERIES[0])))
    colours[np.diag_indices(DIGITS)] = to_rgb(LINE)
    with drawing(5.2, 5.0) as figure:
        axes = figure.subplots()
        axes.grid(visible=False)
        axes.imshow(colours)
        for (truth, answer), count in np.ndenumerate(counts):
            if count:
                colour = "white" if strength[truth, answer] > 0.6 else INK
                axes.text(answer, truth, f"{count:,}", ha="center", va="center", color=colour, fontsize=8)
        axes.set_xticks(range(DIGITS))
        axes.set_yticks(range(DIGITS))
        axes.tick_params(length=0)
        axes.set_xlabel("answer")
        axes.set_ylabel("true digit")
        axes.set_title(title)
        _save(figure, path)


def gallery(path: Path, answers: Sequence[Answer], title: str) -> None:
    """Draw pictures as dark ink, ten in a row, with true → answered digit and the confidence; wrong ones in red.

    Args:
        path: the file.
        answers: at least one answer.
        title: title of the figure; may have several lines.
    """
    columns = 10
    lines = -(-len(answers) // columns)
    with drawing(7.0, 0.45 + 1.05 * lines) as figure:
        figure.suptitle(title, x=0.005, ha="left", fontsize=9, fontweight="bold")
        panels = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes in panels:
            axes.set_axis_off()
        for axes, one in zip(panels, answers, strict=False):
            axes.imshow(255 - one.pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            colour = INK if one.truth == one.answer else TONES["bad"]
            words = f"{one.truth} → {one.answer}\n{percent(one.confidence, 0)}"
            axes.set_title(words, color=colour, loc="center", fontweight="normal", fontsize=8, pad=2)
        _save(figure, path)


def weights(path: Path, kernel: NDArray[np.float32], title: str) -> None:
    """Draw the weights from the pixels to each unit of a dense first layer: red negative, blue positive.

    Args:
        path: the file.
        kernel: weights, shape ``(784, units)``.
        title: title of the figure.
    """
    columns, side = 10, 28
    units = kernel.shape[1]
    # One picture of all units: one axes object for each would take seconds.
    pictures = np.full((-(-units // columns) * columns, side + 3, side + 3), np.nan)
    pictures[:units, :side, :side] = kernel.T.reshape(units, side, side)
    wall = pictures.reshape(-1, columns, side + 3, side + 3).swapaxes(1, 2).reshape(-1, columns * (side + 3))
    # The scale ends at the 99th percentile, so that a few large weights do not make all others pale.
    limit = float(np.percentile(np.abs(kernel), 99)) or 1.0
    with drawing(_WIDTH, 0.3 + 0.75 * (len(wall) / (side + 3))) as figure:
        axes = figure.subplots()
        axes.set_title(title)
        axes.set_axis_off()
        image = axes.imshow(wall, cmap="RdBu", vmin=-limit, vmax=limit, interpolation="nearest")
        bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=30, extend="both")
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8)
        _save(figure, path)


def folds(path: Path, parts: Sequence[Fold]) -> None:
    """Draw the accuracy of each fold on the pictures held out and on the test pictures, with mean and ± std.

    Args:
        path: the file.
        parts: at least two folds.
    """
    names = [part.name for part in parts]
    with drawing(5.8, 0.9 + 0.34 * len(parts)) as figure:
        axes = figure.subplots()
        for values, label, colour, marker in (
            (np.array([part.held_out for part in parts]), "held out", SERIES[0], "o"),
            (np.array([part.test for part in parts]), "test", SERIES[1], "D"),
        ):
            mean, std = values.mean(), values.std(ddof=1)
            axes.axvline(mean, color=colour, linewidth=1.2)
            axes.axvspan(mean - std, mean + std, color=colour, alpha=0.14, linewidth=0)
            name = f"{label}: {mean:.2f} ± {std:.2f} %"
            axes.plot(values, range(len(parts)), marker, color=colour, markersize=6, label=name)
        axes.set_yticks(range(len(parts)), names)
        axes.set_ylim(len(parts) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel("accuracy, %")
        figure.legend(loc="outside upper left", ncols=2, labelcolor=INK)
        _save(figure, path)


def sizes(path: Path, groups: Mapping[str, Sequence[Model]]) -> None:
    """Draw the share of wrong answers against parameters, multiply-accumulates and bytes, float and int8.

    Args:
        path: the file.
        groups: for each title of a group its models, at least one; at most six groups.
    """
    with drawing(10.0, 4.2) as figure:
        panels = figure.subplots(1, 3, sharey=True)
        for k, (title, models) in enumerate(groups.items()):
            for model in models:
                by_float = model.parameters, model.macs, model.float_bytes
                by_int8 = model.parameters, model.macs, model.int8_bytes
                for accuracy, places, filled in (
                    (model.float_accuracy, by_float, False),
                    (model.int8_accuracy, by_int8, True),
                ):
                    for axes, place in zip(panels, places, strict=True):
                        if accuracy is None or place is None:
                            continue
                        face = SERIES[k] if filled else "none"
                        axes.plot(place, 100 - accuracy, _MARKERS[k], color=SERIES[k], markerfacecolor=face, alpha=0.8)
            panels[0].plot([], [], _MARKERS[k], color=SERIES[k], label=title)
        panels[0].plot([], [], "o", color=MUTED, markerfacecolor="none", label="hollow: float")
        panels[0].plot([], [], "o", color=MUTED, label="filled: int8")
        for axes, title in zip(panels, ("parameters", "multiply-accumulates", "bytes"), strict=True):
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_title(title)
        # Few wrong answers are at the top.
        panels[0].invert_yaxis()
        panels[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panels[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 - value:.4g} %"))
        panels[0].yaxis.set_minor_formatter(NullFormatter())
        panels[0].set_ylabel("test accuracy")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, labelcolor=INK)
        _save(figure, path)


def _curve(axes: Axes, values: NDArray[np.float64], label: str, number: int) -> None:
    """A line for ``values`` of shape ``(seeds, epochs)``, in colour and dashes of its own."""
    colour, dashes = SERIES[number], _DASHES[number % len(_DASHES)]
    epochs = np.arange(1, values.shape[1] + 1)
    mean = values.mean(axis=0)
    marker = "o" if len(epochs) <= 10 else ""
    axes.plot(epochs, mean, color=colour, linewidth=1.5, linestyle=dashes, marker=marker, markersize=3, label=label)
    if len(values) > 1:
        std = values.std(axis=0, ddof=1)
        # Below the lowest seed there is nothing, and a logarithmic axis ends above 0.
        lower = np.maximum(mean - std, values.min(axis=0))
        axes.fill_between(epochs, lower, mean + std, color=colour, alpha=0.18, linewidth=0)


def _settled(axes: Axes) -> NDArray[np.float64]:
    """Return all values except those of the first 5 % of the epochs, which would make the range too large."""
    lines = [np.asarray(line.get_ydata(), np.float64) for line in axes.lines]
    return np.concatenate([line[len(line) // 20 :] for line in lines])


def _save(figure: Figure, path: Path) -> None:
    """Write the figure, whole or not at all."""
    figure.set_facecolor("white")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, dpi=_DPI, format="png")
    with Image.open(buffer) as image, files.replacing(path) as temporary:
        # 256 colours take half the bytes, without a visible difference.
        image.convert("RGB").quantize(256).save(temporary, "PNG", optimize=True)
