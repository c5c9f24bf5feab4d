"""Numbers as people read them."""

import pytest

from edge_digits.formatting import (
    counted,
    device,
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


def test_a_device_is_named_with_what_tells_it_from_its_namesakes() -> None:
    facts = {"name": "AMD EPYC", "cpu": "AMD EPYC", "cores": 2, "cpu_features": ["avx2", "dot product"]}
    assert device(facts) == "AMD EPYC, 2 cores, avx2 dot-product"
    board = {"name": "Raspberry Pi 5", "cpu": "Cortex-A76", "cores": 4, "cpu_features": []}
    assert device(board) == "Raspberry Pi 5, Cortex-A76, 4 cores, no vector features"
    # Not the vector instructions of the processor beside it.
    gpu = {"name": "NVIDIA H200", "cpu": "Xeon", "kind": "GPU", "cores": 16, "cpu_features": ["avx2"]}
    assert device(gpu) == "NVIDIA H200, Xeon, host with 16 cores"
    assert device({"name": "quick"}) == "quick"
