"""``edge-digits study compare``."""

from pathlib import Path

import click
from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.records import files

FOLDERS = (Path("docs/research/studies"), Path("runs/studies"))
"""Where studies are looked for, the first that is there: those of the repository, then one's own."""


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the page as Markdown to this file.",
)
def compare(folder: Path | None, out: Path | None) -> None:
    """Set every accuracy that the five documents publish beside what was measured: who wins, by how much, is that
    more than the spread over seeds, and what int8 made of it.

    FOLDER has a folder for each study, called as the study.  [default: docs/research/studies if there is one, else
    runs/studies]

    \b
    Example:
      edge-digits study compare
      edge-digits study compare --out docs/research/studies/README.md docs/research/studies
    """
    from edge_digits_study import overview as comparing
    from edge_digits_study.studies import STUDIES

    if folder is None:
        folder = next((one for one in FOLDERS if one.is_dir()), FOLDERS[-1])
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; run a study with 'edge-digits study NAME', or name its folder")
    standings = comparing.compare({name: folder / name for name in STUDIES})
    click.echo(comparing.to_text(standings))
    if out is not None:
        files.write_bytes(out, comparing.to_markdown(standings, out.parent).encode())
        click.echo(f"Wrote {out}.", err=True)
