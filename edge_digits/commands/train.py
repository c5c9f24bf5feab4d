"""``edge-digits train``."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edge_digits.options import CROP, InputChoice, OutputPath, UserPath, grouping, grouping_options, input_option

if TYPE_CHECKING:
    from edge_digits_runtime.data.datasets import Grouping
    from edge_digits_runtime.image.model_input import Input

    from edge_digits.mixing import Mixture


@click.command()
@click.argument("recipe", required=False, metavar="[RECIPE]")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training pictures.  [default: the recipe's]")
@click.option("--batch-size", type=click.IntRange(1), help="Pictures in one step.  [default: the recipe's]")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help="Step size of the optimizer.  [default: the recipe's]",
)
@click.option("--dropout", type=click.FloatRange(0, 1, max_open=True), help="Rate of all dropout layers.")
@click.option(
    "--corrupt",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the training pictures that get lines, grey paper or grain.",
)
@click.option("--standardize", is_flag=True, help="Scale the input to MNIST's mean 0 and standard deviation 1.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="The same seed gives the same weights on one machine.")
@click.option(
    "--data",
    type=UserPath(),
    multiple=True,
    metavar="PATH",
    help="An .npz, a folder with IDX files, or a folder of class folders, such as 0/ … 9/ or A/ … Z/; mnist and meters "
    "are packed here. Given again, a set of your own is mixed with the first one.  [default: meters for meter-s and "
    "meter-m, else mnist]",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Of several --data, the share of the training pictures that come from all but the first: these are repeated, "
    "up to 100 times.",
)
@input_option
@grouping_options
@click.option(
    "--out",
    type=OutputPath(file_okay=False),
    help="The run folder to write.  [default: runs/RECIPE-N with the next free number]",
)
@click.option("--resume", is_flag=True, help="Continue an unfinished run: the one in --out, or the newest of RECIPE.")
@click.option(
    "--from",
    "start",
    type=UserPath(file_okay=False),
    metavar="RUN",
    help="Start from the weights of a finished run of the same network, and from its recipe if none is named. Outputs "
    "of classes that it does not have start anew.",
)
@click.option("--distribute", is_flag=True, help="Share each batch among all GPUs of this machine, or of several.")
def train(
    recipe: str | None,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    dropout: float | None,
    corrupt: float | None,
    standardize: bool,
    seed: int | None,
    data: tuple[Path, ...],
    share: float,
    form: InputChoice,
    group_from: str | None,
    test_groups: tuple[str, ...],
    out: Path | None,
    resume: bool,
    start: Path | None,
    distribute: bool,
) -> None:
    """Train RECIPE (see 'edge-digits recipes') and write a run folder: the Keras model, its curves and its accuracy.
    RECIPE may be a Python file of your own, mine.py, or one of several networks in it, mine.py:NAME.

    A GPU is used if Keras' backend sees one. After Ctrl-C or a crash, --resume continues at the last finished epoch and
    ends with the same weights.

    The recipes line-s and line-m read whole lines of numbers. Their lines are made while they train, so they take no
    --data.

    --distribute trains on all GPUs of this machine. To train on several machines, type the same command on each, with
    TF_CONFIG set (under JAX KERAS_DISTRIBUTION_JOB_ADDRESSES, _NUM_PROCESSES and _PROCESS_ID). Only process 0 writes
    the run folder. The batch size is that of all devices together.

    \b
    Example:
      edge-digits train
      edge-digits train cnn-32-64-64 --epochs 10 --seed 1
      edge-digits train digits-l --corrupt 0.1
      edge-digits train crop-s --data meters --input crop:32x20 --group-from '([^/]+)/[^/]+$' --test-groups lcd2
      edge-digits train mine.py --data plates --input crop:32x20
      edge-digits train --from runs/crop-s-1 --data new-meter --epochs 20 --learning-rate 0.0003
      edge-digits train --from runs/digits-m-1 --data mnist --data kept --epochs 10
      edge-digits train --resume
      edge-digits train line-m --from models/source/line-m
      edge-digits train cnn-32-64-64 --distribute
      TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]},
                  "task": {"type": "worker", "index": 0}}' \\
        edge-digits train cnn-32-64-64 --distribute
    """
    from edge_digits_runtime.records.run import CHECKPOINT, RunRecord
    from edge_digits_train.engine import own_file
    from edge_digits_train.engine.checkpoint import Checkpoint
    from edge_digits_train.engine.cluster import ALONE
    from edge_digits_train.engine.starting import keep_classes
    from edge_digits_train.recipes import catalogue
    from edge_digits_train.recipes.recipe import Recipe

    from edge_digits.data_sets import METERS, is_packed, load_data
    from edge_digits.lines import choose_line_recipe, train_line_run
    from edge_digits.mixing import save
    from edge_digits.pipeline import train_run
    from edge_digits.progress import say
    from edge_digits.run_folders import claimed, next_run, unfinished_run

    if resume and start:
        raise click.UsageError("--from starts a training, --resume continues one: leave one of them out")
    own = recipe is not None and own_file.is_own(recipe)
    unfinished = (out or unfinished_run(own_file.stem(recipe) if recipe and own else recipe)) if resume else None
    given = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed}
    line_recipe = choose_line_recipe(recipe, unfinished, given)
    if line_recipe is not None:
        # Lines are made, and one process makes the steps.
        for option, value in {
            "--data": data,
            "--dropout": dropout,
            "--corrupt": corrupt,
            "--standardize": standardize,
            "--distribute": distribute,
        }.items():
            if value not in (None, False, ()):
                raise click.UsageError(f"{option} is not for line recipes such as {line_recipe.name}: leave it out")
        line_folder = unfinished or out or next_run(line_recipe.name)
        with claimed(line_folder, out):
            train_line_run(line_recipe, line_folder, resume, start)
        return
    begun = RunRecord.load(start) if start else None
    # In a cluster only process 0 has the folder.
    resumable = unfinished is not None and (not recipe or own or (unfinished / CHECKPOINT).is_file())
    checkpoint = Checkpoint.load(unfinished) if unfinished and resumable else None
    base: Recipe | own_file.OwnNetwork
    if recipe and own and not checkpoint:
        base = own_file.one(recipe)
    elif recipe and not own:
        base = catalogue.get(recipe)
    elif begun:
        # Its network has learned what teachers can tell, and they know nothing but MNIST.
        base = dataclasses.replace(Recipe.from_dict(begun.recipe), distillation=0.0)
    else:
        base = Recipe.from_dict(checkpoint.recipe) if checkpoint else catalogue.get(catalogue.DEFAULT)
    packed = Path(base.data if isinstance(base, Recipe) else Recipe.data)
    if click.get_current_context().get_parameter_source("form") is not ParameterSource.DEFAULT:
        read_as = form.resolved(base.input_shape)
    elif begun:
        read_as = begun.data["input"]
    else:
        read_as = (CROP if packed == METERS else form).resolved(base.input_shape)

    groups = grouping(group_from, test_groups)
    mixture = _mixture(data, read_as, share, groups) if len(data) > 1 else None
    named = data[0] if data else packed
    source = None if is_packed(named) else named
    dataset = mixture.together if mixture else load_data(named, read_as, groups)
    dataset = keep_classes(dataset, begun.data["classes"] if begun else checkpoint.classes if checkpoint else ())
    if not isinstance(base, Recipe):
        base = base.recipe(dataset.input.shape, len(dataset.classes))

    def choose() -> tuple[Recipe, Path]:
        changes: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "corruption": corrupt,
            "seed": seed,
        }
        assert isinstance(base, Recipe)
        chosen = base
        if dropout is not None:
            chosen = chosen.with_dropout(dropout)
        if standardize:
            chosen = chosen.standardized()
        changed = {name: value for name, value in changes.items() if value is not None}
        chosen = dataclasses.replace(chosen, **changed)
        # A folder is claimed last, when nothing is left that could be refused.
        chosen.fitted(dataset.classes, dataset.input)
        return chosen, unfinished or out or next_run(chosen.name)

    # After all that can be refused by this process alone.
    cluster = ALONE
    if distribute:
        from edge_digits_train.engine.distribution import join

        cluster = join()
    chosen, folder = cluster.from_chief(choose)
    with claimed(folder, out) if cluster.chief else contextlib.nullcontext():
        if mixture:
            say(f"Mixed: {mixture}.")
            source = save(mixture, folder)
        train_run(chosen, dataset, folder, source, resume, cluster, start)


def _mixture(data: Sequence[Path], form: "Input", share: float, groups: "Grouping") -> "Mixture":
    """Read several sets.

    Raises:
        UsageError: they are to be grouped by the command line, which cannot say which of them is meant.
    """
    from edge_digits_runtime.data.datasets import NO_GROUPING

    from edge_digits.mixing import load

    if groups != NO_GROUPING:
        raise click.UsageError("--group-from and --test-groups are for one --data; several say their groups themselves")
    return load(data, form, share)
