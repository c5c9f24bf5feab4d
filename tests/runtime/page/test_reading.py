"""Reading pictures of all kinds, from a single cell to a turned page, on drawn sheets whose text is known."""

import numpy as np
import pytest
from edge_digits_runtime.page import reading
from edge_digits_runtime.page.formats import Format
from edge_digits_runtime.page.reading import PageReader
from PIL import Image, ImageDraw, ImageFont

READER = PageReader()


def sheet(rows: list[str], size: int = 40, pitch: int = 90, side: int = 700, ink: int = 30) -> Image.Image:
    """A page with ``rows`` in a plain font; two spaces part two numbers."""
    image = Image.new("L", (side, 80 + pitch * len(rows)), 240)
    draw = ImageDraw.Draw(image)
    for number, row in enumerate(rows):
        draw.text((60, 40 + pitch * number), row.replace("  ", " " * 14), ink, ImageFont.load_default(size))
    return image


@pytest.mark.parametrize(
    "rows",
    [["7.25"], ["2024"], ["12345  67890"], ["31", "-4159", "26.5"], ["802  55", "20/07/2021", "36  94  20"]],
    ids="|".join,
)
def test_numbers_come_as_written_and_in_reading_order(rows: list[str]) -> None:
    page = READER.read(sheet(rows))
    assert page.rows() == [row.replace("  ", " ") for row in rows]
    assert page.turned == 0
    assert page.rows(digits_only=True) == [
        "".join(c for c in row if c in "0123456789 ").replace("  ", " ") for row in rows
    ]


@pytest.mark.parametrize("size", [20, 60, 150, 400])
def test_a_number_is_found_in_any_size(size: int) -> None:
    page = READER.read(sheet(["395"], size, 2 * size, 160 + 3 * size))
    assert page.rows() == ["395"]
    left, top, width, height = page.lines[0].box
    assert abs(left - 60) < size / 2
    assert abs(width - ImageFont.load_default(size).getlength("395")) < size / 2
    # A digit of this font is about 0.72 of its size high.
    assert 0.4 * size < height < 1.2 * size
    assert top > 40


@pytest.mark.parametrize("slope", [-0.07, 0.07])
def test_a_slanted_sheet_keeps_its_rows(slope: float) -> None:
    rows = ["80245  317", "31672  945"]
    image = sheet(rows)
    turned = image.transform(image.size, Image.Transform.AFFINE, (1, 0, 0, slope, 1, -slope * 300), fillcolor=240)
    assert READER.read(turned).rows() == ["80245 317", "31672 945"]


@pytest.mark.parametrize("ink", [(240, 30), (20, 230)], ids=["dark on light", "light on dark"])
def test_colours_and_polarity_do_not_matter(ink: tuple[int, int]) -> None:
    paper, pen = ink
    image = Image.new("RGB", (400, 160), (paper, paper, min(paper + 10, 255)))
    ImageDraw.Draw(image).text((60, 40), "50.43", (pen, pen // 2, pen), ImageFont.load_default(60))
    assert READER.read(image).rows() == ["50.43"]


@pytest.mark.parametrize("shape", [(300, 200), (28, 28), (1, 1), (1, 500), (3, 3)], ids=str)
def test_a_blank_picture_has_no_numbers(shape: tuple[int, int]) -> None:
    page = READER.read(Image.new("L", shape, 240))
    assert (page.lines, page.sure, page.turned) == ((), False, 0)


def test_what_fits_no_format_is_not_sure() -> None:
    image = sheet(["12.5", "407"])
    assert [line.text for line in READER.read(image).lines] == ["12.5", "407"]
    first, second = READER.read(image, Format(r"\d\d\.\d")).lines
    assert (first.text, first.sure) == ("12.5", True)
    assert not second.sure


def test_a_grid_has_rows_and_columns() -> None:
    page = READER.read(sheet(["802  551", "412  367", "940  245"]))
    assert [(line.row, line.column) for line in page.lines] == [(r, c) for r in range(3) for c in range(2)]
    assert [line.column for line in READER.read(sheet(["31", "4159"])).lines] == [None, None]


def test_the_record_has_values_boxes_and_characters() -> None:
    (line,) = READER.read(sheet(["12,5"])).to_dict()["lines"]
    assert (line["text"], line["value"], line["sure"], line["row"], line["column"]) == ("12,5", 12.5, True, 0, None)
    assert [one["text"] for one in line["characters"]] == list("12,5")
    lefts = [one["box"][0] for one in line["characters"]]
    assert lefts == sorted(lefts)
    assert READER.read(sheet(["1,234"])).to_dict(".")["lines"][0]["value"] == 1234.0


def test_boxes_of_a_jpeg_that_was_decoded_at_a_part_of_its_size_are_those_of_the_file() -> None:
    image = sheet(["395"])
    small = READER.read(image).lines[0]
    image.info["edge-digits reduced by"] = (4, image.size)
    assert READER.read(image).lines[0].box == tuple(4 * length for length in small.box)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_boxes_of_a_turned_page_lead_back_to_it(quarters: int) -> None:
    upright = np.zeros((40, 100), np.bool_)
    upright[5:12, 30:70] = True
    turned = np.rot90(upright, quarters)
    left, top, width, height = reading._Back(turned.shape, quarters, 1).box(30, 5, 70, 12)
    rows, columns = np.nonzero(turned)
    assert (left, top, width, height) == (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
