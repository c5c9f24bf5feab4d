"""Digits as Central Europeans write them: drawn from a few points each, since MNIST hardly has such digits.

A 1 has an upstroke, a 7 is crossed, a 4 is open, a 9 is hooked.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Points = NDArray[np.float64]


def curve(points: Points, steps: int = 5, closed: bool = False) -> Points:
    """Return a smooth line through points, after E. Catmull and R. Rom 1974.

    Args:
        points: shape ``(n, 2)``.
        steps: points of the line for each of these.
        closed: whether the line goes back to its first point.
    """
    p = np.asarray(points, float)
    around = (
        np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    )
    a, b, c, d = (around[k : len(around) - 3 + k, None] for k in range(4))
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    between = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - 3 * c + d - a) * t**3)
    return np.concatenate([between.reshape(-1, 2), p[:1] if closed else p[-1:]])


def uniform(rng: Rng, low: float, high: float) -> float:
    """Return a number drawn evenly from ``low`` to ``high``."""
    return float(rng.uniform(low, high))


def zero(rng: Rng) -> list[Points]:
    """Return the strokes of a 0. Now and then it is crossed or ends in a tail."""
    wide, start = uniform(rng, 0.25, 0.5), uniform(rng, -1.2, 0.5)
    turn = np.linspace(0, 2 * np.pi * uniform(rng, 0.93, 1.12), 22) + start - np.pi / 2
    if rng.random() < 0.7:
        turn = -turn
    grow = np.linspace(1, uniform(rng, 0.88, 1.1), 22)
    line = np.stack([np.cos(turn) * wide * grow, np.sin(turn) * 0.5 * grow], 1)
    strokes = [line]
    if rng.random() < 0.04:
        strokes.append(np.array([[wide * 0.9, -0.45], [-wide * 0.9, 0.45]]))
    elif rng.random() < 0.12:
        strokes[0] = np.concatenate([line, np.add(line[-1:], [[uniform(rng, 0.05, 0.25), uniform(rng, -0.1, 0.05)]])])
    return strokes


def one(rng: Rng) -> list[Points]:
    """Return the strokes of a 1. It has an upstroke."""
    long, angle = uniform(rng, 0.25, 0.95), np.deg2rad(uniform(rng, 28, 68))
    top = np.array([0.0, 0.0])
    start = top + long * np.array([-np.cos(angle), np.sin(angle)])
    foot = np.array([uniform(rng, -0.15, 0.12), 1.0])
    bend = (start + top) / 2 + [uniform(rng, -0.04, 0.02), uniform(rng, -0.05, 0.04)]
    stem = (top + foot) / 2 + [uniform(rng, -0.04, 0.04), 0]
    strokes = [np.concatenate([curve(np.array([start, bend, top])), curve(np.array([top, stem, foot]))])]
    if rng.random() < 0.12:
        left, right, rise = uniform(rng, 0.1, 0.35), uniform(rng, 0.1, 0.35), uniform(rng, -0.03, 0.03)
        strokes.append(np.stack([foot - [left, rise], np.add(foot, [right, 0])]))
    return strokes


def two(rng: Rng) -> list[Points]:
    """Return the strokes of a 2."""
    w = uniform(rng, 0.5, 0.85)
    points = [
        [0.02, uniform(rng, 0.12, 0.32)],
        [w * 0.5, 0.0],
        [w * uniform(rng, 0.85, 1), 0.27],
        [w * 0.55, 0.62],
        [0.0, uniform(rng, 0.93, 1)],
    ]
    top = curve(np.array(points))
    if rng.random() < 0.3:
        loop = [[0.0, 0.97], [-0.05, 0.84], [0.14, 0.84], [w * 0.6, 0.97], [w + 0.1, uniform(rng, 0.85, 1)]]
        return [np.concatenate([top, curve(np.array(loop))])]
    end = [w + uniform(rng, -0.1, 0.25), uniform(rng, 0.9, 1.04)]
    return [np.concatenate([top, curve(np.array([points[-1], [w * 0.5, uniform(rng, 0.93, 1.0)], end]))])]


def three(rng: Rng) -> list[Points]:
    """Return the strokes of a 3."""
    w = uniform(rng, 0.45, 0.75)
    waist = [w * uniform(rng, 0.25, 0.55), uniform(rng, 0.42, 0.5)]
    lower = curve(
        np.array(
            [waist, [w * 0.8, 0.55], [w, 0.76], [w * 0.5, 1.0], [uniform(rng, -0.05, 0.1), uniform(rng, 0.78, 0.93)]]
        )
    )
    if rng.random() < 0.2:
        upper = np.array([[0.0, 0.02], [w * 0.9, 0.0], waist])
    else:
        upper = curve(np.array([[0.05, uniform(rng, 0.06, 0.2)], [w * 0.5, 0.0], [w * 0.88, 0.2], waist]))
    return [np.concatenate([upper, lower])]


def four(rng: Rng) -> list[Points]:
    """Return the strokes of a 4. It is open at the top, or closed."""
    w = uniform(rng, 0.5, 0.85)
    bar, stem = uniform(rng, 0.5, 0.75), w * uniform(rng, 0.6, 0.85)
    top = [w * uniform(rng, 0.02, 0.55), 0.0]
    corner = [uniform(rng, -0.02, 0.05), bar]
    left = np.array([top, [(top[0] + corner[0]) / 2 + uniform(rng, -0.06, 0.03), bar / 2], corner])
    first = np.concatenate(
        [
            curve(left),
            curve(
                np.array(
                    [
                        corner,
                        [w * 0.5, bar + uniform(rng, -0.05, 0.04)],
                        [w + uniform(rng, -0.05, 0.15), bar + uniform(rng, -0.08, 0.04)],
                    ]
                )
            ),
        ]
    )
    high = bar - uniform(rng, 0.08, bar - 0.02 if top[0] < 0.3 * w else 0.35)
    second = np.array(
        [[stem + uniform(rng, -0.04, 0.1), high], [stem + uniform(rng, -0.1, 0.02), uniform(rng, 0.95, 1.1)]]
    )
    return [first, second]


def five(rng: Rng) -> list[Points]:
    """Return the strokes of a 5."""
    w = uniform(rng, 0.45, 0.75)
    left = w * uniform(rng, 0.0, 0.25)
    body = curve(
        np.array(
            [
                [left - 0.03, uniform(rng, 0.38, 0.48)],
                [w * 0.6, 0.37],
                [w, 0.66],
                [w * 0.5, 1.0],
                [uniform(rng, -0.1, 0.05), uniform(rng, 0.8, 0.95)],
            ]
        )
    )
    stem = np.array([[left + uniform(rng, 0, 0.08), 0.02], body[0]])
    if rng.random() < 0.6:
        gap = uniform(rng, -0.04, 0.12)
        return [
            np.concatenate([stem, body]),
            np.array([[left + gap, uniform(rng, -0.03, 0.08)], [w + uniform(rng, 0, 0.35), uniform(rng, -0.1, 0.06)]]),
        ]
    return [np.concatenate([np.array([[w + uniform(rng, -0.1, 0.2), uniform(rng, -0.04, 0.05)]]), stem, body])]


def six(rng: Rng) -> list[Points]:
    """Return the strokes of a 6."""
    w = uniform(rng, 0.4, 0.7)
    ring = uniform(rng, 0.42, 0.6)
    points = [
        [w * uniform(rng, 0.55, 1.05), 0.0],
        [w * 0.22, 0.35],
        [0.02, 0.72],
        [w * 0.5, 1.0],
        [w, uniform(rng, 0.72, 0.82)],
        [w * 0.6, ring],
        [w * uniform(rng, 0.05, 0.35), uniform(rng, 0.68, 0.85)],
    ]
    return [curve(np.array(points))]


def seven(rng: Rng) -> list[Points]:
    """Return the strokes of a 7. Four of five are crossed."""
    w = uniform(rng, 0.5, 0.9)
    corner = [w, uniform(rng, -0.06, 0.06)]
    foot = [w * uniform(rng, 0.1, 0.6), 1.0]
    middle = [(corner[0] + foot[0]) / 2 + uniform(rng, -0.08, 0.03), 0.5]
    bar = curve(np.array([[0.0, uniform(rng, -0.02, 0.1)], [w * 0.5, uniform(rng, -0.04, 0.1)], corner]))
    if rng.random() < 0.25:
        bar = np.concatenate([[[uniform(rng, -0.04, 0.04), uniform(rng, 0.12, 0.28)]], bar])
    strokes = [np.concatenate([bar, curve(np.array([corner, middle, foot]))])]
    if rng.random() < 0.8:
        y = uniform(rng, 0.42, 0.65)
        x = corner[0] + (foot[0] - corner[0]) * y
        rise = uniform(rng, -0.08, 0.12)
        strokes.append(np.array([[x - uniform(rng, 0.12, 0.4), y + rise], [x + uniform(rng, 0.12, 0.4), y - rise]]))
    return strokes


def eight(rng: Rng) -> list[Points]:
    """Return the strokes of a 8."""
    upper, lower = uniform(rng, 0.17, 0.28), uniform(rng, 0.22, 0.36)
    waist = uniform(rng, 0.4, 0.5)
    if rng.random() < 0.25:
        t = np.linspace(0, 2 * np.pi, 14)
        return [
            np.stack([np.sin(t) * upper, waist / 2 - np.cos(t) * waist / 2], 1),
            np.stack([np.sin(t) * lower, (1 + waist) / 2 - np.cos(t) * (1 - waist) / 2], 1),
        ]
    points = [
        [upper * uniform(rng, 0.5, 1.1), uniform(rng, 0.05, 0.16)],
        [0, 0],
        [-upper, waist * 0.45],
        [0, waist],
        [lower, (1 + waist) / 2],
        [0, 1.0],
        [-lower, (1 + waist) / 2],
        [0.02, waist],
        [upper, waist * 0.5],
    ]
    end = [upper * uniform(rng, 0.2, 1.0), uniform(rng, 0.0, 0.14)]
    return [curve(np.array([*points, end]))]


def nine(rng: Rng) -> list[Points]:
    """Return the strokes of a 9."""
    w, ring = uniform(rng, 0.2, 0.32), uniform(rng, 0.2, 0.3)
    start = uniform(rng, -0.7, 0.1)
    t = np.linspace(start, start - 2 * np.pi * uniform(rng, 0.88, 1.02), 16)
    loop = np.stack([w + np.cos(t) * w, ring + np.sin(t) * ring], 1)
    top = [2 * w + uniform(rng, -0.04, 0.04), uniform(rng, 0.0, 0.2)]
    way = rng.random()
    if way < 0.45:
        tail = [
            top,
            [2 * w, 0.55],
            [2 * w - 0.02, 0.8],
            [w * 1.1, 1.0],
            [uniform(rng, -0.1, 0.2), uniform(rng, 0.82, 0.98)],
        ]
    elif way < 0.75:
        tail = [top, [2 * w - uniform(rng, 0, 0.05), 0.5], [2 * w - uniform(rng, 0, 0.25), 1.0]]
    else:
        tail = [top, [2 * w - 0.03, 0.6], [w * uniform(rng, 0.6, 1.2), 1.0]]
    return [loop, curve(np.array(tail))]


_FORMS: tuple[Callable[[Rng], list[Points]], ...] = (zero, one, two, three, four, five, six, seven, eight, nine)


def draw(digit: int, rng: Rng) -> list[Points]:
    """Return the strokes of a digit, a little unsteady: x and y in heights of a digit, y downwards."""
    strokes = _FORMS[digit](rng)
    wobble = rng.normal(0, 0.012, 4)
    result = []
    for points in strokes:
        sideways = wobble[0] * np.sin(5 * points[:, 1] + wobble[1] * 200)
        downwards = wobble[2] * np.sin(5 * points[:, 0] + wobble[3] * 200)
        result.append(points + np.stack([sideways, downwards], 1))
    return result
