"""A short slice of the counters: wheels as a network sees them, read together."""

import numpy as np
from counters import Tally, read_states


def tables(spread: float, error: float) -> list[np.ndarray]:
    """Return what a network says that spreads its answers by so many tenths and is off by so many."""
    random = np.random.default_rng(0)
    turns = np.arange(100)
    centres = turns[None, :, None] + random.normal(0, error, (2, 100, 4))
    apart = np.abs((turns - centres[..., None] + 50) % 100 - 50)
    shares = np.exp(-0.5 * (apart / spread) ** 2)
    return [shares / shares.sum(axis=-1, keepdims=True)]


def test_wheels_together_are_sure_and_never_a_unit_off() -> None:
    combined, plain = read_states(tables(1.1, 0.5), 600, 0.99)
    assert combined.wrong_and_sure == 0, combined.examples
    assert combined.sure / combined.states >= 0.95
    # Each by itself takes a wheel that turns for the next digit.
    assert plain.wrong_and_sure > 30


def test_a_number_is_right_from_two_tenths_before_until_one_behind() -> None:
    for state, number, right in ((120, 12, True), (118, 12, True), (117, 12, False), (130, 12, True), (131, 12, False)):
        tally = Tally()
        tally.add(state, number, sure=True)
        assert tally.right == right
    tally = Tally()
    tally.add(999_999, 0, sure=True)
    assert tally.right == 1
