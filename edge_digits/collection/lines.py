"""A folder of lines that ``read`` was not sure of, cut out of their pictures, which ``evaluate`` reads as it is.

DIR/lines/5f0c9a….png    a line that was labelled
DIR/lines.csv            what is written in each of them: file, text
DIR/.collected/          as of `edge_digits.collection.store`
"""

import hashlib
from collections.abc import Container, Mapping
from typing import Any

from edge_digits_runtime.image.ink import to_plain
from edge_digits_runtime.image.picture import reduced_by
from edge_digits_runtime.page.reading import Page, PageLine
from PIL import Image

from edge_digits.collection.store import NAME_DIGITS, Collection, group_name, now

LINES, TEXTS = "lines", "lines.csv"
LONGEST = 200
"""Characters of what is written in a line."""
_MARGIN = 0.2
"""Paper around a line, in heights of it."""


class LineCollection(Collection):
    """A folder of collected lines; for several threads and processes at a time."""

    kind = "lines"
    _NO_LABEL = f"allowed is one line of at most {LONGEST} printable characters, single spaces between words"

    def offer_page(self, image: Image.Image, page: Page, group: str | None = None) -> None:
        """Keep each line of a page that is not sure, upright; say once when the collection is full.

        Args:
            image: the picture that was read.
            page: what was read in it.
            group: its writer, meter or the like; None for this day.

        Raises:
            OutputError: a line cannot be written.
            UsageError: ``group`` is no name.
        """
        group = group_name(group)
        plain = None
        for line in page.lines:
            if line.sure:
                continue
            plain = plain or to_plain(image)
            cut = _cut(plain, line, page.turned, reduced_by(image))
            name = hashlib.sha256(repr(cut.size).encode() + cut.tobytes()).hexdigest()[:NAME_DIGITS]
            values = {
                "said": line.text,
                "confidence": round(line.confidence, 5),
                "reason": line.reason,
                "classes": [],
                "group": group,
                "created": now(),
            }
            self._say_if_full(self._keep(name, cut, values))

    def _is_label(self, label: Any) -> bool:
        return isinstance(label, str) and (
            0 < len(label) <= LONGEST and label.isprintable() and label == " ".join(label.split())
        )

    def _place(self, label: str, name: str) -> str:  # noqa: ARG002 (all labels share a folder)
        return f"{LINES}/{name}.png"

    def _write_tables(self, placed: Mapping[str, tuple[str, str]], ours: Container[str]) -> None:
        self._write_table(TEXTS, ["file", "text"], {place: text for place, (text, _) in placed.items()}, ours)


def _cut(image: Image.Image, line: PageLine, turned: int, factor: int) -> Image.Image:
    """Return the picture of a line with some paper around it, turned so that it can be read."""
    x, y, width, height = (length / factor for length in line.box)
    margin = max(2.0, _MARGIN * (height if turned % 180 == 0 else width))
    left, top = max(0, round(x - margin)), max(0, round(y - margin))
    right, bottom = min(image.width, round(x + width + margin)), min(image.height, round(y + height + margin))
    cut = image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    return cut.rotate(-turned, expand=True)
