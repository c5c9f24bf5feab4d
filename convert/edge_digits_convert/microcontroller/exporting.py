"""All of an export: from a model to a folder of C, checked with the compiler of this machine."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edge_digits_runtime.errors import ModelError, OutputError, UsageError
from edge_digits_runtime.model.card import ModelCard, ModelFile, read_model_file
from edge_digits_runtime.records import files
from edge_digits_runtime.records.microcontroller import RECORD, MicrocontrollerRecord
from numpy.typing import NDArray

from edge_digits_convert.microcontroller import measuring, reference
from edge_digits_convert.microcontroller.layers import IntegerNetwork
from edge_digits_convert.microcontroller.plan import Plan, make_plan
from edge_digits_convert.microcontroller.project import project_files
from edge_digits_convert.microcontroller.reading import read_network

COMPILERS = ("cc", "gcc", "clang")
"""What compiles the self-test here, where ``$CC`` does not say."""
_COMPILE = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror")
_SECONDS = 300
"""For the compiler and for the self-test; both take about one."""


@dataclass(frozen=True)
class Export:
    """A folder that was written."""

    path: Path
    """The folder."""
    card: ModelCard
    """Card of the model."""
    network: IntegerNetwork
    """Its layers."""
    plan: Plan
    """Where its activations lie."""
    compiler: str | None
    """What compiled the self-test, which passed; None where this machine has no compiler."""
    record: MicrocontrollerRecord | None
    """What it takes on microcontrollers; None if that was not asked for."""


def export(
    model: Path,
    out: Path,
    pictures: NDArray[np.uint8],
    origin: str,
    *,
    measured: bool = False,
    progress: Callable[[str], None] | None = None,
    require_signature: Path | None = None,
) -> Export:
    """Write the C of a model to a new folder, whole or not at all.

    Args:
        model: an int8 ``.tflite`` with a card.
        out: the folder; it must not exist, or be empty.
        pictures: for the self-test, uint8 of shape ``(n, height, width)``, prepared as the model takes them.
        origin: what the self-test says of them, such as ``MNIST test pictures``.
        measured: also measure what it takes on microcontrollers, with the same pictures.
        progress: called with a few words before each long step.
        require_signature: file of the public key that the model must be signed with; None if it need not be.

    Raises:
        SignatureError: the model is not signed with that key.
        ModelError: the model cannot be read, has no card, or has an operator, type or size that is not covered.
        ChecksumError: it does not match its card.
        UsageError: the pictures do not have the size that the model takes, or a tool to measure with is missing.
        OutputError: the folder is there already, or cannot be written.
    """
    if measured:
        measuring.check_tools()
    file = read_model_file(model, require_signature=require_signature)
    card, network = check(file, str(model))
    if pictures.shape[1:] != (network.height, network.width):
        raise UsageError(
            f"pictures of {pictures.shape[1]}×{pictures.shape[2]} pixels; "
            f"{model} takes {network.height}×{network.width}"
        )
    plan = make_plan(network)
    content = project_files(network, plan, card, pictures, reference.logits(network, pictures), origin)
    with _new_folder(out) as folder:
        for name, text in content.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        compiler = self_test(folder)
        record = None
        if measured:
            record = measuring.measure(folder, card, network, plan, pictures, progress=progress)
            record.save(folder / RECORD)
    return Export(out, card, network, plan, compiler, record)


def check(file: ModelFile, name: str) -> tuple[ModelCard, IntegerNetwork]:
    """Return the card and the layers of a model that C can be written of.

    Raises:
        ModelError: the model has no card, reads lines, or has an operator, type or size that is not covered.
    """
    card = file.card
    if card is None:
        raise ModelError(
            f"{name}: it has no card with a sha256, so damage could not be noticed: make it with 'edge-digits convert'"
        )
    if card.scheme != "int8" or card.input.kind == "line":
        what = "reads lines" if card.input.kind == "line" else f"is {card.scheme}"
        raise ModelError(f"{name}: it {what}; C is written of int8 classifiers: 'edge-digits convert --int8' makes one")
    network = read_network(file, name)
    if network.classes != len(card.labels) or (network.height, network.width) != card.input.shape:
        raise ModelError(
            f"{name}: {network.classes} classes and pictures of {network.height}×{network.width}, but the card says "
            f"{len(card.labels)} and {card.input.height}×{card.input.width}: convert the run again"
        )
    return card, network


def made_pictures(height: int, width: int) -> NDArray[np.uint8]:
    """Return ten pictures of noise, black, white and steps, the same ones every time: shape ``(10, height, width)``."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (8, -(-height // 4), -(-width // 4)), np.uint8)
    blocks = coarse.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]
    return np.concatenate([np.zeros((1, height, width), np.uint8), np.full((1, height, width), 255, np.uint8), blocks])


def self_test(folder: Path) -> str | None:
    """Compile the self-test of a folder and run it.

    Returns:
        The compiler, or None where this machine has none.

    Raises:
        RuntimeError: it does not compile, or gives other logits: a fault of this program or of the compiler.
    """
    compiler = next(filter(shutil.which, (os.environ.get("CC") or "", *COMPILERS)), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "digits"
        sources = [str(folder / name) for name in ("main.c", "digits.c", "self_test.c")]
        for command in ([compiler, *_COMPILE, "-o", str(program), *sources], [str(program), "--self-test"]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
    return compiler


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that becomes ``path`` when the block ends without an exception.

    Raises:
        OutputError: ``path`` is there and not an empty folder, or cannot be written.
    """
    try:
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise OutputError(f"{path}: is there already: remove it, or choose another folder with -o")
        files.make_folder(path.absolute().parent)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.absolute().parent))
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        # Takes the place of an empty folder as well.
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
