"""A report as one HTML page that opens from a file and refers to nothing outside itself."""

import base64
import io
import math

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from edge_digits.report import charts, tables, wording
from edge_digits.report.structure import Comparison, Family, Report, Row

GALLERY = 60
"""Most pictures in the gallery of one comparison."""
_ALIKE = 0.001
"""Probabilities that differ less make the same figure."""


def to_html(report: Report) -> str:
    """The page; style and figures are in it, and it has no script."""
    environment = Environment(
        loader=PackageLoader("edge_digits.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(wording, name) for name in ("percent", "agreement", "scheme")}
    environment.filters["ink"] = _ink
    return environment.get_template("report.html.j2").render(
        report=report,
        verdicts=[wording.verdict(family) for family in report.families],
        tables=tables,
        gallery=GALLERY,
        heat=_heat,
        figures=_Figures(report),
    )


class _Figures:
    """The figures of a page, drawn when the template asks."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def drops(self) -> Markup | None:
        """None where no row has a drop."""
        rows = [row for row in self._report.rows if row.drop]
        return Markup(charts.drops(rows)) if rows else None

    def latencies(self) -> Markup:
        return Markup(charts.latencies(self._report.rows))

    def reliability(self, family: Family) -> Markup:
        return Markup(charts.reliability(self._judged(family), f"reliability-{self._number(family)}"))

    def risk(self, family: Family) -> Markup:
        return Markup(charts.risk(self._judged(family), f"risk-{self._number(family)}"))

    def _number(self, family: Family) -> int:
        return self._report.families.index(family) + 1

    def _judged(self, family: Family) -> list[Row]:
        """The rows that differ in confidence: the same model on two devices is drawn once."""
        drawn: list[Row] = []
        for row in family.rows:
            probabilities = row.evaluation.probabilities
            if not any(np.allclose(probabilities, other.evaluation.probabilities, atol=_ALIKE) for other in drawn):
                drawn.append(row)
        return drawn


def _heat(count: int, comparison: Comparison) -> str:
    """How strongly a wrong answer is coloured in a confusion matrix, 0.00 to 1.00, the same in both matrices."""
    wrong = [row.confusion - np.diag(np.diag(row.confusion)) for row in (comparison.before, comparison.after)]
    # Logarithmic: one wrong answer must be seen beside fifty.
    return f"{math.log1p(count) / math.log1p(max(int(matrix.max()) for matrix in wrong) or 1):.2f}"


def _ink(pixels: NDArray[np.uint8]) -> str:
    """A picture as a data URI: dark ink on white paper."""
    buffer = io.BytesIO()
    Image.fromarray(255 - pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
