"""What edge-digits needs on a device beside itself: the versions that are installed here, and their wheels."""

import importlib.metadata
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from edge_digits_runtime.errors import UsageError

MACHINES = ("aarch64", "x86_64", "armv7l")
_OLDEST_GLIBC, _NEWEST_GLIBC = 17, 36
"""Of the wheels that are taken: ``manylinux2014`` has 2.17, Raspberry Pi OS since Bookworm has 2.36."""


@dataclass(frozen=True)
class Platform:
    """A device as the names of wheels say it."""

    machine: str
    """One of `MACHINES`."""
    python: str
    """Version of CPython without a point, such as ``311``."""

    def __str__(self) -> str:
        return f"{self.machine}-cp{self.python}"

    @classmethod
    def parse(cls, text: str) -> "Platform":
        """Read ``aarch64-cp311``.

        Raises:
            UsageError: it is not of that form, or of a machine or Python that edge-digits does not run on.
        """
        match = re.fullmatch(r"(\w+)-cp(3\d\d)", text)
        if match is None or match[1] not in MACHINES or int(match[2]) < 311:
            raise UsageError(
                f"platform {text!r:.40}: allowed is {', '.join(MACHINES)}, then - and cp311 or a newer Python, as in "
                "aarch64-cp311"
            )
        return cls(match[1], match[2])

    @property
    def pip_options(self) -> list[str]:
        """Options of ``pip download`` that ask for wheels of this platform."""
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in range(_NEWEST_GLIBC, _OLDEST_GLIBC - 1, -1)]
        tags += [f"manylinux2014_{self.machine}", f"linux_{self.machine}"]
        options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={self.python}"]
        options += [f"--abi={abi}" for abi in (f"cp{self.python}", "abi3", "none")]
        return options + [f"--platform={tag}" for tag in tags]


def required(distributions: Sequence[str], platform: Platform | None = None) -> list[str]:
    """Return what ``distributions`` need without extras, themselves left out, as lines that pip takes.

    The versions are those that are installed here, except where the device cannot have them: on ``armv7l``, which runs
    another interpreter with an older numpy, and where a version is not for its Python. There the lines are what the
    metadata ask for.

    Args:
        distributions: names of installed distributions.
        platform: of the device; None for a 64-bit one with the Python of this machine.
    """
    machine = platform.machine if platform else "aarch64"
    python = (3, int(platform.python[1:])) if platform else sys.version_info[:2]
    found: dict[str, str] = {}
    waiting = list(distributions)
    while waiting:
        for requirement in importlib.metadata.requires(waiting.pop()) or ():
            text, _, marker = (part.strip() for part in requirement.partition(";"))
            name = re.split(r"[^\w.-]", text, maxsplit=1)[0]
            if not _wanted(marker, machine) or name in found or name in distributions:
                continue
            found[name] = text
            version = _version(name)
            if version is not None:
                waiting.append(name)
                # uv installs a version whose upper bound excludes this Python, and pip on the device does not.
                if machine != "armv7l" and _allows(importlib.metadata.metadata(name)["Requires-Python"], python):
                    found[name] = f"{name}=={version}"
    return [found[name] for name in sorted(found, key=str.lower)]


def constraints(distributions: Sequence[str]) -> str:
    """Return a constraints file with what ``distributions`` need, in the versions that are installed here.

    A 32-bit ARM device runs another interpreter with an older numpy, so there it says nothing.
    """
    lines = (f'{line}; platform_machine != "armv7l"\n' for line in required(distributions) if "==" in line)
    return "# The versions that this bundle was made and tested with.\n" + "".join(lines)


def download(distributions: Sequence[str], platform: Platform) -> dict[str, bytes]:
    """Download the wheels that ``distributions`` need on a device.

    Returns:
        The content of the wheels by file name.

    Raises:
        UsageError: pip is not here, or a wheel cannot be had; the message has pip's reason.
    """
    wanted = required(distributions, platform)
    with tempfile.TemporaryDirectory() as folder:
        # All that is needed is in the list; pip would look at the markers of this machine.
        options = ["--no-deps", "--disable-pip-version-check", "--quiet", "--dest", folder, *platform.pip_options]
        command = [*_pip(), "download", *options, *wanted]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            errors = [line.strip() for line in done.stderr.splitlines() if line.startswith("ERROR:")]
            reason = errors[-1].removeprefix("ERROR: ") if errors else f"exit status {done.returncode}"
            if platform.machine == "armv7l":
                reason += "; PyPI has no numpy and no Pillow for 32-bit ARM: let pip look in piwheels, too"
            raise UsageError(f"wheels for {platform}: pip cannot get them: {reason}")
        return {file.name: file.read_bytes() for file in sorted(Path(folder).glob("*.whl"))}


def installed_bytes(wheels: Sequence[bytes]) -> int:
    """Return how many bytes the files in wheels take once they are installed."""
    total = 0
    for content in wheels:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            total += sum(entry.file_size for entry in archive.infolist())
    return total


def _wanted(marker: str, machine: str) -> bool:
    """Return whether a requirement with ``marker`` is needed on ``machine`` without extras.

    What the packages of a device ask for knows two kinds: of extras, and whether this is 32-bit ARM.
    """
    if "extra" in marker or "Windows" in marker or "win32" in marker:
        return False
    if "armv7l" in marker:
        return (re.search(r"==\s*['\"]armv7l", marker) is not None) == (machine == "armv7l")
    return True


def _allows(specifier: str | None, python: tuple[int, int]) -> bool:
    """Return whether a ``Requires-Python`` such as ``>=3.9,<3.13`` allows a late release of a Python."""
    clauses = [part.strip() for part in (specifier or "").split(",")]
    return all(_holds(clause, (*python, 99)) for clause in clauses if clause)


def _holds(clause: str, python: tuple[int, ...]) -> bool:
    match = re.fullmatch(r"(>=|<=|==|!=|~=|>|<)\s*(\d+(?:\.\d+)*)(\.\*)?", clause)
    if match is None:
        return False
    operator, bound = match[1], tuple(map(int, match[2].split(".")))
    if match[3]:
        return (python[: len(bound)] == bound) == (operator == "==")
    return {
        ">=": python >= bound,
        "<=": python <= bound,
        ">": python > bound,
        "<": python < bound,
        "==": python == bound,
        "!=": python != bound,
        "~=": python >= bound and python[: len(bound) - 1] == bound[:-1],
    }[operator]


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pip() -> list[str]:
    """Return the command of a pip that is here.

    Raises:
        UsageError: there is none.
    """
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv:
        return [uv, "tool", "run", "pip"]
    raise UsageError("downloading wheels needs pip: type 'python3 -m ensurepip', then try again")
