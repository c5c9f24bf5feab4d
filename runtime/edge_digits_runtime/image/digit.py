"""Find the one digit among the ink of a picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.image.arrays import Box, Gray, Mask
from edge_digits_runtime.image.boxes import without_boxes
from edge_digits_runtime.image.components import Components, components
from edge_digits_runtime.image.ink import Ink, find_ink
from edge_digits_runtime.image.ruling import without_lines

_RULED = 40
"""Rule lines and boxes are removed only from pictures whose shorter side has at least this many pixels."""
_NEAR = 0.25
"""Largest distance of a large part from the main piece, as a share of the longer side of that piece."""
_PIECE = 0.25
"""Smallest size of a large part, as the same share: the bar of a 5 has it, a speck has not."""
_TOUCHING = 0.06
"""Largest distance of a small part from the main piece, as the same share: the gap in a broken stroke."""
_SMALL_PIECE = 0.1
"""Smallest size of a small part, as the same share."""
_BAND = 0.07
"""Width of the band along the border, as a share of the shorter side of the picture."""
_ALONG_BORDER = 0.7
"""A piece that touches the border with at least this share of its ink in the band lies along the border."""
_SECOND_MASS, _SECOND_SIZE = 0.5, 0.6
"""A piece with more than this mass and size, as shares of those of the main piece, may be a second digit."""


@dataclass(frozen=True)
class FoundDigit:
    """The ink that was taken for the digit."""

    ink: Gray
    """Strength of the digit's ink, 0-255, and 0 elsewhere; a pixel larger than ``box`` on each side."""
    box: Box
    """Box around the digit in the picture."""
    pieces: Components
    """All pieces of ink in the picture."""
    own: Mask
    """True for the pieces that are parts of the digit, shape ``(len(pieces),)``."""
    light: bool
    """Whether the ink is lighter than the paper."""
    reason: str | None
    """Why it may be no digit, or more than one; None if nothing speaks against it."""

    @property
    def mask(self) -> Mask:
        """The pixels of the digit, shape of the picture."""
        return self.pieces.mask(self.own)


def find_digit(gray: Gray, light: bool | None = None) -> FoundDigit | None:
    """Find the ink of the one digit in a picture.

    Args:
        gray: shape ``(height, width)``.
        light: whether the ink is lighter than the paper; None to find out.

    Returns:
        The digit, or None if there is no ink.
    """
    ink = find_ink(gray, light)
    pieces = ink_pieces(ink)
    if not len(pieces):
        return None
    own, reason = _chosen(pieces, ink)
    members = own.nonzero()[0]
    box = union(pieces.boxes[members])
    return FoundDigit(cut(ink.strength, pieces.patch(members, box), box), box, pieces, own, ink.light, reason)


def ink_pieces(ink: Ink) -> Components:
    """Return the connected pieces of ink, without ruling, printed boxes, and pieces that are weak all over."""
    mask = ink.strength > ink.low
    shorter = min(mask.shape)
    if shorter < _RULED:
        return _strong(components(mask), ink)
    thickness, span = max(3, shorter // 40), round(0.6 * shorter)
    seen = ink.strength > ink.faint
    every = components(mask)
    clean = without_lines(without_boxes(mask, every), seen, thickness, span, whole=True)
    pieces = _strong(every if clean is mask else components(clean), ink)
    if len(pieces):
        return pieces
    # Nothing but lines: a 1 may be one straight stroke. Ruling runs off the picture; what ends on it was written.
    lines = _strong(every, ink)
    left, top, right, bottom = lines.boxes.T
    written = (left > 0) & (top > 0) & (right < mask.shape[1]) & (bottom < mask.shape[0])
    return lines.only(written)


def _strong(pieces: Components, ink: Ink) -> Components:
    """Return the pieces that have a pixel of strong ink."""
    return pieces.only(pieces.peaks(ink.strength) >= ink.high)


def cut(strength: Gray, mask: Mask, box: Box) -> Gray:
    """Cut the ink of a digit out of a picture, with its soft edge and nothing else.

    The soft edge are the 8 neighbours of each pixel of the mask: ink too weak for the mask itself.

    Args:
        strength: strength of the ink in the whole picture.
        mask: the pixels of the digit, shape of ``box``.
        box: where the digit is in the picture.

    Returns:
        The strength at the pixels of ``mask`` and their neighbours, 0 elsewhere; a pixel larger than ``box`` on each
        side.
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
    """Return the smallest box around all ``boxes``, shape ``(n, 4)``, n at least 1."""
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = boxes[:, 2:].max(axis=0)
    return int(left), int(top), int(right), int(bottom)


def _chosen(pieces: Components, ink: Ink) -> tuple[Mask, str | None]:
    """Return which pieces are the digit, shape ``(n,)``, and what speaks against one digit."""
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
    """Return which pieces lie neither along the border nor in a corner, shape ``(n,)``.

    The edge of a sheet, of a cell or of a shadow lies there. Where ink touches all four sides, the picture was cropped
    to the digit, so that a piece in a corner may be a part of it.
    """
    height, width = pieces.shape
    boxes = pieces.boxes
    at_side = boxes == 0
    at_side[:, 2:] = boxes[:, 2:] == (width, height)
    touching = at_side.any(axis=1)
    if not touching.any():
        return np.ones(len(pieces), np.bool_)
    band = max(1, round(_BAND * min(height, width)))
    edge = np.ones((height, width), np.uint8)
    edge[band : height - band, band : width - band] = 0
    inside: Mask = ~touching | (pieces.sums(edge) < _ALONG_BORDER * pieces.areas)
    if not at_side.any(axis=0).all():
        corners = np.zeros((height, width), np.uint8)
        corners[np.ix_((0, -1), (0, -1))] = 1
        inside &= pieces.sums(corners) == 0
    return inside


def _belongs(pieces: Components, main: int) -> Mask:
    """Return which pieces are parts of the same digit as piece ``main``, shape ``(n,)``."""
    boxes, middle = pieces.boxes, pieces.boxes[main]
    apart_x = np.maximum(boxes[:, 0] - middle[2], middle[0] - boxes[:, 2])
    apart_y = np.maximum(boxes[:, 1] - middle[3], middle[1] - boxes[:, 3])
    apart = np.maximum(np.maximum(apart_x, apart_y), 0)
    sizes = np.maximum(pieces.widths, pieces.heights)
    size = sizes[main]
    near = (apart <= _NEAR * size) & (sizes >= _PIECE * size)
    touching = (apart <= _TOUCHING * size) & (sizes >= _SMALL_PIECE * size)
    own: Mask = near | touching
    own[main] = True
    return own


def _doubt(pieces: Components, mass: NDArray[np.intp], main: int, own: Mask, kept: Mask) -> str | None:
    """Return a reason if another piece is about as large as piece ``main``, else None.

    Args:
        pieces: all n pieces of ink.
        mass: the sum of the strength of each, shape ``(n,)``.
        main: the piece with most ink.
        own: the pieces that are parts of the digit, shape ``(n,)``.
        kept: the pieces that do not lie along the border, shape ``(n,)``.
    """
    sizes = np.maximum(pieces.widths, pieces.heights)
    others = kept & ~own
    if (others & (mass > _SECOND_MASS * mass[main]) & (sizes > _SECOND_SIZE * sizes[main])).any():
        return "looks like more than one digit"
    return None
