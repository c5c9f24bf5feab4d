"""Write the table and the figures of docs/research/frontier.md from docs/research/frontier.json, which family.py fills.

    uv run python benchmarks/accuracy/frontier.py

The tables go between the two marks in docs/research/frontier.md, the figures into the same folder. The seed that is
shipped is the one with the best int8 accuracy on validation pictures. If another model is installed under the name of
a recipe, a line on stderr says so, and the exit code is 1.
"""

import json
import statistics
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_digits_runtime.model import registry
from edge_digits_runtime.records import files
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

DOCS = Path(__file__).parents[2] / "docs" / "research"
PAGE, FRONTIER = DOCS / "frontier.md", DOCS / "frontier.json"
BYTES, LATENCY = "frontier-bytes.svg", "frontier-latency.svg"
START, END = "<!-- from benchmarks/accuracy/frontier.py: do not edit -->", "<!-- until here -->"
FLOAT_BYTES = 4
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "frontier",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e0e0e0",
    "axes.axisbelow": True,
}
OURS, THEIRS, FLOAT = "#3060c1", "#707071", "#c06011"


@dataclass(frozen=True)
class Known:
    """A published point."""

    name: str
    """Name of the network, or its number of parameters if it has no name."""
    accuracy: float | None
    """Accuracy on the test pictures of MNIST in percent; None if none is published."""
    source: str
    """Where it is published, as Markdown."""
    parameters: int | None = None
    """Number of parameters; None if it is not published."""
    bytes: int | None = None
    """Bytes of the weights alone if they are stored quantized, else None."""
    note: str = ""
    """How it was trained and measured."""
    left: bool = False
    """True if the figure has room for the name only to the left of the point."""

    @property
    def stored(self) -> int:
        """Bytes of the weights, as quantized or as float32."""
        return self.bytes if self.bytes is not None else FLOAT_BYTES * (self.parameters or 0)


_BITNET = "[cpldcpu/BitNetMCU](https://github.com/cpldcpu/BitNetMCU/blob/main/docs/documentation_cnn.md)"
_BITNET_NOTE = "quantization-aware, weights of 8, 2 and 4 bits, pictures of 16 × 16; sizes compared on test pictures"
_PEAK = "float; best epoch on test pictures"
KNOWN = (
    # The page says 3.2 kB; this is the sum over the layers, with 64 and 48 hidden units instead of 96 and 64.
    Known("BitNetMCU 16, small", 98.92, _BITNET, bytes=25_856 // 8, note=_BITNET_NOTE),
    Known("BitNetMCU 16", 99.06, _BITNET, bytes=42_880 // 8, note=_BITNET_NOTE),
    Known("BitNetMCU 32", 99.28, _BITNET, bytes=58_624 // 8, note=_BITNET_NOTE),
    Known("BitNetMCU 48", 99.44, _BITNET, bytes=74_368 // 8, note=_BITNET_NOTE),
    Known("BitNetMCU 64", 99.55, _BITNET, 33_088, 90_112 // 8, _BITNET_NOTE),
    Known("BitNetMCU 96, ternary", 99.58, _BITNET, bytes=106_854 // 8, note=_BITNET_NOTE),
    Known(
        "TinyMaix mnist",
        None,
        "[sipeed/TinyMaix](https://github.com/sipeed/TinyMaix)",
        bytes=2408,
        note="int8; no accuracy given",
    ),
    Known(
        "697",
        99.03,
        "[JoshWarn/Parameter-Efficient-MNIST](https://github.com/JoshWarn/Parameter-Efficient-MNIST)",
        697,
        note="float; best of about 700 trainings and of their epochs, on test pictures",
    ),
    Known(
        "6.2k",
        99.54,
        "[nagalakshmi-nimmagadda/MNIST-CNN-COLAB](https://github.com/nagalakshmi-nimmagadda/MNIST-CNN-COLAB)",
        6_188,
        note=_PEAK,
        left=True,
    ),
    Known(
        "8.9k",
        99.5,
        "[The-School-of-AI/era-s7-ram](https://github.com/The-School-of-AI/era-s7-ram)",
        8_900,
        note=_PEAK,
    ),
    Known(
        "19.9k",
        99.54,
        "[pradeep6kumar/mnist_994](https://github.com/pradeep6kumar/mnist_994)",
        19_898,
        note=_PEAK,
    ),
    Known(
        "Efficient-CapsNet",
        99.74,
        "Mazzia, Salvetti, Chiaberge 2021, [arXiv:2101.12491](https://arxiv.org/abs/2101.12491), as quoted by "
        "[matthiasware/EfficientCN](https://github.com/matthiasware/EfficientCN)",
        161_824,
        note="float; mean of single models",
        left=True,
    ),
    Known(
        "SimpleNet",
        99.72,
        "Hasanpour et al. 2016, [arXiv:1608.06037](https://arxiv.org/abs/1608.06037), slim version",
        310_000,
        note="float",
    ),
    # Its logs, seeds 0 to 9: 99.78 99.81 99.77 99.76 99.74 99.78 99.74 99.78 99.79 99.74 at the best epoch, and
    # 99.72 99.74 99.73 99.63 99.65 99.73 99.69 99.70 99.66 99.67 at the last.
    Known(
        "M3",
        99.77,
        "An et al. 2020, [arXiv:2008.10400](https://arxiv.org/abs/2008.10400), logs of "
        "[ansh941/MnistSimpleCNN](https://github.com/ansh941/MnistSimpleCNN/tree/master/logs/modelM3)",
        1_124_180,
        note="float; best epoch on test pictures, mean of ten seeds; their last epochs have 99.69 %",
    ),
    Known(
        "Byerly et al.",
        99.83,
        "Byerly, Kalganova, Dear 2020, [arXiv:2001.09136](https://arxiv.org/abs/2001.09136)",
        1_514_000,
        note="float; the record of a single model",
    ),
)
"""Published points, the smallest first: quantized ones, then float ones."""


def main() -> int:
    """Write the page and both figures, and return the exit code."""
    recipes = json.loads(FRONTIER.read_text(encoding="utf-8"))
    draw(recipes, DOCS)
    files.write_bytes(PAGE, between(PAGE.read_text(encoding="utf-8"), section(recipes)).encode())
    print(PAGE)
    wrong = list(differing(recipes))
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def differing(recipes: Mapping[str, Any]) -> Iterable[str]:
    """Yield a line for each recipe whose installed model is not that of the chosen seed."""
    paths = registry.paths()
    for name, recipe in recipes.items():
        seed = chosen(recipe)
        if name in paths and registry.read(name, paths[name]).file.sha256 != recipe["seeds"][seed]["sha256"]:
            yield f"{name}: {paths[name]} is not the model of seed {seed}, which was chosen"


def chosen(recipe: Mapping[str, Any]) -> str:
    """Return the seed with the best int8 accuracy on validation pictures; the first if several are equal."""
    seeds = recipe["seeds"]
    return str(max(seeds, key=lambda seed: seeds[seed]["int8"]["validation"]))


def values(recipe: Mapping[str, Any], *keys: str) -> list[float]:
    """Return the figure under ``keys`` of each seed."""
    found = []
    for figures in recipe["seeds"].values():
        value = figures
        for key in keys:
            value = value[key]
        found.append(value)
    return found


def spread(shares: list[float]) -> str:
    """Return mean and sample standard deviation of shares in percent; for one share the percentage alone."""
    # Adding 0 turns -0.00 into 0.00.
    mean = f"{round(100 * statistics.mean(shares), 2) + 0.0:.2f}".replace("-", "−")
    return mean if len(shares) == 1 else f"{mean} ± {100 * statistics.stdev(shares):.2f}"


def section(recipes: Mapping[str, Any]) -> str:
    """Return the Markdown between the marks."""
    by_size = sorted(recipes.items(), key=lambda item: item[1]["seeds"][chosen(item[1])]["flatbuffer_bytes"])
    devices = sorted({recipe["device"] for recipe in recipes.values() if "device" in recipe})
    parts = [
        _table(
            "recipe | parameters | MACs | flatbuffer, bytes | with labels and card | float, test | int8, test "
            "| drop, pp | seeds | chosen, and its test",
            (_accuracy_row(name, recipe) for name, recipe in by_size),
        ),
        "Mean ± sample standard deviation over the seeds.",
        _table(
            "recipe | float, validation | int8, validation | int8, corrupted test | p50 float32, µs | p50 int8, µs "
            "| training",
            (_cost_row(name, recipe) for name, recipe in by_size),
        ),
        "*Corrupted* is the mean over the 15 kinds of `benchmarks/accuracy/robustness.py`. p50 is the median of one "
        f"invocation on {'; '.join(devices) or 'no device yet'}.",
        f"![Accuracy against bytes]({BYTES})",
        f"![Accuracy against latency]({LATENCY})",
        "Published points of other networks, none of them measured here. Their bytes are those of the weights alone: "
        "as quantized, or four for each float.",
        _table(
            "network | parameters | bytes of weights | test accuracy | how | source", (_known_row(p) for p in KNOWN)
        ),
    ]
    return "\n\n".join(parts)


def _table(head: str, rows: Iterable[Iterable[str]]) -> str:
    lines = [f"| {head} |", "|---" * (head.count("|") + 1) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _accuracy_row(name: str, recipe: Mapping[str, Any]) -> Iterable[str]:
    seed = chosen(recipe)
    best = recipe["seeds"][seed]
    floats, ints = values(recipe, "float", "test"), values(recipe, "int8", "test")
    return (
        f"`{name}`",
        f"{recipe['parameters']:,}",
        f"{recipe['macs'] / 1e6:.2f} M",
        f"{best['flatbuffer_bytes']:,}",
        f"{best['bytes']:,}",
        f"{spread(floats)} %",
        f"{spread(ints)} %",
        spread([a - b for a, b in zip(floats, ints, strict=True)]),
        ", ".join(recipe["seeds"]),
        f"seed {seed}, {spread([best['int8']['test']])} %",
    )


def _cost_row(name: str, recipe: Mapping[str, Any]) -> Iterable[str]:
    best = recipe["seeds"][chosen(recipe)]
    times = recipe.get("p50_us", {})
    minutes = statistics.median(values(recipe, "training_seconds")) / 60
    return (
        f"`{name}`",
        f"{spread(values(recipe, 'float', 'validation'))} %",
        f"{spread(values(recipe, 'int8', 'validation'))} %",
        f"{spread(values(recipe, 'robustness'))} %",
        *(f"{times[scheme]:.1f}" if scheme in times else "" for scheme in ("float32", "int8")),
        f"{best['epochs']} epochs, {minutes:.0f} min on {best['training_device']}",
    )


def _known_row(point: Known) -> Iterable[str]:
    return (
        point.name,
        "" if point.parameters is None else f"{point.parameters:,}",
        f"{point.stored:,}",
        "" if point.accuracy is None else f"{point.accuracy:.2f} %",
        point.note,
        point.source,
    )


def between(page: str, text: str) -> str:
    """Return ``page`` with ``text`` between the marks.

    Raises:
        ValueError: the marks are not there, once each and in order.
    """
    if page.count(START) != 1 or page.count(END) != 1 or page.index(START) > page.index(END):
        raise ValueError(f"{PAGE} must hold the lines {START!r} and {END!r} once each, in that order")
    return page[: page.index(START) + len(START)] + f"\n\n{text}\n\n" + page[page.index(END) :]


def draw(recipes: Mapping[str, Any], folder: Path) -> None:
    """Write both figures into ``folder``."""
    for name, plot in ((BYTES, _plot_bytes), (LATENCY, _plot_latency)):
        with rc_context(_STYLE), files.replacing(folder / name) as temporary:
            figure = Figure(figsize=(8, 4.6), layout="constrained")
            FigureCanvasSVG(figure)
            axes = figure.subplots()
            plot(axes, recipes)
            axes.set_xscale("log")
            axes.margins(x=0.18)
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.1f} %"))
            axes.set_ylabel("accuracy on MNIST's test pictures")
            if axes.get_legend_handles_labels()[0]:
                axes.legend(loc="lower right", frameon=False)
            # Without a date the same figures give the same file.
            figure.savefig(temporary, metadata={"Date": None})


def _plot_bytes(axes: Axes, recipes: Mapping[str, Any]) -> None:
    rated = [point for point in KNOWN if point.accuracy is not None]
    kinds = (
        ("others, weights only, quantized", "s", THEIRS, [p for p in rated if p.bytes is not None]),
        ("others, weights only, float32", "o", "none", [p for p in rated if p.bytes is None]),
    )
    for label, marker, fill, points in kinds:
        x, y = [point.stored / 1000 for point in points], [point.accuracy for point in points]
        axes.scatter(x, y, s=28, marker=marker, facecolors=fill, edgecolors=THEIRS, label=label)
        for point in points:
            place = (point.stored / 1000, point.accuracy or 0)
            side, offset = ("right", -7) if point.left or point.bytes is not None else ("left", 7)
            axes.annotate(
                point.name, place, (offset, 0), textcoords="offset points", ha=side, va="center", color=THEIRS
            )
    for index, (name, recipe) in enumerate(recipes.items()):
        size = recipe["seeds"][chosen(recipe)]["flatbuffer_bytes"] / 1000
        label = None if index else "edge-digits, int8, the whole flatbuffer"
        _plot_spread(axes, size, recipe, "int8", OURS, "o", label)
        _name(axes, size, recipe, name, "left")
    axes.set_xlabel("kB of 1,000 bytes")


def _plot_latency(axes: Axes, recipes: Mapping[str, Any]) -> None:
    timed = {name: recipe for name, recipe in recipes.items() if "p50_us" in recipe}
    for index, (name, recipe) in enumerate(timed.items()):
        times = recipe["p50_us"]
        means = [_mean(recipe, "float"), _mean(recipe, "int8")]
        axes.plot([times["float32"], times["int8"]], means, color="#d0d0d1", zorder=1)
        label = (None, None) if index else ("float32 .tflite", "int8 .tflite")
        _plot_spread(axes, times["float32"], recipe, "float", FLOAT, "s", label[0])
        _plot_spread(axes, times["int8"], recipe, "int8", OURS, "o", label[1])
        _name(axes, times["int8"], recipe, name, "right")
    axes.set_xlabel("µs an invocation, median; " + "; ".join(sorted({recipe["device"] for recipe in timed.values()})))


def _plot_spread(
    axes: Axes, x: float, recipe: Mapping[str, Any], which: str, colour: str, marker: str, label: str | None
) -> None:
    """Draw the mean over the seeds with a bar of one standard deviation to either side."""
    mean, error = _mean(recipe, which), _deviation(recipe, which)
    axes.errorbar(x, mean, error, fmt=marker, color=colour, capsize=3, label=label, zorder=2)


def _name(axes: Axes, x: float, recipe: Mapping[str, Any], name: str, ends: str) -> None:
    """Write ``name`` below the point and bar of int8; ``ends`` is the end of the name that is there, as in matplotlib.

    There is no room above and beside the point: one figure has the names of other networks there, the other has bars.
    """
    bottom = _mean(recipe, "int8") - _deviation(recipe, "int8")
    axes.annotate(name, (x, bottom), (0, -5), textcoords="offset points", ha=ends, va="top", color=OURS)


def _mean(recipe: Mapping[str, Any], which: str) -> float:
    return 100 * statistics.mean(values(recipe, which, "test"))


def _deviation(recipe: Mapping[str, Any], which: str) -> float:
    shares = values(recipe, which, "test")
    return 100 * statistics.stdev(shares) if len(shares) > 1 else 0.0


if __name__ == "__main__":
    sys.exit(main())
