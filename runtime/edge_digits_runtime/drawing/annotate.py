"""The picture of a page with what was read in it."""

from PIL import Image, ImageDraw, ImageFont

from edge_digits_runtime.drawing.colours import SURE, UNSURE
from edge_digits_runtime.image.ink import to_plain
from edge_digits_runtime.image.picture import reduced_by
from edge_digits_runtime.page.reading import Page


def annotate(image: Image.Image, page: Page) -> Image.Image:
    """Draw a box around each number of a page and its text above it: green where it is sure, else orange.

    Args:
        image: the picture that was read; it is not changed.
        page: what `edge_digits_runtime.page.reading.PageReader.read` found in it.

    Returns:
        An RGB picture of the same size.
    """
    drawn = to_plain(image).convert("RGB")
    draw = ImageDraw.Draw(drawn)
    factor = reduced_by(image)
    for line in page.lines:
        x, y, width, height = (length / factor for length in line.box)
        colour = SURE if line.sure else UNSURE
        tall = height if page.turned % 180 == 0 else width
        thick = max(1, round(tall / 30))
        draw.rectangle((x - thick, y - thick, x + width + thick, y + height + thick), outline=colour, width=thick)
        size = max(10, round(0.45 * tall))
        draw.text((x, y - 1.2 * size - thick), line.text, fill=colour, font=ImageFont.load_default(size))
    return drawn
