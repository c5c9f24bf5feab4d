"""Which pictures int8 is calibrated on."""

import numpy as np
import pytest
from edge_digits_convert.calibration_pictures import DEFAULT_COUNT, CalibrationDraw, draw_pictures
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.errors import UsageError


def split(counts: list[int], low: int = 0, high: int = 255) -> Split:
    """Pictures that can be told apart: the label is in pixel 1, the number within its digit in pixel 2."""
    labels = np.repeat(np.arange(10, dtype=np.uint8), counts)
    images = np.full((len(labels), 28, 28), low, np.uint8)
    images[:, 0, 1] = labels + low
    images[:, 0, 2] = np.concatenate([np.arange(n) for n in counts]) + low
    images[:, 0, 3] = high
    return Split(images, labels)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (10, [1] * 10),
        (23, [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]),
        (200, [20] * 10),  # all that there is of class 4
        (215, [22, 22, 22, 22, 20, 22, 22, 21, 21, 21]),
        (430, [30, 40, 50, 57, 20, 30, 40, 50, 57, 56]),
    ],
)
def test_classes_are_balanced(count: int | None, expected: list[int]) -> None:
    pictures = draw_pictures(split([30, 40, 50, 60, 20, 30, 40, 50, 60, 70]), CalibrationDraw(count))
    assert np.bincount(pictures[:, 0, 1], minlength=10).tolist() == expected
    assert len(np.unique(pictures[:, 0, 1:3].reshape(-1, 2), axis=0)) == sum(expected)  # none twice


@pytest.mark.parametrize(
    ("available", "drawn"), [([250] * 10, DEFAULT_COUNT), ([250] * 9 + [4], DEFAULT_COUNT), ([4] * 10, 40)]
)
def test_the_default_is_what_a_small_data_set_allows(available: list[int], drawn: int) -> None:
    assert len(draw_pictures(split(available), CalibrationDraw(allow_few=True))) == drawn


def test_few_different_pictures_are_refused_unless_that_is_allowed() -> None:
    training = split([30] * 10)
    assert len(draw_pictures(training, CalibrationDraw())) == 100
    # 99 that differ, the last one twice.
    few = training.take(np.r_[:99, 98, 98])
    said = "99 different training pictures to calibrate int8 on; 100 are needed: give more pictures, or say --allow-few"
    with pytest.raises(UsageError, match=said):
        draw_pictures(few, CalibrationDraw())
    assert len(draw_pictures(few, CalibrationDraw(allow_few=True))) == 100
    # One picture a thousand times: another draw finds the others.
    repeated = training.take(np.r_[:300, np.full(1000, 299)])
    drawn = draw_pictures(repeated, CalibrationDraw())
    assert len(np.unique(drawn.reshape(100, -1), axis=0)) == 100
    # A smaller number that was asked for is allowed, but then all differ.
    assert len(draw_pictures(training, CalibrationDraw(50))) == 50
    with pytest.raises(UsageError, match="1 different training pictures"):
        draw_pictures(training.take(np.zeros(200, int)), CalibrationDraw(50))


def test_the_seed_decides() -> None:
    training = split([30] * 10)
    first, again, other = (draw_pictures(training, CalibrationDraw(50, seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_smaller_draw_is_part_of_a_larger_one() -> None:
    training = split([30] * 10)
    small, large = (
        {picture.tobytes() for picture in draw_pictures(training, CalibrationDraw(n, 7))} for n in (40, 200)
    )
    assert small < large


def test_pictures_of_the_full_range_are_untouched() -> None:
    training = split([3] * 10)
    drawn = draw_pictures(training, CalibrationDraw(30))
    assert {p.tobytes() for p in drawn} == {p.tobytes() for p in training.images}


@pytest.mark.parametrize(("low", "high"), [(0, 200), (20, 255), (20, 200), (0, 0), (255, 255), (9, 9)])
def test_the_range_is_always_full(low: int, high: int) -> None:
    training = Split(np.full((10, 28, 28), low, np.uint8), np.arange(10, dtype=np.uint8))
    training.images[:, 5, 5] = high
    before = training.images.copy()
    drawn = draw_pictures(training, CalibrationDraw(10, allow_few=True))
    assert (drawn.min(), drawn.max()) == (0, 255)
    assert np.count_nonzero(drawn != before) <= 2
    assert np.array_equal(training.images, before)  # the data set itself is left alone


@pytest.mark.parametrize("count", [-1, 0, 9, 87])
def test_a_count_out_of_range_names_the_range(count: int) -> None:
    with pytest.raises(UsageError, match=rf"count of {count}; allowed is 10, one of each class, to 86, all pictures"):
        draw_pictures(split([9, 9, 9, 5, 9, 9, 9, 9, 9, 9]), CalibrationDraw(count))
