"""Import a Keras model file into a run folder, with what was found said aloud."""

from pathlib import Path

from edge_digits_runtime.data.classes import check_classes
from edge_digits_runtime.data.datasets import Grouping
from edge_digits_runtime.image.model_input import INK, Input
from edge_digits_runtime.records.run import RunRecord

from edge_digits.data_sets import is_packed, load_data
from edge_digits.options import InputChoice
from edge_digits.pipeline import print_run
from edge_digits.progress import say
from edge_digits.run_folders import claimed, next_run


def import_run(
    file: Path,
    data: Path | None,
    form: InputChoice | None,
    grouping: Grouping,
    out: Path | None,
    pixel_range: str | None,
    classes: tuple[str, ...] | None,
    allow_code: bool,
) -> RunRecord:
    """Write the run folder of a Keras model file and print what it does on a data set.

    Args:
        file: the model.
        data: path of the data set; None for MNIST.
        form: how its pictures become pixels; None for ink of 28×28, or whole pictures where the model takes others.
        grouping: how they are put into groups.
        out: the run folder; None for the next free one.
        pixel_range: the pixels that the model wants, by name; None to find it.
        classes: names in the order of its outputs; None for those of the data set.
        allow_code: run code in the file.
    """
    from edge_digits_train.engine.adoption import PIXEL_RANGES
    from edge_digits_train.engine.importing import import_model, load_network

    say(f"{file}: loading")
    loaded = load_network(file, form.shape if form else None, allow_code)
    recipe = loaded[1]
    shape = recipe.input_shape
    read_as = form.resolved(shape) if form else INK if shape == INK.shape else Input("crop", *shape)
    dataset = load_data(data, read_as, grouping)
    if classes is not None:
        dataset = dataset.with_labels(check_classes("--classes", classes))
    folder = out or next_run(recipe.name)
    pixels = next((each for each in PIXEL_RANGES if each.name == pixel_range), None)
    say(f"{recipe.name}: {recipe.parameters:,} parameters, {recipe.macs:,} MACs; measuring on {dataset.name}")
    source = None if data is None or is_packed(data) else data
    with claimed(folder, out):
        record = import_model(file, loaded, dataset, folder, source, pixels, say)
    print_run(record, folder)
    return record
