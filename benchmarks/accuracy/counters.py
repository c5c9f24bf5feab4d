"""Read rendered counters of five wheels in states all over their carries, and count the wrong values called sure.

    uv run python benchmarks/accuracy/counters.py [--model MODEL] [--states 100000]

The network itself reads rendered wheels: typefaces and colours that no training used, in any light, blurred, a pixel
off, with the play of their axes; several pictures for each tenth of a turn. A state takes one of them for each wheel,
so the errors are those that the network makes. Half of the states lie near a carry of two wheels or more. A number is
right where the last wheel is at most two tenths before it or one tenth behind it, as docs/reference/meter.md says.
Beside it stands the plain reading: each wheel by itself, the nearest digit, sure where the network is.
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.image.prepare import prepare
from edge_digits_runtime.meter.profile import DEFAULT_MODEL
from edge_digits_runtime.meter.wheels import AFTER, BEFORE, Wheel, count
from edge_digits_runtime.records import files
from numpy.typing import NDArray
from simulated_meter import SimulatedMeter, typefaces_not_trained_on

from edge_digits.progress import bars

RECORD = Path(__file__).parents[2] / "docs" / "research" / "counters.json"
WHEELS = 5
PLAY = 0.05
"""Standard deviation in digits of where a wheel rests."""
PLAIN = 0.7
"""Confidence from which a wheel by itself is sure, summed over two tenths either way."""
Shares = NDArray[np.float64]


@dataclass
class Tally:
    """What came of the states."""

    states: int = 0
    sure: int = 0
    wrong_and_sure: int = 0
    right: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, state: int, number: int, sure: bool) -> None:
        """Count one reading."""
        size = 10 ** (WHEELS + 1)
        right = (state + BEFORE - 10 * number) % size < 10 + BEFORE + AFTER
        self.states += 1
        self.sure += int(sure)
        self.right += int(right)
        self.wrong_and_sure += int(sure and not right)
        if sure and not right and len(self.examples) < 10:
            self.examples.append(f"{state / 10:08.1f} read as {number:05d}")

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON-ready values."""
        return {
            "states": self.states,
            "sure": self.sure / self.states,
            "wrong_and_sure": self.wrong_and_sure,
            "right": self.right / self.states,
            "examples": self.examples,
        }


def main() -> None:
    """Render, read, count, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="MODEL", help=f"[{DEFAULT_MODEL}]")
    parser.add_argument("--states", type=int, default=100_000, help="[100000]")
    parser.add_argument("--typefaces", type=int, default=24, help="counters that are rendered  [24]")
    parser.add_argument("--min-confidence", type=float, default=0.99, help="[0.99]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, default=None, metavar="FILE", help=f"write the figures, as in {RECORD}")
    options = parser.parse_args()
    tables = rendered(DigitClassifier(options.model), options.typefaces, options.seed)
    combined, plain = read_states(tables, options.states, options.min_confidence, options.seed)
    for title, tally in (("wheels together", combined), ("each wheel by itself", plain)):
        print(
            f"{title:22}{tally.states:,} states: {100 * tally.sure / tally.states:.2f} % sure, "
            f"{tally.wrong_and_sure} wrong and sure, {100 * tally.right / tally.states:.2f} % right"
        )
        for example in tally.examples:
            print(f"    {example}")
    if options.record:
        files.write_json(options.record, {"together": combined.to_dict(), "each": plain.to_dict()})


def rendered(classifier: DigitClassifier, typefaces: int, seed: int, each: int = 4) -> list[Shares]:
    """Return what the network says of the wheels of some counters.

    Returns:
        For each counter the probabilities of the hundred turns, shape ``(2, 100, each, 100)``: of a wheel that rests
        or turns among others, and of the last one, by tenths and picture.
    """
    names = typefaces_not_trained_on()
    tables = []
    with bars() as update:
        for number in range(typefaces):
            meter = SimulatedMeter(wheels=WHEELS, seed=seed + number, typeface=names[number % len(names)])
            random = np.random.default_rng([seed, number])
            pixels = [
                prepare(meter.wheel(index, tenths / 10 + offset, random), classifier.input).pixels
                for index in (0, WHEELS - 1)
                for tenths in range(100)
                for offset in (random.normal(0, PLAY, each) if index == 0 else random.uniform(-0.05, 0.05, each))
            ]
            shares = classifier.classify_batch(np.stack(pixels)).probabilities[:, :100].astype(np.float64)
            tables.append(shares.reshape(2, 100, each, 100))
            update("rendering", number + 1, typefaces, names[number % len(names)])
    return tables


def read_states(tables: list[Shares], states: int, least: float, seed: int = 0) -> tuple[Tally, Tally]:
    """Read so many states; return what came of the wheels together, and of each by itself."""
    random = np.random.default_rng(seed)
    meter = SimulatedMeter(wheels=WHEELS)
    combined, plain = Tally(), Tally()
    with bars() as update:
        for done in range(states):
            state = int(random.integers(10 ** (WHEELS + 1)))
            if done % 2:
                # About a carry of two wheels or more.
                step = 10 ** int(random.integers(3, WHEELS + 2))
                state = (state // step * step + int(random.integers(-20, 21))) % 10 ** (WHEELS + 1)
            table = tables[int(random.integers(len(tables)))]
            turns = [round(10 * turn) % 100 for turn in meter.turns(state)]
            shares = [
                table[int(place == WHEELS - 1), turn, int(random.integers(table.shape[2]))]
                for place, turn in enumerate(turns)
            ]
            found = count([Wheel(each) for each in shares])
            combined.add(state, _number(found.digits), found.probability >= least)
            best = [int(np.argmax(each)) for each in shares]
            near = [
                each.take(range(top - 2, top + 3), mode="wrap").sum() for each, top in zip(shares, best, strict=True)
            ]
            plain.add(state, _number([(top + 5) // 10 % 10 for top in best]), min(near) >= PLAIN)
            if done % 1000 == 999 or done + 1 == states:
                update("reading", done + 1, states, f"{combined.wrong_and_sure} wrong and sure")
    return combined, plain


def _number(digits: "list[int] | tuple[int, ...]") -> int:
    return int("".join(map(str, digits)))


if __name__ == "__main__":
    main()
