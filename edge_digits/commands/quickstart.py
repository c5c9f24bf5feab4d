"""``edge-digits quickstart``."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_digits.options import OutputPath, data_option
from edge_digits.printing import printable
from edge_digits.progress import interruption, say

if TYPE_CHECKING:
    from edge_digits_runtime.model.classifier import DigitClassifier

RECIPES = {"mlp-256-128": 3, "cnn-8-16-32": 6}
"""The recipes that are trained and their epochs: enough for useful models, few enough for a short wait."""
SCHEMES = ("float32", "int8")


@click.command()
@click.option(
    "--out",
    "folder",
    type=OutputPath(file_okay=False),
    default=Path("quickstart"),
    show_default=True,
    metavar="DIR",
    help="Folder for runs, models and report.",
)
@click.option("--epochs", type=click.IntRange(1), help="Epochs for both.  [default: 3 for the MLP, 6 for the CNN]")
@data_option
def quickstart(folder: Path, epochs: int | None, data: Path | None) -> None:
    """Run the whole pipeline once: train an MLP and a small CNN, convert both, classify ten scanned digits, evaluate
    the .tflite files on every test picture, and write the report.

    Takes about 3 minutes on two cores. Run again with the same DIR, it keeps every training, model and evaluation that
    is done and does the rest.

    \b
    Example:
      edge-digits quickstart
      edge-digits quickstart --out /tmp/first-look --epochs 1
    """
    with interruption(f"The same command goes on where it stopped; what is done is in {folder}."):
        _quickstart(folder, epochs, data)


def _quickstart(folder: Path, epochs: int | None, data: Path | None) -> None:
    from edge_digits_runtime.data.classes import DIGIT_CLASSES
    from edge_digits_runtime.model.classifier import DigitClassifier
    from edge_digits_train.recipes import catalogue

    from edge_digits import pipeline
    from edge_digits import report as reports
    from edge_digits.commands.evaluate import evaluation_path
    from edge_digits.data_sets import load_data

    dataset = load_data(data)
    evaluations, models = [], []
    for name, default_epochs in RECIPES.items():
        run = folder / "runs" / name
        recipe = dataclasses.replace(catalogue.get(name), epochs=epochs or default_epochs)
        pipeline.finish_run(recipe, dataset, run, data)
        evaluations.append(run / "evaluation.json")
        for scheme in SCHEMES:
            model = pipeline.finish_conversion(run, scheme, data)
            evaluations.append(evaluation_path(model))
            pipeline.finish_evaluation(DigitClassifier(model), dataset, evaluations[-1])
        models.append(model)

    newest = DigitClassifier(models[-1])
    if newest.labels == DIGIT_CLASSES:
        say("")
        say("Ten scanned digits (edge-digits classify)")
        _classify_samples({models[-1].stem: newest, "the shipped model": DigitClassifier()})

    say("")
    say(f"The report ({folder / 'report.html'}, report.md and report.json):")
    click.echo(reports.to_text(pipeline.write_report(evaluations, folder)))
    click.echo(
        f"\nNext: open {printable(folder / 'report.html')} in a browser, or\n"
        f"  edge-digits classify --model {printable(models[-1])} --explain {printable(folder / 'explained')} "
        "YOUR-PICTURE.jpg"
    )


def _classify_samples(classifiers: "dict[str, DigitClassifier]") -> None:
    """Print the answer of each model to the bundled pictures, and how many of them are right."""
    from edge_digits.formatting import percent
    from edge_digits.report.text import table
    from edge_digits.samples import SAMPLES

    answers = {name: [each.classify(file) for file in SAMPLES] for name, each in classifiers.items()}
    lines = [
        [file.name, *(f"{each[digit].digit} ({percent(each[digit].confidence, 1)})" for each in answers.values())]
        for digit, file in enumerate(SAMPLES)
    ]
    right = (sum(each[digit].digit == digit for digit in range(len(SAMPLES))) for each in answers.values())
    lines.append(["right", *(f"{count} of {len(SAMPLES)}" for count in right)])
    click.echo("\n".join(table(["picture", *answers], lines)))
