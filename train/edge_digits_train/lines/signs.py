"""The signs of a handwritten line, drawn from a few points each.

Every function returns strokes: for each its points, shape ``(n, 2)``, x and y in heights of a digit from the upper left
corner of a digit, y downwards. ``pen`` is half the width of the pen, likewise in heights of a digit.
"""

from collections.abc import Callable

import numpy as np

from edge_digits_train.lines.european_digits import Points, curve, uniform

Rng = np.random.Generator
Strokes = list[Points]


def line(*points: tuple[float, float]) -> Points:
    """Return a stroke of straight lines."""
    return np.array(points, float)


def dots(rng: Rng, *heights: float) -> Strokes:
    """Return touches of the pen one above another: each a dot, or a tick hardly longer than the pen is wide."""
    strokes = []
    for y in heights:
        long = uniform(rng, 0, 0.05) if rng.random() < 0.75 else uniform(rng, 0.04, 0.08)
        angle = uniform(rng, 0, np.pi)
        strokes.append(line((0, y), (long * np.cos(angle), y + long * np.sin(angle) * 0.7)))
    return strokes


def comma(rng: Rng, pen: float) -> Strokes:
    """Return a stroke down to the left."""
    long = uniform(rng, 0.16, 0.36) + pen
    start = uniform(rng, 0.8, 1.0)
    back = long * uniform(rng, 0.15, 0.65)
    points = line((back, start), (back * uniform(rng, 0.55, 0.9), start + long * 0.55), (0, start + long))
    return [curve(points, 3)]


def minus(rng: Rng) -> Strokes:
    """Return a dash."""
    long, y = uniform(rng, 0.22, 0.75), uniform(rng, 0.35, 0.68)
    first, middle, last = uniform(rng, -0.04, 0.06), uniform(rng, -0.03, 0.03), uniform(rng, -0.06, 0.05)
    return [curve(line((0, y + first), (long / 2, y + middle), (long, y + last)), 3)]


def scribble(rng: Rng, wide: float) -> Strokes:
    """Return a line to and fro, ``wide`` heights of a digit wide, that is no character."""
    count = int(rng.integers(5, 12))
    x = rng.uniform(0, wide, count)
    if rng.random() < 0.6:
        x = np.sort(x)
    return [curve(np.stack([x, rng.uniform(-0.1, 1.1, count)], 1), 4)]


def crossing_out(rng: Rng, wide: float) -> Strokes:
    """Return lines through characters that are ``wide`` heights of a digit wide: straight, a zigzag or a cross."""
    if rng.random() < 0.5:
        count = int(rng.integers(2, 4))
        ends = rng.uniform(0.3, 0.7, (count, 2))
        return [line((-0.1, left), (wide + 0.1, right)) for left, right in ends.tolist()]
    if rng.random() < 0.5:
        count = int(rng.integers(5, 9))
        high, low = rng.uniform(-0.1, 0.3, count), rng.uniform(0.7, 1.1, count)
        return [np.stack([np.linspace(-0.05, wide + 0.05, count), np.where(np.arange(count) % 2, high, low)], 1)]
    return [line((0, 0), (wide, 1)), line((wide, 0), (0, 1))]


def slash_through(rng: Rng, wide: float) -> Strokes:
    """Return the slash of a 0 that is ``wide`` heights of a digit wide."""
    foot, start = uniform(rng, 0.8, 1.05), uniform(rng, -0.05, 0.15)
    return [line((start * wide, foot), (wide * uniform(rng, 0.85, 1.1), uniform(rng, -0.05, 0.2)))]


def sign(character: str, rng: Rng, pen: float) -> Strokes:
    """Return the strokes of one of ``+/=()×*%€$£``.

    Raises:
        KeyError: it is none of these.
    """
    return _SIGNS[character](rng, pen)


def _plus(rng: Rng, _pen: float) -> Strokes:
    long, y, tilt = uniform(rng, 0.35, 0.7), uniform(rng, 0.42, 0.66), uniform(rng, -0.05, 0.05)
    top, foot = y - long * uniform(rng, 0.45, 0.65), y + long * uniform(rng, 0.45, 0.65)
    upper, lower = long / 2 + uniform(rng, -0.05, 0.05), long / 2 + uniform(rng, -0.05, 0.05)
    return [line((0, y + tilt), (long, y - tilt)), line((upper, top), (lower, foot))]


def _slash(rng: Rng, _pen: float) -> Strokes:
    return [line((uniform(rng, 0.15, 0.6), uniform(rng, -0.25, 0.02)), (0, uniform(rng, 1.0, 1.25)))]


def _equals(rng: Rng, pen: float) -> Strokes:
    long, y, apart = uniform(rng, 0.35, 0.7), uniform(rng, 0.45, 0.62), uniform(rng, 0.12, 0.2) + pen / 2
    upper, lower = uniform(rng, -0.04, 0.04), uniform(rng, -0.04, 0.04)
    end, rise, fall = long + uniform(rng, -0.06, 0.06), uniform(rng, -0.04, 0.04), uniform(rng, -0.04, 0.04)
    return [line((upper, y - apart), (long, y - apart + rise)), line((lower, y + apart), (end, y + apart + fall))]


def _parenthesis(mirror: int) -> Callable[[Rng, float], Strokes]:
    angles = np.linspace(-1.1, 1.1, 7)
    bow = np.stack([0.06 - 0.13 * np.cos(angles), np.sin(angles) * 0.72 + 0.5], 1)
    return lambda rng, _pen: [bow * [mirror * uniform(rng, 0.9, 1.9), uniform(rng, 0.85, 1.1)]]


def _times(rng: Rng, _pen: float) -> Strokes:
    """A cross of two strokes, now and then a star of three."""
    if rng.random() < 0.85:
        long, y = uniform(rng, 0.14, 0.3), uniform(rng, 0.5, 0.75)
        right, left = uniform(rng, -0.05, 0.05), uniform(rng, -0.05, 0.05)
        return [
            line((0, y - long), (2 * long + right, y + long)),
            line((2 * long + left, y - long), (0, y + long)),
        ]
    y, arm = uniform(rng, 0.35, 0.6), uniform(rng, 0.14, 0.24)
    angles = uniform(rng, 0, 1) + np.arange(3) * np.pi / 3
    arms = np.stack([np.cos(angles), np.sin(angles)], 1) * arm
    return [np.stack([np.add([arm, y], away), np.subtract([arm, y], away)]) for away in arms]


def _percent(rng: Rng, _pen: float) -> Strokes:
    turn = np.linspace(0, 2 * np.pi, 8)
    r = uniform(rng, 0.12, 0.19)
    ring = np.stack([np.cos(turn), np.sin(turn)], 1) * r
    bar = line((0.6, uniform(rng, -0.08, 0.1)), (0.08, uniform(rng, 0.95, 1.1)))
    return [bar, np.add(ring, [r, uniform(rng, 0.15, 0.3)]), np.add(ring, [0.72 - r * 0.3, uniform(rng, 0.7, 0.88)])]


def _euro(rng: Rng, _pen: float) -> Strokes:
    turn = np.linspace(-0.75, 0.75 - 2 * np.pi, 12) * uniform(rng, 0.9, 1.05)
    arc = np.stack([np.cos(turn) * uniform(rng, 0.32, 0.45) + 0.45, np.sin(turn) * 0.5 + 0.5], 1)
    y, apart, end = uniform(rng, 0.42, 0.5), uniform(rng, 0.07, 0.13), uniform(rng, 0.4, 0.62)
    upper = line((uniform(rng, -0.15, 0), y - apart), (end, y - apart + uniform(rng, -0.04, 0.02)))
    lower = line((uniform(rng, -0.15, 0), y + apart), (end - 0.05, y + apart + uniform(rng, -0.04, 0.02)))
    return [arc, upper, lower]


def _dollar(rng: Rng, _pen: float) -> Strokes:
    w = uniform(rng, 0.4, 0.6)
    middle: list[tuple[float, float]] = [(w * 0.5, 0.02), (0.02, 0.25), (w * 0.5, 0.5), (w, 0.74), (w * 0.5, 0.98)]
    bar = line((w * 0.55 + uniform(rng, -0.03, 0.03), uniform(rng, -0.2, 0)), (w * 0.45, uniform(rng, 1.0, 1.2)))
    bars = [np.subtract(bar, [0.06, 0]), np.add(bar, [0.06, 0])] if rng.random() < 0.2 else [bar]
    return [curve(line((w, 0.14), *middle, (0, 0.84)), 3), *bars]


def _pound(rng: Rng, _pen: float) -> Strokes:
    w = uniform(rng, 0.45, 0.6)
    body = curve(line((w, 0.18), (w * 0.7, 0.0), (w * 0.35, 0.22), (w * 0.4, 0.65), (0.0, 1.0)), 3)
    foot = line((0.0, 1.0), (w * 0.5, uniform(rng, 0.93, 1.0)), (w * 1.15, uniform(rng, 0.92, 1.05)))
    return [body, foot, line((0, 0.52), (w * 0.75, uniform(rng, 0.48, 0.54)))]


_SIGNS: dict[str, Callable[[Rng, float], Strokes]] = {
    "+": _plus,
    "/": _slash,
    "=": _equals,
    "(": _parenthesis(1),
    ")": _parenthesis(-1),
    "×": _times,
    "*": _times,
    "%": _percent,
    "€": _euro,
    "$": _dollar,
    "£": _pound,
}
