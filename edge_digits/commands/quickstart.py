"""``edge-digits quickstart``."""

import dataclasses
from pathlib import Path

import click

from edge_digits.options import data_option

RECIPES = {"mlp-256-128": 3, "cnn-8-16-32": 4}
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
@click.option("--epochs", type=click.IntRange(1), help=f"Epochs for each.  [default: {RECIPES}]")
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
    from edge_digits_train import recipes

    from edge_digits import report as reports
    from edge_digits import steps
    from edge_digits.progress import say

    dataset = steps.load_data(data)
    evaluations, models = [], []
    for name, few in RECIPES.items():
        run = out / "runs" / name
        recipe = dataclasses.replace(recipes.get(name), epochs=epochs or few)
        steps.finish_run(recipe, dataset, run, data)
        evaluations.append(run / "evaluation.json")
        for scheme in SCHEMES:
            model = steps.convert_run(run, scheme, data).path
            evaluations.append(steps.evaluate_file(model, dataset))
        models.append(model)

    say(f"\nTen scanned digits (edge-digits classify), read by {models[-1]}:")
    _classify_samples(models[-1])

    say(f"\nThe report ({out / 'report.html'}, report.md and report.json):")
    click.echo(reports.to_text(steps.write_report(evaluations, out)))
    click.echo(
        f"\nNext: open {out / 'report.html'} in a browser, or\n"
        f"  edge-digits classify --model {models[-1]} --explain {out / 'explained'} YOUR-PICTURE.jpg"
    )


def _classify_samples(model: Path) -> None:
    from edge_digits_runtime.classifier import DigitClassifier

    from edge_digits.samples import SAMPLES

    classifier = DigitClassifier(model)
    right = 0
    for digit, file in enumerate(SAMPLES):
        prediction = classifier.classify(file)
        right += prediction.digit == digit
        click.echo(f"{file.name}: {prediction.digit} ({prediction.confidence * 100:.1f} %)")
    click.echo(f"{right} of {len(SAMPLES)} right")
