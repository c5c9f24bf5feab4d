"""Run the tests of the device profile as a device may have them run: no root, nothing to write to, odd settings.

    python tests/environments/run.py [--suite bookworm trixie] [PYTEST ARGUMENT ...]

For each Debian release, with its own Python (3.11 and 3.13) and nothing else of it, `tests/runtime` and
`tests/device_profile` run

- as user and group 1000, who own nothing and have no home and no name in ``/etc/passwd``;
- from this source tree, mounted read-only; only ``/tmp`` can be written to;
- with every warning as an error, also in the commands that tests start;
- in the C locale, which Python meets with its UTF-8 mode.

Among these tests are `tests/device_profile/test_environments.py`: the verbs of a device with closed standard streams,
in 512 MB of address space, and more. Exits with 0 if all pass, with 1 if not, and with 2 if this machine cannot enter
a userland: it takes x86-64 Linux, root and debootstrap (see `tests/arm/userland.py`, which builds the userlands).
"""

import argparse
import importlib.metadata
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "arm"))

import userland  # noqa: E402
from userland import SITE, SUITES, WORK, Architecture, Userland, UserlandError  # noqa: E402

NATIVE = Architecture(
    name="amd64",
    machine="x86_64",
    qemu="",
    triplet="x86_64-linux-gnu",
    elf=(2, 62),
    version=0,
    packages=("python3",),
    cpus={},
    platform="x86_64-unknown-linux-gnu",
)
PACKAGES = ("edge-digits", "edge-digits-runtime")
TEST_PACKAGES = ("pytest", "hypothesis", "scipy", "cryptography")
USER = 1000
FAILED, CANNOT_ENTER = 1, 2
"""Exit codes."""
ENVIRONMENT = {
    "PATH": f"{SITE}/bin:/usr/bin:/bin",
    "PYTHONPATH": SITE,
    "HOME": "/nowhere",
    "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",
    "LC_ALL": "C",
    "PYTHONWARNINGS": "error",
}
_ENTER = (
    "set -e; root=$1 site=$2 source=$3; shift 3; "
    f'mount --bind "$site" "$root{SITE}"; mount -o remount,bind,ro "$root{SITE}"; '
    f'mount --bind "$source" "$root{WORK}"; mount -o remount,bind,ro "$root{WORK}"; '
    'mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"; mount --rbind /sys "$root/sys"; '
    'mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"; '
    f'exec chroot --userspec={USER}:{USER} "$root" /usr/bin/env --ignore-environment --chdir {WORK} "$@"'
)


def command(land: Userland, site: Path, arguments: Sequence[str]) -> list[str]:
    """Return the command line that runs ``arguments`` in ``land`` as `USER`, the sources mounted read-only."""
    enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "sh"]
    variables = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    return [*enter, str(land.root), str(site), str(REPOSITORY), *variables, *arguments]


def install(land: Userland, scratch: Path) -> Path:
    """Build our wheels, install them with what the tests need, and return the folder."""
    for package in PACKAGES:
        options = ["--quiet", "--wheel", "--package", package, "--out-dir", str(scratch / "wheels")]
        userland.run(["uv", "build", *options, str(REPOSITORY)])
    wheels = [str(wheel) for wheel in sorted(scratch.glob("wheels/*.whl"))]
    # The versions that are installed here.
    constraints = scratch / "constraints.txt"
    installed = {found.name: found.version for found in importlib.metadata.distributions()}
    lines = [f"{name}=={version}\n" for name, version in installed.items() if not name.startswith("edge-digits")]
    constraints.write_text("".join(lines))
    site = scratch / f"site-{land.suite}"
    userland.install(land, site, [*wheels, *TEST_PACKAGES], constraints)
    return site


def main() -> int:
    """Run the tests in each userland, print a line for each, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--suite", nargs="+", choices=SUITES, default=SUITES, help="Debian releases (default: all)")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, behind -- (default: the device profile)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    userland.require_tools(NATIVE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-digits" / "environments"
    failed = False
    for suite in options.suite:
        land = userland.build(cache / suite, suite, NATIVE)
        with tempfile.TemporaryDirectory() as folder:
            site = install(land, Path(folder))
            # The one folder that has to be open to another user.
            Path(folder).chmod(0o755)
            tests = options.pytest or ["tests/runtime", "tests/device_profile"]
            words = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *tests]
            begun = time.monotonic()
            done = userland.completed(command(land, site, words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            failed = True
            sys.stderr.buffer.write(done.stdout)
        seconds = time.monotonic() - begun
        print(f"{suite}, Python {land.python}: {userland.last_line(done.stdout)} ({seconds:.0f} s)", flush=True)
    return FAILED if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserlandError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(CANNOT_ENTER)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
