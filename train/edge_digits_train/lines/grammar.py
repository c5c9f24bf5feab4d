"""The texts of lines: numbers, dates, times, amounts and sums as people write them, and words."""

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator


def number(rng: Rng, shortest: int = 1, longest: int = 7, leading: float = 0.08) -> str:
    """Return ``shortest`` to ``longest`` digits, every length as often.

    Args:
        rng: what chance is drawn from.
        shortest: smallest number of digits.
        longest: largest number of digits.
        leading: probability in [0, 1] that a 0 in front of other digits stays.
    """
    count = int(rng.integers(shortest, longest + 1))
    digits = rng.integers(0, 10, count)
    if rng.random() < 0.2:
        # Repeated digits, which CTC finds hard.
        digits[:] = np.where(rng.random(count) < 0.6, digits[0], digits)
    if count > 1 and digits[0] == 0 and rng.random() > leading:
        digits[0] = rng.integers(1, 10)
    return "".join(map(str, digits.tolist()))


def _sign(rng: Rng) -> str:
    return "-" if rng.random() < 0.3 else "+" if rng.random() < 0.04 else ""


def _mark(rng: Rng) -> str:
    return "." if rng.random() < 0.5 else ","


def integer(rng: Rng) -> str:
    """Return a whole number, in 3 of 10 cases with a minus."""
    return _sign(rng) + number(rng)


def decimal(rng: Rng) -> str:
    """Return a number with a decimal point or comma; in 3 % of the cases nothing stands in front of it."""
    whole = number(rng, 1, 4) if rng.random() < 0.97 else ""
    return _sign(rng) + whole + _mark(rng) + number(rng, 1, int(rng.choice([1, 1, 2, 2, 2, 3])), 1.0)


def thousands(rng: Rng) -> str:
    """Return a number whose thousands are separated by points, commas or spaces."""
    mark = str(rng.choice([".", ",", " "]))
    parts = [number(rng, 1, 3)] + [number(rng, 3, 3, 1.0) for _ in range(int(rng.integers(1, 3)))]
    tail = (("," if mark == "." else ".") + number(rng, 2, 2, 1.0)) if rng.random() < 0.4 else ""
    return _sign(rng) + mark.join(parts) + tail


def negative(rng: Rng) -> str:
    """Return a number with a minus."""
    return "-" + (integer(rng) if rng.random() < 0.5 else decimal(rng)).lstrip("-+")


def date(rng: Rng) -> str:
    """Return a date of 1920 to 2069, day first or year first, with or without a year."""
    day, month, year = int(rng.integers(1, 32)), int(rng.integers(1, 13)), int(rng.integers(1920, 2070))
    short = year % 100
    pad = "02d" if rng.random() < 0.6 else "d"
    mark = str(rng.choice([".", "/", "-", ".", "/", " ", ". "]))
    y = f"{short:02d}" if rng.random() < 0.45 else str(year)
    if rng.random() < 0.2:
        return f"{year}{mark.strip() or '-'}{month:02d}{mark.strip() or '-'}{day:02d}"
    if rng.random() < 0.15:
        return f"{day:{pad}}{mark.strip() or '/'}{month:{pad}}" + ("." if mark == "." else "")
    return f"{day:{pad}}{mark}{month:{pad}}{mark}{y}"


def time(rng: Rng) -> str:
    """Return a time of day, or a span of an hour."""
    hour, minute, second = int(rng.integers(0, 24)), int(rng.integers(0, 60)), int(rng.integers(0, 60))
    text = f"{hour:02d}" if rng.random() < 0.6 else str(hour)
    mark = ":" if rng.random() < 0.85 else "."
    text += f"{mark}{minute:02d}"
    if rng.random() < 0.25:
        text += f"{mark}{second:02d}"
    if rng.random() < 0.1:
        text += f"-{(hour + 1) % 24}{mark}{minute:02d}"
    return text


def phone(rng: Rng) -> str:
    """Return a telephone number."""
    body = number(rng, 4, 8)
    if rng.random() < 0.4:
        cut = len(body) // 2
        body = body[:cut] + str(rng.choice([" ", "-"])) + body[cut:]
    area = number(rng, 2, 4)
    form = int(rng.integers(0, 5))
    if form == 0:
        return f"+{number(rng, 1, 2)} {area} {body}"
    if form == 1:
        return f"0{area}/{body}"
    if form == 2:
        return f"(0{area[:3]}) {body}"
    if form == 3:
        return f"0{area} {body}"
    return f"{number(rng, 3, 3)}-{number(rng, 3, 3)}-{number(rng, 4, 4)}"


def version(rng: Rng) -> str:
    """Return a version number or four numbers of a network address."""
    parts = [number(rng, 1, 2) for _ in range(int(rng.integers(3, 5)))]
    if rng.random() < 0.15:
        parts = [number(rng, 1, 3) for _ in range(4)]
    return str(rng.choice([".", ".", ".", "-"])).join(parts)


def currency(rng: Rng) -> str:
    """Return an amount of money with €, $ or £ in front or behind."""
    sign = str(rng.choice(["€", "€", "€", "$", "$", "£"]))
    amount = number(rng, 1, 5)
    if rng.random() < 0.75:
        amount += _mark(rng) + number(rng, 2, 2, 1.0)
    elif rng.random() < 0.2:
        amount += _mark(rng) + "-"
    if rng.random() < 0.12 and len(amount) > 5:
        amount = thousands(rng).lstrip("+-")
    gap = " " if rng.random() < 0.35 else ""
    return amount + gap + sign if rng.random() < (0.75 if sign == "€" else 0.15) else sign + gap + amount


def percent(rng: Rng) -> str:
    """Return a percentage."""
    value = number(rng, 1, 3) if rng.random() < 0.6 else number(rng, 1, 2) + _mark(rng) + number(rng, 1, 2, 1.0)
    return _sign(rng) + value + (" " if rng.random() < 0.25 else "") + "%"


def equation(rng: Rng) -> str:
    """Return a sum, product or quotient of small numbers, with or without a result (which need not be right)."""

    def term() -> str:
        return number(rng, 1, 3) if rng.random() < 0.85 else number(rng, 1, 2) + _mark(rng) + number(rng, 1, 2, 1.0)

    def sign() -> str:
        return str(rng.choice(list("++--×××/::")))

    text = term() + sign() + term()
    if rng.random() < 0.2:
        text += sign() + term()
    if rng.random() < 0.15:
        text = f"({text})" + (sign() + number(rng, 1, 2) if rng.random() < 0.6 else "")
    elif rng.random() < 0.05:
        text = term() + sign() + f"({text})"
    if rng.random() < 0.6:
        text += "=" + (_sign(rng) + term() if rng.random() < 0.8 else "")
    elif rng.random() < 0.1:
        text = "=" + term()
    if rng.random() < 0.25:
        for mark in "+-×/:=":
            text = text.replace(mark, f" {mark} ")
    return text


def single(rng: Rng) -> str:
    """Return one digit."""
    return str(rng.integers(0, 10))


def groups(rng: Rng) -> str:
    """Return two to four numbers with spaces between them, as in a list or on a bank card."""
    if rng.random() < 0.3:
        size = int(rng.choice([2, 3, 4]))
        return " ".join(number(rng, size, size, 1.0) for _ in range(int(rng.integers(2, 5))))
    return " ".join(number(rng, 1, 5) for _ in range(int(rng.integers(2, 4))))


def long(rng: Rng) -> str:
    """Return 7 to 14 digits."""
    return number(rng, 7, 14, 0.5)


def fraction(rng: Rng) -> str:
    """Return two whole numbers with a slash between them."""
    return f"{number(rng, 1, 4)}/{number(rng, 1, 3)}"


def odd(rng: Rng) -> str:
    """Return digits and signs in any order, so that none is known by its place alone."""
    symbols = list("0123456789" * 3 + ".,-+/:=()×%€$£.,-")
    return "".join(rng.choice(symbols, int(rng.integers(1, 8))).tolist())


# Weight and kind.
_KINDS: tuple[tuple[float, Callable[[Rng], str]], ...] = (
    (20, integer),
    (22, decimal),
    (5, thousands),
    (9, negative),
    (8, date),
    (5, time),
    (5, phone),
    (3, version),
    (6, currency),
    (3, percent),
    (9, equation),
    (9, single),
    (4, groups),
    (3, long),
    (2, fraction),
    (3, odd),
)
_SHARES = np.cumsum([share for share, _ in _KINDS]) / sum(share for share, _ in _KINDS)


def text(rng: Rng, longest: int = 20) -> str:
    """Return the text of a line of numbers with at most ``longest`` characters."""
    while True:
        kind = _KINDS[int(np.searchsorted(_SHARES, rng.random(), side="right"))][1]
        written = kind(rng)
        if 0 < len(written) <= longest:
            return written


_LOWER, _UPPER = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_COMMON = np.array([8, 1.5, 3, 4, 12, 2, 2, 6, 7, 0.3, 0.8, 4, 2.5, 7, 7.5, 2, 0.2, 6, 6, 9, 3, 1, 2.3, 0.3, 2, 0.2])
_COMMON /= _COMMON.sum()
UNITS = (
    *("kg", "g", "m", "km", "cm", "mm", "V", "kW", "kWh", "W", "A", "h", "min", "s", "ml", "C", "F", "EUR", "USD"),
    *("CHF", "Nr", "No", "N", "am", "pm", "Uhr", "Stk", "pcs", "m3", "Hz", "MB", "GB", "rpm", "bar", "psi", "lb"),
    *("ft", "in", "th", "st", "nd", "rd"),
)
"""What stands behind numbers."""


def word(rng: Rng, shortest: int = 2, longest: int = 9) -> str:
    """Return ``shortest`` to ``longest`` letters, as frequent as in English, in capitals or not."""
    letters = "".join(_LOWER[i] for i in rng.choice(26, int(rng.integers(shortest, longest + 1)), p=_COMMON).tolist())
    way = rng.random()
    return letters.upper() if way < 0.25 else letters.capitalize() if way < 0.5 else letters
