"""The figures of the report can be read on a light and on a dark page."""

import re
from collections.abc import Callable
from importlib.resources import files

import numpy as np
import pytest
from edge_digits_runtime.records.evaluation import Evaluation
from numpy.typing import NDArray

from edge_digits.report import charts, compare

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
