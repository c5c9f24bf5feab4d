"""Which of the ink in a picture is the one digit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.image.arrays import Box, Gray, Mask
from edge_digits_runtime.image.boxes import without_boxes
from edge_digits_runtime.image.components import Components, components
from edge_digits_runtime.image.ink import Ink, find_ink
from edge_digits_runtime.image.ruling import without_lines

_RULED = 40
"""A picture whose shorter side has fewer pixels is not searched for rule lines."""
_NEAR = 0.25
"""Pieces closer to the largest than this share of its size belong to it, if they are large enough."""
_PIECE = 0.25
"""Large enough is this share of its size: the bar of a 5, not a speck."""
_TOUCHING = 0.06
"""Pieces this close, as a share of its size, belong to it even if they are small: a stroke with a gap."""


@dataclass(frozen=True)
class Found:
    """The ink that was taken for the digit."""

    ink: Gray
    """Strength of its ink and nothing else, shape of ``box``."""
    box: Box
    """Where it is in the picture."""
    pieces: Components
    """All pieces of ink."""
    own: Mask
    """Which of them are the digit."""
    light: bool
    """The ink is lighter than the paper."""
    reason: str | None
    """Why it may be no digit, or not one; None if nothing speaks against it."""

    @property
    def mask(self) -> Mask:
        """Shape of the picture: the pixels of the digit."""
        return self.pieces.mask(self.own)


def find_digit(gray: Gray, light: bool | None = None) -> Found | None:
    """Find the ink of the one digit in ``gray``; None if there is no ink. ``light`` as in `find_ink`."""
    ink = find_ink(gray, light)
    pieces = ink_pieces(ink)
    if not len(pieces):
        return None
    own, reason = _chosen(pieces, ink)
    members = own.nonzero()[0]
    box = union(pieces.boxes[members])
    return Found(cut(ink.strength, pieces.patch(members, box), box), box, pieces, own, ink.light, reason)


def ink_pieces(ink: Ink) -> Components:
    """The connected pieces of ink, without ruling and printed boxes, and without what is weak all over."""
    mask = ink.strength > ink.low
    shorter = min(mask.shape)
    if shorter < _RULED:
        return _strong(components(mask), ink)
    thickness, span = max(3, shorter // 40), round(0.6 * shorter)
    seen = ink.strength > ink.faint
    every = components(mask)
    clean = without_lines(without_boxes(mask, every), seen, thickness, span)
    pieces = _strong(every if clean is mask else components(clean), ink)
    if len(pieces):
        return pieces
    # A 1 may be one straight stroke. Ruling runs off the picture; a line that ends on the paper was written.
    lines = _strong(every, ink)
    left, top, right, bottom = lines.boxes.T
    written = (left > 0) & (top > 0) & (right < mask.shape[1]) & (bottom < mask.shape[0])
    return lines.only(written)


def _strong(pieces: Components, ink: Ink) -> Components:
    return pieces.only(pieces.peaks(ink.strength) >= ink.high)


def cut(strength: Gray, mask: Mask, box: Box) -> Gray:
    """The strength in ``box`` and a pixel around it, of the pixels of ``mask`` and their neighbours; 0 elsewhere.

    The neighbours are the soft edge of a stroke, below the threshold of the mask.

    Args:
        strength: of the whole picture.
        mask: of the digit, shape of the box.
        box: where it is in the picture.
    """
    height, width = mask.shape
    across = np.zeros((height, width + 2), np.bool_)
    wide = np.zeros((height + 2, width + 2), np.bool_)
    for k in range(3):
        across[:, k : k + width] |= mask
    for k in range(3):
        wide[k : k + height] |= across
    alone = np.zeros(wide.shape, np.uint8)
    left, top = max(0, box[0] - 1), max(0, box[1] - 1)
    part = strength[top : box[3] + 1, left : box[2] + 1]
    y, x = top - box[1] + 1, left - box[0] + 1
    inside = slice(y, y + part.shape[0]), slice(x, x + part.shape[1])
    np.multiply(part, wide[inside], out=alone[inside])
    return alone


def union(boxes: NDArray[np.intp]) -> Box:
    """The smallest box around all ``boxes``, shape ``(n, 4)``."""
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = boxes[:, 2:].max(axis=0)
    return int(left), int(top), int(right), int(bottom)


def _chosen(pieces: Components, ink: Ink) -> tuple[Mask, str | None]:
    """Which pieces are the digit, and what speaks against one digit."""
    kept, doubt = _off_border(pieces), None
    if not kept.any():
        kept, doubt = np.ones(len(pieces), np.bool_), "nothing but ink along the border"
    if len(pieces) == 1:
        return kept, doubt
    mass = pieces.sums(ink.strength)
    main = int(np.argmax(np.where(kept, mass, -1)))
    own = kept & _belongs(pieces, main)
    return own, doubt or _doubt(pieces, mass, main, own, kept)


def _off_border(pieces: Components) -> Mask:
    """Which pieces do not lie along the border, as the edge of a sheet, of a cell or of a shadow does.

    Nor in a corner, unless there is ink at all four sides: the picture is cut out as large as the digit then.
    """
    height, width = pieces.shape
    boxes = pieces.boxes
    at_side = boxes == 0
    at_side[:, 2:] = boxes[:, 2:] == (width, height)
    touching = at_side.any(axis=1)
    if not touching.any():
        return np.ones(len(pieces), np.bool_)
    band = max(1, round(0.07 * min(height, width)))
    edge = np.ones((height, width), np.uint8)
    edge[band : height - band, band : width - band] = 0
    inside: Mask = ~touching | (pieces.sums(edge) < 0.7 * pieces.areas)
    if not at_side.any(axis=0).all():
        corners = np.zeros((height, width), np.uint8)
        corners[np.ix_((0, -1), (0, -1))] = 1
        inside &= pieces.sums(corners) == 0
    return inside


def _belongs(pieces: Components, main: int) -> Mask:
    """Which pieces are parts of the same digit as piece ``main``."""
    boxes, middle = pieces.boxes, pieces.boxes[main]
    apart_x = np.maximum(boxes[:, 0] - middle[2], middle[0] - boxes[:, 2])
    apart_y = np.maximum(boxes[:, 1] - middle[3], middle[1] - boxes[:, 3])
    apart = np.maximum(np.maximum(apart_x, apart_y), 0)
    sizes = np.maximum(pieces.widths, pieces.heights)
    size = sizes[main]
    near = (apart <= _NEAR * size) & (sizes >= _PIECE * size)
    touching = (apart <= _TOUCHING * size) & (sizes >= 0.1 * size)
    own: Mask = near | touching
    own[main] = True
    return own


def _doubt(pieces: Components, mass: NDArray[np.intp], main: int, own: Mask, kept: Mask) -> str | None:
    """What speaks against one digit."""
    sizes = np.maximum(pieces.widths, pieces.heights)
    others = kept & ~own
    if (others & (mass > 0.5 * mass[main]) & (sizes > 0.6 * sizes[main])).any():
        return "looks like more than one digit"
    return None
