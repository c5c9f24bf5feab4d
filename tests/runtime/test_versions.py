"""Versions are compared by their release numbers."""

import pytest
from edge_digits_runtime.versions import release


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("0.1.0", (0, 1, 0)),
        ("10.2", (10, 2)),
        ("2", (2,)),
        ("2.1rc1", (2, 1)),
        ("0.2.dev1", (0, 2)),
        ("2.4.0+git.5", (2, 4, 0)),
        ("1.26.4.post1", (1, 26, 4)),
        ("", ()),
        ("soon", ()),
    ],
)
def test_release_numbers(version: str, numbers: tuple[int, ...]) -> None:
    assert release(version) == numbers


def test_releases_are_ordered_by_number() -> None:
    assert release("0.10.0") > release("0.9.9")
    assert release("2.14.0")[:2] <= (2, 14) < release("2.15.0")[:2]
