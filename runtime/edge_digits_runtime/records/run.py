"""The run folder: what training leaves behind and conversion starts from.

| file | |
|---|---|
| ``model.keras`` | the trained Keras model |
| ``run.json`` | `RunRecord`, written last: a folder without it is unfinished |
| ``evaluation.json`` | the Keras original on the test split, see `edge_digits_runtime.records.evaluation` |
| ``curves.png`` | loss and accuracy by epoch |
| ``checkpoint.npz`` | there only while training is unfinished; ``--resume`` starts from it |
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_digits_runtime.errors import RunError
from edge_digits_runtime.library_errors import DAMAGE
from edge_digits_runtime.records import files
from edge_digits_runtime.records.fields import check_fields

FORMAT = "edge-digits-run/1"
MODEL, RECORD, EVALUATION, CURVES = "model.keras", "run.json", "evaluation.json", "curves.png"
# One file, not a model and a record beside it: a process killed between the two would leave a pair that does not match.
CHECKPOINT = "checkpoint.npz"


@dataclass(frozen=True)
class RunRecord:
    """What ``run.json`` holds."""

    recipe: Mapping[str, Any]
    """The recipe as trained, options and seed included (`Recipe.to_dict` of the training side)."""
    data: Mapping[str, Any]
    """``name``, ``source`` (what ``--data`` was given, None for MNIST), ``sha256`` and ``counts`` by split."""
    weights_sha256: str
    """Hex digest of the trained weights; also the identity of the run."""
    model_sha256: str
    """Hex digest of ``model.keras``, so that a damaged file is noticed before it is converted."""
    device: Mapping[str, Any]
    """Facts of the training device, at least ``name`` and ``kind`` (``CPU`` or ``GPU``)."""
    versions: Mapping[str, str]
    """Versions of the packages that took part, by name."""
    history: Mapping[str, list[float]]
    """By epoch: ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy`` and ``seconds``."""
    accuracy: Mapping[str, float]
    """Share of right answers in [0, 1] by split: ``validation`` and ``test``."""
    metrics: Mapping[str, Any]
    """Of the test split: ``precision``, ``recall``, ``f1`` (10 values each), their ``macro`` means, ``confusion``."""
    latency_us: Mapping[str, float]
    """Single-picture latency of the Keras model in microseconds: ``p50``, ``p90``, ``p99``, ``mean``, ``std``."""
    parameters: int
    """Number of trainable parameters."""
    macs: int
    """Multiply-accumulates of one picture."""
    created: str = ""
    """UTC time, ISO 8601."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return str(self.recipe["name"])

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-ready values, with the format name first."""
        return {"format": FORMAT} | dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RunRecord":
        """Read what `to_dict` wrote; fields of later versions are ignored.

        Raises:
            RunError: not a run record, or a field is missing.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise RunError(f"not a run of format {FORMAT}; runs are made by 'edge-digits train'")
        known = {f.name for f in dataclasses.fields(cls)}
        try:
            record = cls(**{name: value for name, value in values.items() if name in known})
            check_fields(record)
            _ = record.name
            if not isinstance(record.data.get("source", ...), str | None):
                raise TypeError("it does not say where its data came from")
        except DAMAGE as error:
            raise RunError(f"the record of the run is damaged ({error}): train again") from error
        return record

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``run.json`` into ``folder``, whole or not at all."""
        files.write_json(Path(folder) / RECORD, self.to_dict())

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "RunRecord":
        """Read the record of a finished run.

        Raises:
            RunError: no such folder, unfinished, damaged, or not a run; the message names the folder.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise RunError(f"{folder}: no such run folder; make one with 'edge-digits train'")
        if not (folder / RECORD).is_file():
            if (folder / CHECKPOINT).is_file():
                raise RunError(f"{folder}: unfinished; finish it with 'edge-digits train --resume --out {folder}'")
            raise RunError(f"{folder}: not a run folder (no {RECORD} in it); make one with 'edge-digits train'")
        try:
            values = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{folder / RECORD}: cannot be read ({error}): train again") from error
        try:
            return cls.from_dict(values)
        except RunError as error:
            raise RunError(f"{folder / RECORD}: {error}") from error
