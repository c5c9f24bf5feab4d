"""The answers of a new model beside those of the one before, to the same test pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_digits_runtime.data import loading, turns
from edge_digits_runtime.data.datasets import DataSet, digest
from edge_digits_runtime.device.measurement import Model
from edge_digits_runtime.errors import DataError, EvaluationError
from edge_digits_runtime.records.evaluation import Evaluation
from numpy.typing import NDArray

from edge_digits.formatting import p_value, percent, points
from edge_digits.paired import Paired, pair


@dataclass(frozen=True)
class Brought:
    """The answers of two models to the same pictures."""

    data: str
    """Name of the pictures."""
    before: float
    """Share of right answers of the model before, in [0, 1]."""
    after: float
    """Share of right answers of the new model, in [0, 1]."""
    paired: Paired

    @property
    def worse(self) -> bool:
        """True if the new model is worse by more than chance."""
        return self.paired.drop_pp > 0 and self.paired.significant

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON-ready values; differences are after minus before, in percentage points."""
        low, high = self.paired.interval_pp
        return {
            "data": self.data,
            "count": self.paired.count,
            "before": self.before,
            "after": self.after,
            "difference_pp": -self.paired.drop_pp,
            "interval_pp": [-high, -low],
            "p": self.paired.p_value,
            "worse": self.worse,
        }

    def __str__(self) -> str:
        low, high = self.paired.interval_pp
        difference = points(-self.paired.drop_pp, signed=True)
        sure = "worse" if self.worse else "better"
        verdict = sure if self.paired.significant else "no difference beyond chance"
        return (
            f"{self.data}: {percent(self.before)} before, {percent(self.after)} now, of {self.paired.count:,} pictures "
            f"({difference} pp, 95 % interval {points(-high, signed=True)} to {points(-low, signed=True)}, "
            f"{p_value(self.paired.p_value)}): {verdict}"
        )


def brought(classifier: Model, before: Sequence[Path], run: Path) -> list[Brought]:
    """Let a model answer the pictures that another one was evaluated on, and compare.

    Args:
        classifier: the new model.
        before: evaluations of the model before, one for each test set.
        run: folder of the new model's run; the pictures are those of its test set and of the parts of its mixture.

    Raises:
        EvaluationError: one cannot be read, is of other classes, or of pictures that are not there.
    """
    found = []
    for path in before:
        old = Evaluation.load(path)
        dataset = _pictures(old, path, classifier, run)
        if tuple(old.classes) != tuple(classifier.labels):
            raise EvaluationError(f"{path}: of a model with other classes than {classifier.name}; they do not compare")
        answers = classifier.classify_batch(dataset.test.images).labels
        found.append(_compared(dataset.name, old, answers))
    return found


def between(before: Sequence[Path], after: Sequence[Evaluation]) -> list[Brought]:
    """Compare evaluations of a model before with those of the new one on the same pictures.

    Args:
        before: evaluations of the model before, one for each test set.
        after: evaluations; those on other pictures are passed over.

    Raises:
        EvaluationError: one cannot be read, or none of ``after`` is on the same pictures and of the same classes.
    """
    found = []
    for path in before:
        old = Evaluation.load(path)
        same = [new for new in after if new.data.sha256 == old.data.sha256 and new.classes == old.classes]
        if not same:
            raise EvaluationError(f"{path}: none of the other evaluations is of the same pictures ({old.data.name})")
        found += [
            _compared(f"{new.model.name} {new.model.scheme} on {old.data.name}", old, new.predicted) for new in same
        ]
    return found


def _compared(name: str, old: Evaluation, answers: NDArray[Any]) -> Brought:
    after = float(turns.right(old.labels, answers, old.classes).mean())
    return Brought(name, old.accuracy, after, pair(old.labels, old.predicted, answers, old.classes))


def _pictures(old: Evaluation, path: Path, classifier: Model, run: Path) -> DataSet:
    """Return the pictures that an evaluation is of, from those that the run keeps."""
    from edge_digits.data_sets import load_data_of, load_test, packed_for, run_of
    from edge_digits.mixing import TESTS

    def candidates() -> Sequence[DataSet]:
        kept = [loading.load_test(file, classifier.input) for file in sorted((run / TESTS).glob("*.npz"))]
        record = run_of(classifier)
        return [
            *kept,
            *(
                [load_data_of(record, test_only=True)]
                if record
                else [load_test(packed_for(classifier), classifier.input)]
            ),
        ]

    for each in candidates():
        try:
            dataset = each.with_labels(classifier.labels)
        except DataError:
            continue
        if digest(dataset.test) == old.data.sha256:
            return dataset
    raise EvaluationError(
        f"{path}: of {old.data.name}, pictures that {run} does not keep; evaluate the model before on {run / TESTS}"
    )
