"""``edge-digits quickstart``."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_digits.options import data_option

if TYPE_CHECKING:
    from edge_digits_runtime.model.classifier import DigitClassifier

RECIPES = {"mlp-256-128": 3, "cnn-8-16-32": 6}
"""What is trained, and for how many epochs: enough to be worth looking at, few enough not to wait long."""
SCHEMES = ("float32", "int8")


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("quickstart"),
    show_default=True,
    metavar="DIR",
    help="Where runs, models and the report go.",
)
@click.option("--epochs", type=click.IntRange(1), help="Epochs for both.  [default: 3 for the MLP, 6 for the CNN]")
@data_option
def quickstart(out: Path, epochs: int | None, data: Path | None) -> None:
    """Do it all once: train an MLP and a small CNN, quantize both, read ten scanned digits, evaluate the float
    originals and the .tflite files on every test picture, and write the report.

    About 3 minutes on two cores. Started again with the same DIR it keeps what is done and does the rest.

    \b
    Example:
      edge-digits quickstart
      edge-digits quickstart --out /tmp/first-look --epochs 1
    """
    from edge_digits_runtime.model.classifier import DigitClassifier
    from edge_digits_train.recipes import catalogue

    from edge_digits import pipeline
    from edge_digits import report as reports
    from edge_digits.commands.evaluate import evaluation_path
    from edge_digits.progress import say

    dataset = pipeline.load_data(data)
    evaluations, models = [], []
    for name, few in RECIPES.items():
        run = out / "runs" / name
        recipe = dataclasses.replace(catalogue.get(name), epochs=epochs or few)
        pipeline.finish_run(recipe, dataset, run, data)
        evaluations.append(run / "evaluation.json")
        for scheme in SCHEMES:
            model = pipeline.convert_run(run, scheme, data).path
            evaluations.append(evaluation_path(model))
            pipeline.evaluate_model(DigitClassifier(model), dataset, evaluations[-1])
        models.append(model)

    say("\nTen scanned digits (edge-digits classify)")
    _classify_samples({models[-1].stem: DigitClassifier(models[-1]), "the shipped model": DigitClassifier()})

    say(f"\nThe report ({out / 'report.html'}, report.md and report.json):")
    click.echo(reports.to_text(pipeline.write_report(evaluations, out)))
    click.echo(
        f"\nNext: open {out / 'report.html'} in a browser, or\n"
        f"  edge-digits classify --model {models[-1]} --explain {out / 'explained'} YOUR-PICTURE.jpg"
    )


def _classify_samples(classifiers: "dict[str, DigitClassifier]") -> None:
    """What each model reads in the bundled pictures, and how many of them it reads right."""
    from edge_digits.samples import SAMPLES

    answers = {name: [each.classify(file) for file in SAMPLES] for name, each in classifiers.items()}
    width = max(map(len, classifiers))
    click.echo("  ".join(["picture", *(name.rjust(width) for name in answers)]))
    for digit, file in enumerate(SAMPLES):
        cells = (f"{each[digit].digit} ({each[digit].confidence * 100:.1f} %)" for each in answers.values())
        click.echo("  ".join([file.name.ljust(7), *(cell.rjust(width) for cell in cells)]))
    right = (sum(each[digit].digit == digit for digit in range(len(SAMPLES))) for each in answers.values())
    click.echo("  ".join(["right  ", *(f"{count} of {len(SAMPLES)}".rjust(width) for count in right)]))
