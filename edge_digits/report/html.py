"""The report as one HTML page that opens from a file and refers to nothing outside itself."""

import base64
import io
import math
from collections.abc import Callable, Sequence

import numpy as np
from edge_digits_runtime.records.layers import LayerRecord
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from edge_digits.formatting import percent
from edge_digits.report import charts, tables, verdict
from edge_digits.report.structure import TITLE, Comparison, Family, Report, Row

MAX_GALLERY = 60
"""Largest number of pictures in the gallery of one comparison."""
_ALIKE = 0.001
"""Probabilities that differ by less than this make the same figure."""


def to_html(report: Report) -> str:
    """Return the page. Style and figures are in it, and it has no script."""
    environment = Environment(
        loader=PackageLoader("edge_digits.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "agreement": verdict.agreement, "scheme": verdict.scheme, "png": _png}
    return environment.get_template("report.html.j2").render(
        report=report,
        title=TITLE,
        verdicts=[verdict.verdict(family) for family in report.families],
        tables=tables,
        max_gallery=MAX_GALLERY,
        heat=_heat,
        figures=_Figures(report),
    )


class _Figures:
    """The figures of a page, drawn when the template asks for them."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def drops(self) -> Markup | None:
        """Draw the drops; None if no row has one."""
        rows = [row for row in self._report.rows if row.drop]
        return _figure(charts.drops, rows, "Accuracy drop of each model with its 95 % interval") if rows else None

    def latencies(self) -> Markup | None:
        """Draw the latencies; None if only accuracies were measured."""
        rows = [row for row in self._report.rows if row.latency]
        words = "Latency of each model: median, 90th and 99th percentile"
        return _figure(charts.latencies, rows, words) if rows else None

    def layers(self, record: LayerRecord) -> Markup:
        """Draw what each layer loses."""
        return _image(charts.layers(record), "Error of each layer in int8, as a share of its signal")

    def reliability(self, family: Family) -> Markup:
        rows = _distinct(family.rows)
        return _figure(charts.reliability, rows, "Reliability diagrams: " + ", ".join(row.name for row in rows))

    def risk(self, family: Family) -> Markup:
        return _figure(charts.risk, _distinct(family.rows), "Error rate against the share of pictures answered")


def _figure(draw: Callable[[Sequence[Row]], bytes], rows: Sequence[Row], words: str) -> Markup:
    return _image(draw(rows), words)


def _image(svg: bytes, words: str) -> Markup:
    return Markup('<img class="chart" alt="{}" src="{}">').format(words, _data_uri("image/svg+xml", svg))


def _distinct(rows: Sequence[Row]) -> list[Row]:
    """Leave out each row with the same probabilities as an earlier one, such as a model on a second device."""
    distinct: list[Row] = []
    for row in rows:
        probabilities = row.evaluation.probabilities
        if not any(np.allclose(probabilities, other.evaluation.probabilities, atol=_ALIKE) for other in distinct):
            distinct.append(row)
    return distinct


def _heat(count: int, comparison: Comparison) -> str:
    """Return how strongly ``count`` wrong answers are coloured in both confusion matrices, ``0.00`` to ``1.00``."""
    wrong = [row.confusion - np.diag(np.diag(row.confusion)) for row in (comparison.before, comparison.after)]
    # Logarithmic, so that one wrong answer can be seen beside fifty.
    return f"{math.log1p(count) / math.log1p(max(int(matrix.max()) for matrix in wrong) or 1):.2f}"


def _png(pixels: NDArray[np.uint8], kind: str) -> str:
    """Return what a model saw as a data URI: ink dark on white paper, a whole picture (``crop``) as it is."""
    buffer = io.BytesIO()
    Image.fromarray(255 - pixels if kind == "ink" else pixels).save(buffer, "PNG", optimize=True)
    return _data_uri("image/png", buffer.getvalue())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
