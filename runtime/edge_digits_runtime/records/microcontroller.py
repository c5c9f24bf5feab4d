"""What the C of a model takes on microcontrollers: ``microcontroller.json``, which ``export --measure`` writes."""

import dataclasses
import os
from dataclasses import dataclass
from typing import Annotated, Any

from edge_digits_runtime.records import files, saved
from edge_digits_runtime.records.fields import Count, Length, Line, Name, Positive, Sha256, Time

FORMAT = "edge-digits-microcontroller/1"
RECORD = "microcontroller.json"
"""Name of the file in the folder of an export; files of other names end with it."""


@dataclass(frozen=True)
class ProcessorFigures:
    """What one picture takes on one processor."""

    processor: Name
    """As compilers call it, such as ``cortex-m0plus``."""
    flash_bytes: Positive
    """Code and constants of ``digits.o``: what is linked into a firmware, without the ``memcpy`` of its C library."""
    ram_bytes: Positive
    """The static buffer, and the deepest stack that was measured; the picture and the logits are the caller's."""
    stack_bytes: Count
    """The part of it that is stack."""
    instructions: Positive
    """Of one call of ``edge_digits_classify``, the mean over the pictures."""


@dataclass(frozen=True)
class MicrocontrollerRecord:
    """Figures of one model."""

    name: Name
    """Name of its recipe, such as ``digits-xs``."""
    sha256: Sha256
    """Hex digest of the flatbuffer that the C was written of."""
    macs: Count
    """Multiply-accumulates of one picture."""
    pictures: Positive
    """How many pictures ran on each processor; all their logits were those of this machine."""
    compiler: Line
    """Such as ``arm-none-eabi-gcc 12.2.1 -O2``."""
    emulator: Line
    """Such as ``QEMU 7.2.22``."""
    processors: Annotated[list[ProcessorFigures], Length(1, 20)]
    created: Time = ""
    """UTC time, ISO 8601."""

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON-ready values, with the format name first."""
        return {"format": FORMAT} | dataclasses.asdict(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the record, whole or not at all."""
        files.write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "MicrocontrollerRecord":
        """Read what `save` wrote.

        Raises:
            EvaluationError: the file cannot be read, is damaged, or of another format.
        """
        return saved.load(cls, path, FORMAT, "export the model with --measure again")
