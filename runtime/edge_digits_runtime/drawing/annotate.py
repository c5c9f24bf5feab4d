"""The picture of a page with what was read in it."""

from PIL import Image, ImageDraw, ImageFont

from edge_digits_runtime.drawing.colours import SURE, UNSURE
from edge_digits_runtime.image.ink import to_plain
from edge_digits_runtime.image.picture import reduced_by
from edge_digits_runtime.page.reading import Page


def annotate(image: Image.Image, page: Page) -> Image.Image:
    """Draw a box around each digit of a page and the answer above it: green where it is sure, else orange.

    Args:
        image: the picture that was read; it is not changed.
        page: what `edge_digits_runtime.page.reading.read` found in it.

    Returns:
        An RGB picture of the same size.
    """
    drawn = to_plain(image).convert("RGB")
    draw = ImageDraw.Draw(drawn)
    factor = reduced_by(image)
    for digit in page.digits:
        x, y, width, height = (length / factor for length in digit.box)
        colour = SURE if digit.sure else UNSURE
        line = max(1, round(height / 30))
        draw.rectangle((x - line, y - line, x + width + line, y + height + line), outline=colour, width=line)
        size = max(10, round(0.45 * height))
        draw.text((x, y - 1.2 * size - line), digit.text, fill=colour, font=ImageFont.load_default(size))
    return drawn
