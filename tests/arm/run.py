"""Run the device profile on emulated Arm cores and compare every answer with this machine's.

    python tests/arm/run.py [--suite bookworm] [--arch arm64] [--cpu cortex-a53 ...] [--count 1000] [--model FILE ...]

Exits with 0 if no label differs and no output differs by more than one step of its scale, with 1 otherwise, and with 2
if this machine cannot emulate the boards. Needs root, since a userland is entered with chroot; see
docs/research/arm.md.
"""

import argparse
import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import edge_digits_runtime
import numpy as np
import userland
from edge_digits_runtime.data import datasets, npz
from edge_digits_runtime.errors import EdgeDigitsError
from edge_digits_runtime.model import registry
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_train.data import mnist
from numpy.typing import NDArray
from userland import ARCHITECTURES, SITE, SUITES, Userland, UserlandError

from edge_digits.samples import SAMPLES

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
PACKAGES = ("edge-digits", "edge-digits-runtime")
PICTURES, OUTPUTS, DIGITS, DOCTOR = "pictures.npz", "outputs.npz", "digits.jsonl", "doctor.json"
DUMP = "logits.py"
DEFAULT_MODEL = registry.DEFAULT_MODEL.relative_to(Path(edge_digits_runtime.__file__).parents[1])
"""Path of the default model within the wheel of the runtime."""
TEST_PACKAGES = ("pytest", "hypothesis")
ALLOWED_LABELS, ALLOWED_STEPS = 0, 1
"""Largest number of labels that may differ, and largest difference of an output in steps of its scale."""
DIFFERENT, CANNOT_EMULATE = 1, 2
"""Exit codes."""


class FailedError(Exception):
    """A program failed on one of the processors; the message is one line."""


@dataclass(frozen=True)
class Side:
    """One of the processors that are compared: this machine's, or an emulated one."""

    name: str
    folder: Path
    """Folder with its copy of the input files, and its output files."""
    python: Sequence[str]
    """Command line that starts Python on it, in ``folder``."""
    scripts: str
    """Folder of its installed commands."""
    machine: str
    """Name of its architecture, as ``uname -m`` prints it."""

    def run(self, program: str, *arguments: str) -> str:
        """Run a Python program and return its standard output. Files are named relative to ``folder``.

        Raises:
            FailedError: it failed; its output is passed on to standard error.
        """
        what = f"{self.name}: {' '.join([Path(program).name, *arguments[:2]])}"
        with timed(what):
            done = userland.completed(
                [*self.python, program, *arguments],
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        if done.returncode:
            sys.stderr.buffer.write(done.stdout + done.stderr)
            raise FailedError(f"{what}: exits with {done.returncode}")
        return done.stdout.decode()

    def edge_digits(self, *arguments: str) -> str:
        """Run the installed ``edge-digits``, as `run` does."""
        # Not by its shebang, which names a Python of the machine that installed it.
        return self.run(f"{self.scripts}/edge-digits", *arguments)


@dataclass(frozen=True)
class Row:
    """Comparison of one emulated processor with this machine on some pictures."""

    cpu: str
    what: str
    pictures: int
    labels: int
    """Number of answers that differ."""
    steps: float | None = None
    """Largest difference of any output in steps of the output scale; None where there is no scale."""
    share: float | None = None
    """Share of the outputs that differ at all, in [0, 1]."""
    accuracy: tuple[float, float] | None = None
    """There and here, in [0, 1]."""

    @property
    def agrees(self) -> bool:
        """Whether the two processors agree closely enough."""
        return self.labels <= ALLOWED_LABELS and (self.steps or 0) <= ALLOWED_STEPS

    def __str__(self) -> str:
        steps = "–" if self.steps is None else f"{self.steps:g}"
        share = "–" if self.share is None else f"{self.share * 100:.2f} %"
        accuracy = "– | –" if self.accuracy is None else " | ".join(f"{a * 100:.2f} %" for a in self.accuracy)
        verdict = "yes" if self.agrees else "**no**"
        cells = (self.cpu, self.what, f"{self.pictures:,}", str(self.labels), steps, share, accuracy, verdict)
        return f"| {' | '.join(cells)} |"


HEAD = """\
| emulated | what | pictures | labels that differ | largest difference in steps | outputs that differ | accuracy | \
on x86-64 | agrees |
|---|---|---|---|---|---|---|---|---|"""


def main() -> int:
    """Build the userland, run everything on every processor, print the comparison, and return the exit code."""
    arguments = _arguments()
    architecture = ARCHITECTURES[arguments.arch]
    # A kill becomes an exception, so that children and folders are removed as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    userland.require_tools(architecture)
    with timed(f"the userland, {arguments.keep}"):
        land = userland.build(arguments.keep, arguments.suite, architecture)
    userland.private_mounts()
    with tempfile.TemporaryDirectory() as scratch, userland.executable(architecture):
        with timed("the packages"):
            packages = _install(land, Path(scratch), TEST_PACKAGES if arguments.tests else ())
        samples = SAMPLES if architecture.pictures else ()
        # The model in the wheel that was just built is the one that a device gets.
        models = arguments.model or [packages.site / DEFAULT_MODEL]
        inputs = _inputs(Path(scratch) / "inputs", arguments.count, [*samples, *models])
        here = Side("x86-64", arguments.out / "x86-64", [str(packages.python)], str(packages.python.parent), "x86_64")
        there = [_emulated(land, cpu, packages.site, arguments.out) for cpu in arguments.cpu]
        for side in (here, *there):
            _answer(side, inputs, samples, models)
        rows = [row for side in there for row in _rows(side, here, samples, models)]
        print(HEAD, *rows, sep="\n", flush=True)
        if arguments.tests:
            for side in there:
                _test(side)
    return 0 if all(row.agrees for row in rows) else DIFFERENT


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--arch", choices=ARCHITECTURES, default="arm64")
    parser.add_argument("--suite", choices=SUITES, default=SUITES[0], help="Debian release (default: %(default)s)")
    parser.add_argument("--cpu", nargs="+", metavar="CPU", help="processors, as qemu names them (default: all we know)")
    parser.add_argument("--count", type=int, default=1000, help="how many MNIST test pictures (default: %(default)s)")
    parser.add_argument("--model", nargs="+", type=Path, default=[], metavar="FILE", help="(default: those we ship)")
    parser.add_argument("--keep", type=Path, metavar="ROOT", help="the userland (default: in the user's cache folder)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for all answers (default: build/arm/SUITE-ARCH)")
    parser.add_argument("--tests", action="store_true", help="run the tests of the runtime there, too")
    arguments = parser.parse_args()
    known = ARCHITECTURES[arguments.arch].cpus
    arguments.cpu = arguments.cpu or list(known)
    if not set(arguments.cpu) <= set(known):
        parser.error(f"--cpu: for {arguments.arch} we know {', '.join(known)}")
    if not 1 <= arguments.count <= 10_000:
        parser.error("--count: allowed is 1 to 10000")
    if arguments.arch == "armhf" and arguments.suite != "bookworm":
        parser.error("--suite: armhf needs bookworm; tflite-runtime has no wheel for a later Python than 3.11")
    if arguments.tests and not ARCHITECTURES[arguments.arch].pictures:
        parser.error(f"--tests: not for {arguments.arch}, where Pillow is older than the tests need")
    name = f"{arguments.suite}-{arguments.arch}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    arguments.keep = (arguments.keep or cache / "edge-digits" / "arm" / name).absolute()
    arguments.out = (arguments.out or REPOSITORY / "build" / "arm" / name).absolute()
    if absent := [str(model) for model in arguments.model if not model.is_file()]:
        parser.error(f"--model: no such file: {', '.join(absent)}")
    if len({model.stem for model in arguments.model}) < len(arguments.model):
        parser.error("--model: the names must differ, since answers are filed by them")
    return arguments


@dataclass(frozen=True)
class Packages:
    """Our packages with their dependencies, in the same versions on both sides."""

    site: Path
    """For the emulated side: a folder."""
    python: Path
    """For this machine: the Python of a virtual environment."""


def _install(land: Userland, scratch: Path, more: Sequence[str]) -> Packages:
    """Build our wheels and install them for both sides, for the emulated one with the packages ``more``."""
    for package in PACKAGES:
        options = ["--quiet", "--wheel", "--package", package, "--out-dir", str(scratch / "wheels")]
        userland.run(["uv", "build", *options, str(REPOSITORY)])
    wheels = [str(wheel) for wheel in sorted(scratch.glob("wheels/*.whl"))]
    # The versions that are installed here, so that only the processor differs.
    constraints = scratch / "constraints.txt"
    installed = {d.name: d.version for d in importlib.metadata.distributions() if d.name not in PACKAGES}
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in installed.items()))
    site = scratch / "site"
    userland.install(land, site, [*wheels, *more], constraints)
    return Packages(site, _environment(scratch / "environment", land, wheels, constraints))


def _environment(folder: Path, land: Userland, wheels: Sequence[str], constraints: Path) -> Path:
    """Make a virtual environment for this machine with the interpreter that ``land`` has, and return its Python."""
    requirements = land.architecture.requirements
    python = land.python if requirements else sys.executable
    what = ["--no-deps", *requirements, "numpy<2", "pillow"] if requirements else ["--constraint", str(constraints)]
    userland.run(["uv", "venv", "--quiet", "--python", python, str(folder)])
    # Not in the repository, as in `userland.install`.
    userland.run(["uv", "pip", "install", "--quiet", "--python", str(folder), *what, *wheels], cwd=folder)
    return folder / "bin" / "python"


def _emulated(land: Userland, cpu: str, site: Path, out: Path) -> Side:
    folder = out / cpu
    python = land.command(cpu, site, folder, ["/usr/bin/python3"])
    return Side(cpu, folder, python, f"{SITE}/bin", land.architecture.machine)


def _inputs(folder: Path, count: int, files: Sequence[Path]) -> Path:
    """Put all input files into ``folder``, once, so that every side gets the same, and return it."""
    test = mnist.load().test
    pictures = datasets.Split(test.images[:count], test.labels[:count])
    npz.save_test(folder / PICTURES, datasets.DataSet(mnist.NAME, pictures, pictures))
    for file in (HERE / DUMP, *files):
        shutil.copy(file, folder)
    return folder


def _answer(side: Side, inputs: Path, samples: Sequence[Path], models: Sequence[Path]) -> None:
    """Run doctor, classify, evaluate and the raw network on ``side``; the answers stay in its folder."""
    shutil.rmtree(side.folder, ignore_errors=True)
    shutil.copytree(inputs, side.folder)
    (side.folder / DOCTOR).write_text(side.edge_digits("doctor", "--json"))
    if samples:
        names = [file.name for file in samples]
        (side.folder / DIGITS).write_text(side.edge_digits("classify", "--json", *names))
    for model in models:
        # Emulation says nothing about speed; nor is it asked here.
        name = ["--device-name", side.name if side.machine == "x86_64" else f"{side.name}, emulated by qemu"]
        answers = ["-o", f"{model.stem}.json", "--accuracy-only", *name]
        side.edge_digits("evaluate", model.name, "--data", PICTURES, *answers)
    side.run(DUMP, PICTURES, OUTPUTS, *(model.name for model in models))


def _test(side: Side) -> None:
    """Run the tests of the runtime."""
    for folder in ("runtime", "tests/runtime"):
        shutil.copytree(REPOSITORY / folder, side.folder / folder, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["-p", "no:cacheprovider", "--import-mode=importlib", "-o", "pythonpath=runtime"]
    print(side.run("-m", "pytest", "tests/runtime", "-q", *options).splitlines()[-1], file=sys.stderr)


def _rows(side: Side, here: Side, samples: Sequence[Path], models: Sequence[Path]) -> Iterator[Row]:
    """Yield the comparisons of ``side`` with this machine."""
    if samples:
        yield Row(side.name, "classify", len(samples), _differing(_digits(side), _digits(here)))
    with np.load(side.folder / OUTPUTS) as there_outputs, np.load(here.folder / OUTPUTS) as here_outputs:
        for model in models:
            there_answers, here_answers = (_evaluation(s, model) for s in (side, here))
            ways = [f"{model.stem}.{way}" for way in ("one", "many")]
            steps = np.concatenate([there_outputs[way].astype(float) - here_outputs[way] for way in ways])
            yield Row(
                side.name,
                model.stem,
                len(here_answers.labels),
                _differing(there_answers.predicted, here_answers.predicted),
                float(np.abs(steps).max()) if here_outputs[f"{model.stem}.scale"] else None,
                float(np.mean(steps != 0)),
                (there_answers.accuracy, here_answers.accuracy),
            )


def _evaluation(side: Side, model: Path) -> Evaluation:
    answers = Evaluation.load(side.folder / f"{model.stem}.json")
    # If emulation failed silently, this machine would be compared with itself.
    if answers.device["machine"] != side.machine:
        raise FailedError(f"{side.name}: answered as {answers.device['machine']}, not as {side.machine}")
    return answers


def _digits(side: Side) -> NDArray[np.int64]:
    return np.array([int(json.loads(line)["label"]) for line in (side.folder / DIGITS).read_text().splitlines()])


def _differing(there: NDArray[np.integer], here: NDArray[np.integer]) -> int:
    return int(np.count_nonzero(there != here))


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print on standard error how long the block took."""
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (FailedError, EdgeDigitsError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(DIFFERENT)
    except UserlandError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(CANNOT_EMULATE)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
