"""Read a row of wheels as a mechanic does: what a wheel shows is judged together with the wheel to its right.

A counter of n wheels is in one of ``10 ** (n + 1)`` states: how many tenths its last wheel has turned. From the state
follows how far each wheel has turned. Only the last one turns all the time; another one rests on a digit, and moves on
to the next while the wheel to its right goes from 9 to 0. A network says of each wheel how likely each of its hundred
turns is. The product over the wheels is how likely a state is, and the reading is the number that most of that falls
to; it is sure if next to nothing falls to other numbers. A wheel between two digits is then no doubt where its
neighbour says which of them it is, and a wheel that fits no state makes the whole reading doubtful.

All states are summed up from right to left in a few hundred steps, since a wheel knows of the wheels to its right only
how many tenths they carry over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.data.turns import COUNT

BEFORE, AFTER = 2, 1
"""A number is right from so many tenths before the last wheel reaches it until so many after it has left it: no eye
tells more, and over time it makes no difference."""
_STRAY = 0.001
"""Probability that a wheel shows what the network takes for another turn, whatever it is."""
_REST = 0.9
"""Standard deviation in tenths of where a wheel rests: cameras look from an angle, wheels have play."""
_MOVING = 1.5
"""The same while it turns: the wheel to its right may pull it a little early or late."""
_AHEAD = 0.1
"""Probability that a wheel that turns is anywhere between where it should be and the next digit: some are pulled along
early, so that 4.9 beside a 9 that has just begun to leave is still a 4."""
_SHARPNESS = 3.0
"""Power by which the hills of a network's answer are made narrower."""
_LAST = 0.2
"""The same of the last wheel, from which nothing else is known."""

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Wheel:
    """What a network says of one place of a counter."""

    shares: Shares
    """Probability of each turn, shape ``(100,)``, together at most 1; the rest is for what is no turn at all. A place
    that shows one whole digit has its probabilities at 0, 10, 20 and so on."""
    turns: bool = True
    """Whether it is a wheel that takes the one to its left along; else a digit by itself."""


@dataclass(frozen=True)
class Count:
    """The number that a row of wheels shows."""

    digits: tuple[int, ...]
    """From left to right, the most probable ones together."""
    probability: float
    """That this is the number, in [0, 1], `BEFORE` and `AFTER` included."""
    shares: tuple[float, ...]
    """That the digit of each place is right, each in [0, 1]."""


def count(wheels: Sequence[Wheel]) -> Count:
    """Return the number that the wheels show.

    Args:
        wheels: from left to right, at least one.

    Example:
        >>> def at(turn):
        ...     return Wheel(np.eye(100)[round(10 * turn)])
        >>> count([at(4.9), at(9.7)]).digits, count([at(4.9), at(0.1)]).digits
        ((4, 9), (5, 0))
    """
    places = [_likelihood(wheel, last=index == 0) for index, wheel in enumerate(reversed(wheels))]
    turning = [wheel.turns for wheel in reversed(wheels)]
    ahead = _summed(places, turning, np.sum)
    total = float(places[0].ravel() @ ahead[1][_carry(turning[0])].ravel())
    best = _likeliest(places, turning)
    size = 10 ** len(places)
    # What is likeliest in tenths may be on the verge of the next number.
    candidates = [(best + step) % size for step in (0, -1, 1)] if turning[0] else [best]
    probabilities = [_probability(number, places, turning) / total for number in candidates]
    chosen = int(np.argmax(probabilities))
    number, probability = candidates[chosen], min(1.0, probabilities[chosen])
    digits = [number // 10**index % 10 for index in range(len(places))]
    shares = [_share(index, digit, places, turning, ahead) / total for index, digit in enumerate(digits)]
    # The number is right a little before and after, too, where the places on its left show the next one.
    shares = [min(1.0, max(share, probability)) for share in shares]
    return Count(tuple(reversed(digits)), probability, tuple(reversed(shares)))


def count_within(wheels: Sequence[Wheel], numbers: range) -> tuple[int, float, float]:
    """Return the likeliest of the numbers that a counter may show, where it is known that it shows one of them.

    Args:
        wheels: from left to right, at least one.
        numbers: which it may show, in steps of the last wheel.

    Returns:
        The number, its probability among ``numbers``, and the probability that the wheels show one of them at all:
        where that is low, they do not bear out what is known.

    Example:
        >>> def at(*turns):
        ...     return Wheel(np.bincount([round(10 * turn) for turn in turns], minlength=100) / len(turns))
        >>> number, among, at_all = count_within([at(4, 9), at(2)], range(40, 50))
        >>> number, round(among, 2), round(at_all, 2)
        (42, 1.0, 0.5)
    """
    places = [_likelihood(wheel, last=index == 0) for index, wheel in enumerate(reversed(wheels))]
    turning = [wheel.turns for wheel in reversed(wheels)]
    ahead = _summed(places, turning, np.sum)
    total = float(places[0].ravel() @ ahead[1][_carry(turning[0])].ravel())
    if turning[0]:
        # What counts as each number: its own states, those just before, and those just after.
        states = np.arange(10 * numbers.start - BEFORE, 10 * numbers.stop + AFTER)
        firsts, width = 10 * np.arange(len(numbers)), BEFORE + 10 + AFTER
    else:
        states = 10 * np.arange(numbers.start, numbers.stop)
        firsts, width = np.arange(len(numbers)), 1
    likely = _states(states, places, turning) / total
    sums = np.concatenate([[0.0], likely.cumsum()])
    each = sums[firsts + width] - sums[firsts]
    best, at_all = int(each.argmax()), float(likely.sum())
    return numbers.start + best, float(each[best]) / max(at_all, float(np.finfo(np.float64).tiny)), min(1.0, at_all)


def digit_shares(shares: Shares) -> Shares:
    """Return the probability of each digit, shape ``(10,)``: that of the turns which are nearest to it."""
    nearest: Shares = np.roll(shares, COUNT // 20).reshape(10, 10).sum(axis=1)
    return nearest


def _likelihood(wheel: Wheel, last: bool) -> Shares:
    """Return how likely what is seen is at each turn that the place can have, shape ``(10, 10)``: digit, tenths."""
    stray = _STRAY / COUNT
    shares = _sharpened(wheel.shares) if wheel.turns else wheel.shares
    none = max(0.0, 1.0 - float(wheel.shares.sum())) / COUNT
    if not wheel.turns:
        likely = np.zeros((10, 10))
        # Whatever the network calls a turn is the digit nearest to it, and there are no tenths. Nothing else tells of
        # this digit, so the network is taken at its word.
        likely[:, 0] = digit_shares(wheel.shares) / 10
        return np.where(np.arange(10) == 0, likely + none, 0.0)
    if last:
        seen = _spread(shares, _LAST)
    else:
        rest, moving = _spread(shares, _REST), _spread(shares, _MOVING)
        tenths = np.arange(COUNT) % 10
        # Each turn from where it should be up to the next digit, alike.
        further = np.stack([np.roll(rest, -step) for step in range(11)])
        within = np.arange(11)[:, None] <= 10 - tenths
        early = (further * within).sum(axis=0) / within.sum(axis=0)
        seen = np.where(tenths == 0, rest, (1 - _AHEAD) * moving + _AHEAD * early)
    return ((1 - _STRAY) * (seen + none) + stray).reshape(10, 10)


def _sharpened(shares: Shares) -> Shares:
    """Return ``shares`` with narrower hills, each with as much in it as before.

    A network that was trained on turns spread over their neighbours spreads its answers as wide, though it is right
    to a tenth.
    """
    share = shares / np.maximum(_around(shares), np.finfo(np.float64).tiny)
    narrow = share**_SHARPNESS
    sharpened: Shares = narrow * _around(shares) / np.maximum(_around(narrow), np.finfo(np.float64).tiny)
    sharpened *= float(shares.sum()) / max(float(sharpened.sum()), float(np.finfo(np.float64).tiny))
    return sharpened


def _around(values: Shares) -> Shares:
    """Return for each turn the sum over the turns less than half a digit away."""
    found: Shares = np.sum([np.roll(values, step) for step in range(-4, 5)], axis=0)
    return found


def _spread(shares: Shares, deviation: float) -> Shares:
    """Return ``shares`` blurred around the circle by a normal distribution of so many tenths."""
    steps = np.arange(COUNT)
    distance = np.minimum(steps, COUNT - steps)
    kernel = np.exp(-0.5 * (distance / deviation) ** 2)
    kernel /= kernel.sum()
    blurred: Shares = np.fft.irfft(np.fft.rfft(shares) * np.fft.rfft(kernel), COUNT).clip(0)
    return blurred


def _carry(turns: bool) -> NDArray[np.intp]:
    """Return for each digit and tenth of a place by how many tenths the place to its left has moved on."""
    moved = np.zeros((10, 10), np.intp)
    if turns:
        moved[9] = np.arange(10)
    return moved


def _summed(places: Sequence[Shares], turning: Sequence[bool], over: Callable[..., Any]) -> list[Shares]:
    """Return for each place the likelihood of it and all places to its left, by the tenths that are carried over to it.

    Args:
        places: `_likelihood` of each, from right to left.
        turning: whether each turns.
        over: `numpy.sum`, or `numpy.max` for that of the likeliest digits alone.
    """
    ahead = [np.ones(10)]
    for place, turns in zip(reversed(places), reversed(turning), strict=True):
        weights = place * ahead[0][_carry(turns)]
        # A digit by itself moves with nothing.
        ahead.insert(0, over(weights, axis=0) if turns else np.full(10, over(weights[:, 0])))
    return ahead


def _likeliest(places: Sequence[Shares], turning: Sequence[bool]) -> int:
    """Return the number of the likeliest state."""
    ahead = _summed(places, turning, np.max)
    number, tenths = 0, None
    for index, (place, turns) in enumerate(zip(places, turning, strict=True)):
        weights = place * ahead[index + 1][_carry(turns)]
        if tenths is not None:
            weights = weights[:, [tenths if turns else 0]]
        digit, moved = divmod(int(np.argmax(weights)), weights.shape[1])
        number += digit * 10**index
        tenths = int(_carry(turns)[digit, moved if tenths is None else tenths])
    return number


def _probability(number: int, places: Sequence[Shares], turning: Sequence[bool]) -> float:
    """Return the likelihood of all states that count as ``number``."""
    if not turning[0]:
        return _state(10 * number, places, turning)
    states = range(10 * number - BEFORE, 10 * number + 10 + AFTER)
    return float(_states(np.array(states), places, turning).sum())


def _state(state: int, places: Sequence[Shares], turning: Sequence[bool]) -> float:
    """Return the likelihood of a state, in tenths of the last wheel."""
    return float(_states(np.array([state]), places, turning)[0])


def _states(states: NDArray[np.int_], places: Sequence[Shares], turning: Sequence[bool]) -> Shares:
    """Return the likelihood of each state, in tenths of the last wheel."""
    number, tenths = np.divmod(states % 10 ** (len(places) + 1), 10)
    likelihood = np.ones(len(states))
    for place, turns in zip(places, turning, strict=True):
        number, digit = np.divmod(number, 10)
        likelihood = likelihood * place[digit, tenths if turns else 0]
        tenths = tenths * (turns & (digit == 9))
    return likelihood


def _share(index: int, digit: int, places: Sequence[Shares], turning: Sequence[bool], ahead: Sequence[Shares]) -> float:
    """Return the likelihood of all states in which the place ``index`` from the right shows ``digit``.

    The last wheel also does a little before and after, as in `_probability`.
    """
    carried: Shares = np.zeros(10)
    for at, (place, turns) in enumerate(zip(places, turning, strict=True)):
        # By digit and tenths: what is to the right of this place, and the place itself.
        weights = place if at == 0 else place * carried if turns else place * carried.sum()
        if at == index:
            weights = weights * ahead[at + 1][_carry(turns)]
            verge = at == 0 and turns
            before = weights[digit - 1, 10 - BEFORE :].sum() if verge else 0.0
            after = weights[(digit + 1) % 10, :AFTER].sum() if verge else 0.0
            return float(weights[digit].sum() + before + after)
        carried = np.bincount(_carry(turns).ravel(), weights.ravel(), 10).astype(np.float64)
    raise AssertionError("no such place")
