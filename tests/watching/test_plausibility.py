"""What is published follows from what was published before, and one wrong picture never locks it."""

import dataclasses
import random

import numpy as np
import pytest
from edge_digits_runtime.meter.profile import Profile
from edge_digits_runtime.meter.reading import MeterReading
from edge_digits_runtime.meter.reasons import FELL, FIRST_ONES, NO_NEXT, NOT_BORNE_OUT, TOO_FAST, TOO_SLOW
from edge_digits_runtime.meter.wheels import Wheel
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


def doubtful(*wheels: dict[float, float]) -> MeterReading:
    """A reading that is not sure, by the probability of each turn of four wheels."""
    seen = tuple(Wheel(np.bincount([round(10 * turn) for turn in each], list(each.values()), 100)) for each in wheels)
    return MeterReading("?03.4", "003.4", None, 0.7, "doubtful: character 1", decimals=1, wheels=seen)


def test_a_doubt_about_what_cannot_be_is_none() -> None:
    """Whether the first wheel shows 0 or 5 is no question where 3.4 was published a minute before."""
    reading = doubtful({0: 0.7, 5: 0.3}, {0: 1}, {3: 1}, {4.3: 1})
    found = Plausibility(RIVER, (0.0, 3.4)).narrowed(reading, 60.0)
    assert (found.value, found.written, found.reason) == (3.4, "003.4", None)
    assert found.confidence > RIVER.min_confidence


@pytest.mark.parametrize(
    ("judge", "reading"),
    [
        # The picture says 503.4 rather than what would follow.
        (Plausibility(RIVER, (0.0, 3.4)), doubtful({0: 0.4, 5: 0.6}, {0: 1}, {3: 1}, {4.3: 1})),
        # Both of what is in doubt may follow.
        (Plausibility(RIVER, (0.0, 3.4)), doubtful({0: 1}, {0: 1}, {3: 1}, {4.3: 0.6, 6.3: 0.4})),
        # Nothing that it shows may follow.
        (Plausibility(RIVER, (0.0, 8.0)), doubtful({0: 0.7, 5: 0.3}, {0: 1}, {3: 1}, {4.3: 1})),
        # Nothing was published yet, or nothing is too fast.
        (Plausibility(RIVER), doubtful({0: 0.7, 5: 0.3}, {0: 1}, {3: 1}, {4.3: 1})),
        (Plausibility(profile(), (0.0, 3.4)), doubtful({0: 0.7, 5: 0.3}, {0: 1}, {3: 1}, {4.3: 1})),
    ],
)
def test_a_doubt_that_the_past_does_not_answer_stays(judge: Plausibility, reading: MeterReading) -> None:
    assert judge.narrowed(reading, 60.0) is reading


def test_a_reading_that_is_sure_stays_as_it_is() -> None:
    """Else a wrong value that was published would bend what contradicts it."""
    sure = MeterReading("5034", "503.4", 503.4, 1.0, None, decimals=1, wheels=doubtful({5: 1}).wheels)
    assert Plausibility(RIVER, (0.0, 3.4)).narrowed(sure, 60.0) is sure


def test_what_looks_back_does_not_hold_on_to_a_wrong_value() -> None:
    """803.4 was published; pictures of 3.4, each half in doubt and half sure, replace it as soon as without it."""
    judge = Plausibility(RIVER, (0.0, 803.4))
    published = []
    for minute in range(1, 60):
        reading = doubtful({0: 0.95, 8: 0.05}, {0: 1}, {3: 1}, {4.3: 1})
        if minute % 2:
            reading = dataclasses.replace(reading, value=3.4, reason=None)
        reading = judge.narrowed(reading, 60.0 * minute)
        settled = judge.add(Observation(60.0 * minute, reading.value, reading.reason))
        published += [one.value for one in settled if one.value is not None]
    assert set(published) == {3.4}
    # From then on the doubtful ones are read, too.
    assert len(published) > 59 - 2 * FEWEST
