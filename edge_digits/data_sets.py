"""The data set that ``--data`` names, and the one that a run was trained with."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edge_digits_runtime.errors import DataError, RunError, UsageError

if TYPE_CHECKING:
    from edge_digits_runtime.data.datasets import DataSet, Grouping
    from edge_digits_runtime.device.measurement import Model
    from edge_digits_runtime.image.model_input import Input
    from edge_digits_runtime.records.run import RunRecord

MNIST, METERS = Path("mnist"), Path("meters")
"""What ``--data`` calls the MNIST, and the meters and displays, that are packed in edge-digits-train, unless there is a
file or folder of that name."""

_METERS_NAME = "meters and displays"
"""What a record calls the latter, see `edge_digits_train.meters.pictures`."""


def load_data(source: Path | None, form: "Input | None" = None, grouping: "Grouping | None" = None) -> "DataSet":
    """Return the data set that ``--data`` names.

    Args:
        source: its path; None for MNIST.
        form: how its pictures become pixels; None for ink.
        grouping: how they are put into groups; None for what the data set says.
    """
    from edge_digits_runtime.data import loading

    return _loaded(loading.load, source, form, grouping)


def load_test(source: Path | None, form: "Input | None" = None, grouping: "Grouping | None" = None) -> "DataSet":
    """Return the test pictures of the data set that ``--data`` names, as `load_data` does.

    Without a source these are MNIST's, or for a reader of lines `edge_digits_train.lines.makers.held_out_lines`.

    Unlike `load_data` this works on a device, if ``source`` is given.

    Raises:
        DataError: there is no source, and edge-digits-train, which contains MNIST, is not installed.
    """
    from edge_digits_runtime.data import loading

    if form is not None and form.kind == "line" and (source is None or is_packed(source)):
        if source is not None:
            raise DataError(f"{source}: single digits, no lines; leave --data out for lines that are made")
        return _made_lines()
    return _loaded(loading.load_test, source, form, grouping)


def _loaded(
    load: "Callable[[Path, Input, Grouping], DataSet]",
    source: Path | None,
    form: "Input | None",
    grouping: "Grouping | None",
) -> "DataSet":
    from edge_digits_runtime.data.datasets import NO_GROUPING
    from edge_digits_runtime.image.model_input import INK

    if source is None or is_packed(source):
        return _packed(source or MNIST, form or INK, grouping or NO_GROUPING)
    return load(source, form or INK, grouping or NO_GROUPING)


def is_packed(source: Path) -> bool:
    """Return whether ``--data`` means what is packed in edge-digits-train."""
    return source in (MNIST, METERS) and not source.exists()


def load_data_of(record: "RunRecord", source: Path | None = None, test_only: bool = False) -> "DataSet":
    """Return the data set that a run was trained with, read as it was then.

    Args:
        record: of the run.
        source: where the data set is now; None for where the record says.
        test_only: whether the test pictures are enough.
    """
    from edge_digits_runtime.data.datasets import Grouping

    data = record.data
    if source is None:
        # What is packed has no path: its name says which it is.
        packed = METERS if data["name"] == _METERS_NAME else MNIST
        source = packed if data["source"] is None else Path(data["source"])
    grouping = Grouping(data["grouping"]["pattern"], tuple(data["grouping"]["test"]))
    dataset = (load_test if test_only else load_data)(source, data["input"], grouping)
    # A run that started from another one may know classes that this data set has no pictures of.
    return dataset.with_labels(data["classes"])


def packed_for(classifier: "Model") -> Path | None:
    """Return what ``--data`` calls the packed pictures that a model is for; None for a reader of lines."""
    from edge_digits_runtime.data import turns

    if classifier.input.kind == "line":
        return None
    return METERS if turns.are_turns(classifier.labels) else MNIST


def run_of(classifier: "Model") -> "RunRecord | None":
    """Return the record of the run that a model was converted from, if its file is in the folder of that run."""
    from edge_digits_runtime.records.run import RunRecord

    card = classifier.model.card
    try:
        record = RunRecord.load(Path(classifier.name).parent)
    except RunError:
        return None
    return record if card is not None and card.weights_sha256 == record.weights_sha256 else None


def _made_lines() -> "DataSet":
    from importlib.util import find_spec

    if find_spec("edge_digits_train") is None:
        raise DataError(
            "no test lines: they are made by edge-digits-train, which is not installed here; run 'edge-digits testset "
            "--lines -o lines-test.npz' where it is, copy the file here and pass --data lines-test.npz"
        )
    from edge_digits_train.lines.makers import held_out_lines

    return held_out_lines()


def _packed(name: Path, form: "Input", grouping: "Grouping") -> "DataSet":
    from importlib.util import find_spec

    if grouping.pattern is not None or grouping.test:
        raise UsageError(
            "groups are for pictures of your own: MNIST, as it is packed here, does not say who wrote what, and the "
            "packed meters say themselves which of them are for testing"
        )

    if find_spec("edge_digits_train") is None:
        raise DataError(
            f"no test pictures: {'MNIST is' if name == MNIST else 'meters are'} in edge-digits-train, which is not "
            "installed here; run 'edge-digits testset' where it is, copy what it writes here and pass it as --data"
        )
    if name == METERS:
        from edge_digits_train.meters import pictures

        return pictures.load(form)
    from edge_digits_train.data import mnist

    dataset = mnist.load()
    if form.kind == "ink":
        return dataset
    from edge_digits_runtime.image.prepare import prepare_arrays

    train, test = (dataclasses.replace(s, images=prepare_arrays(s.images, form)) for s in (dataset.train, dataset.test))
    return dataclasses.replace(dataset, train=train, test=test, input=form)
