"""Wheels are read together: the sums are those of all states, and the verdicts those of a mechanic."""

import itertools

import numpy as np
import pytest
from edge_digits_runtime.meter import wheels
from edge_digits_runtime.meter.profile import Profile
from edge_digits_runtime.meter.wheels import Wheel, count, count_within


def at(*turns: float, spread: float = 0.7, background: float = 0.002) -> list[Wheel]:
    """Return wheels as a network sees them that is a tenth off now and then."""
    found = []
    for turn in turns:
        shares = np.full(100, background / 100)
        for step in range(-3, 4):
            shares[(round(10 * turn) + step) % 100] += (1 - background) * np.exp(-0.5 * (step / spread) ** 2)
        found.append(Wheel(shares / shares.sum()))
    return found


@pytest.mark.parametrize("turning", list(itertools.product([True, False], repeat=3)))
def test_the_sums_are_those_of_all_states_one_by_one(turning: tuple[bool, ...]) -> None:
    random = np.random.default_rng(sum(turning))
    row = [Wheel(random.dirichlet(np.full(100, 0.05)), turns) for turns in turning]
    places = [wheels._likelihood(wheel, last=index == 0) for index, wheel in enumerate(reversed(row))]
    backwards = turning[::-1]
    ahead = wheels._summed(places, backwards, np.sum)
    total = float((places[0] * ahead[1][wheels._carry(backwards[0])]).sum())
    # A display as the last place has no tenths.
    states = range(0, 10_000, 1 if backwards[0] else 10)
    each = [wheels._state(state, places, backwards) for state in states]
    assert total == pytest.approx(sum(each))
    assert wheels._likeliest(places, backwards) == states[int(np.argmax(each))] // 10
    for place, digit in itertools.product(range(3), (0, 4, 9)):
        early, late = (wheels.BEFORE, wheels.AFTER) if place == 0 and backwards[0] else (0, 0)
        shown = {
            state: {(state + early) // 10 ** (place + 1) % 10, (state - late) // 10 ** (place + 1) % 10}
            for state in states
        }
        wanted = sum(one for state, one in zip(states, each, strict=True) if digit in shown[state])
        assert wheels._share(place, digit, places, backwards, ahead) == pytest.approx(wanted)


@pytest.mark.parametrize("turning", list(itertools.product([True, False], repeat=3)))
def test_among_some_numbers_the_sums_are_those_of_their_states(turning: tuple[bool, ...]) -> None:
    random = np.random.default_rng(10 + sum(turning))
    row = [Wheel(random.dirichlet(np.full(100, 0.05)), turns) for turns in turning]
    places = [wheels._likelihood(wheel, last=index == 0) for index, wheel in enumerate(reversed(row))]
    backwards = turning[::-1]
    every = range(0, 10_000, 1 if backwards[0] else 10)
    total = sum(wheels._state(state, places, backwards) for state in every)
    early, late = (wheels.BEFORE, wheels.AFTER) if backwards[0] else (0, -9)
    for numbers in (range(95, 105), range(640, 641), range(300, 600)):
        each = {
            number: sum(
                wheels._state(state, places, backwards) for state in range(10 * number - early, 10 * number + 10 + late)
            )
            for number in numbers
        }
        states = range(10 * numbers.start - early, 10 * numbers.stop + late, 1 if backwards[0] else 10)
        inside = sum(wheels._state(state, places, backwards) for state in states)
        number, among, at_all = count_within(row, numbers)
        assert number == max(each, key=lambda number: each[number])
        assert (among, at_all) == pytest.approx((each[number] / inside, inside / total))


SURE = Profile.min_confidence
"""Probability from which a reading is sure."""


def carrying(place: int, digit: int, neighbour: float) -> list[float]:
    """Five wheels of which one, at ``digit`` and nine tenths, stands beside a neighbour; the others fit to both."""
    left = [3.0, 7.0, 1.0, 6.0][:place]
    if digit == 9 and left:
        # It takes the next one along.
        left[-1] += 0.9
    tenths = round(10 * neighbour) % 10
    right = 9 + tenths / 10 if neighbour > 9 else 2.0
    return [*left, digit + 0.9, neighbour, *[right] * (3 - place)]


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("digit", range(10))
def test_a_wheel_at_nine_tenths_is_its_digit_until_its_neighbour_has_passed_zero(place: int, digit: int) -> None:
    """4.9 is a 4 beside a 9 that turns on, and a 5 beside a 0; between them it is a doubt and never the wrong one."""
    for neighbour in (9.5, 9.6, 9.7):
        found = count(at(*carrying(place, digit, neighbour)))
        assert found.digits[place : place + 2] == (digit, 9)
    for tenths in range(1, 8):
        found = count(at(*carrying(place, digit, 9 + tenths / 10)))
        assert found.digits[place] == digit or found.probability < SURE
    # Only the last wheel rests between its digits.
    for neighbour in (0.0, 0.1, 0.3, 0.5) if place == 3 else (0.0,):
        found = count(at(*carrying(place, digit, neighbour)))
        assert found.digits[place : place + 2] == ((digit + 1) % 10, 0)
        assert found.probability >= SURE


@pytest.mark.parametrize("neighbour", [0.0, 3.0, 7.0, 8.0, 8.5])
def test_a_wheel_that_rests_a_tenth_low_is_the_digit_it_is_nearest_to(neighbour: float) -> None:
    """A network is right to a tenth, and often takes a resting wheel for one at nine tenths."""
    found = count(at(4.9, neighbour))
    assert found.digits[0] == 5


@pytest.mark.parametrize(
    ("turns", "digits"),
    [
        ((1.0, 2.0, 3.0, 4.0), "1234"),
        ((4.9, 9.9), "49"),
        ((4.9, 9.6), "49"),
        ((4.6, 9.6), "49"),
        ((4.3, 9.3), "49"),
        ((4.9, 0.1), "50"),
        ((4.9, 0.5), "50"),
        ((5.1, 0.3), "50"),
        ((4.1, 8.0), "48"),
        ((1.9, 9.9, 9.9), "199"),
        ((2.0, 0.0, 0.0), "200"),
        ((1.9, 0.0, 0.1), "200"),
        ((9.9, 9.9, 9.9), "999"),
        ((0.1, 9.9, 0.1), "000"),
        ((5.0, 9.0, 3.0), "593"),
    ],
)
def test_a_wheel_follows_from_its_turn_and_the_wheel_on_its_right(turns: tuple[float, ...], digits: str) -> None:
    """On the verge of a change of the last wheel both numbers are right."""
    found = count(at(*turns))
    number = int("".join(map(str, found.digits)))
    allowed = {int(digits)}
    if turns[-1] % 1 > 0.75:
        allowed.add((int(digits) + 1) % 10 ** len(turns))
    if turns[-1] % 1 < 0.15:
        allowed.add((int(digits) - 1) % 10 ** len(turns))
    assert number in allowed
    assert found.probability > 0.97


@pytest.mark.parametrize("turns", [(5.5, 3.0), (4.5, 8.0), (2.0, 0.5, 5.0)])
def test_wheels_that_fit_no_state_are_doubtful(turns: tuple[float, ...]) -> None:
    assert count(at(*turns)).probability < 0.9


def test_a_wheel_at_rest_just_below_its_digit_beside_an_eight_is_a_doubt() -> None:
    """It is a 4 that is pulled along early, or a 5 that rests a little low; nobody can tell."""
    assert count(at(4.9, 8.5)).probability < 0.999


def test_a_display_is_read_digit_by_digit() -> None:
    found = count([Wheel(wheel.shares, turns=False) for wheel in at(4.9, 9.2, 0.0)])
    assert found.digits == (5, 9, 0)
    assert found.probability > 0.98


def test_each_character_has_its_own_share() -> None:
    row = at(1.0, 2.0, 3.0)
    row[1] = Wheel(np.full(100, 0.01))
    found = count(row)
    assert found.shares[1] < 0.3
    assert min(found.shares[0], found.shares[2]) > 0.98
