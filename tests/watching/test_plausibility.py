"""What is published follows from what was published before, and one wrong picture never locks it."""

import random

import pytest
from edge_digits_runtime.meter.profile import Profile
from edge_digits_runtime.meter.reasons import FELL, FIRST_ONES, NO_NEXT, NOT_BORNE_OUT, TOO_FAST, TOO_SLOW
from stand_ins import profile

from edge_digits.watching.plausibility import FEWEST, FIRST, Observation, Plausibility

RIVER = profile(highest_per_hour=30.0)
"""At most half a unit, five steps, a minute."""


def judged(
    values: list[float | None], of: Profile = RIVER, last: tuple[float, float] | None = None, minutes: float = 1
) -> list[tuple[float | None, float | None, str | None]]:
    """Return what was read, what was published and why not, of readings that are so many minutes apart."""
    judge = Plausibility(of, last)
    settled = []
    for index, value in enumerate(values):
        observation = Observation(60.0 * minutes * index, value, None if value is not None else "dark")
        settled += judge.add(observation)
    settled += judge.finish()
    assert len(settled) == len(values)
    return [(one.observation.value, one.value, one.reason) for one in settled]


def published(*arguments: object, **named: object) -> list[float]:
    return [value for _, value, _ in judged(*arguments, **named) if value is not None]  # type: ignore[arg-type]


def test_a_steady_meter_is_published_from_when_enough_pictures_agree() -> None:
    assert published([5.0, 5.0, 5.0, 5.1, 5.2, 5.2]) == [5.0, 5.0, 5.0, 5.1, 5.2, 5.2]
    assert published([5.0] * (FIRST - 1)) == []
    assert judged([5.0])[0][2] == NO_NEXT


def test_the_first_pictures_must_agree_with_each_other() -> None:
    found = judged([5.0, 9.0, 5.0, 5.0, 5.0])
    assert [reason for _, _, reason in found] == [FIRST_ONES, FIRST_ONES, None, None, None]


def test_a_value_is_published_when_the_next_picture_bears_it_out() -> None:
    found = judged([5.0] * 3 + [5.2, 5.2])
    assert [value for _, value, _ in found] == [5.0, 5.0, 5.0, 5.2, 5.2]
    assert judged([5.0] * 3 + [5.2])[-1][2] == NO_NEXT


@pytest.mark.parametrize("wrong", [5.3, 5.4, 9.0, 2.0, 995.0, 4.7])
def test_one_wrong_picture_is_never_published_and_locks_nothing(wrong: float) -> None:
    found = judged([5.0] * 5 + [wrong] + [5.1] * 5)
    assert wrong not in [value for _, value, _ in found]
    assert [value for _, value, _ in found][-3:] == [5.1] * 3
    reasons = {reason for value, _, reason in found if value == wrong}
    assert reasons <= {NOT_BORNE_OUT, TOO_FAST, FELL}


def test_a_wrong_value_that_was_published_is_replaced() -> None:
    wrong_start = published([800.0] * 3 + [5.0] * 30)
    assert wrong_start[:3] == [800.0] * 3
    assert wrong_start[3:] == [5.0] * (31 - FEWEST)


def test_what_stood_for_long_is_not_undone_by_a_smear() -> None:
    smeared = judged([5.0] * 200 + [8.0] * 100 + [5.1] * 5)
    assert 8.0 not in [value for _, value, _ in smeared]
    assert smeared[-1][1] == 5.1
    # A new meter, which goes on and on, is believed in the end.
    assert judged([5.0] * 200 + [80.0] * 210)[-1][1] == 80.0


def test_random_misreadings_never_add_up_to_a_new_value() -> None:
    draw = random.Random(1)
    values: list[float | None] = [5.0] * 10
    values += [draw.uniform(0, 900) if draw.random() < 0.7 else 5.0 for _ in range(3000)]
    assert {value for _, value, _ in judged(values)} <= {5.0, None}


def test_the_verge_of_a_change_is_no_fall() -> None:
    assert published([5.0, 5.0, 5.0, 5.1, 5.0, 5.1, 5.1, 5.2, 5.2]) == sorted(
        published([5.0, 5.0, 5.0, 5.1, 5.0, 5.1, 5.1, 5.2, 5.2])
    )


def test_limits_hold() -> None:
    assert judged([5.0] * 3 + [5.9])[-1][2] == TOO_FAST
    assert judged([5.0] * 3 + [4.8])[-1][2] == FELL
    # The longer nobody looked, the more it may have changed.
    assert published([5.0] * 3 + [20.0, 20.0], minutes=60) == [5.0] * 3 + [20.0] * 2
    moving = profile(lowest_per_hour=6.0, highest_per_hour=60.0)
    assert judged([5.0, 5.1, 5.2, 5.3, 5.3, 5.3, 5.3], moving)[-1][2] == TOO_SLOW


def test_a_value_that_may_fall_does() -> None:
    thermometer = profile(lowest_per_hour=-30.0, highest_per_hour=30.0, may_fall=True)
    assert published([20.0, 20.0, 20.0, 19.8, 19.8, 20.1, 20.1], thermometer) == [20, 20, 20, 19.8, 19.8, 20.1, 20.1]
    assert judged([20.0, 20.0, 20.0, 10.0, 20.0], thermometer)[-2][2] == FELL


def test_what_is_not_sure_passes_by() -> None:
    found = judged([5.0] * 3 + [None, 5.1, None, 5.1])
    assert [(value, reason) for _, value, reason in found][3:] == [
        (None, "dark"),
        (None, "dark"),
        (5.1, None),
        (5.1, None),
    ]


def test_the_last_value_before_a_restart_counts() -> None:
    before = (-60.0, 5.0)
    assert published([5.0, 5.0], last=before) == [5.0, 5.0]
    assert published([900.0] * 3 + [5.1, 5.1], last=before) == [5.1, 5.1]
