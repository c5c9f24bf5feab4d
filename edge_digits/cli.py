"""The ``edge-digits`` command: a table of verbs, each of which is imported only when it is called.

``--help`` is the same on every machine and imports nothing heavy. A verb whose packages are not installed says which
extra brings them.
"""

import contextlib
import errno
import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NoReturn

import click
from edge_digits_runtime.errors import EdgeDigitsError

from edge_digits.options import WRONG_INPUT
from edge_digits.printing import print_error

INTERRUPTED = 130
_DISK_FULL = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO") if hasattr(errno, name))

EXTRAS = {
    "train": ("edge_digits_train", "keras"),
    "convert": ("edge_digits_convert", "edge_digits_train", "tensorflow"),
    "report": ("jinja2", "matplotlib", "scipy", "sklearn"),
    "sign": ("cryptography",),
    "live": ("edge_digits_live", "multipart", "starlette", "uvicorn"),
    "study": (
        "edge_digits_study",
        "edge_digits_train",
        "keras",
        "jinja2",
        "matplotlib",
        "msgspec",
        "scipy",
        "sklearn",
        "ray",
    ),
}
"""The packages that each extra brings. If one of them is absent, the extra is not installed."""


@dataclass(frozen=True)
class Verb:
    """A subcommand of ``edge-digits``."""

    target: str
    """The click command, as ``module:function``."""
    help: str
    """Its line in the list of verbs."""
    extras: tuple[str, ...] = ()
    """Extras that it needs beyond the device profile, as named in `EXTRAS`."""


VERBS = {
    "data": Verb("edge_digits.commands.data:data", "Look at a data set: classes, groups, equal pictures, leaks."),
    "train": Verb("edge_digits.commands.train:train", "Train a recipe and write a run folder.", ("train",)),
    "import": Verb(
        "edge_digits.commands.import_model:import_model",
        "Adopt a Keras model that was trained elsewhere, as a run folder.",
        ("train",),
    ),
    "convert": Verb(
        "edge_digits.commands.convert:convert", "Quantize a trained run to one .tflite file.", ("convert",)
    ),
    "export": Verb(
        "edge_digits.commands.export:export", "Write an int8 model as C for a microcontroller.", ("convert",)
    ),
    "classify": Verb("edge_digits.commands.classify:classify", "Recognize the digit in a picture."),
    "read": Verb("edge_digits.commands.read:read", "Read all digits of a picture or page, line by line."),
    "profile": Verb(
        "edge_digits.commands.profile:profile", "Propose where the digits of a meter are, for 'read' and 'watch'."
    ),
    "watch": Verb("edge_digits.commands.watch:watch", "Watch a meter: publish what can be believed, for months."),
    "serve": Verb(
        "edge_digits_live.command:serve", "Serve a page and an API that classify and read pictures.", ("live",)
    ),
    "evaluate": Verb(
        "edge_digits.commands.evaluate:evaluate", "Measure accuracy and speed of a .tflite on this device."
    ),
    "report": Verb(
        "edge_digits.commands.report:report",
        "Compare evaluations: what did quantization and the device cost?",
        ("report",),
    ),
    "bundle": Verb("edge_digits.commands.bundle:bundle", "Pack model, test pictures and edge-digits for a device."),
    "deploy": Verb(
        "edge_digits.commands.deploy:deploy", "Bundle, copy over ssh, measure there, bring the evaluation back."
    ),
    "certify": Verb(
        "edge_digits.commands.certify:certify",
        "Deploy, hold accuracy and time on the device to limits, write a passport.",
        ("report",),
    ),
    "keygen": Verb(
        "edge_digits.commands.keygen:keygen", "Make a pair of keys: one signs models, the other checks them.", ("sign",)
    ),
    "quickstart": Verb(
        "edge_digits.commands.quickstart:quickstart", "Run the whole pipeline once, on MNIST.", ("convert", "report")
    ),
    "study": Verb(
        "edge_digits_study.command:study", "Repeat a published study: its systems, its tables, and int8.", ("study",)
    ),
    "recipes": Verb(
        "edge_digits.commands.recipes:recipes", "List the recipes with layers, parameters and source.", ("train",)
    ),
    "models": Verb("edge_digits.commands.models:models", "List the installed models with size, accuracy and latency."),
    "testset": Verb(
        "edge_digits.commands.testset:testset", "Write the test pictures as one file for the device.", ("train",)
    ),
    "label": Verb("edge_digits.commands.label:label", "Label pictures that were collected, one key each."),
    "doctor": Verb(
        "edge_digits.commands.doctor:doctor",
        "Check whether this device can run a model.",
    ),
}


class _ReaderGoneError(Exception):
    """Nobody reads standard output any more."""


@contextlib.contextmanager
def _reader_gone() -> Iterator[None]:
    """Raise `_ReaderGoneError` instead of BrokenPipeError, which click turns into exit code 1 without a word."""
    try:
        yield
    except BrokenPipeError as error:
        raise _ReaderGoneError from error


class LazyGroup(click.Group):
    """The group of all commands in `VERBS`, which imports a command when it is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the pipeline."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of a verb, or make one that says which extra it needs."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        missing = [extra for extra in verb.extras if any(find_spec(package) is None for package in EXTRAS[extra])]
        if missing:
            return _stub(cmd_name, verb, missing)
        module, name = verb.target.split(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs and their help lines without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the arguments; this is where ``--help`` prints."""
        with _reader_gone():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Call the verb."""
        with _reader_gone():
            return super().invoke(ctx)

    # click declares overloads, which only tell type checkers whether it returns.
    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit with the code that it returns, 0 for None.

        An error that a user can cause and mend becomes one line on standard error and exit code 2. Any other exception
        keeps its traceback.
        """
        if not standalone_mode:
            return super().main(args, prog_name, standalone_mode=False, **extra)
        try:
            code = super().main(args, prog_name, standalone_mode=False, **extra)
            _flush()
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.ctx.get_help() if error.ctx else "")
            sys.exit(WRONG_INPUT)
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "edge-digits"
            _fail(f"{_one_line(error.format_message()).rstrip('.')} (see '{where} --help')")
        except click.ClickException as error:
            _fail(_one_line(error.format_message()))
        except EdgeDigitsError as error:
            _fail(str(error))
        except (click.Abort, KeyboardInterrupt) as error:
            # click makes an Abort of EOFError, too, which here is a fault of ours: no verb asks questions.
            if isinstance(error.__cause__, EOFError):
                raise error.__cause__ from None
            # What was interrupted may have noted how to go on; click has the original as the cause.
            notes = [*getattr(error, "__notes__", ()), *getattr(error.__cause__, "__notes__", ())]
            click.echo(" ".join(["Interrupted.", *notes]), err=True)
            sys.exit(INTERRUPTED)
        except (BrokenPipeError, _ReaderGoneError):
            # The reader is gone, as in `edge-digits recipes | head`. Python shall not complain at exit.
            sys.stdout = None
            sys.exit(0)
        except OSError as error:
            # A path of the user that cannot be read or written is an EdgeDigitsError; any other is a fault of ours.
            if error.errno not in _DISK_FULL:
                raise
            try:
                _flush()
            except OSError:
                # Standard output takes nothing. Python shall not complain at exit.
                sys.stdout = None
            _fail(f"{error.filename or 'standard output'}: {error.strerror}")
        sys.exit(code if isinstance(code, int) else 0)


def _flush() -> None:
    """Write out what Python has buffered, if there is a standard output."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _one_line(message: str) -> str:
    return " ".join(message.split())


def _fail(message: str) -> NoReturn:
    print_error(message)
    sys.exit(WRONG_INPUT)


def _stub(name: str, verb: Verb, missing: list[str]) -> click.Command:
    """Return a command that takes any arguments and says what to install.

    Shell completion works on it as on any other.
    """

    def say() -> int:
        print_error(f"'{name}' needs more than the device profile: {install_line(missing)}")
        return WRONG_INPUT

    # The module with the real options cannot be imported.
    return click.Command(
        name,
        callback=lambda **_: say(),
        help=f"{verb.help} (not installed: {install_line(missing)})",
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
    )


def install_line(extras: Sequence[str]) -> str:
    """Return what installs ``extras`` here, see `edge_digits_runtime.installation.how_to_get`."""
    from edge_digits_runtime.installation import how_to_get

    return how_to_get(extras)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="edge-digits", prog_name="edge-digits")
def main() -> None:
    """Train a small digit classifier, quantize it to one int8 .tflite file, run that file on a small device, and
    report what that cost.

    \b
    On the workstation:
      edge-digits train cnn-32-64-64
      edge-digits convert --int8
    On the device:
      edge-digits classify seven.png
      edge-digits evaluate model.tflite --data mnist-test.npz
    """
