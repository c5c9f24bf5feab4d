"""The run folder of a line reader: ``model.keras``, ``evaluation.json`` and, written last, ``run.json``.

``checkpoint.npz`` is there only while training is unfinished. The evaluation is that of the original on made lines;
sets of real pictures are measured by ``benchmarks/accuracy/lines.py``.
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from edge_digits_runtime.errors import RunError
from edge_digits_runtime.records import fields, files
from edge_digits_runtime.records.device_facts import DeviceFacts
from edge_digits_runtime.records.fields import As, Count, FieldError, Line, Positive, Sha256, Share, Time
from edge_digits_runtime.records.run import LINE_FORMAT, RECORD, NamedRecipe, read_values


@dataclass(frozen=True)
class LineRunRecord:
    """What ``run.json`` of a line reader holds."""

    recipe: Annotated[Mapping[str, Any], As(NamedRecipe)]
    """The recipe as trained, options and seed included (`LineRecipe.to_dict` of the training side)."""
    generator: Positive
    """Version of what made the lines."""
    lines: Count
    """Number of different lines that were trained on."""
    weights_sha256: Sha256
    """Hex digest of the trained weights; also the identity of the run."""
    model_sha256: Sha256
    """Hex digest of ``model.keras``, so that a damaged file is noticed before it is converted."""
    device: Annotated[Mapping[str, Any], As(DeviceFacts)]
    """Facts of the training device."""
    versions: Mapping[str, Line]
    """Versions of the packages that took part, by name."""
    history: Mapping[str, list[float]]
    """By epoch: ``loss``, ``val_exact`` (share of the validation lines that are read right) and ``seconds``."""
    exact: Share
    """Share of the validation lines that the kept weights read right."""
    validation_lines: Positive
    parameters: Count
    """Number of trainable parameters."""
    macs: Count
    """Multiply-accumulates of one line."""
    origin: Line = ""
    """How the weights came about, in a sentence, where ``recipe`` alone does not say it."""
    created: Time = ""
    """UTC time, ISO 8601."""

    @property
    def name(self) -> str:
        """Name of the recipe, such as ``line-m``."""
        return str(self.recipe["name"])

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON-ready values, with the format name first."""
        return {"format": LINE_FORMAT} | dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> "LineRunRecord":
        """Read what `to_dict` returned, after JSON.

        Raises:
            RunError: not the record of a line reader, or a field is missing, unknown or does not fit.
        """
        if not is_line_run(values):
            raise RunError(f"not a run of format {LINE_FORMAT}; make one with 'edge-digits train line-m'")
        try:
            kept = {name: value for name, value in values.items() if name != "format"}
            record: LineRunRecord = fields.read(cls, kept)
        except FieldError as error:
            raise RunError(f"the record of the run is damaged ({error}): train again") from error
        return record

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``run.json`` into ``folder``, whole or not at all."""
        files.write_json(Path(folder) / RECORD, self.to_dict())

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "LineRunRecord":
        """Read the record of a finished run.

        Raises:
            RunError: no such folder, unfinished, damaged, or of no line reader; the message names the folder.
        """
        values = read_values(Path(folder))
        try:
            return cls.from_dict(values)
        except RunError as error:
            raise RunError(f"{Path(folder) / RECORD}: {error}") from error


def is_line_run(values: Any) -> bool:
    """Return whether what ``run.json`` holds is the record of a line reader."""
    return isinstance(values, Mapping) and values.get("format") == LINE_FORMAT
