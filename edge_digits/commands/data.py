"""``edge-digits data``."""

from importlib.util import find_spec
from pathlib import Path

import click
from edge_digits_runtime.errors import UsageError

from edge_digits.options import InputChoice, OutputPath, UserPath, grouping, grouping_options, input_option


@click.command()
@click.argument("source", required=False, type=UserPath(), metavar="[SOURCE]")
@input_option
@grouping_options
@click.option(
    "--html", type=OutputPath(dir_okay=False), metavar="FILE", help="Write a page with contact sheets and the pairs."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every pair.")
def data(
    source: Path | None,
    form: InputChoice,
    group_from: str | None,
    test_groups: tuple[str, ...],
    html: Path | None,
    as_json: bool,
) -> None:
    """Look at a data set before it is trained on: classes, groups, sizes, equal pictures, wrong labels, leaks.

    SOURCE is an .npz, a folder with IDX files, or a folder of class folders, split and read as by 'train' with the same
    options; MNIST if it is left out. All pictures are compared with each other, as pixels that a model takes. Two are
    nearly equal where their grey levels correlate by 0.99 or more: of different writers' digits in MNIST 1 in 10,000
    are, of pictures that a camera took one after the other a fifth.

    \b
    Example:
      edge-digits data letters --html letters.html
      edge-digits data meters.npz --input crop --test-groups lcd2
      edge-digits data meters --input crop:32x20 --group-from '([^/]+)/[^/]+$' --json
    """
    if html is not None and find_spec("jinja2") is None:
        from edge_digits.cli import install_line

        raise UsageError(f"--html needs more than the device profile: {install_line(['report'])}")

    from edge_digits_runtime.mnist_format import SHAPE
    from edge_digits_runtime.records import files

    from edge_digits.data_sets import load_data
    from edge_digits.printing import print_json
    from edge_digits.progress import bars, say
    from edge_digits.survey.survey import survey
    from edge_digits.survey.text import to_text

    dataset = load_data(source, form.resolved(SHAPE), grouping(group_from, test_groups))
    with bars() as update:
        found = survey(dataset, source, lambda done, length: update("comparing", done, length, ""))
    if html is not None:
        from edge_digits.survey.page import to_html

        files.write_bytes(html, to_html(found).encode())
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(to_text(found))
    if html is not None:
        say(f"Wrote {html}.")
