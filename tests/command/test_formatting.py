"""Numbers as people read them."""

import pytest

from edge_digits.formatting import (
    counted,
    joined,
    megabytes,
    microseconds,
    p_value,
    percent,
    points,
    smaller,
    speed,
    than,
    times,
    utc,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (percent(0.98765), "98.77 %"),
        (percent(0.5, 0), "50 %"),
        (speed(0.5), "2.0× faster"),
        (speed(1.27), "1.3× slower"),
        (speed(1.04), "about as fast"),
        (smaller(9.84), "9.8× smaller"),
        (smaller(0.5), "2.0× larger"),
        (smaller(1.0), "about as large"),
        (than("2.0× faster", "Keras"), "2.0× faster than Keras"),
        (than("about as fast", "Keras"), "about as fast as Keras"),
        (times(127.4), "127×"),
        (times(1600.0), "1,600×"),
        (times(0.0123), "0.012×"),
        (points(-0.001), "0.00"),
        (points(-0.25), "−0.25"),
        (points(0.25, signed=True), "+0.25"),
        (points(0.0, signed=True), "0.00"),
        (p_value(0.00004), "p < 0.001"),
        (p_value(0.0214), "p = 0.021"),
        (microseconds(4.14), "4.1"),
        (microseconds(1556.2), "1,556"),
        (megabytes(1_234_500_000), "1,234 MB"),
        (megabytes(None), "–"),
        (counted(1, "thread"), "1 thread"),
        (counted(4, "thread"), "4 threads"),
        (joined("Pi", None, "", 4), "Pi, 4"),
        (joined(None), "–"),
        (utc("2026-05-01T12:30:00+00:00"), "2026-05-01 12:30 UTC"),
        (utc(""), "–"),
    ],
)
def test_numbers_as_people_read_them(text: str, expected: str) -> None:
    assert text == expected
