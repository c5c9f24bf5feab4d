"""The figures of the report show their values, and can be read on a light and on a dark page."""

import re
from collections.abc import Callable, Sequence
from importlib.resources import files

import numpy as np
import pytest
from edge_digits_runtime.records.evaluation import Evaluation
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edge_digits.report import charts, compare
from edge_digits.report.structure import Row

STYLE = (files("edge_digits.report") / "templates" / "report.css").read_text(encoding="utf-8")
LIGHT_CARD, DARK_CARD = re.findall(r"--card: (#[0-9a-f]{6})", STYLE)[:2]
# Least contrast by WCAG 2.1: 4.5 for text, 3 for parts of figures; a grid only has to be visible.
CONTRAST = dict.fromkeys([*charts.TONES.values(), *charts.SERIES], 3.0) | {
    charts.INK: 4.5,
    charts.MUTED: 4.5,
    charts.LINE: 1.2,
}
# Filter Effects Module Level 1, hueRotate(180deg).
HUE_ROTATED = np.array([[-0.574, 1.43, 0.144], [0.426, 0.43, 0.144], [0.426, 1.43, -0.856]])


def rgb(colour: str) -> NDArray[np.float64]:
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255


def contrast(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The contrast ratio of WCAG 2.1 of two sRGB colours, 1 to 21."""
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (one, other)]
    light, dark = sorted((float(c @ [0.2126, 0.7152, 0.0722]) for c in linear), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_style_sheet_reverses_figures_on_a_dark_page() -> None:
    assert re.search(
        r"@media screen and \(prefers-color-scheme: dark\) \{[^@]*\.chart \{ filter: invert\(1\) hue-rotate\(180deg\);",
        STYLE,
    )


@pytest.mark.parametrize(("colour", "least"), CONTRAST.items())
def test_colours_can_be_read_on_both_backgrounds(colour: str, least: float) -> None:
    assert contrast(rgb(colour), rgb(LIGHT_CARD)) >= least
    reversed_colour = np.clip(HUE_ROTATED @ (1 - rgb(colour)), 0, 1)
    assert contrast(reversed_colour, rgb(DARK_CARD)) >= least


def test_figures_use_these_colours_alone(make_evaluation: Callable[..., Evaluation]) -> None:
    labels = [k % 10 for k in range(100)]
    answers = [[(label + (k < wrong)) % 10 for k, label in enumerate(labels)] for wrong in (0, 30)]
    rows = compare([make_evaluation(labels, answers[0], "keras"), make_evaluation(labels, answers[1])]).rows
    for image in (charts.drops(rows[1:]), charts.latencies(rows), charts.reliability(rows), charts.risk(rows)):
        used = set(re.findall(r"#[0-9a-f]{6}\b", image.decode()))
        assert charts.INK in used
        assert used <= CONTRAST.keys()


Figures = list[Figure]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Figures:
    """The figures that are drawn."""
    figures: Figures = []

    def keep(figure: Figure) -> bytes:
        figures.append(figure)
        return b""

    monkeypatch.setattr(charts, "_svg", keep)
    return figures


@pytest.fixture(scope="module")
def rows(make_evaluation: Callable[..., Evaluation]) -> Sequence[Row]:
    """Keras with 5 and int8 with 40 of 1,000 pictures wrong, with confidences from 0.1 to 1."""
    labels = [k % 10 for k in range(1000)]
    confidence = np.linspace(0.1, 1.0, 1000)
    return compare(
        make_evaluation(
            labels,
            [(label + (k < wrong)) % 10 for k, label in enumerate(labels)],
            scheme,
            confidence=confidence,
            latency_us=latency,
        )
        for scheme, wrong, latency in (("keras", 5, [300, 400, 900]), ("int8", 40, [10, 20, 90]))
    ).rows


def test_drops_shows_the_drop_and_its_interval(drawn: Figures, rows: Sequence[Row]) -> None:
    charts.drops(rows[1:])
    (axes,) = drawn[0].axes
    _, interval, drop = axes.lines
    assert rows[1].drop is not None
    assert tuple(interval.get_xdata()) == rows[1].drop.interval_pp
    assert list(drop.get_xdata()) == [3.5]
    assert drop.get_color() == interval.get_color() == charts.TONES["bad"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["net int8"]


def test_latencies_shows_three_percentiles(drawn: Figures, rows: Sequence[Row]) -> None:
    charts.latencies(rows)
    (axes,) = drawn[0].axes
    for y, row in enumerate(rows):
        line, p90, p50 = axes.lines[3 * y : 3 * y + 3]
        assert list(line.get_xdata()) == [row.latency.p50, row.latency.p99]
        assert (list(p90.get_xdata()), list(p50.get_xdata())) == ([row.latency.p90], [row.latency.p50])
        assert list(p50.get_ydata()) == [y]
    assert axes.get_xscale() == "log"


def test_reliability_shows_accuracy_and_count_of_each_bin(drawn: Figures, rows: Sequence[Row]) -> None:
    charts.reliability(rows)
    panels = [axes for panel in drawn[0].subfigs for axes in panel.axes]
    assert len(panels) == 2 * len(rows)
    for row, upper, lower in zip(rows, panels[::2], panels[1::2], strict=True):
        filled = [b for b in row.reliability.bins if b.count]
        diagonal, points = upper.lines
        assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
        assert list(points.get_xdata()) == [b.confidence for b in filled]
        assert list(points.get_ydata()) == [b.accuracy for b in filled]
        assert [bar.get_height() for bar in lower.patches] == [b.count for b in row.reliability.bins]
        assert upper.texts[0].get_text() == f"ECE {100 * row.reliability.expected_calibration_error:.2f} %"


def test_risk_shows_the_curve_of_each_row(drawn: Figures, rows: Sequence[Row]) -> None:
    charts.risk(rows)
    (axes,) = drawn[0].axes
    lines = {line.get_label(): line for line in axes.lines}
    for row in rows:
        curve = row.reliability.curve
        np.testing.assert_array_equal(lines[row.name].get_xdata(), curve.coverage)
        np.testing.assert_array_equal(lines[row.name].get_ydata(), curve.risk)
        low, high = axes.get_ylim()
        assert low <= curve.risk.min() <= curve.risk.max() <= high
