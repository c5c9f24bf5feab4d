"""How long ``edge-digits classify`` takes from the start of the process, against what it has to import anyway.

    python benchmarks/startup.py [ROUNDS]

Both sides take turns, so that a busy moment meets both; the ratio is that of the medians.
"""

import compileall
import statistics
import subprocess
import sys
import time
from pathlib import Path

import edge_digits_runtime

import edge_digits
from edge_digits.samples import SAMPLES

FLOOR = "import numpy, PIL.Image, click, ai_edge_litert.interpreter"
SIDES = {
    f"python -c '{FLOOR}'": [sys.executable, "-c", FLOOR],
    "edge-digits classify one.png": [str(Path(sys.executable).with_name("edge-digits")), "classify", str(SAMPLES[7])],
    "edge-digits --help": [str(Path(sys.executable).with_name("edge-digits")), "--help"],
}


def main(rounds: int) -> None:
    # As pip does when it installs; what runs from a working tree may have no bytecode, or that of another day.
    for package in (edge_digits, edge_digits_runtime):
        compileall.compile_dir(str(Path(package.__file__ or "").parent), quiet=1)
    times: dict[str, list[float]] = {name: [] for name in SIDES}
    for _ in range(rounds):
        for name, command in SIDES.items():
            start = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            times[name].append(time.perf_counter() - start)
    floor = statistics.median(next(iter(times.values())))
    print(f"| process ({rounds} starts each) | median s | fastest s | ratio |\n|---|---|---|---|")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"| `{name}` | {median:.3f} | {min(seconds):.3f} | {median / floor:.2f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
