"""``edge-digits deploy``."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from edge_digits_runtime.errors import DeployError, UsageError

from edge_digits.commands.bundle import data_option, make, model_option, run_argument, scheme_option, wheels_option
from edge_digits.options import (
    ELSEWHERE,
    WORSE,
    WRONG_INPUT,
    UserPath,
    check_gate,
    gate_options,
    signature_option,
    unverified_option,
)
from edge_digits.printing import print_error, printable
from edge_digits.progress import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_digits.deploy.deployment import Serve
    from edge_digits.deploy.ssh import Target
    from edge_digits.gate import Gate

_MOST_AT_ONCE = 16
"""Devices that are deployed to at the same time; the others wait."""
_remote_dir_option = click.option(
    "--remote-dir",
    default="edge-digits",
    show_default=True,
    metavar="FOLDER",
    help="The folder on the device, relative to the login folder unless absolute.",
)
_port_option = click.option("-p", "--port", type=click.IntRange(1, 65535), help="Port of the ssh server.")
_ssh_config_option = click.option(
    "-F",
    "--ssh-config",
    type=UserPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="An ssh configuration instead of your own.",
)
_python_option = click.option(
    "--python",
    metavar="PYTHON",
    help="The interpreter on the device to install with.  [default: python3]",
)


def connection_options(command: Any) -> Any:
    """Add the options that say how a device is reached and where things go on it."""
    for option in (_ssh_config_option, _port_option, _python_option, _remote_dir_option):
        command = option(command)
    return command


@click.command()
@run_argument
@click.argument("hosts", nargs=-1, metavar="HOST...")
@scheme_option
@model_option
@data_option
@_remote_dir_option
@click.option("--no-install", is_flag=True, help="Install nothing; only check that edge-digits is there.")
@click.option(
    "--python",
    metavar="PYTHON",
    help="The interpreter on the device: the one to install with, or with --no-install the one that has edge-digits.  "
    "[default: python3, or with --no-install that of the last installation]",
)
@_port_option
@_ssh_config_option
@click.option(
    "--require-better",
    type=UserPath(dir_okay=False),
    multiple=True,
    metavar="EVALUATION",
    help="An evaluation of the model before: exit with 1, and leave that one in use, if the new model is worse on the "
    "same pictures by more than chance. May be given for several test sets.",
)
@click.option("--status", is_flag=True, help="Say what is in use on each HOST; takes no RUN.")
@click.option(
    "--rollback", is_flag=True, help="Put the model back into use that was before, on each HOST; takes no RUN."
)
@click.option(
    "--serve",
    is_flag=True,
    help="Also set up 'edge-digits serve' as a service there: it answers with the model in use. The new model stays in "
    "use only if the service answers with it. A service that was set up is restarted by every deployment.",
)
@click.option(
    "--serve-options",
    default="",
    metavar="OPTIONS",
    help="Options of 'serve' there, such as '--host 0.0.0.0 --port 8080'. The variable EDGE_DIGITS_TOKEN here becomes "
    "its token.",
)
@wheels_option
@gate_options
@signature_option
@unverified_option
def deploy(
    run: Path,
    hosts: tuple[str, ...],
    scheme: str | None,
    model: Path | None,
    data: Path | None,
    remote_dir: str,
    no_install: bool,
    python: str | None,
    port: int | None,
    ssh_config: Path | None,
    require_better: tuple[Path, ...],
    status: bool,
    rollback: bool,
    serve: bool,
    serve_options: str,
    wheels: str | None,
    max_drop: float | None,
    point: bool,
    require_signature: Path | None,
    allow_unverified: bool,
) -> int:
    """Bundle the model of RUN, put it into use on HOST over ssh, and measure it there.

    With several HOSTs all are done at once, and one that fails does not stop the others: the exit code is 2 if one did.

    HOST is what you type after ssh. Your ssh configuration and keys are used, and all steps share one login. On the
    device, edge-digits is installed into a virtual environment, 'edge-digits doctor' and 'edge-digits evaluate' are
    run, and the evaluation comes back into RUN as HOST.SCHEME.evaluation.json, where 'edge-digits report RUN' finds it.
    If anything fails before the new model has answered there, the former one stays in use. --max-drop holds the
    answers that the device gave to a limit; the model stays in use there even if it fails. --require-signature is
    checked here, before anything is copied; on the device, 'classify --require-signature' checks the same file.

    \b
    Example:
      edge-digits deploy runs/cnn-32-64-64-1 pi@raspberrypi.local
      edge-digits deploy runs/cnn-32-64-64-1 pi --scheme float32 --no-install
      edge-digits report runs/cnn-32-64-64-1
      edge-digits deploy runs/cnn-32-64-64-1 pi1 pi2 pi3
      edge-digits deploy --status pi1 pi2 pi3
      edge-digits deploy --rollback pi2
      edge-digits deploy runs/cnn-32-64-64-1 pi --serve --serve-options '--host 0.0.0.0 --open'
    """
    check_gate(max_drop, point)
    from edge_digits_runtime.records import files

    from edge_digits.deploy import deployment, in_use
    from edge_digits.deploy.ssh import Target
    from edge_digits.pipeline import drop_gate, print_gates, summary

    if status or rollback:
        hosts = (os.fspath(run), *hosts)
        if status and rollback:
            raise click.UsageError("--status and --rollback are two things: give one of them")
        if serve or serve_options:
            raise click.UsageError("--serve goes with a RUN: leave out --status and --rollback")
    elif not hosts:
        raise click.UsageError("no HOST: name one or several devices behind RUN")
    targets = [Target(host, remote_dir.rstrip("/"), port, ssh_config) for host in hosts]
    if len({target.label for target in targets}) < len(targets):
        raise click.UsageError(f"{', '.join(hosts)}: each HOST once, with a name of its own")

    def say_status(target: "Target") -> None:
        about, version, service = in_use.status(target, say, python)
        click.echo(printable(f"{target.host}: {about}, edge-digits {version}" + (f"; {service}" if service else "")))

    def go_back(target: "Target") -> None:
        click.echo(printable(f"{target.host}: {in_use.roll_back(target, say, python)}"))

    if status or rollback:
        return _at_once(say_status if status else go_back, targets)
    asked = _service(serve, serve_options)
    judge = None if max_drop is None else drop_gate(run, max_drop, point)
    if require_better and not _is_better(run, scheme, model, require_better, allow_unverified, require_signature):
        return WORSE
    # The evaluation comes into it at the end.
    files.check_writable(run, folder=True)
    bundle = make(run, scheme, model, data, not no_install, wheels, allow_unverified, require_signature, serve)
    say(f"{', '.join(hosts)}: {bundle}")
    gates: list[Gate] = []

    def put(target: "Target") -> None:
        out = run / f"{target.label}.{bundle.scheme}.evaluation.json"
        evaluation = deployment.deploy(
            bundle,
            target,
            out,
            install=not no_install,
            python=python,
            allow_unverified=allow_unverified,
            progress=say,
            serve=asked,
        )
        click.echo(f"{printable(out)}: {summary(evaluation)}")
        if judge is not None:
            gates.append(judge(evaluation))

    return max(_at_once(put, targets), print_gates(gates))


def _service(serve: bool, options: str) -> "Serve | None":
    """Return the service that a device is to have, if one is asked for; its options are checked here.

    Raises:
        UsageError: the options are none of 'serve', or the page is not installed here.
    """
    import shlex
    from importlib.util import find_spec

    from edge_digits_runtime.installation import how_to_get

    from edge_digits.deploy.deployment import Serve

    if not serve:
        if options:
            raise click.UsageError("--serve-options is for --serve: add it, or leave the options out")
        return None
    if find_spec("edge_digits_live") is None:
        raise UsageError(f"--serve packs the page, which is not installed here: {how_to_get(['live'])}")
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise click.UsageError(f"--serve-options {options!r:.60}: a quotation mark has no end") from error
    return Serve(words, _checked_token(words))


def _checked_token(words: list[str]) -> str | None:
    """Check options that are to be given to ``serve`` on a device, and return the token from the environment here.

    Raises:
        UsageError: they are none of ``serve``, need a token that is not there, or name what ``deploy`` decides.
    """
    from edge_digits.cli import main

    for option, instead in (
        ("--model", "it answers with the model in use"),
        ("--token", "set the variable EDGE_DIGITS_TOKEN, so that no list of processes shows it"),
    ):
        if any(word == option or word.startswith(f"{option}=") for word in words):
            raise UsageError(f"--serve-options: leave out {option}: {instead}")
    context = click.get_current_context()
    serve = main.get_command(context, "serve")
    assert serve is not None
    context.meta[ELSEWHERE] = True
    try:
        # With a parent, since a command keeps the names of --help that its first context has.
        given = serve.make_context("serve", list(words), parent=context.parent).params
    except click.UsageError as error:
        raise UsageError(f"--serve-options: {error.format_message()}") from error
    except click.exceptions.Exit as error:
        raise UsageError("--serve-options: --help is for 'edge-digits serve'") from error
    finally:
        del context.meta[ELSEWHERE]
    if given["port"] == 0:
        raise UsageError("--serve-options: --port 0 takes another port each time; name one")
    token: str | None = given["token"]
    # It goes into a file that systemd reads, where quotation marks and others have a meaning.
    if token is not None and not re.fullmatch(r"[\w.~+/=-]+", token, re.ASCII):
        raise UsageError("EDGE_DIGITS_TOKEN: for --serve, allowed are letters, digits and . _ ~ + / = -")
    return token


def _at_once(work: "Callable[[Target], None]", targets: "Sequence[Target]") -> int:
    """Do the same with all devices at once, each to its end, and return the exit code."""
    if len(targets) == 1:
        work(targets[0])
        return 0
    from concurrent.futures import ThreadPoolExecutor

    def one(target: "Target") -> int:
        try:
            work(target)
        except DeployError as error:
            print_error(error)
            return WRONG_INPUT
        return 0

    with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
        return max(pool.map(one, targets))


def _is_better(
    run: Path,
    scheme: str | None,
    model: Path | None,
    before: tuple[Path, ...],
    allow_unverified: bool,
    require_signature: Path | None,
) -> bool:
    """Say what the new model brings on each test set, and return whether it is worse on none of them."""
    from edge_digits_runtime.model.registry import find

    from edge_digits.deploy.bundle import find_model
    from edge_digits.opening import open_model
    from edge_digits.report.brought import brought

    path = find(model) if model else find_model(run, scheme or "int8", require_signature)
    classifier = open_model(path, allow_unverified=allow_unverified, require_signature=require_signature)
    results = brought(classifier, before, run)
    for result in results:
        say(str(result))
    worse = [result.data for result in results if result.worse]
    if worse:
        say(f"{printable(path)} is worse than the model before on {', '.join(worse)}: it is not put into use.")
    return not worse
