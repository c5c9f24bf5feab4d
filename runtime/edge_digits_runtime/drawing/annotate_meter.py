"""The picture of a meter with its slots, what was read in them, and the patches that it is aligned by."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from edge_digits_runtime.drawing.colours import SURE, UNSURE
from edge_digits_runtime.meter.alignment import SAME, Placement
from edge_digits_runtime.meter.profile import Profile
from edge_digits_runtime.meter.reading import DOUBTFUL, MeterReading, upright

PATCH = (40, 90, 230)
"""Colour of a reference patch."""


def annotate_meter(image: Image.Image, profile: Profile, reading: MeterReading | None = None) -> Image.Image:
    """Draw the slots of a meter, green where the character is sure, else orange, and the patches in blue.

    Args:
        image: the picture as the camera gave it; it is not changed.
        profile: what to look at.
        reading: what was read in it; None to draw the slots alone.

    Returns:
        An RGB picture of the size that the profile says.

    Raises:
        PictureError: the picture has another form than the reference picture.
    """
    drawn = upright(image, profile).convert("RGB")
    draw = ImageDraw.Draw(drawn)
    placement = reading.placement if reading is not None and reading.placement is not None else SAME
    thick = max(1, round(max(drawn.size) / 400))
    for patch in () if profile.alignment is None else profile.alignment.patches:
        draw.polygon(_corners(placement, patch), outline=PATCH, width=thick)
    text = reading.text if reading is not None else ""
    for index, slot in enumerate(profile.slots):
        shown = text[index : index + 1]
        colour = UNSURE if shown == DOUBTFUL else SURE
        corners = _corners(placement, slot.box)
        draw.polygon(corners, outline=colour, width=thick)
        size = max(12, round(0.4 * slot.box[3]))
        x, y = corners[0]
        draw.text((x, y - 1.25 * size), shown, fill=colour, font=ImageFont.load_default(size))
        if index == len(profile.slots) - profile.decimals:
            # The decimal point, on the lower left of the first character behind it.
            x, y = corners[3]
            draw.ellipse((x - 5 * thick, y - 2 * thick, x - thick, y + 2 * thick), fill=colour)
    return drawn


def _corners(placement: Placement, box: Sequence[int]) -> list[tuple[float, float]]:
    x, y, width, height = box
    return [placement.at(corner) for corner in ((x, y), (x + width, y), (x + width, y + height), (x, y + height))]
