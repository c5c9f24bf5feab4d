"""Numbers as people read them, for what the commands print and for the pages that they write."""

from collections.abc import Mapping
from typing import Any

NONE = "–"
"""Stands where there is no value."""
ALIKE = 0.05
"""A ratio this close to 1 is called about the same: the medians of two measurements differ by as much."""


def percent(share: float, digits: int = 2) -> str:
    """Return ``98.77 %`` for a share of ``0.98765``."""
    return f"{100 * share:.{digits}f} %"


def points(pp: float, signed: bool = False) -> str:
    """Return percentage points with two decimals and a true minus sign, never ``-0.00``."""
    rounded = round(pp, 2) + 0.0
    return f"{rounded:{'+' if signed and rounded else ''}.2f}".replace("-", "−")


def microseconds(us: float) -> str:
    """Return a time with one decimal below 100 µs and none from there on, without the unit."""
    return f"{us:.1f}" if us < 100 else f"{us:,.0f}"


def megabytes(count: int | None) -> str:
    """Return a number of bytes as MB of 1,000,000 bytes; a dash for None."""
    return NONE if count is None else f"{count / 1e6:,.0f} MB"


def counted(count: int, noun: str) -> str:
    """Return ``1 thread`` or ``2 threads``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def joined(*facts: object) -> str:
    """Return the facts that are known, separated by commas; a dash if none is."""
    return ", ".join(str(fact) for fact in facts if fact) or NONE


def device_facts(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return in words what tells devices of one name apart; an empty string for what their system does not show.

    Args:
        facts: as in `edge_digits_runtime.records.device_facts.DeviceFacts`.
    """
    cores, memory, features = facts.get("cores"), facts.get("memory_bytes"), facts.get("cpu_features")
    cpu = facts.get("cpu")
    # Those of a GPU's host say little about it.
    host = "host with " if facts.get("kind") == "GPU" else ""
    if host:
        features = None
    return {
        "machine": facts.get("machine") or "",
        "cpu": cpu if cpu and cpu != facts.get("name") else "",
        "cores": f"{host}{counted(cores, 'core')}" if cores else "",
        "memory": f"{memory / 1e9:.1f} GB" if memory else "",
        "features": "" if features is None else " ".join(f.replace(" ", "-") for f in features) or "no vector features",
        "governor": facts.get("governor") or "",
    }


def device(facts: Mapping[str, Any]) -> str:
    """Return a device as a line says it: ``AMD EPYC, 2 cores, avx2 fma``."""
    words = device_facts(facts)
    return joined(facts.get("name"), words["cpu"], words["cores"], words["features"])


def times(ratio: float) -> str:
    """Return ``9.8×``: no decimal from 100 on, two significant digits below 0.1."""
    if ratio >= 100:
        return f"{ratio:,.0f}×"
    return f"{ratio:.2g}×" if ratio < 0.1 else f"{ratio:.1f}×"


def speed(latency_ratio: float) -> str:
    """Return ``1.4× faster``, ``2.0× slower`` or ``about as fast`` for the ratio of a median latency to another."""
    if abs(latency_ratio - 1) <= ALIKE:
        return "about as fast"
    return f"{times(1 / latency_ratio)} faster" if latency_ratio < 1 else f"{times(latency_ratio)} slower"


def smaller(bytes_ratio: float) -> str:
    """Return ``9.8× smaller``, ``1.3× larger`` or ``about as large`` for bytes before divided by bytes after."""
    if abs(bytes_ratio - 1) <= ALIKE:
        return "about as large"
    return f"{times(bytes_ratio)} smaller" if bytes_ratio >= 1 else f"{times(1 / bytes_ratio)} larger"


def than(comparison: str, what: str) -> str:
    """Return ``1.4× faster than Keras``, or ``about as fast as Keras``, for what `speed` or `smaller` returned."""
    return f"{comparison} {'as' if comparison.startswith('about') else 'than'} {what}"


def p_value(p: float) -> str:
    """Return ``p = 0.021`` or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def utc(created: str) -> str:
    """Return ``2026-05-01 12:30 UTC`` for ``2026-05-01T12:30:00+00:00``; a dash for an empty string."""
    return f"{created[:16].replace('T', ' ')} UTC" if created else NONE
