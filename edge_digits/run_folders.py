"""Which run folder a verb means: the newest one, the unfinished one, or the next one."""

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path

from edge_digits_runtime.errors import OutputError, RunError

RUNS = Path("runs")


@contextlib.contextmanager
def claimed(folder: Path, out: Path | None) -> Iterator[None]:
    """Give up a run folder that was claimed, not named by the user, where nothing was written before an error.

    An interruption gets a note of how to go on, if there is something to go on with.
    """
    from edge_digits_runtime.records.run import CHECKPOINT, RECORD

    try:
        yield
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and (folder / CHECKPOINT).is_file() and not (folder / RECORD).exists():
            error.add_note(f"Go on with: edge-digits train --resume --out {shlex.quote(str(folder))}")
        if not out:
            # It stays where it is not empty.
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def newest_run(runs: Path = RUNS) -> Path:
    """Return the finished run under ``runs`` that was written last.

    Raises:
        RunError: there is no finished run.
    """
    from edge_digits_runtime.records.run import RECORD

    records = sorted(runs.glob(f"*/{RECORD}"), key=lambda path: path.stat().st_mtime)
    if not records:
        raise RunError(f"no finished run under {runs}/: make one with 'edge-digits train', or name a run folder")
    return records[-1].parent


def unfinished_run(recipe: str | None, runs: Path = RUNS) -> Path:
    """Return the unfinished run of ``recipe``, or of any recipe for None, under ``runs`` that was written last.

    Raises:
        RunError: there is no unfinished run.
    """
    from edge_digits_runtime.records.run import CHECKPOINT, RECORD
    from edge_digits_train.engine.checkpoint import Checkpoint

    checkpoints = [path for path in runs.glob(f"*/{CHECKPOINT}") if not path.with_name(RECORD).exists()]
    for path in sorted(checkpoints, key=lambda path: path.stat().st_mtime, reverse=True):
        # By what is trained there, since --out may have named the folder as it liked.
        if recipe is None or Checkpoint.recipe_name(path.parent) == recipe:
            return path.parent
    what = "" if recipe is None else f" of {recipe}"
    raise RunError(f"nothing to resume{what} under {runs}/: name the run folder with --out")


def next_run(recipe: str, runs: Path = RUNS) -> Path:
    """Make the folder ``runs/RECIPE-N`` and return it; N is 1 more than the largest number in use.

    Since this call made the folder, no other training takes it.

    Raises:
        OutputError: the folder cannot be made.
    """
    from edge_digits_runtime.records import files

    taken = [int(end) for path in runs.glob(f"{recipe}-*") if (end := path.name[len(recipe) + 1 :]).isdigit()]
    number = max(taken, default=0) + 1
    # Before the loop: inside it FileExistsError means that the number is taken, here that runs/ is a broken link.
    files.make_folder(runs)
    while True:
        folder = runs / f"{recipe}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        except OSError as error:
            raise OutputError(f"{folder}: this folder cannot be made: {error.strerror}") from error
        else:
            return folder
