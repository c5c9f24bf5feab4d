"""Time ``edge-digits classify`` from the start of the process, against a process that only imports what it needs."""

import compileall
import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path

import edge_digits_runtime
from networks import COMMAND
from turns import Row, ratio, take_turns

import edge_digits
from edge_digits.samples import SAMPLES

ROUNDS = 30
FLOOR = "import numpy, PIL.Image, click, ai_edge_litert.interpreter"
WHY = (
    "opening a PNG needs more of Pillow, checking a model needs hashlib and zipfile, and a digit is found and answered"
)


def rows() -> list[Row]:
    # As pip does when it installs; a working tree may have no bytecode, or an old one.
    for package in (edge_digits, edge_digits_runtime):
        compileall.compile_dir(str(Path(package.__file__ or "").parent), quiet=1)
    sides = ([COMMAND, "classify", str(SAMPLES[7])], [sys.executable, "-c", FLOOR])
    runs = [partial(subprocess.run, side, stdout=subprocess.DEVNULL, check=True) for side in sides]
    ours, theirs = take_turns(runs, ROUNDS, 1)
    what, against = "`edge-digits classify one.png`, whole process", f"`python -c '{FLOOR}'`"
    times = (f"{statistics.median(times) * 1e3:.0f} ms" for times in (ours, theirs))
    return [Row(what, against, *times, ratio(ours, theirs), 1.3, WHY)]
