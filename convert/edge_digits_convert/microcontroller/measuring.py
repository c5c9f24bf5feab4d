"""Compile an export for microcontrollers, run it on emulated boards, and measure what it takes."""

import datetime
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.model.card import ModelCard
from edge_digits_runtime.records.microcontroller import MicrocontrollerRecord, ProcessorFigures
from numpy.typing import NDArray

from edge_digits_convert.microcontroller import reference
from edge_digits_convert.microcontroller.layers import IntegerNetwork
from edge_digits_convert.microcontroller.plan import Plan

PROCESSORS = ("cortex-m0plus", "cortex-m4", "cortex-m33")
TOOLS = {
    "make": "make",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
}
"""Commands that this needs, and what Debian calls the packages."""
_LIBRARY = "libnewlib-arm-none-eabi"
_SECONDS = 3600
_SMALL_RAM, _SMALL_FLASH = 14 * 1024, 240 * 1024
"""Of the emulated board with a Cortex-M0, less what the firmware takes; larger models run on another board."""
_OPTION = "-O2"
"""As in the Makefile."""


def missing_tools() -> list[str]:
    """Return the commands that this machine lacks."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def check_tools() -> None:
    """Check that this machine can measure.

    Raises:
        UsageError: something is missing; the message says how to install it.
    """
    if missing := missing_tools():
        packages = [*(TOOLS[tool] for tool in missing), *([_LIBRARY] if "arm-none-eabi-gcc" in missing else [])]
        raise UsageError(
            f"--measure needs {', '.join(missing)}, not found here: on Debian 'apt-get install {' '.join(packages)}'"
        )


def measure(
    source: Path,
    card: ModelCard,
    network: IntegerNetwork,
    plan: Plan,
    pictures: NDArray[np.uint8],
    processors: tuple[str, ...] = PROCESSORS,
    progress: Callable[[str], None] | None = None,
) -> MicrocontrollerRecord:
    """Measure flash, RAM and instructions on each processor.

    Args:
        source: the folder of the export, which stays as it is.
        card: card of the model.
        network: its layers.
        plan: where its activations lie.
        pictures: uint8 of shape ``(n, height, width)``, prepared as the model takes them.
        processors: some of `PROCESSORS`.
        progress: called with a few words before each processor.

    Raises:
        UsageError: a tool is missing.
        RuntimeError: the firmware does not compile or run, or gives other logits than this machine.
    """
    check_tools()
    expected = reference.logits(network, pictures)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "digits"
        shutil.copytree(source, folder)
        (folder / "pictures.bin").write_bytes(pictures.tobytes())
        large = plan.size + network.height * network.width > _SMALL_RAM or network.weight_bytes > _SMALL_FLASH
        figures = []
        for processor in processors:
            if progress:
                progress(f"{processor}: {len(pictures)} pictures in QEMU")
            figures.append(_measure_one(folder, processor, expected, large))
    return MicrocontrollerRecord(
        name=card.name,
        sha256=card.sha256,
        macs=network.macs,
        pictures=len(pictures),
        compiler=f"arm-none-eabi-gcc {_run('arm-none-eabi-gcc', '-dumpversion').strip()} {_OPTION}",
        emulator=f"QEMU {_search('version ([0-9.]+)', _run('qemu-system-arm', '--version'))}",
        processors=figures,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _measure_one(folder: Path, processor: str, expected: NDArray[np.int8], large: bool) -> ProcessorFigures:
    text, data, bss = _sizes(_run("make", "-s", "-C", str(folder), processor))
    (folder / "logits.bin").unlink(missing_ok=True)
    said = _run("make", "-s", "-C", str(folder), f"run-{processor}", *["LARGE=1"] * large)
    logits = np.frombuffer((folder / "logits.bin").read_bytes(), np.int8)
    if logits.tobytes() != expected.tobytes():
        differ = int((logits != expected.reshape(-1)).sum()) if logits.size == expected.size else expected.size
        raise RuntimeError(f"{processor}: {differ} of {expected.size} logits are not those of this machine: {said}")
    stack = int(_search("stack ([0-9]+)", said))
    return ProcessorFigures(
        processor=processor,
        flash_bytes=text + data,
        ram_bytes=data + bss + stack,
        stack_bytes=stack,
        instructions=int(_search("instructions ([0-9]+)", said)),
    )


def _sizes(output: str) -> tuple[int, int, int]:
    """Return text, data and bss from what ``size`` printed."""
    text, data, bss, *_ = output.splitlines()[-1].split()
    return int(text), int(data), int(bss)


def _search(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"no {pattern!r} in {text!r}")
    return match[1]


def _run(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with {done.returncode}: {done.stdout}{done.stderr}")
    # Semihosting writes to standard error.
    return done.stdout + done.stderr
