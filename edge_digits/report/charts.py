"""The figures of the HTML report: matplotlib draws them, the page colours them.

A figure is an SVG element to be put into a page. Its colours are CSS variables, so it follows the light or dark
theme of the page, and its text is text in the page's own font. It refers to nothing outside itself.
"""

import io
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from xml.etree import ElementTree

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, PercentFormatter

from edge_digits.report.confidence import WANTED_ACCURACY
from edge_digits.report.paired import wilson_interval
from edge_digits.report.structure import ORIGINAL, Row
from edge_digits.report.wording import microseconds, percent, tone

# What matplotlib draws with, and what the page puts in its place; each hex code is used for one thing only.
INK, MUTED, LINE = "#101011", "#707071", "#d0d0d1"
TONES = {"plain": "#606162", "bad": "#c02021", "good": "#209021"}
SERIES = ("#3060c1", "#c06011", "#108071", "#8040a1", "#a08011", "#404142")
_VARIABLES: Mapping[str, str] = (
    {INK: "--ink", MUTED: "--muted", LINE: "--line"}
    | {colour: f"--{name}" for name, colour in TONES.items()}
    | {colour: f"--series-{k}" for k, colour in enumerate(SERIES)}
)
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "edge-digits",
    # A dollar sign in a model's name is no formula.
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
_NAMESPACE = re.compile(r"^\{[^}]*\}")


def drops(rows: Sequence[Row]) -> str:
    """The drop of each row with its 95 % interval; coloured only where it is beyond chance.

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
        return _svg(figure, "drops", "Accuracy drop of each model with its 95 % interval")


def latencies(rows: Sequence[Row]) -> str:
    """Median, 90th and 99th percentile of each row's latency, on a logarithmic axis."""
    with drawing(_WIDTH, _height(rows)) as figure:
        axes = figure.subplots()
        for y, row in enumerate(rows):
            colour = MUTED if row.role == ORIGINAL else SERIES[0 if row.role == "int8" else 1]
            latency = row.latency
            axes.plot([latency.p50, latency.p99], [y, y], color=colour, linewidth=2, solid_capstyle="round")
            axes.plot(latency.p90, y, "|", color=colour, markersize=9, markeredgewidth=2)
            axes.plot(latency.p50, y, "o", color=colour, markersize=6)
        axes.set_xscale("log")
        _plain_log_ticks(axes)
        _name_rows(axes, rows)
        axes.set_xlabel("µs a picture")
        return _svg(figure, "latencies", "Latency of each model: median, 90th and 99th percentile")


def reliability(rows: Sequence[Row], name: str) -> str:
    """A reliability diagram for each row: accuracy by confidence, with the number of pictures beneath.

    Args:
        rows: at least one.
        name: tells the figure from others on the page; letters, digits and hyphens.
    """
    columns = min(len(rows), 4)
    lines = -(-len(rows) // columns)
    with drawing(_WIDTH / 2 * columns, _WIDTH / 2 * lines) as figure:
        for panel, row in zip(figure.subfigures(lines, columns, squeeze=False).flat, rows, strict=False):
            upper, lower = panel.subplots(2, 1, sharex=True, height_ratios=(3, 1))
            _draw_reliability(upper, row)
            _draw_counts(lower, row)
        return _svg(figure, name, "Reliability diagrams: " + ", ".join(row.name for row in rows))


def risk(rows: Sequence[Row], name: str) -> str:
    """Error rate among the answers given, against the share of pictures answered, a line for each row.

    Args:
        rows: at least one; the colours repeat after six.
        name: as for `reliability`.
    """
    limit = 1 - WANTED_ACCURACY
    highest = max(float(row.confidence.curve.risk.max()) for row in rows)
    with drawing(_WIDTH, _WIDTH / 2) as figure:
        axes = figure.subplots()
        axes.axhline(limit, color=MUTED, linewidth=1, linestyle=_DASHED)
        axes.annotate(
            f"{percent(WANTED_ACCURACY, 1)} right", (0, limit), (4, 4), textcoords="offset points", color=MUTED
        )
        for k, row in enumerate(rows):
            colour = SERIES[k % len(SERIES)]
            curve, answered = row.confidence.curve, row.confidence.answered
            axes.plot(curve.coverage, curve.risk, color=colour, linewidth=1.8, label=row.name)
            if answered.coverage:
                axes.plot(answered.coverage, limit, "o", color=colour, markersize=6)
        axes.set_xlim(0, 1.01)
        # Head-room for the legend, which stands where the curves are low.
        axes.set_ylim(0, max(4 * limit, (1.1 + 0.09 * len(rows)) * highest))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
        axes.set_xlabel("pictures answered, the surest first")
        axes.set_ylabel("wrong among them")
        axes.legend(loc="upper left", labelcolor=INK)
        return _svg(figure, name, "Error rate against the share of pictures answered")


def _draw_reliability(axes: Axes, row: Row) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=_DASHED)
    filled = [b for b in row.confidence.bins if b.count]
    # With three pictures in a bin its accuracy says little, and Wilson's interval shows that.
    whiskers = np.array([wilson_interval(b.right, b.count) for b in filled])
    confidence = np.array([b.confidence for b in filled])
    axes.vlines(confidence, whiskers[:, 0], whiskers[:, 1], color=SERIES[0], linewidth=1.2, alpha=0.5)
    axes.plot(confidence, [b.accuracy for b in filled], "o", color=SERIES[0], markersize=4.5)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylabel("right")
    axes.set_title(_wrapped(row))
    error = percent(row.confidence.expected_calibration_error)
    axes.annotate(f"ECE {error}", (0.96, 0.06), xycoords="axes fraction", ha="right", color=INK)


def _draw_counts(axes: Axes, row: Row) -> None:
    bins = row.confidence.bins
    width = bins[0].high - bins[0].low
    axes.bar([b.low for b in bins], [b.count for b in bins], 0.88 * width, align="edge", color=SERIES[0], alpha=0.6)
    # Nearly all pictures are in the last bin, so that the others show on a logarithmic axis only.
    axes.set_yscale("log")
    axes.set_ylim(0.7, 3 * max(b.count for b in bins))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", which="minor", length=0)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("confidence")
    axes.set_ylabel("pictures")


def _height(rows: Sequence[Row]) -> float:
    """Inches for a line for each row, and the axis."""
    return 0.65 + sum(0.16 + 0.17 * len(_wrapped(row).splitlines()) for row in rows)


def _name_rows(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_yticks(range(len(rows)), [_wrapped(row) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)


def _wrapped(row: Row) -> str:
    """The row's name in lines: what it is, and then what tells it from others."""
    parts = (row.label, row.name.removeprefix(row.label).lstrip(" ,"))
    return "\n".join(textwrap.fill(part, _NAME_WIDTH, break_on_hyphens=False) for part in parts if part)


def _plain_log_ticks(axes: Axes) -> None:
    """Numbers in full, and between the powers of ten where these are few."""

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
    """A figure of ``width`` × ``height`` inches in our style; no pyplot, so nobody's settings are changed."""
    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure, name: str, title: str) -> str:
    """The figure as an element for a page.

    Namespaces and metadata go, since they are web addresses that no page needs; ids get a prefix, since every
    figure has the same; colours become variables and fonts those of the page.
    """
    buffer = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if _NAMESPACE.sub("", child.tag) in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = _NAMESPACE.sub("", element.tag)
        element.attrib = {
            (key := _NAMESPACE.sub("", full)): _for_page(key, value, name) for full, value in element.attrib.items()
        }
    # A point of the figure is shown as 4/3 pixels, so that text of 9 points has 12 pixels.
    width = float(root.attrib.pop("width").removesuffix("pt")) * 4 / 3
    root.attrib.pop("height")
    root.attrib |= {"role": "img", "aria-label": title, "style": f"width: {width:.0f}px; stroke-linejoin: round"}
    text = ElementTree.tostring(root, encoding="unicode")
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text


def _for_page(key: str, value: str, name: str) -> str:
    """One attribute of an SVG element as it is in the page."""
    if key == "id":
        return f"{name}-{value}"
    if key == "href":
        return value.replace("#", f"#{name}-", 1)
    if key == "style":
        # Before matplotlib 3.11 the font was one shorthand property.
        value = re.sub(r"font: ((?:\w+ )*)([\d.]+px) [^;]+", r"font-weight: \1; font-size: \2", value)
        value = re.sub(r"font-family: [^;]+", "", value)
    return value.replace("url(#", f"url(#{name}-")
