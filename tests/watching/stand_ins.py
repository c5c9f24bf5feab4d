"""Stand-ins: a profile, a reader that says what it is told, and sources and outputs without a camera."""

from collections.abc import Iterator, Sequence
from typing import Any

from edge_digits_runtime.errors import WatchError
from edge_digits_runtime.meter.profile import Change, Profile, Slot
from edge_digits_runtime.meter.reading import MeterReading
from PIL import Image

from edge_digits.watching.frames import Frame
from edge_digits.watching.record import Record

SLOTS = tuple(Slot((2 + 14 * index, 2, 12, 20)) for index in range(4))


def profile(**changes: Any) -> Profile:
    return Profile((80, 40), SLOTS, "water", unit="m³", decimals=1, change=Change(**changes))


class Told:
    """A reader that reads the value from the pixel in the corner: 0 is doubtful, else value / 10."""

    def __init__(self, of: Profile) -> None:
        self.profile = of

    def read(self, image: Image.Image) -> MeterReading:
        number = int.from_bytes(image.tobytes()[:2], "big")
        if number == 0:
            return MeterReading("????", "", None, 0.0, "doubtful: character 1", decimals=1)
        text = f"{number:04d}"
        return MeterReading(text, text, number / 10, 1.0, None, decimals=1)


def picture(number: int) -> Image.Image:
    """Return a picture that `Told` reads as ``number`` tenths."""
    return Image.frombytes("L", (80, 40), number.to_bytes(2, "big") + bytes(80 * 40 - 2))


class Numbers:
    """A camera that shows one number after another, a minute apart, and fails where there is None."""

    name, live = "numbers", True

    def __init__(self, numbers: Sequence[int | None], live: bool = True) -> None:
        self._left = list(numbers)
        self.live = live
        self._at = 1_700_000_000.0

    def frames(self) -> Iterator[Frame]:
        while self._left:
            self._at += 60
            number = self._left.pop(0)
            if number is None:
                raise WatchError("numbers: unplugged")
            yield Frame(self._at, "numbers", picture(number))
            if self.live:
                return

    def close(self) -> None:
        pass


class Kept:
    """An output that keeps what it gets."""

    name = "kept"

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.closed = False

    def write(self, record: Record) -> None:
        self.records.append(record)

    def close(self) -> None:
        self.closed = True


def record(value: float | None, at: int = 0, **changes: Any) -> Record:
    fields: dict[str, Any] = {
        "time": f"2026-05-01T12:{at // 60 % 60:02d}:{at % 60:02d}.000+00:00",
        "meter": "water",
        "text": "123.4" if value is not None else "1?3.4",
        "value": value,
        "unit": "m³",
        "reason": None if value is not None else "doubtful: character 2",
        "source": "numbers",
    }
    return Record(**fields | changes)
