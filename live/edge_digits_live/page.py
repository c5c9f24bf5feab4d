"""The page: one document, put together from the files in ``page/`` when the service starts.

Script and style stand in the document, so a slow device answers one request. The Content-Security-Policy allows these
two by their sha256 and nothing else: no other script runs, whatever gets into the page.
"""

import base64
import functools
import gzip
import hashlib
from dataclasses import dataclass
from importlib import resources

_SCRIPTS = ("requests.js", "pad.js", "answers.js", "views.js", "labels.js", "meter.js", "boxes.js", "start.js")
"""The parts of the script, in their order."""


@dataclass(frozen=True)
class Document:
    """The page as it is sent."""

    html: bytes
    gzipped: bytes
    csp: str
    """The Content-Security-Policy that it needs."""


@functools.cache
def document() -> Document:
    """Return the page."""
    folder = resources.files("edge_digits_live") / "page"
    style = (folder / "style.css").read_text("utf-8")
    script = "\n".join((folder / name).read_text("utf-8") for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}}})();\n'
    html = (folder / "page.html").read_text("utf-8").replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    csp = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    content = html.encode()
    return Document(content, gzip.compress(content, mtime=0), csp)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
