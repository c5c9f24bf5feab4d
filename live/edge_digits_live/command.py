"""``edge-digits serve``."""

import functools
import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from edge_digits_runtime.errors import UsageError

from edge_digits.commands.answers import CollectChoice, ModelChoice, collect_options, model_options
from edge_digits.commands.watch_options import WatchChoice, watch_options
from edge_digits.options import UserPath
from edge_digits.printing import printable
from edge_digits.progress import say

if TYPE_CHECKING:
    from edge_digits_live.camera import Camera
    from edge_digits_live.meter import Meter

SHORTEST_TOKEN = 12
"""Characters of a token; a shorter one is soon guessed."""


class ServeCommand(click.Command):
    """The command, which checks already as it reads its options who may ask: ``deploy --serve`` checks them, too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options.

        Raises:
            UsageError: a whole network would be answered without being told to, or there is nothing to watch.
        """
        rest = super().parse_args(ctx, args)
        _check_who_may_ask(ctx.params["host"], ctx.params["token"], ctx.params["is_open"])
        _check_what_is_watched(ctx)
        return rest


@click.command(cls=ServeCommand)
@click.argument("source", metavar="[SOURCE]", required=False)
@click.option(
    "--profile",
    "profile_path",
    type=UserPath(dir_okay=False),
    metavar="METER.TOML",
    help="Watch this meter, as 'watch' does, and show what it reads. Without SOURCE: show what another 'watch' adds to "
    "--sqlite.",
)
@watch_options
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
    source: str | None,
    profile_path: Path | None,
    watching: WatchChoice,
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
    is_open: bool,
    allow_host: tuple[str, ...],
    workers: int,
    max_mb: float,
    max_megapixels: float,
) -> None:
    """Serve a page in which one draws, drops or photographs a digit and sees what the model says, and the same for
    programs: POST a picture to /api/classify or /api/read. /api/openapi.json describes it.

    SOURCE is a camera that the page can look through, or a folder of pictures, in the words of 'watch'. With --profile
    it is watched, and the page shows the readings of the meter, their history and the doubtful pictures.

    Only this machine reaches it unless --host says otherwise, and then clients need a --token. Ctrl-C ends it. With
    --require-signature clients cannot choose among the installed models, which are not signed.

    \b
    Example:
      edge-digits serve
      edge-digits serve /dev/video0 --profile meter.toml --sqlite meter.db
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
        camera = _camera(source, watching)
        collects = None if collection is None else functools.partial(collection.offer_meter, group=collect_group)
        meter = _meter(profile_path, camera, watching, backend, allow_unverified, not is_open, collects)
        threads = Workers(models.load, workers, limits.waiting, limits.waiting_s)
        settings, collecting = Settings(token, allow_host, limits), Collecting(collection, collect_group)
        app = Service(models, threads, settings, collecting, camera, meter).app()
        for address in _addresses(host, listening.getsockname()[1]):
            # Behind a #, the token reaches the page and no server or log.
            click.echo(f"{address}#token={token}" if token else address)
        watched = "" if camera is None or meter is None else f" Watching {meter.name} on {camera.name}."
        say(printable(f"Answering with {models.default}.{watched} Ctrl-C ends it."))
        if meter is not None and camera is not None:
            meter.start(watching.every, lambda line: say(printable(line)))

        def end() -> None:
            if meter is not None:
                meter.stop()
            if camera is not None:
                camera.end()

        try:
            server.run(app, listening, limits, end)
        finally:
            end()
            if meter is not None:
                meter.finish()


def _camera(source: str | None, watching: WatchChoice) -> "Camera | None":
    """Open the source, if one is named.

    Raises:
        UsageError: it is none.
    """
    if source is None:
        return None
    from edge_digits.watching.frames import open_source
    from edge_digits_live.camera import Camera

    return Camera(open_source(source, watching.size))


def _meter(
    profile_path: Path | None,
    camera: "Camera | None",
    watching: WatchChoice,
    backend: str | None,
    allow_unverified: bool,
    may_write: bool,
    collect: Callable[..., None] | None,
) -> "Meter | None":
    """Return the meter of a profile, if one is named: with a loop where there is a camera.

    Raises:
        EdgeDigitsError: the profile, its models or an output do not work.
    """
    if profile_path is None:
        return None
    from edge_digits.commands.meter_reading import MeterChoice
    from edge_digits.watching.history import Database, Recent
    from edge_digits.watching.loop import Watch
    from edge_digits_live.meter import Meter

    choice = MeterChoice(profile_path, backend, allow_unverified)
    reader = choice.load()
    doubts = watching.open_doubts(profile_path)
    recent = Recent()
    history = recent if watching.sqlite is None else Database(watching.sqlite, reader.profile.name)
    if camera is None:
        assert watching.sqlite is not None
        if not watching.sqlite.exists():
            raise UsageError(f"--sqlite {watching.sqlite}: there is no such file; 'watch --sqlite' writes it")
        return Meter(choice, reader.profile, history, doubts, None, may_write)
    outputs, last = watching.outputs(reader.profile)
    # What is in the database need not be in memory as well.
    kept = [recent] if watching.sqlite is None else []
    watch = Watch(camera, reader, [*kept, *outputs], lambda line: say(printable(line)), doubts, last, collect)
    return Meter(choice, reader.profile, history, doubts, watch, may_write)


def _check_what_is_watched(context: click.Context) -> None:
    """Refuse options about a meter where none is watched.

    Raises:
        UsageError: an option has no use.
    """
    given = context.params
    source, profile = given["source"], given["profile_path"]
    default = click.core.ParameterSource.DEFAULT
    options = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    named = [name for name in WatchChoice.__dataclass_fields__ if context.get_parameter_source(name) != default]
    if profile is None:
        useless = [name for name in named if name != "size" or source is None]
        if useless:
            raise UsageError(f"{options[useless[0]]}: nothing is watched; add --profile METER.TOML and a SOURCE")
    elif given["require_signature"] is not None:
        raise UsageError("--require-signature: the models that a profile names are not signed; leave out --profile")
    elif source is None:
        if given["sqlite"] is None:
            raise UsageError(
                "--profile: name a SOURCE to watch, such as /dev/video0; or with --sqlite the file that another "
                "'watch' writes"
            )
        useless = [name for name in named if name not in ("sqlite", "doubts")]
        if useless:
            raise UsageError(f"{options[useless[0]]}: nothing is watched here without a SOURCE")


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
