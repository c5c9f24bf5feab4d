"""What is written of each picture, whoever it is written to."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from edge_digits_runtime.meter.reasons import meter_reason_code


@dataclass(frozen=True)
class Record:
    """A reading that was published, or why it was not."""

    time: str
    """When the picture was taken: UTC, ISO 8601, to the millisecond."""
    meter: str
    """Name of the meter."""
    text: str
    """One character for each slot, with the decimal point; ``?`` where one is doubtful."""
    value: float | None
    """The value that is published; None where it is doubtful."""
    unit: str
    """Of the value."""
    reason: str | None
    """Why it is doubtful."""
    source: str
    """Name of the picture, or of the camera."""
    picture: str | None = None
    """File in which a doubtful picture is kept."""

    @property
    def sure(self) -> bool:
        """Whether the value is published."""
        return self.value is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return {
            "time": self.time,
            "meter": self.meter,
            "text": self.text,
            "value": self.value,
            "unit": self.unit,
            "sure": self.sure,
            "reason": self.reason,
            "reason_code": meter_reason_code(self.reason),
            "source": self.source,
            "picture": self.picture,
        }


class Output(Protocol):
    """Where records go.

    ``write`` and ``close`` raise OSError where there is no room, or nobody to take them; what was not written is tried
    again with the next record, as far as the output keeps it.
    """

    name: str
    """What messages call it."""

    def write(self, record: Record) -> None:
        """Write a record, so that it survives the end of this process."""
        ...

    def close(self) -> None:
        """Write what is left, within half a second."""
        ...


def timestamp(seconds: float) -> str:
    """Return seconds since 1970 as UTC, such as ``2026-05-01T12:30:00.000+00:00``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def seconds(time: str) -> float:
    """Return what `timestamp` was made of."""
    return datetime.fromisoformat(time).timestamp()
