"""Findings over all studies: their systems by size and accuracy, compared with the models that ship."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from edge_digits_runtime.errors import RunError
from msgspec import Meta

from edge_digits.formatting import counted, points
from edge_digits_study import formatting, in_short
from edge_digits_study.published_comparison import StudyComparison
from edge_digits_study.results import Count, Share
from edge_digits_study.seed_summary import SystemSummary

FAMILY = "digits-xs", "digits-s", "digits-m", "digits-l"
"""Names of the models that come with edge-digits."""
FAMILY_TITLE = "digits- family"
FLOAT_BYTES = 4
"""Bytes of a float32 parameter."""


@dataclass(frozen=True)
class Model:
    """A network with its size and accuracy, in float and in int8."""

    name: str
    group: str
    """Title of its study, or what the other models are called."""
    parameters: int
    macs: int
    """Multiply-accumulates of one picture."""
    convolutions: bool
    """True for a network with convolutions, False for one of dense layers alone."""
    float_accuracy: float
    """Mean accuracy on the test pictures over the seeds, in percent."""
    int8_accuracy: float | None
    """The same of int8; None if no seed is converted."""
    int8_bytes: float | None
    """Size of the flatbuffer."""
    seeds: int

    @property
    def float_bytes(self) -> int:
        """Size of the parameters in float32."""
        return FLOAT_BYTES * self.parameters


class _Accuracies(msgspec.Struct):
    test: Share


class _Seed(msgspec.Struct):
    float: _Accuracies
    int8: _Accuracies
    flatbuffer_bytes: Count


class _Other(msgspec.Struct):
    seeds: Annotated[dict[str, _Seed], Meta(min_length=1)]
    parameters: Annotated[int, Meta(ge=1)]
    macs: Annotated[int, Meta(ge=1)]


def systems(comparisons: Sequence[StudyComparison]) -> tuple[Model, ...]:
    """Return every system of the studies that was run; folds are left out, since they are one system."""
    return tuple(_model(comparison, one) for comparison in comparisons for one in comparison.ranking)


def family(path: Path) -> tuple[Model, ...]:
    """Read the models called as in `FAMILY` from a file such as docs/research/frontier.json.

    Args:
        path: JSON; for each name ``parameters``, ``macs`` and ``seeds``, and for each seed ``float`` and ``int8`` with
            the share of right answers ``test``, and ``flatbuffer_bytes``.

    Raises:
        RunError: the file cannot be read, a value is missing or not allowed, or it has none of the names.
    """
    try:
        content = msgspec.json.decode(path.read_bytes(), type=dict[str, _Other])
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RunError(f"{path}: not a file of models by name with parameters, macs and seeds ({error})") from error
    found = tuple(_other(name, content[name]) for name in FAMILY if name in content)
    if not found:
        raise RunError(f"{path}: has none of {', '.join(FAMILY)}")
    return found


def sentences(
    comparisons: Sequence[StudyComparison], models: Sequence[Model], beside: Sequence[Model]
) -> Iterator[str]:
    """Yield what the studies say together: best system, convolutions, int8, models beside them, and what is missing.

    Args:
        comparisons: the studies.
        models: their systems, see `systems`.
        beside: other models, see `family`; may be empty.
    """
    if not models:
        yield "No system was run."
        return
    best = max(models, key=lambda model: model.float_accuracy)
    yield (
        f"Best float original: {_sized(best)} with {best.float_accuracy:.2f} % of the test pictures "
        f"({counted(best.seeds, 'seed')})." + _single(best)
    )
    yield from _convolutions(models)
    yield from in_short.int8([one for comparison in comparisons for one in comparison.summaries.values()])
    converted = [model for model in models if model.int8_accuracy is not None]
    if converted and beside:
        yield from _beside(converted, beside)
    left = [
        f"{comparison.study.title}: {'; '.join(missing)}"
        for comparison in comparisons
        if (missing := in_short.missing(comparison.study, comparison.summaries))
    ]
    if left:
        yield f"Missing: {'. '.join(left)}."


def _convolutions(models: Sequence[Model]) -> Iterator[str]:
    dense = [model for model in models if not model.convolutions]
    convolutional = [model for model in models if model.convolutions]
    if not dense or not convolutional:
        return
    best = max(dense, key=lambda model: model.float_accuracy)
    above = [model for model in convolutional if model.float_accuracy > best.float_accuracy]
    if not above:
        return
    smallest = min(above, key=lambda model: model.parameters)
    share = "all" if len(above) == len(convolutional) else f"{len(above)} of the"
    yield (
        f"Convolutions matter more than parameters: the best network without them is {_sized(best)} with "
        f"{best.float_accuracy:.2f} %, and {share} {len(convolutional)} with convolutions are better, down to "
        f"{_sized(smallest)} with {smallest.float_accuracy:.2f} %. They cost multiply-accumulates: {smallest.macs:,} "
        f"of them for a picture instead of {best.macs:,}."
    )


def _beside(converted: Sequence[Model], beside: Sequence[Model]) -> Iterator[str]:
    best = max(converted, key=lambda model: model.int8_accuracy or 0)
    assert best.int8_accuracy is not None
    ahead = [model for model in beside if model.int8_accuracy is not None and model.int8_accuracy > best.int8_accuracy]
    words = (
        f"In int8 the best system of the studies has {best.int8_accuracy:.2f} % ({best.name}, {best.int8_bytes:,.0f} "
        "bytes)"
    )
    if not ahead:
        yield f"{words}, and none of the models beside them has more."
        return
    smallest = min(ahead, key=lambda model: model.int8_bytes or 0)
    yield (
        f"{words}. {smallest.name} has {smallest.int8_accuracy:.2f} % in {smallest.int8_bytes:,.0f} bytes, "
        f"{points((smallest.int8_accuracy or 0) - best.int8_accuracy)} pp more. It was "
        "trained in another way as well, so not all of the difference is that of the network."
    )


def _single(model: Model) -> str:
    return " With one seed it is not known whether it is the best." if model.seeds == 1 else ""


def _sized(model: Model) -> str:
    return f"{model.name} ({model.group}; {model.parameters:,} parameters)"


def _model(comparison: StudyComparison, one: SystemSummary) -> Model:
    int8 = one.int8
    rows = one.system.build(seed=0).table
    return Model(
        name=formatting.named(one),
        group=comparison.study.title,
        parameters=one.trials[0].parameters,
        macs=one.trials[0].macs,
        convolutions=any(row.name.startswith("conv") for row in rows),
        float_accuracy=one.figures["test_accuracy"].mean,
        int8_accuracy=None if int8 is None else int8.accuracy.mean,
        int8_bytes=None if int8 is None else int8.bytes.mean,
        seeds=len(one.trials),
    )


def _other(name: str, one: _Other) -> Model:
    seeds = one.seeds.values()
    return Model(
        name=name,
        group=FAMILY_TITLE,
        parameters=one.parameters,
        macs=one.macs,
        convolutions=True,
        float_accuracy=100 * statistics.fmean(seed.float.test for seed in seeds),
        int8_accuracy=100 * statistics.fmean(seed.int8.test for seed in seeds),
        int8_bytes=statistics.fmean(seed.flatbuffer_bytes for seed in seeds),
        seeds=len(one.seeds),
    )
