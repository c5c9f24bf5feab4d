"""The figures of the HTML report.

Each function draws one figure for a light background and returns it as an SVG file. On a dark page the style sheet
reverses its lightness; the colours here can be read on both.
"""

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib
import numpy as np
from edge_digits_runtime.records.layers import LayerRecord
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, PercentFormatter

from edge_digits.formatting import microseconds, percent
from edge_digits.paired import wilson_interval
from edge_digits.report.reliability import WANTED_ACCURACY
from edge_digits.report.structure import ORIGINAL, Row
from edge_digits.report.verdict import tone

INK, MUTED, LINE = "#16191d", "#5d6670", "#ccd2d9"
TONES = {"plain": "#5d6670", "bad": "#b3261e", "good": "#1b7a36"}
"""Colours of a difference, by `edge_digits.report.verdict.tone`."""
SERIES = ("#2f5fc4", "#c2620e", "#12806f", "#7d3fa6", "#96780c", "#45505c")
"""Colours of several lines in one figure, in order."""
_STYLE = {
    # Text stays text: it is smaller than its outlines, and can be searched.
    "svg.fonttype": "none",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    # The same figure is the same file.
    "svg.hashsalt": "edge-digits",
    # A dollar sign in the name of a model is not a formula.
    "text.parse_math": False,
    "text.color": INK,
    "font.size": 9,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
}
_DASHED = (0, (4, 3))
_WIDTH = 5.4
_NAME_WIDTH = 27


def drops(rows: Sequence[Row]) -> bytes:
    """Draw the drop of each row with its 95 % interval, coloured only if it is beyond chance.

    Args:
        rows: rows with a drop, at least one.
    """
    with drawing(_WIDTH, _height(rows)) as figure:
        axes = figure.subplots()
        axes.axvline(0, color=MUTED, linewidth=1)
        for y, row in enumerate(rows):
            assert row.drop
            colour = TONES[tone(row.drop)]
            axes.plot(row.drop.interval_pp, [y, y], color=colour, linewidth=2, solid_capstyle="round")
            axes.plot(row.drop.drop_pp, y, "o", color=colour, markersize=6)
        _name_rows(axes, rows)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel("drop in percentage points (right of 0: worse)")
        return _svg(figure)


def latencies(rows: Sequence[Row]) -> bytes:
    """Draw median, 90th and 99th percentile of both latencies of each row on a logarithmic axis.

    An invocation has a filled dot, the way from a picture file to the answer a hollow one.

    Args:
        rows: rows with a latency, at least one.
    """
    with drawing(_WIDTH, _height(rows)) as figure:
        axes = figure.subplots()
        for y, row in enumerate(rows):
            colour = MUTED if row.role == ORIGINAL else SERIES[0 if row.role == "int8" else 1]
            for latency, face in ((row.latency, colour), (row.file, "white")):
                if latency:
                    axes.plot([latency.p50, latency.p99], [y, y], color=colour, linewidth=2, solid_capstyle="round")
                    axes.plot(latency.p90, y, "|", color=colour, markersize=9, markeredgewidth=2)
                    axes.plot(latency.p50, y, "o", color=colour, markerfacecolor=face, markersize=6)
        axes.set_xscale("log")
        _plain_log_ticks(axes)
        _name_rows(axes, rows)
        axes.set_xlabel("µs a picture")
        return _svg(figure)


def layers(record: LayerRecord) -> bytes:
    """Draw what each layer loses in int8 as a share of its signal, in their order, the largest coloured."""
    with drawing(_WIDTH, 0.9 + 0.3 * len(record.layers)) as figure:
        axes = figure.subplots()
        shares = [100 * each.relative for each in record.layers]
        colours = [TONES["bad"] if each is record.worst else SERIES[0] for each in record.layers]
        bars = axes.barh(range(len(shares)), shares, color=colours, height=0.6)
        axes.bar_label(bars, [percent(each.relative) for each in record.layers], padding=3)
        names = [f"{each.layer} ({each.operator.lower()})" for each in record.layers]
        axes.set_yticks(range(len(names)), [textwrap.shorten(name, 40, placeholder="…") for name in names])
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("error that the layer adds in int8, % of its signal")
        return _svg(figure)


def reliability(rows: Sequence[Row]) -> bytes:
    """Draw a reliability diagram for each row: accuracy by confidence, and below it the number of pictures.

    Args:
        rows: at least one.
    """
    columns = min(len(rows), 4)
    lines = -(-len(rows) // columns)
    with drawing(_WIDTH / 2 * columns, _WIDTH / 2 * lines) as figure:
        for panel, row in zip(figure.subfigures(lines, columns, squeeze=False).flat, rows, strict=False):
            upper, lower = panel.subplots(2, 1, sharex=True, height_ratios=(3, 1))
            _draw_accuracy(upper, row)
            _draw_counts(lower, row)
        return _svg(figure)


def risk(rows: Sequence[Row]) -> bytes:
    """Draw the share of wrong answers against the share of pictures answered, one line for each row.

    Args:
        rows: at least one; the colours repeat after six.
    """
    limit = 1 - WANTED_ACCURACY
    highest = max(float(row.reliability.curve.risk.max()) for row in rows)
    with drawing(_WIDTH, _WIDTH / 2) as figure:
        axes = figure.subplots()
        axes.axhline(limit, color=MUTED, linewidth=1, linestyle=_DASHED)
        axes.annotate(
            f"{percent(WANTED_ACCURACY, 1)} right", (0, limit), (4, 4), textcoords="offset points", color=MUTED
        )
        for k, row in enumerate(rows):
            colour = SERIES[k % len(SERIES)]
            curve, answered = row.reliability.curve, row.reliability.answered
            axes.plot(curve.coverage, curve.risk, color=colour, linewidth=1.8, label=row.name)
            if answered.coverage:
                axes.plot(answered.coverage, limit, "o", color=colour, markersize=6)
        axes.set_xlim(0, 1.01)
        # Room above the curves for the legend.
        axes.set_ylim(0, max(4 * limit, (1.1 + 0.09 * len(rows)) * highest))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
        axes.set_xlabel("pictures answered, the most confident first")
        axes.set_ylabel("wrong among them")
        axes.legend(loc="upper left", labelcolor=INK)
        return _svg(figure)


def _draw_accuracy(axes: Axes, row: Row) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=_DASHED)
    filled = [b for b in row.reliability.bins if b.count]
    # The accuracy of a bin with three pictures says little, and Wilson's interval shows that.
    whiskers = np.array([wilson_interval(b.right, b.count) for b in filled])
    confidence = np.array([b.confidence for b in filled])
    colour = SERIES[0]
    axes.vlines(confidence, whiskers[:, 0], whiskers[:, 1], color=colour, linewidth=1.2, alpha=0.5)
    axes.plot(confidence, [b.accuracy for b in filled], "o", color=colour, markersize=4.5)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylabel("right")
    axes.set_title(_wrapped(row))
    error = percent(row.reliability.expected_calibration_error)
    axes.annotate(f"ECE {error}", (0.96, 0.06), xycoords="axes fraction", ha="right", color=INK)


def _draw_counts(axes: Axes, row: Row) -> None:
    bins = row.reliability.bins
    width = bins[0].high - bins[0].low
    colour = SERIES[0]
    axes.bar([b.low for b in bins], [b.count for b in bins], 0.88 * width, align="edge", color=colour, alpha=0.6)
    # Nearly all pictures are in the last bin; only on a logarithmic axis can the others be seen.
    axes.set_yscale("log")
    axes.set_ylim(0.7, 3 * max(b.count for b in bins))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", which="minor", length=0)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("confidence")
    axes.set_ylabel("pictures")


def _height(rows: Sequence[Row]) -> float:
    """Return the height of a figure with one line for each row and an axis, in inches."""
    return 0.65 + sum(0.16 + 0.17 * len(_wrapped(row).splitlines()) for row in rows)


def _name_rows(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_yticks(range(len(rows)), [_wrapped(row) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)


def _wrapped(row: Row) -> str:
    """Return the name of a row in lines: first its label, then what tells it apart from other rows."""
    parts = (row.label, row.name.removeprefix(row.label).lstrip(" ,"))
    return "\n".join(textwrap.fill(part, _NAME_WIDTH, break_on_hyphens=False) for part in parts if part)


def _plain_log_ticks(axes: Axes) -> None:
    """Write out the numbers on a logarithmic axis, between the powers of ten too if there are few of these."""

    def number(value: float, _position: int) -> str:
        return microseconds(value).removesuffix(".0")

    def two_or_five(value: float, position: int) -> str:
        return number(value, position) if f"{value:.0e}"[0] in "25" else ""

    low, high = axes.get_xlim()
    axes.xaxis.set_major_formatter(FuncFormatter(number))
    axes.xaxis.set_minor_formatter(FuncFormatter(two_or_five) if high / low < 100 else NullFormatter())
    axes.tick_params(axis="x", which="minor", labelcolor=MUTED)


@contextmanager
def drawing(width: float, height: float) -> Iterator[Figure]:
    """Yield a figure of ``width`` × ``height`` inches in our style.

    It does not use pyplot, so the settings of the process stay as they are.
    """
    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    return buffer.getvalue()
