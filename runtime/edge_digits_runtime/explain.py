"""One picture that answers "why did it say 7?": what was found, what the model saw, what it made of that."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edge_digits_runtime.picture import DigitPixels

PANEL = 280
"""Side of each of the four panels in pixels; ten times 28, so that the model's pixels are seen as squares."""
_GAP, _HEAD, _FOOT = 16, 44, 28
_PAPER, _INK, _QUIET, _ACCENT = (255, 255, 255), (25, 25, 30), (150, 150, 158), (200, 60, 30)
_BAR = (70, 110, 190)


class Answer(Protocol):
    """What is shown of a prediction; `edge_digits_runtime.Prediction` has it."""

    @property
    def digit(self) -> int:
        """The answer, 0-9."""

    @property
    def confidence(self) -> float:
        """In [0, 1]."""

    @property
    def probabilities(self) -> Sequence[float]:
        """Ten, each in [0, 1]."""

    @property
    def sure(self) -> bool:
        """Whether nothing speaks against the answer."""

    @property
    def reason(self) -> str | None:
        """What speaks against it."""


def explain(image: Image.Image, found: DigitPixels, answer: Answer) -> Image.Image:
    """Draw four panels side by side: the picture with the box that was found, the mask of its ink, the 28×28 pixels
    that the model saw, and the probabilities of all ten digits.

    Args:
        image: the picture as `picture.open_picture` gives it.
        found: what `picture.digit_pixels` made of it.
        answer: what the model said.

    Returns:
        An RGB image of fixed size.
    """
    panels = {
        "picture, and what was found": _picture(image, found.box),
        "ink": _fitted(Image.fromarray(np.where(found.mask, np.uint8(0), np.uint8(255)))),
        "what the model saw": Image.fromarray(found.pixels).resize((PANEL, PANEL), Image.Resampling.NEAREST),
        "what it made of that": _bars(answer),
    }
    sheet = Image.new("RGB", (_GAP + len(panels) * (PANEL + _GAP), _HEAD + PANEL + _FOOT), _PAPER)
    draw = ImageDraw.Draw(sheet)
    says = f"{answer.digit} ({answer.confidence * 100:.1f} %)"
    doubt = "" if answer.sure else f"   not sure: {answer.reason}"
    draw.text((_GAP, _HEAD / 2), says + doubt, _INK if answer.sure else _ACCENT, _font(22), anchor="lm")
    for place, (title, panel) in enumerate(panels.items()):
        left = _GAP + place * (PANEL + _GAP)
        sheet.paste(panel, (left + (PANEL - panel.width) // 2, _HEAD + (PANEL - panel.height) // 2))
        draw.rectangle((left - 1, _HEAD - 1, left + PANEL, _HEAD + PANEL), outline=_QUIET)
        draw.text((left, _HEAD + PANEL + _FOOT / 2), title, _INK, _font(14), anchor="lm")
    return sheet


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _fitted(image: Image.Image) -> Image.Image:
    """As large as a panel allows."""
    ratio = PANEL / max(image.size)
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    return image.convert("RGB").resize(size, Image.Resampling.NEAREST if ratio > 1 else Image.Resampling.BOX)


def _picture(image: Image.Image, box: tuple[int, int, int, int] | None) -> Image.Image:
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    panel = _fitted(image)
    if box is not None:
        x, y, width, height = (side * panel.width / image.width for side in box)
        ImageDraw.Draw(panel).rectangle((x - 1, y - 1, x + width, y + height), outline=_ACCENT, width=2)
    return panel


def _bars(answer: Answer) -> Image.Image:
    panel = Image.new("RGB", (PANEL, PANEL), _PAPER)
    draw = ImageDraw.Draw(panel)
    row = PANEL / len(answer.probabilities)
    start, room = 30, PANEL - 30 - 66
    for digit, share in enumerate(answer.probabilities):
        middle = row * (digit + 0.5)
        colour = _ACCENT if digit == answer.digit and not answer.sure else _BAR
        draw.text((start / 2, middle), str(digit), _INK, _font(16), anchor="mm")
        draw.rectangle((start, middle - row * 0.32, start + max(1.0, share * room), middle + row * 0.32), fill=colour)
        draw.text((start + share * room + 6, middle), f"{share * 100:.1f} %", _INK, _font(13), anchor="lm")
    return panel
