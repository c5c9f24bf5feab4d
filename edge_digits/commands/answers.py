"""The part that ``classify`` and ``read`` have in common: the options of the model, and the loop over the pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from edge_digits_runtime.errors import EdgeDigitsError, PictureError

from edge_digits.options import (
    NOT_SURE,
    WRONG_INPUT,
    UserPath,
    backend_option,
    confidence_option,
    model_option,
    signature_option,
    unverified_option,
)
from edge_digits.parallel import in_order
from edge_digits.printing import note_missing_card, print_error, printable
from edge_digits.progress import say
from edge_digits.sources import STDIN, Source

if TYPE_CHECKING:
    from edge_digits_runtime.model.classifier import DigitClassifier

    from edge_digits.collection.lines import LineCollection
    from edge_digits.collection.store import Collection

Answer = TypeVar("Answer")
NamedSource = tuple[str, Source]
Command = TypeVar("Command", bound=Callable[..., Any])

pictures_argument = click.argument("pictures", nargs=-1, required=True, metavar="IMAGE...")


@dataclass(frozen=True)
class ModelChoice:
    """The model that the command line asks for; unlike a loaded one it can be sent to another process."""

    model: Path | None
    backend: str | None
    allow_unverified: bool
    min_confidence: float | None
    require_signature: Path | None = None

    def load(self) -> "DigitClassifier":
        """Load the model.

        Raises:
            ModelError: it is missing, damaged, or no digit classifier.
            UsageError: no installed model has that name.
            BackendError: the backend is not installed.
            SignatureError: it is not signed with the key that is required.
        """
        from edge_digits_runtime.model.classifier import DigitClassifier

        classifier = DigitClassifier(
            self.model,
            backend=self.backend,
            allow_unverified=self.allow_unverified,
            min_confidence=self.min_confidence,
            require_signature=self.require_signature,
        )
        note_missing_card(classifier.name, classifier.model.card)
        return classifier


@dataclass(frozen=True)
class CollectChoice:
    """Where the command line asks for unsure pictures to be kept; unlike a collection it can be sent to a process."""

    folder: Path | None
    megabytes: float
    group: str | None

    def open_lines(self) -> "LineCollection | None":
        """Open the collection of lines, if one is asked for; errors as of `open`."""
        if self.folder is None:
            return None
        from edge_digits.collection.lines import LineCollection

        return LineCollection(self.folder, round(self.megabytes * 1e6))

    def open(self) -> "Collection | None":
        """Open the collection, if one is asked for.

        Raises:
            OutputError: it cannot be made or written to.
            DataError: the folder holds what was not written by a collection.
        """
        if self.folder is None:
            return None
        from edge_digits.collection.store import Collection

        return Collection(self.folder, round(self.megabytes * 1e6))


def collect_options(command: Command) -> Command:
    """Add the options that a `CollectChoice` is made of."""
    for option in (
        click.option(
            "--collect-group",
            metavar="NAME",
            help="Who wrote them, or which meter shows them.  [default: this day, or the name in the profile]",
        ),
        click.option(
            "--collect-mb",
            type=click.FloatRange(0, min_open=True),
            default=100,
            show_default=True,
            help="Megabytes that the collection may grow to.",
        ),
        click.option(
            "--collect",
            type=UserPath(file_okay=False),
            metavar="DIR",
            help="Keep what is not sure, to be labelled: pictures, of 'read' lines, of a meter its places; each once.",
        ),
    ):
        command = option(command)
    return command


def model_options(command: Command) -> Command:
    """Add the options that a `ModelChoice` is made of."""
    for option in (unverified_option, signature_option, backend_option, confidence_option, model_option):
        command = option(command)
    return command


def print_answers(
    named: Sequence[NamedSource],
    prepare: Callable[[], Callable[[NamedSource], Answer]],
    show: Callable[[str, Answer], None],
    doubts: Callable[[Answer], list[str]],
    strict: bool,
) -> int:
    """Answer every picture and return the exit code; one that fails is a line on standard error.

    A fault of ours keeps its traceback, which comes when the other pictures are done.

    Args:
        named: the pictures, as `edge_digits.sources.sources` yields them.
        prepare: loads the model and returns the function that answers a picture. It is called once in each process
            that takes part, so it can be pickled.
        show: prints the name of a picture and the answer.
        doubts: what is doubtful in an answer; empty if nothing is.
        strict: whether an answer that is not sure makes the exit code 1. What was doubtful then ends the output, on
            standard error: among a thousand lines it would be missed.
    """
    code, doubtful = 0, []
    fault: Exception | None = None
    for (name, _), answer in zip(named, in_order(_ErrorsReturned(prepare), named), strict=True):
        if isinstance(answer, EdgeDigitsError):
            print_error(answer)
            code = WRONG_INPUT
            continue
        if isinstance(answer, Exception):
            print_error(f"{name}: {type(answer).__name__}, a fault of edge-digits; its traceback is at the end")
            fault = fault or answer
            continue
        show(name, answer)
        if strict:
            doubtful += [f"{printable(name)}: {printable(doubt)}" for doubt in doubts(answer)]
    for line in doubtful:
        say(f"Not sure: {line}")
    if fault is not None:
        raise fault
    return max(code, NOT_SURE) if doubtful else code


@dataclass(frozen=True)
class _ErrorsReturned:
    """``prepare`` whose function returns an exception where that of the original raises it."""

    prepare: Callable[[], Callable[[NamedSource], Any]]

    def __call__(self) -> Callable[[NamedSource], Any]:
        work = self.prepare()

        def answer(named: NamedSource) -> Any:
            try:
                return work(named)
            except MemoryError:
                name = "standard input" if named[0] == STDIN else named[0]
                return PictureError(f"{name}: not enough memory; make it smaller")
            except Exception as error:
                return error

        return answer
