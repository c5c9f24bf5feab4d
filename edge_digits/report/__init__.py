"""The report: evaluations compared with each other, as text, HTML, Markdown and JSON.

It reads evaluations and nothing else; it never trains, converts or measures.
"""

import os
from pathlib import Path

from edge_digits_runtime.records import files

from edge_digits.paired import Paired
from edge_digits.report.compare import compare
from edge_digits.report.html import to_html
from edge_digits.report.json_record import to_dict
from edge_digits.report.markdown import to_markdown
from edge_digits.report.structure import Change, Comparison, Family, Report, Row, Step
from edge_digits.report.text import to_text

__all__ = [
    "Change",
    "Comparison",
    "Family",
    "Paired",
    "Report",
    "Row",
    "Step",
    "compare",
    "to_dict",
    "to_html",
    "to_markdown",
    "to_text",
    "write",
]


def write(report: Report, folder: str | os.PathLike[str]) -> tuple[Path, Path, Path]:
    """Write ``report.html``, ``report.md`` and ``report.json`` into ``folder``, each whole or not at all.

    All three are made before the first is written. The folder is made if it does not exist.

    Returns:
        The paths of the three files.

    Raises:
        OutputError: the folder cannot be made or written to.
    """
    html, markdown, record = to_html(report), to_markdown(report), files.json_bytes(to_dict(report))
    page, text, values = (Path(folder) / f"report.{suffix}" for suffix in ("html", "md", "json"))
    files.write_bytes(page, html.encode())
    files.write_bytes(text, markdown.encode())
    files.write_bytes(values, record)
    return page, text, values
