"""What each layer of a model loses in int8: ``MODEL.layers.json``, which ``convert --inspect`` writes."""

import dataclasses
import os
from dataclasses import dataclass
from typing import Annotated, Any

from edge_digits_runtime.records import files, saved
from edge_digits_runtime.records.fields import Length, Line, Name, Positive, Sha256, Time, Within

FORMAT = "edge-digits-layers/1"
RECORD = "layers.json"
"""What the names of these files end with."""
ROUNDING = 12**-0.5
"""Root mean square of the error of rounding, in steps: a layer that loses nothing else has this."""

Size = Annotated[float, Within(0, 1e38)]


@dataclass(frozen=True)
class LayerError:
    """What one operator of an int8 model loses against float32."""

    layer: Line
    """Name of the Keras layer, or of the tensor where it is of none."""
    operator: Line
    """Its operator in the model, such as ``CONV_2D``."""
    signal: Size
    """Root mean square of its float output."""
    error: Size
    """Root mean square of the difference of the int8 output."""
    largest: Size
    """Largest difference, as a mean over the pictures."""
    step: Size
    """What one step of int8 stands for in its output."""

    @property
    def relative(self) -> float:
        """The error as a share of the signal."""
        return self.error / self.signal if self.signal else 0.0

    @property
    def steps(self) -> float:
        """The error in steps of int8; rounding alone makes 0.29."""
        return self.error / self.step if self.step else 0.0


@dataclass(frozen=True)
class LayerRecord:
    """The errors of all layers of one model."""

    name: Name
    """Name of its recipe."""
    sha256: Sha256
    """Hex digest of the flatbuffer of the int8 model."""
    pictures: Positive
    """How many validation pictures the errors are averaged over."""
    layers: Annotated[list[LayerError], Length(1, 1000)]
    """In the order in which they run."""
    created: Time = ""
    """UTC time, ISO 8601."""

    @property
    def worst(self) -> LayerError:
        """The layer that loses the largest share of its signal."""
        return max(self.layers, key=lambda each: each.relative)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON-ready values, with the format name first."""
        return {"format": FORMAT} | dataclasses.asdict(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the record, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        files.write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "LayerRecord":
        """Read what `save` wrote.

        Raises:
            EvaluationError: the file cannot be read, is damaged, or of another format.
        """
        return saved.load(cls, path, FORMAT, "convert the run with --inspect again")
