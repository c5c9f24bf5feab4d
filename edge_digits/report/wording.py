"""Numbers and verdicts as people read them. No more is claimed than the figures carry."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_digits.report.paired import Paired
from edge_digits.report.structure import INT8, KERAS, ORIGINAL, Family, Row

NONE = "–"
ALIKE = 0.05
"""Ratios closer to 1 than this are called about the same: the medians of two runs differ by as much."""
ROLE_WORDS = {"float-original": "float original", "float-tflite": "float TFLite", "int8": "int8 TFLite"}


@dataclass(frozen=True)
class Verdict:
    """What the report says of one family."""

    title: str
    """The model."""
    headline: str
    """One line on what matters most: what int8 costs."""
    tone: str
    """``bad`` for a loss and ``good`` for a gain beyond chance, else ``plain``."""
    sentences: tuple[str, ...]
    """Accuracy, agreement, size and speed."""


def percent(share: float, digits: int = 2) -> str:
    """``0.98765`` as ``98.77 %``."""
    return f"{100 * share:.{digits}f} %"


def agreement(paired: Paired) -> str:
    """Share of equal answers; 100.00 % only where not one differs."""
    return percent(paired.agreement if paired.changed == 0 else min(paired.agreement, 0.9999))


def points(pp: float, signed: bool = False) -> str:
    """Percentage points with two decimals and a true minus sign, never ``-0.00``."""
    rounded = round(pp, 2) + 0.0
    return f"{rounded:{'+' if signed and rounded else ''}.2f}".replace("-", "−")


def interval(paired: Paired) -> str:
    """The 95 % interval of a drop, such as ``−0.05 to 0.11``."""
    low, high = paired.interval_pp
    return f"{points(low)} to {points(high)}"


def p_value(p: float) -> str:
    """``p = 0.021`` or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def microseconds(us: float) -> str:
    """Three or more significant digits, thousands apart."""
    return f"{us:.1f}" if us < 100 else f"{us:,.0f}"


def times(ratio: float) -> str:
    """``9.8×``, without a decimal from 100 on and with two below 10 %."""
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.2g}×" if ratio < 0.1 else f"{ratio:.1f}×"


def speed(latency_ratio: float) -> str:
    """``1.4× faster``, ``2.0× slower`` or ``about as fast``, of a median latency over another."""
    if abs(latency_ratio - 1) <= ALIKE:
        return "about as fast"
    return f"{times(1 / latency_ratio)} faster" if latency_ratio < 1 else f"{times(latency_ratio)} slower"


def smaller(bytes_ratio: float) -> str:
    """``9.8× smaller``, ``1.3× larger`` or ``about as large``, of bytes before over bytes after."""
    if abs(bytes_ratio - 1) <= ALIKE:
        return "about as large"
    return f"{times(bytes_ratio)} smaller" if bytes_ratio >= 1 else f"{times(1 / bytes_ratio)} larger"


def than(comparison: str, what: str) -> str:
    """``1.4× faster than Keras``, ``about as fast as Keras``."""
    return f"{comparison} {'as' if comparison.startswith('about') else 'than'} {what}"


def megabytes(count: int | None) -> str:
    """Bytes as MB of 1,000,000."""
    return NONE if count is None else f"{count / 1e6:,.0f} MB"


def utc(created: str) -> str:
    """``2026-05-01T12:30:00+00:00`` as ``2026-05-01 12:30 UTC``."""
    return f"{created[:16].replace('T', ' ')} UTC" if created else NONE


def tone(paired: Paired | None) -> str:
    """``bad`` for a loss and ``good`` for a gain beyond chance, else ``plain``."""
    if paired is None or not paired.significant:
        return "plain"
    return "bad" if paired.drop_pp > 0 else "good"


def verdict(family: Family) -> Verdict:
    """Say what the family's converted models cost against their original."""
    subject = _subject(family)
    return Verdict(family.title, _headline(family, subject), tone(subject.drop), tuple(_sentences(family)))


def _subject(family: Family) -> Row:
    """The row that the headline is about: the int8 row with the largest drop, or the last row."""
    quantized = [row for row in family.rows if row.scheme == INT8]
    return max(quantized, key=lambda row: row.accuracy_drop_pp or 0.0, default=family.rows[-1])


def _headline(family: Family, row: Row) -> str:
    paired = row.drop
    if paired is None:
        return f"{scheme(row)}: {percent(row.evaluation.accuracy)} right" + _why_no_drop(family)
    if not paired.significant:
        return f"{scheme(row)}: no accuracy difference beyond chance"
    verb = "loses" if paired.drop_pp > 0 else "gains"
    return f"{scheme(row)} {verb} {points(abs(paired.drop_pp))} pp of accuracy"


def _why_no_drop(family: Family) -> str:
    return "; drop unknown without the float original" if family.original is None else ""


def _sentences(family: Family) -> list[str]:
    converted = [row for row in family.rows if row.role != ORIGINAL]
    # int8 is what the report is about; then what lies between.
    first = sorted(converted, key=lambda row: row.scheme != INT8)
    subject = [row for row in first if row.scheme == INT8] or first
    # What lies between the original and int8 is in the table, unless something was lost there.
    said = [row for row in first if row.drop and (row in subject or row.drop.significant)]
    sentences = [_accuracy(row, family) for row in said if row.name not in family.same_answers]
    sentences += [_alike(row, family) for row in said if row.name in family.same_answers]
    sentences += [_cost(row, family) for row in subject]
    return sentences


def _accuracy(row: Row, family: Family) -> str:
    """Drop, interval and agreement of one row in a sentence or two."""
    paired, original = row.drop, family.original
    assert paired
    assert original
    change = f"{percent(original.evaluation.accuracy)} → {percent(row.evaluation.accuracy)}"
    if paired.drop_pp == 0:
        what = f"{_who(row, family)} is right as often as the float original ({percent(row.evaluation.accuracy)})"
    else:
        verb = "loses" if paired.drop_pp > 0 else "gains"
        what = f"{_who(row, family)} {verb} {points(abs(paired.drop_pp))} pp ({change})"
    test = f"95 % interval of the drop {interval(paired)} pp, {p_value(paired.p_value)}"
    chance = "beyond chance" if paired.significant else "within chance"
    return f"{what}; {chance}: {test}. {_changed(paired)}"


def _changed(paired: Paired) -> str:
    """How many pictures are answered differently, and which way."""
    if not paired.changed:
        return f"It gives the same answer to all {paired.count:,} pictures."
    other = paired.changed - paired.lost - paired.won
    ways = [f"{paired.lost:,} right → wrong", f"{paired.won:,} wrong → right"]
    ways += [f"{other:,} wrong either way"] if other else []
    return f"It answers {paired.changed:,} of {paired.count:,} pictures differently: {', '.join(ways)}."


def _alike(row: Row, family: Family) -> str:
    """That a row answers every picture as an earlier one does."""
    earlier = next(other for other in family.rows if other.name == family.same_answers[row.name])
    return f"{_who(row, family)} answers every picture as {_who(earlier, family)} does."


def _cost(row: Row, family: Family) -> str:
    """Bytes and microseconds of one row, against like where there is like."""
    model, like, original = row.evaluation.model, row.float_tflite, family.original
    sizes = [than(smaller(like.bytes_ratio), "float TFLite")] if like else []
    sizes += [than(smaller(row.bytes_ratio), "the Keras file")] if row.bytes_ratio else []
    size = f"{_who(row, family)}: {model.bytes:,} bytes" + (f", {' and '.join(sizes)}" if sizes else "") + "."
    # A name that says the device needs it no second time.
    where = f" on {row.device}" if row.name == row.label else ""
    took = f"{microseconds(row.latency.p50)} µs a picture{where} (median)"
    if like:
        took += f", {than(speed(like.latency_ratio), 'float TFLite there')}"
    elif original and row.latency_ratio:
        took += (
            f"; Keras took {microseconds(original.latency.p50)} µs on {original.device}. "
            "How much of that is int8 cannot be told without float TFLite on the same device"
        )
    return f"{size} {took}."


def _who(row: Row, family: Family) -> str:
    """What a sentence under the family's title calls a row."""
    prefix = f"{row.evaluation.model.name} "
    return row.name.removeprefix(prefix) if len(family.rows) > 1 else row.name


def scheme(row: Row) -> str:
    """``Keras``, ``float32``, ``int8`` and so on."""
    return "Keras" if row.scheme == KERAS else row.scheme


def causes(names: Sequence[str]) -> str:
    """``format and device``; what two evaluations of the same thing differ in is chance alone."""
    return " and ".join(names) or "repetition"
