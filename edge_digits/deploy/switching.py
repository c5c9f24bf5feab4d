"""Runs on the device: put a bundle into use, and restart the service with it where there is one.

``deploy`` calls it over ssh in the folder of edge-digits there, with the interpreter that has edge-digits:

    python -m edge_digits.deploy.switching use bundles/STAMP [--environment FILE] [--serve OPTION...]
    python -m edge_digits.deploy.switching status
    python -m edge_digits.deploy.switching restart

``--serve`` sets up a service that runs ``edge-digits serve`` with these options. A new bundle stays in use only if the
service answers with its model. Else the former one is put back into use, with the code that it came with, and the
service is restarted with it. All of it holds the lock of the folder, so that no other deployment comes in between.
"""

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_digits.deploy import service as services
from edge_digits.deploy.service import CURRENT, ENVIRONMENT, Service, ServiceError

DEPLOYING = ".deploying"
"""File in a bundle until its deployment has ended."""
_DAY_S = 86_400
# The disk may be full, and systemd may hang.
_FAILURES = (ServiceError, OSError, subprocess.SubprocessError)


def use(folder: Path, bundle: str, options: Sequence[str] | None = None, environment: Path | None = None) -> list[str]:
    """Put ``bundle`` into use, and the former one again if the service does not answer with it.

    Args:
        folder: the folder of edge-digits.
        bundle: path in it, ``bundles/STAMP``.
        options: of ``serve``, to set up a service or to change it; None to leave what is there.
        environment: file that becomes `ENVIRONMENT` where there are options; None for none.

    Returns:
        Lines for the user: where the service answers, and what else is to be known of it; none where there is none.

    Raises:
        ServiceError: the service does not answer; what was in use before is in use again.
    """
    former = _link(folder)
    # With options, a record that is damaged is written anew.
    before = services.known(folder) if options is not None else Service.load(folder)
    service = before if options is None else Service(folder, tuple(options), sys.executable)
    variables = folder / ENVIRONMENT
    kept = variables.read_text(encoding="utf-8") if variables.exists() else None
    _point(folder, bundle)
    try:
        if options is not None:
            variables.unlink(missing_ok=True)
            if environment is not None:
                environment.replace(variables)
        lines = [] if service is None else [f"the service answers at {service.url}", *services.start(service)]
    except _FAILURES as error:
        if service is None:
            raise
        variables.unlink(missing_ok=True)
        if kept is not None:
            services.write(variables, kept, 0o600)
        end = _go_back(folder, bundle, former, before, service)
        raise ServiceError(f"{error}; {end}") from error
    _clean_up(folder, bundle, former)
    return lines


def _go_back(folder: Path, bundle: str, former: str | None, before: Service | None, failed: Service) -> str:
    """Put the former bundle back into use, with the service that was there before; say what is in use now."""
    services.stop(failed)
    if former is None or former == bundle:
        (folder / CURRENT).unlink()
        end = "nothing was in use before, and nothing is now"
    else:
        _point(folder, former)
        _put_back_code(folder / former)
        end = "the former bundle is in use again"
    if before is None:
        services.forget(failed)
    elif former is not None:
        try:
            services.start(before)
            end += ", and its service answers"
        except _FAILURES as error:
            end += f", but its service does not answer: {error}"
    if former != bundle:
        # Else 'deploy --rollback' would take it for the one before.
        shutil.rmtree(folder / bundle, ignore_errors=True)
    return end


def _clean_up(folder: Path, bundle: str, former: str | None) -> None:
    """Remove all bundles but the one in use, the former one, to go back to, and those that are being deployed."""
    for each in (folder / "bundles").iterdir():
        mark = each / DEPLOYING
        with contextlib.suppress(OSError):
            # A deployment that began more than a day ago was cut off.
            if mark.exists() and time.time() - mark.stat().st_mtime < _DAY_S:
                continue
        if f"bundles/{each.name}" not in (bundle, former):
            shutil.rmtree(each, ignore_errors=True)


def _put_back_code(bundle: Path) -> None:
    """Install the edge-digits that came with a bundle, where it came with one."""
    wheels = sorted((bundle / "wheels").glob("edge_digits*.whl"))
    if wheels:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, *map(str, wheels)], stdin=subprocess.DEVNULL, capture_output=True)


def _link(folder: Path) -> str | None:
    try:
        return str((folder / CURRENT).readlink())
    except FileNotFoundError:
        return None


def _point(folder: Path, bundle: str) -> None:
    """Let ``current`` point to a bundle, in one rename."""
    if not (folder / bundle).is_dir():
        raise ServiceError(f"{bundle} is not there any more")
    new = folder / f".incoming-{Path(bundle).name}.link"
    new.unlink(missing_ok=True)
    new.symlink_to(bundle)
    new.replace(folder / CURRENT)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock that deployments take turns with, see `edge_digits.deploy.deployment`."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and print lines for the user as JSON."""
    parser = argparse.ArgumentParser(prog=services.MODULE, allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True)
    using = verbs.add_parser("use")
    using.add_argument("bundle")
    using.add_argument("--environment", type=Path)
    using.add_argument("--serve", nargs=argparse.REMAINDER)
    verbs.add_parser("status")
    verbs.add_parser("restart")
    chosen = parser.parse_args(arguments)
    folder = Path.cwd()
    try:
        if chosen.verb == "status":
            lines = services.status(folder)
        else:
            with _locked(folder):
                if chosen.verb == "restart":
                    lines = services.restart(folder)
                else:
                    lines = use(folder, chosen.bundle, chosen.serve, chosen.environment)
        # In one line, which is told from what a shell says to whoever logs in.
        print(json.dumps(lines))
    except ServiceError as error:
        print(services.one_line(str(error)), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
