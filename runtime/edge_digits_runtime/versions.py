"""Compare versions of packages by their release numbers."""

import re


def release(version: str) -> tuple[int, ...]:
    """Return the release numbers of a version; what comes behind them, as in ``2.1rc1``, does not count.

    >>> release("0.10.2"), release("2.1rc1"), release("0.2.dev1")
    ((0, 10, 2), (2, 1), (0, 2))
    """
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in numbers[0].split(".")) if numbers else ()
