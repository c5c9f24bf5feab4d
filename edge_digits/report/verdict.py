"""The verdict of the report in words. It claims no more than the figures show."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_digits.formatting import microseconds, p_value, percent, points, smaller, speed, than
from edge_digits.paired import Paired
from edge_digits.report.structure import INT8, KERAS, ORIGINAL, Family, Row

ROLE_WORDS = {"float-original": "float original", "float-tflite": "float TFLite", "int8": "int8 TFLite"}


@dataclass(frozen=True)
class Verdict:
    """The verdict on one family."""

    title: str
    """Title of the family."""
    headline: str
    """One line on what matters most: the accuracy that int8 costs."""
    tone: str
    """``bad`` for a loss and ``good`` for a gain beyond chance, else ``plain``."""
    sentences: tuple[str, ...]
    """Accuracy, agreement, size and speed."""


def verdict(family: Family) -> Verdict:
    """Say what the converted models of a family cost compared with their float original."""
    subject = _subject(family)
    return Verdict(family.title, _headline(family, subject), tone(subject.drop), tuple(_sentences(family)))


def agreement(paired: Paired) -> str:
    """Return the share of equal answers in percent; ``100.00 %`` only if all answers are equal."""
    return percent(paired.agreement if paired.changed == 0 else min(paired.agreement, 0.9999))


def interval(paired: Paired) -> str:
    """Return the 95 % interval of a drop in percentage points, such as ``−0.05 to 0.11``."""
    low, high = paired.interval_pp
    return f"{points(low)} to {points(high)}"


def tone(paired: Paired | None) -> str:
    """Return ``bad`` for a loss and ``good`` for a gain beyond chance, else ``plain``."""
    if paired is None or not paired.significant:
        return "plain"
    return "bad" if paired.drop_pp > 0 else "good"


def scheme(row: Row) -> str:
    """Return ``Keras``, ``float32``, ``int8`` and so on."""
    return "Keras" if row.scheme == KERAS else row.scheme


def causes(names: Sequence[str]) -> str:
    """Return ``format and device``; ``repetition`` if two measurements differ in nothing but chance."""
    return " and ".join(names) or "repetition"


def _subject(family: Family) -> Row:
    """Return the row that the headline is about: the int8 row with the largest drop, or the last row."""
    quantized = [row for row in family.rows if row.scheme == INT8]
    return max(quantized, key=lambda row: row.accuracy_drop_pp or 0.0, default=family.rows[-1])


def _headline(family: Family, row: Row) -> str:
    paired = row.drop
    if paired is None:
        unknown = "; drop unknown without the float original" if family.original is None else ""
        return f"{scheme(row)}: {percent(row.evaluation.accuracy)} right{unknown}"
    if not paired.significant:
        return f"{scheme(row)}: no accuracy difference beyond chance"
    return f"{scheme(row)} {_loses(paired)} of accuracy"


def _loses(paired: Paired) -> str:
    return f"{'loses' if paired.drop_pp > 0 else 'gains'} {points(abs(paired.drop_pp))} pp"


def _sentences(family: Family) -> list[str]:
    converted = [row for row in family.rows if row.role != ORIGINAL]
    int8_first = sorted(converted, key=lambda row: row.scheme != INT8)
    subject = [row for row in int8_first if row.scheme == INT8] or int8_first
    # The rows between the original and int8 are in the table; they get a sentence only if they lost or gained.
    said = [row for row in int8_first if row.drop and (row in subject or row.drop.significant)]
    sentences = [_accuracy(row, family) for row in said if row.name not in family.same_answers]
    sentences += [_same_answers(row, family) for row in said if row.name in family.same_answers]
    sentences += [_cost(row, family) for row in subject]
    return sentences


def _accuracy(row: Row, family: Family) -> str:
    """Return drop, interval and agreement of one row in a sentence or two."""
    paired, original = row.drop, family.original
    assert paired
    assert original
    change = f"{percent(original.evaluation.accuracy)} → {percent(row.evaluation.accuracy)}"
    if paired.drop_pp == 0:
        what = f"{_who(row, family)} is right as often as the float original ({percent(row.evaluation.accuracy)})"
    else:
        what = f"{_who(row, family)} {_loses(paired)} ({change})"
    test = f"95 % interval of the drop {interval(paired)} pp, {p_value(paired.p_value)}"
    chance = "beyond chance" if paired.significant else "within chance"
    return f"{what}; {chance}: {test}. {_changed(paired)}"


def _changed(paired: Paired) -> str:
    """Say how many pictures got another answer, and whether the right or the wrong one."""
    if not paired.changed:
        return f"It gives the same answer to all {paired.count:,} pictures."
    kinds = [f"{paired.lost:,} right → wrong", f"{paired.won:,} wrong → right"]
    kinds += [f"{paired.wrong_in_another_way:,} wrong either way"] if paired.wrong_in_another_way else []
    return f"It answers {paired.changed:,} of {paired.count:,} pictures differently: {', '.join(kinds)}."


def _same_answers(row: Row, family: Family) -> str:
    """Say that a row gives the same answers as an earlier one."""
    earlier = next(other for other in family.rows if other.name == family.same_answers[row.name])
    return f"{_who(row, family)} gives the same answer as {_who(earlier, family)} to every picture."


def _cost(row: Row, family: Family) -> str:
    """Return bytes and microseconds of one row, compared with float TFLite on the same device where there is one."""
    model, like = row.evaluation.model, row.float_tflite
    sizes = [than(smaller(like.bytes_ratio), "float TFLite")] if like else []
    sizes += [than(smaller(row.bytes_ratio), "the Keras file")] if row.bytes_ratio else []
    size = f"{_who(row, family)}: {model.bytes:,} bytes" + (f", {' and '.join(sizes)}" if sizes else "") + "."
    return f"{size} {_times(row, family.original)}"


def _times(row: Row, original: Row | None) -> str:
    """Say what an invocation takes and what the whole way from a picture file does, and compare both."""
    # A row whose name already says the device does not repeat it.
    where = f" on {row.device}" if row.name == row.label else ""
    like = row.float_tflite
    if row.latency is None:
        return f"No time was measured{where}."
    parts = [("An invocation takes", row.latency, like.latency_ratio if like else None)]
    parts += [("picture file → answer", row.file, like.file_ratio if like else None)] if row.file else []
    words = []
    for what, latency, ratio in parts:
        compared = f", {than(speed(ratio), 'float TFLite there')}" if ratio else ""
        words.append(f"{what} {microseconds(latency.p50)} µs{compared}")
    took = f"{'; '.join(words)} (medians{where})."
    if like or original is None or original.latency is None:
        return took
    keras = f"Keras took {microseconds(original.latency.p50)} µs"
    keras += f" and {microseconds(original.file.p50)} µs" if original.file and row.file else ""
    return (
        f"{took} {keras} on {original.device}. "
        "How much of that is due to int8 cannot be told without float TFLite on the same device."
    )


def _who(row: Row, family: Family) -> str:
    """Return what a sentence under the title of the family calls a row."""
    prefix = f"{row.evaluation.model.name} "
    return row.name.removeprefix(prefix) if len(family.rows) > 1 else row.name
