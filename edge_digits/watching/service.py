"""A systemd service that watches from now on, and after each start of the machine."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
from edge_digits_runtime.errors import OutputError, UsageError, WatchError
from edge_digits_runtime.records import files

from edge_digits import systemd
from edge_digits.printing import printable
from edge_digits.progress import say

_PATHS = frozenset(["--profile", "--csv", "--sqlite", "--mqtt-password-file", "--doubts"])
"""Options whose values are paths: a service is started in another folder."""
_OURS = frozenset(["--install-service", "--print"])


def install(context: click.Context, name: str, only_print: bool) -> int:
    """Install the service of a meter, for this user or, as root, for the machine; or print it.

    Raises:
        WatchError: systemd is not there, or refuses it.
        OutputError: it cannot be written.
    """
    text = unit(_arguments(context), name)
    if only_print:
        click.echo(text, nl=False)
        return 0
    if shutil.which("systemctl") is None:
        raise WatchError("systemctl is not here: this system has no systemd; --print shows the service")
    root = os.geteuid() == 0
    folder = Path("/etc/systemd/system") if root else Path.home() / ".config" / "systemd" / "user"
    file = folder / f"edge-digits-{_plain(name)}.service"
    files.write_bytes(file, text.encode())
    scope = [] if root else ["--user"]
    for words in (["daemon-reload"], ["enable", "--now", file.name]):
        done = subprocess.run(["systemctl", *scope, *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise WatchError(
                f"{file} is written, but 'systemctl {' '.join([*scope, *words])}' says: {done.stderr.strip()}"
            )
    click.echo(f"{printable(file)}: is running")
    say(f"Its log: journalctl {'' if root else '--user '}-u {file.name}")
    if not root:
        say("To run it while nobody is logged in: loginctl enable-linger")
    return 0


def unit(arguments: list[str], name: str) -> str:
    """Return a unit of systemd that runs ``edge-digits watch`` with these arguments.

    Args:
        arguments: what stands behind ``watch``; paths are absolute.
        name: of the meter.
    """
    script = Path(sys.prefix) / "bin" / "edge-digits"
    program = [str(script if script.exists() else Path(sys.argv[0]).resolve()), "watch", *arguments]
    return f"""[Unit]
Description=edge-digits watches {_plain(name)}
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart={" ".join(map(_quoted, program))}
# Passwords, as EDGE_DIGITS_MQTT_PASSWORD=…, in a file that only its owner can read.
EnvironmentFile=-{_environment_file(name)}
WorkingDirectory={systemd.path(str(Path.cwd()))}
Restart=on-failure
RestartSec=10
TimeoutStopSec=10
Nice=5
NoNewPrivileges=yes
MemoryMax=400M

[Install]
WantedBy={"multi-user.target" if os.geteuid() == 0 else "default.target"}
"""


def _arguments(context: click.Context) -> list[str]:
    """Return the command line without what is about the service, with absolute paths."""
    given = list(sys.argv[sys.argv.index("watch") + 1 :]) if "watch" in sys.argv else []
    if not given:
        raise UsageError("--install-service works from the command line")
    known = {name for parameter in context.command.params for name in parameter.opts}
    found: list[str] = []
    path_next = False
    for word in given:
        name, equals, value = word.partition("=")
        if path_next:
            found.append(os.path.abspath(word))  # noqa: PTH100
            path_next = False
        elif word in _OURS:
            continue
        elif name in _PATHS and equals:
            found.append(f"{name}={os.path.abspath(value)}")  # noqa: PTH100
        else:
            path_next = word in _PATHS
            is_folder = word not in known and not word.startswith("-") and Path(word).is_dir()
            found.append(os.path.abspath(word) if is_folder else word)  # noqa: PTH100
    return found


def _environment_file(name: str) -> str:
    if os.geteuid() == 0:
        return f"/etc/edge-digits/{_plain(name)}.env"
    return f"%h/.config/edge-digits/{_plain(name)}.env"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "meter"


def _quoted(word: str) -> str:
    """Return a word as systemd reads it back, in quotes where it needs them."""
    if "\n" in word or "\0" in word:
        raise OutputError(f"{word!r:.80}: a service cannot have an argument with a line end")
    quoted = systemd.quoted(word)
    return quoted if shlex.quote(word) != word or quoted != f'"{word}"' else word
