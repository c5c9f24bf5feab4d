"""How a writer writes: pen, slant, spacing, and where the forms of the digits come from."""

from dataclasses import dataclass

import numpy as np

from edge_digits_train.lines.library import DRAWN, FACES, FACES_HELD_OUT, MNIST, MNIST_HELD_OUT, OPTDIGITS, Library

Rng = np.random.Generator
_EUROPEAN = (1, 4, 7, 9)
"""Digits that Europe writes otherwise than the writers of MNIST."""


@dataclass
class Hand:
    """How a writer writes: with one pen, in one manner."""

    size: float
    """Height of a digit in pixels."""
    pen: float
    """Half the width of the pen in pixels."""
    soft: float
    """Width of the fading edge of a stroke in pixels."""
    slant: float
    """Sideways for each unit up; to the right above 0."""
    wide: float
    """Factor on the width of the digits."""
    gap: float
    """Between two characters, in heights of a digit."""
    pitch: float
    """Where above 0, the room for every character, in heights of a digit, as in the boxes of a form."""
    unsteady: float
    """How much size, place and slant vary from one character to the next; 1 is usual."""
    small_zero: float
    """Size of a 0 beside other digits, up to 1."""
    slashed_zero: bool
    texture: float
    """How uneven the ink is along a stroke, in [0, 1]."""
    mixed: bool
    """Whether the forms of a digit differ within the line."""
    sources: dict[int, tuple[int, ...]]
    """Where the forms of a digit come from, by digit; -1 stands for all others."""
    face: int
    """Number of the font that letters, and some of the signs, come from."""
    coarse: "Coarse | None" = None
    """Where the digits are small pictures that were enlarged, between signs that were not; None for written digits."""


@dataclass
class Coarse:
    """Small pictures of digits, as data sets of single digits have them, one after another by any writer."""

    rows: float
    """Height of a digit in the small picture, in its pixels."""
    hard: float | None
    """Share of ink from which on a pixel of the small picture is all ink, in (0, 1), where it knows only black and
    white; None for greys."""
    pen: float
    """Half the width of the pen of the digits, in their heights; the signs are drawn with that of the hand."""
    boxed: float | None
    """Width of every digit in heights, where each was stretched to one box; None where each has its own."""


def draw_hand(rng: Rng, size: float, library: Library) -> Hand:
    """Return a hand, drawn by chance, whose digits are ``size`` pixels high."""
    digits = (MNIST_HELD_OUT,) if library.held_out else (MNIST,)
    plain = digits if library.held_out or rng.random() < 0.92 else (OPTDIGITS,)
    faces = FACES_HELD_OUT if library.held_out else FACES
    sources: dict[int, tuple[int, ...]] = {-1: plain}
    way = rng.random()
    if way < 0.32:
        sources |= {digit: (DRAWN,) for digit in _EUROPEAN if rng.random() < 0.8}
    elif way < 0.47:
        sources = {-1: (DRAWN,)}
    elif way < 0.57:
        sources = {-1: (faces,)}
    elif way < 0.65:
        sources = {-1: (*digits, DRAWN)}
    thickness = rng.random()
    pen = (
        size
        * (
            rng.uniform(0.022, 0.05)
            if thickness < 0.5
            else rng.uniform(0.05, 0.085)
            if thickness < 0.9
            else rng.uniform(0.085, 0.13)
        )
        / 1.0
    )
    gap = rng.normal(0.13, 0.08)
    if rng.random() < 0.1:
        gap = rng.uniform(-0.08, 0.02)
    elif rng.random() < 0.1:
        gap = rng.uniform(0.3, 0.8)
    return Hand(
        size=size,
        pen=max(pen, 0.7),
        soft=rng.uniform(0.7, 1.6),
        slant=float(np.clip(rng.normal(0.08, 0.17), -0.35, 0.55)),
        wide=rng.uniform(0.75, 1.25),
        gap=float(np.clip(gap, -0.08, 0.8)),
        pitch=rng.uniform(0.8, 1.5) if rng.random() < 0.08 else 0.0,
        unsteady=rng.uniform(0.2, 1.0) if rng.random() < 0.85 else rng.uniform(1.0, 1.8),
        small_zero=rng.uniform(0.5, 0.85) if rng.random() < 0.18 else 1.0,
        slashed_zero=rng.random() < 0.04,
        texture=rng.uniform(0.2, 0.9) if rng.random() < 0.35 else 0.0,
        mixed=rng.random() < 0.25,
        sources=sources,
        face=int(rng.choice(np.flatnonzero(library.faces.hand & (library.faces.held_out == library.held_out)))),
    )


def make_coarse(manner: Hand, rng: Rng) -> None:
    """Let the digits of a hand be enlarged small pictures, each by another writer; how they look is drawn by chance."""
    manner.mixed = True
    manner.coarse = Coarse(
        rows=float(np.exp(rng.uniform(np.log(10), np.log(28)))),
        hard=float(rng.uniform(0.25, 0.6)) if rng.random() < 0.45 else None,
        pen=float(rng.uniform(0.03, 0.1)),
        boxed=float(rng.uniform(0.55, 1.0)) if rng.random() < 0.3 else None,
    )
