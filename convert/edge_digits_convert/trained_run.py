"""What conversion starts from: the run folder that a training wrote, and the pictures of that training."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from edge_digits_runtime.data import datasets
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.errors import DataError, RunError
from edge_digits_runtime.records.run import MODEL, RECORD, RunRecord


@dataclass(frozen=True)
class RunPictures:
    """The pictures of a run."""

    training: Split
    """Those that it was trained on, without those held out: int8 is calibrated on some of them."""
    validation: Split
    """Those held out: the confidence is calibrated on them."""
    test: Split
    """For nothing but the accuracy in the card."""


@dataclass(frozen=True)
class TrainedRun:
    """A run folder whose ``model.keras`` is the one that its record names."""

    folder: Path
    record: RunRecord
    allow_code: bool = False
    """Whether code in the model, such as that of a Lambda layer, may be run."""

    @property
    def model(self) -> Path:
        """The file of the Keras model."""
        return self.folder / MODEL

    @classmethod
    def load(cls, folder: Path, allow_code: bool = False) -> "TrainedRun":
        """Read the record of a run and check the folder.

        Raises:
            RunError: the run is missing, unfinished, damaged or from another program.
        """
        run = cls(folder, RunRecord.load(folder), allow_code)
        try:
            found = hashlib.sha256(run.model.read_bytes()).hexdigest()
        except OSError as error:
            raise RunError(f"{run.model}: cannot be read ({error.strerror}): train again") from error
        if found != run.record.model_sha256:
            raise RunError(
                f"{run.model}: does not have the sha256 in {RECORD}: it is damaged or of another run; train again"
            )
        return run

    def check_pictures(self, pictures: RunPictures) -> None:
        """Check that pictures are those of the run: a drop in accuracy compares answers to the same pictures.

        Raises:
            DataError: a split is not the one that the run was trained with.
        """
        splits = {"train": pictures.training, "validation": pictures.validation, "test": pictures.test}
        for name, split in splits.items():
            if datasets.digest(split) != self.record.data["sha256"][name]:
                raise DataError(
                    f"{self.folder}: these {len(split):,} {name} pictures are not those of the run "
                    f"({self.record.data['name']}): give the data set that it was trained with"
                )
