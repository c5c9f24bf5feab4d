"""``edge-digits serve``."""

import ipaddress
import re
from pathlib import Path

import click
from edge_digits_runtime.errors import UsageError

from edge_digits.commands.answers import CollectChoice, ModelChoice, collect_options, model_options
from edge_digits.progress import say

SHORTEST_TOKEN = 12
"""Characters of a token; a shorter one is soon guessed."""


class ServeCommand(click.Command):
    """The command, which checks already as it reads its options who may ask: ``deploy --serve`` checks them, too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options.

        Raises:
            UsageError: a whole network would be answered without being told to.
        """
        rest = super().parse_args(ctx, args)
        _check_who_may_ask(ctx.params["host"], ctx.params["token"], ctx.params["is_open"])
        return rest


@click.command(cls=ServeCommand)
@model_options
@collect_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is all of them.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--token",
    envvar="EDGE_DIGITS_TOKEN",
    metavar="TEXT",
    help="What clients must show, as 'Authorization: Bearer TEXT'. The environment hides it from other users.",
    show_envvar=True,
)
@click.option("--open", "is_open", is_flag=True, help="Answer whoever reaches --host, without a token.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Another name that this machine is reached by.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Threads that answer pictures."
)
@click.option(
    "--max-mb", type=click.FloatRange(0.001, 1000), default=16, show_default=True, help="Largest request in megabytes."
)
@click.option(
    "--max-megapixels", type=click.FloatRange(0.001, 90), default=50, show_default=True, help="Largest picture."
)
def serve(
    model: Path | None,
    backend: str | None,
    allow_unverified: bool,
    require_signature: Path | None,
    min_confidence: float | None,
    collect: Path | None,
    collect_mb: float,
    collect_group: str | None,
    host: str,
    port: int,
    token: str | None,
    is_open: bool,  # noqa: ARG001 (`ServeCommand` has looked at it)
    allow_host: tuple[str, ...],
    workers: int,
    max_mb: float,
    max_megapixels: float,
) -> None:
    """Serve a page in which one draws, drops or photographs a digit and sees what the model says, and the same for
    programs: POST a picture to /api/classify or /api/read. /api/openapi.json describes it.

    Only this machine reaches it unless --host says otherwise, and then clients need a --token. Ctrl-C ends it. With
    --require-signature clients cannot choose among the installed models, which are not signed.

    \b
    Example:
      edge-digits serve
      edge-digits serve --host 0.0.0.0 --token "$(openssl rand -hex 12)"
      curl --data-binary @7.png http://127.0.0.1:8000/api/classify
    """
    # Imported here: a wrong option is said at once.
    from edge_digits_live import server
    from edge_digits_live.app import Service, Settings
    from edge_digits_live.collecting import Collecting
    from edge_digits_live.limits import Limits
    from edge_digits_live.models import Models
    from edge_digits_live.workers import Workers

    limits = Limits(body_bytes=round(max_mb * 1e6), pixels=round(max_megapixels * 1e6))
    collection = CollectChoice(collect, collect_mb, collect_group).open()
    models = Models(ModelChoice(model, backend, allow_unverified, min_confidence, require_signature))
    server.keep_memory_small()
    with server.listen(host, port) as listening:
        threads = Workers(models.load, workers, limits.waiting, limits.waiting_s)
        app = Service(models, threads, Settings(token, allow_host, limits), Collecting(collection, collect_group)).app()
        for address in _addresses(host, listening.getsockname()[1]):
            # Behind a #, the token reaches the page and no server or log.
            click.echo(f"{address}#token={token}" if token else address)
        say(f"Answering with {models.default}. Ctrl-C ends it.")
        server.run(app, listening, limits)


def _check_who_may_ask(host: str, token: str | None, is_open: bool) -> None:
    """Refuse to answer a whole network without being told to.

    Raises:
        UsageError: a token is needed, or this one is not good.
    """
    if token is not None and is_open:
        raise UsageError("--token and --open exclude each other")
    if token is not None and not re.fullmatch(rf"[!-~]{{{SHORTEST_TOKEN},}}", token):
        raise UsageError(
            f"--token: {len(token)} characters; give {SHORTEST_TOKEN} or more letters and digits, "
            'such as "$(openssl rand -hex 12)"'
        )
    if token is None and not is_open and not _is_loopback(host):
        raise UsageError(
            f"--host {host}: whoever reaches this machine could ask; give --token TEXT, or --open to allow it"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _addresses(host: str, port: int) -> list[str]:
    """Return the addresses to type into a browser."""
    import socket

    unspecified = host in ("0.0.0.0", "::", "")
    hosts = [f"{socket.gethostname()}", _own_address()] if unspecified else [f"[{host}]" if ":" in host else host]
    return [f"http://{each}:{port}/" for each in hosts if each]


def _own_address() -> str | None:
    """Return the address of this machine in its network; None if it is in none."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing: it asks the system by which address it would go out.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address
