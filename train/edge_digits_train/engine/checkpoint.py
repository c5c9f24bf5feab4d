"""The checkpoint of an unfinished training.

``checkpoint.npz`` holds the variables of network and optimizer after an epoch, in their order, and a JSON record of the
training so far. It is one file, since two could fall out of step. It is replaced as a whole after each epoch, so that a
killed process leaves the one before.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.library_errors import JSON, NUMPY
from edge_digits_runtime.records import files
from edge_digits_runtime.records.run import CHECKPOINT
from numpy.typing import NDArray

FORMAT = "edge-digits-checkpoint/1"


@dataclass(frozen=True)
class Checkpoint:
    """A training between two epochs."""

    recipe: Mapping[str, Any]
    """`Recipe.to_dict` of what is being trained."""
    data_sha256: str
    """Hex sha256 of the training pictures, see `edge_digits_runtime.data.datasets.digest`."""
    history: Mapping[str, list[float]]
    """The figures of the run record, for the epochs that are done."""
    state: Sequence[NDArray[Any]]
    """The variables of the network and then those of the optimizer."""
    origin: str = ""
    """Where the first weights come from, in words; empty where they were drawn."""
    classes: Sequence[str] = ()
    """Names of the classes, in the order of the outputs; none of a line reader."""

    @property
    def epochs(self) -> int:
        """Number of epochs that are done."""
        return len(self.history["loss"])

    def save(self, folder: Path) -> None:
        """Write the checkpoint into the run folder, whole or not at all."""
        fields = {
            "format": FORMAT,
            "recipe": self.recipe,
            "data_sha256": self.data_sha256,
            "history": self.history,
            "origin": self.origin,
            "classes": list(self.classes),
        }
        arrays: dict[str, Any] = {f"v{index:04d}": variable for index, variable in enumerate(self.state)}
        with files.replacing(folder / CHECKPOINT) as temporary, temporary.open("wb") as stream:
            np.savez(stream, record=np.array(json.dumps(fields)), **arrays)

    @staticmethod
    def recipe_name(folder: Path) -> str | None:
        """Return the name of the recipe whose unfinished training is in a run folder; None if that cannot be read.

        The weights are not read.
        """
        try:
            with np.load(folder / CHECKPOINT, allow_pickle=False) as archive:
                fields = json.loads(str(archive["record"]))
            return str(fields["recipe"]["name"])
        except (*NUMPY, *JSON, KeyError, TypeError):
            return None

    @classmethod
    def load(cls, folder: Path) -> "Checkpoint":
        """Read the checkpoint of the run folder.

        Raises:
            RunError: there is none, or it is damaged or of another version.
        """
        path = folder / CHECKPOINT
        if not path.is_file():
            raise RunError(f"{folder}: no unfinished training to resume; leave --resume out to start one")
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            fields = json.loads(str(arrays.pop("record", "")))
        except (*NUMPY, *JSON) as error:
            raise RunError(f"{path}: damaged ({error}): delete the folder and train again") from error
        if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
            raise RunError(f"{path}: damaged (not of format {FORMAT}): delete the folder and train again")
        if fields.keys() != {"recipe", "data_sha256", "history", "origin", "classes"}:
            raise RunError(f"{path}: damaged (it holds {', '.join(fields)}): delete the folder and train again")
        return cls(**fields, state=[arrays[name] for name in sorted(arrays)])
