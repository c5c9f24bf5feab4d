"""The picture that explains an answer: what was found, what the model saw, how probable it found each digit."""

from PIL import Image, ImageDraw, ImageFont

from edge_digits_runtime.drawing.colours import SURE, UNSURE
from edge_digits_runtime.image.ink import to_plain
from edge_digits_runtime.image.model_input import Prepared
from edge_digits_runtime.image.picture import reduced_by
from edge_digits_runtime.model.classifier import Prediction

_PANEL = 280
"""Width and height of each panel in pixels: ten for each pixel of the model's input."""
_MARGIN, _TITLE = 16, 44
"""Space between the panels, and above them for their titles, in pixels."""
_BARS, _LONGEST = 10, 12
"""Largest number of bars, and of characters of the name of a class beside one."""
_PAPER, _INK, _FAINT = (255, 255, 255), (30, 30, 30), (225, 225, 225)
"""Colours of the sheet, of text, and of lines and bars that are not the answer."""


def explain(image: Image.Image, found: Prepared, prediction: Prediction) -> Image.Image:
    """Draw panels: the picture with the box, the ink, the pixels that the model saw, the probabilities as bars.

    Args:
        image: the picture. It is not changed.
        found: what it became, from `edge_digits_runtime.image.prepare.prepare`.
        prediction: the answer of the model for ``found.pixels``.

    Returns:
        An RGB picture of 1,200 × 356 pixels, or 904 × 356 where no ink is looked for.
    """
    panels = [("the picture", _boxed(image, found))]
    if found.mask is not None:
        panels.append(("the ink", _fitted(Image.fromarray(found.mask).convert("RGB"))))
    panels += [
        ("what the model saw", _fitted(Image.fromarray(found.pixels).convert("RGB"))),
        (_verdict(prediction), _bars(prediction)),
    ]
    step = _PANEL + _MARGIN
    sheet = Image.new("RGB", (_MARGIN + len(panels) * step, _TITLE + _PANEL + 2 * _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for k, (title, panel) in enumerate(panels):
        x = _MARGIN + k * step
        draw.text((x, _MARGIN), title, fill=_INK, font=ImageFont.load_default(18))
        x, y = x + (_PANEL - panel.width) // 2, _TITLE + _MARGIN // 2 + (_PANEL - panel.height) // 2
        draw.rectangle((x - 1, y - 1, x + panel.width, y + panel.height), outline=_FAINT)
        sheet.paste(panel, (x, y))
    if prediction.reason is not None:
        place = (_MARGIN, sheet.height - _MARGIN - 4)
        draw.text(place, f"not sure: {prediction.reason}", fill=UNSURE, font=ImageFont.load_default(16))
    return sheet


def _boxed(image: Image.Image, found: Prepared) -> Image.Image:
    """Return the picture, as large as the panel holds, with the box around what was found."""
    panel = _fitted(to_plain(image).convert("RGB"))
    if found.box is not None:
        scale = panel.width / (image.width * reduced_by(image))
        x, y, width, height = (length * scale for length in found.box)
        box = (x - 2, y - 2, x + width + 1, y + height + 1)
        ImageDraw.Draw(panel).rectangle(box, outline=UNSURE, width=2)
    return panel


def _fitted(image: Image.Image) -> Image.Image:
    """Resize a picture to the size of the panel; enlarged pixels stay squares."""
    scale = _PANEL / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)


def _bars(prediction: Prediction) -> Image.Image:
    """Return a panel with a bar for the probability of each digit, that of the answer in colour."""
    panel = Image.new("RGB", (_PANEL, _PANEL), _PAPER)
    draw = ImageDraw.Draw(panel)
    font = ImageFont.load_default(16)
    labels, shares = list(prediction.shares), list(prediction.shares.values())
    # Of many classes the likeliest ten; of ten or fewer all in their order.
    shown = sorted(sorted(range(len(labels)), key=lambda index: -shares[index])[:_BARS])
    names = [label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…" for label in labels]
    widest = max(draw.textlength(names[index], font) for index in shown)
    row, left, right = _PANEL // _BARS, max(24, round(widest) + 14), _PANEL - 64
    for place, index in enumerate(shown):
        y, probability = place * row, shares[index]
        colour = _FAINT if labels[index] != prediction.label else SURE if prediction.reason is None else UNSURE
        draw.text((6, y + 4), names[index], fill=_INK, font=font)
        draw.rectangle((left, y + 4, left + max(1, round(probability * (right - left))), y + row - 4), fill=colour)
        draw.text((right + 6, y + 4), f"{probability * 100:.1f} %", fill=_INK, font=font)
    return panel


def _verdict(prediction: Prediction) -> str:
    """Return the answer and its confidence as text."""
    turned = "" if prediction.value is None else f", turned to {prediction.value:.1f}"
    return f"{prediction.label}{turned} ({prediction.confidence * 100:.1f} %)"
