"""Watch simulated meters through everything that goes wrong in a cellar, and count wrong values that are published.

    uv run python benchmarks/accuracy/published.py [--model MODEL] [--frames 400] [--meters 3]

Each scene is a sequence of pictures a minute apart: wheels that turn through a carry, glare that wanders, single
pictures of something else, a camera that is pushed, dirt on the glass, dusk. Each picture is read by the profile
(aligned, wheels together), in the light of what was published last, and judged over time as 'watch' does it. For
comparison: the same without that light, each picture sure by itself; and plain, each wheel by itself, published where
the network is sure of every one. A value is right as in counters.py. Availability is the share of pictures whose
reading was published.
"""

import argparse
import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.meter.patches import propose_patches
from edge_digits_runtime.meter.profile import DEFAULT_MODEL, Alignment, Change, Profile, Slot
from edge_digits_runtime.meter.reading import MeterReader
from edge_digits_runtime.meter.wheels import AFTER, BEFORE
from edge_digits_runtime.records import files
from numpy.typing import NDArray
from PIL import Image
from simulated_meter import SIZE, SimulatedMeter, View, typefaces_not_trained_on, typefaces_trained_on

from edge_digits.progress import bars
from edge_digits.watching.plausibility import Observation, Plausibility

RECORD = Path(__file__).parents[2] / "docs" / "research" / "published.json"
PLAIN = 0.7
"""Confidence from which a wheel by itself is sure."""
WAYS = "ours", "each picture alone", "plain"
"""How the pictures are read: as 'watch' does, without looking back, and each wheel by itself."""
Scene = Callable[[SimulatedMeter, int, np.random.Generator], Iterator[tuple[int, Image.Image]]]


def states(meter: SimulatedMeter, frames: int, random: np.random.Generator) -> list[int]:
    """Return states a minute apart, half way through which the most wheels turn at once."""
    steps = random.integers(0, 9, frames).cumsum()
    middle = 10**meter.wheels * 10 // 2
    return [int(middle - steps[frames // 2] + step) for step in steps]


def clean(meter: SimulatedMeter, frames: int, random: np.random.Generator) -> Iterator[tuple[int, Image.Image]]:
    """Nothing but wheels that turn."""
    for index, state in enumerate(states(meter, frames, random)):
        yield state, meter.picture(state, View(), index)


def glare(meter: SimulatedMeter, frames: int, random: np.random.Generator) -> Iterator[tuple[int, Image.Image]]:
    """A light that wanders over the glass, in every other picture."""
    for index, state in enumerate(states(meter, frames, random)):
        spot = 40 + 560 * index / frames, 223 + 60 * np.sin(index / 9), float(random.uniform(25, 60)), 0.95
        yield state, meter.picture(state, View(glare=spot) if index % 2 else View(), index)


def single_errors(meter: SimulatedMeter, frames: int, random: np.random.Generator) -> Iterator[tuple[int, Image.Image]]:
    """One picture in ten shows another state of the same meter: the worst that a single misreading can be."""
    for index, state in enumerate(states(meter, frames, random)):
        shown = int(random.integers(10 ** (meter.wheels + 1))) if random.random() < 0.1 else state
        yield state, meter.picture(shown, View(), index)


def pushed(meter: SimulatedMeter, frames: int, random: np.random.Generator) -> Iterator[tuple[int, Image.Image]]:
    """A camera that hangs loose: it shakes, and now and then it is pushed."""
    shift, degrees = np.zeros(2), 0.0
    for index, state in enumerate(states(meter, frames, random)):
        if index % 40 == 20:
            shift, degrees = random.uniform(-35, 35, 2), float(random.uniform(-4, 4))
        moved = shift + random.normal(0, 1, 2)
        view = View((float(moved[0]), float(moved[1])), degrees + float(random.normal(0, 0.2)), 1.01)
        yield state, meter.picture(state, view, index)


def dirty(meter: SimulatedMeter, frames: int, random: np.random.Generator) -> Iterator[tuple[int, Image.Image]]:
    """Specks that come and stay, and steam."""
    specks: list[tuple[float, float, float, float]] = []
    for index, state in enumerate(states(meter, frames, random)):
        if index % 60 == 30:
            x, y = random.uniform(130, 480), random.uniform(190, 256)
            specks.append((float(x), float(y), float(random.uniform(4, 9)), float(random.uniform(0.3, 0.7))))
        haze = 0.5 if index % 50 > 44 else 0.1
        yield state, meter.picture(state, View(specks=tuple(specks[-4:]), haze=haze), index)


def dusk(meter: SimulatedMeter, frames: int, random: np.random.Generator) -> Iterator[tuple[int, Image.Image]]:
    """Light that goes and comes back."""
    for index, state in enumerate(states(meter, frames, random)):
        light = 0.06 + 0.94 * abs(np.cos(np.pi * index / frames))
        yield state, meter.picture(state, View(light=float(light), noise=4), index)


SCENES: dict[str, Scene] = {
    "wheels that turn": clean,
    "glare": glare,
    "one-frame errors": single_errors,
    "camera pushed": pushed,
    "dirty glass": dirty,
    "dark": dusk,
}


def main() -> None:
    """Watch every scene on every meter, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="MODEL", help=f"[{DEFAULT_MODEL}]")
    parser.add_argument("--frames", type=int, default=400, help="of each scene and meter  [400]")
    parser.add_argument("--meters", type=int, default=3, help="[3]")
    parser.add_argument("--trained-typefaces", action="store_true", help="wheels that trainings know, to choose on")
    parser.add_argument("--min-confidence", type=float, default=0.99, help="[0.99]")
    parser.add_argument("--record", type=Path, default=None, metavar="FILE", help=f"write the figures, as in {RECORD}")
    options = parser.parse_args()
    classifier = DigitClassifier(options.model)
    names = typefaces_trained_on() if options.trained_typefaces else typefaces_not_trained_on()
    apart = len(names) // options.meters if options.trained_typefaces else 7
    found: dict[str, dict[str, Any]] = {}
    print(f"| scene | pictures | {' | '.join(f'wrong per 10,000, {way} | available' for way in WAYS)} |")
    print(f"|---|--:{'|--:' * 2 * len(WAYS)}|")
    with bars() as update:
        for number, (title, scene) in enumerate(SCENES.items()):
            counts, pictures = np.zeros((len(WAYS), 2), int), 0
            for which in range(options.meters):
                meter = SimulatedMeter(wheels=6, seed=which, typeface=names[apart * which + 1], play=0.04)
                random = np.random.default_rng([number, which])
                counts += watched(meter, classifier, scene(meter, options.frames, random), options.min_confidence)
                pictures += options.frames
                update("watching", number * options.meters + which + 1, len(SCENES) * options.meters, title)
            found[title] = {
                "pictures": pictures,
                **{
                    way: {"wrong": int(wrong), "published": int(published)}
                    for way, (published, wrong) in zip(WAYS, counts, strict=True)
                },
            }
            print_row(title, found[title])
    total = {
        key: {each: sum(one[key][each] for one in found.values()) for each in ("wrong", "published")} for key in WAYS
    }
    found["together"] = {"pictures": sum(one["pictures"] for one in found.values()), **total}
    print_row("together", found["together"])
    if options.record:
        files.write_json(options.record, found)


def print_row(title: str, figures: dict[str, Any]) -> None:
    """Print a line of the table."""
    pictures = figures["pictures"]
    cells = [
        cell
        for key in WAYS
        for cell in (
            f"{10_000 * figures[key]['wrong'] / max(1, figures[key]['published']):.0f}",
            f"{100 * figures[key]['published'] / pictures:.1f} %",
        )
    ]
    print(f"| {title} | {pictures:,} | {' | '.join(cells)} |", flush=True)


def watched(
    meter: SimulatedMeter,
    classifier: DigitClassifier,
    pictures: Iterator[tuple[int, Image.Image]],
    min_confidence: float = 0.99,
) -> NDArray[np.int_]:
    """Return for each of `WAYS` how many values were published and how many of these were wrong, shape ``(3, 2)``."""
    reference = meter.picture(0)
    furthest = 0.1
    profile = Profile(
        SIZE,
        tuple(Slot(box) for box in meter.boxes),
        decimals=meter.decimals,
        min_confidence=min_confidence,
        alignment=Alignment("reference.png", propose_patches(reference, meter.boxes, furthest * max(SIZE)), furthest),
        # Twice what the scenes have at most.
        change=Change(highest_per_hour=60 * 1.6 / 10**meter.decimals),
    )
    counts = np.zeros((len(WAYS), 2), int)
    with tempfile.TemporaryDirectory() as folder:
        reference.save(Path(folder) / "reference.png")
        known = {profile.model: classifier}
        together = MeterReader(profile, folder, classifiers=known)
        lenient = dataclasses.replace(profile, min_confidence=PLAIN)
        each = MeterReader(lenient, folder, classifiers=known, by_wheel=False)
        judge, strict = Plausibility(profile), Plausibility(profile)
        for minute, (state, picture) in enumerate(pictures):
            at = 60.0 * minute
            alone = together.read(picture)
            narrowed = judge.narrowed(alone, at)
            for way, by, reading in ((0, judge, narrowed), (1, strict, alone)):
                for one in by.add(Observation(at, reading.value, reading.reason, state)):
                    if one.value is not None:
                        counts[way] += 1, not right(meter, one.observation.carried, one.value)
            by_itself = each.read(picture)
            if by_itself.value is not None:
                counts[2] += 1, not right(meter, state, by_itself.value)
    return counts


def right(meter: SimulatedMeter, state: int, value: float) -> bool:
    """Return whether a value is what the meter shows in a state."""
    number = round(value * 10**meter.decimals)
    return (state + BEFORE - 10 * number) % 10 ** (meter.wheels + 1) < 10 + BEFORE + AFTER


if __name__ == "__main__":
    main()
