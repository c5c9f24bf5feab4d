"""What the tests of deploying share: the steps, what a device has in use, and the error of a command."""

import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from click.testing import Result
from edge_digits_runtime import installation
from edge_digits_runtime.model.classifier import DigitClassifier
from packaging.requirements import Requirement

VERSION = installation.build("edge-digits")
BUILDS = f"{VERSION} {installation.build(installation.RUNTIME)}"
"""What is installed here, as a device prints it."""
Deploy = Callable[..., Result]
Stub = Callable[[str], Path]
STEPS = (
    "connect",
    "copy",
    "check and unpack",
    "install",
    "check edge-digits",
    "doctor",
    "try the model",
    "switch over",
    "evaluate",
    "fetch the evaluation",
)


def in_use(device: Path) -> str:
    """The bundle that ``current`` points to; its checksums match and its model classifies."""
    current = device / "current"
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=current, check=True, timeout=60)
    assert DigitClassifier(current / "model.tflite").classify(current / "samples" / "7.png").digit == 7
    return str(current.readlink())


def error(result: Result) -> str:
    """The error, which is the last line, after those of the progress."""
    assert result.exit_code == 2, result.output
    *progress, last = result.stderr.splitlines()
    assert not [line for line in progress if not re.match("(device|gone): ", line)]
    assert last.startswith("Error: ")
    return last.removeprefix("Error: ")


def virtual_environment(folder: Path) -> Path:
    """Make a virtual environment in which pip finds the dependencies of edge-digits installed; sshd hides every index.

    Returns:
        Its folder of packages.
    """
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    (site,) = (folder / "lib").glob("python*/site-packages")
    dependencies = folder.parent.with_name("dependencies")
    dependencies.mkdir()
    for distribution in dependency_tree("edge-digits"):
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (dependencies / top).symlink_to(Path(str(distribution.locate_file(top))))
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    return site


def dependency_tree(name: str) -> list[importlib.metadata.Distribution]:
    """Return the distributions that ``name`` depends on without extras, except those of edge-digits."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [name]
    while waiting:
        for text in importlib.metadata.distribution(waiting.pop()).requires or ():
            required = Requirement(text)
            if required.name not in found and (required.marker is None or required.marker.evaluate({"extra": ""})):
                found[required.name] = importlib.metadata.distribution(required.name)
                waiting.append(required.name)
    return [distribution for required, distribution in found.items() if not required.startswith("edge-digits")]
