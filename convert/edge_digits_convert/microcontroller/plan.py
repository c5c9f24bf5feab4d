"""Where activations lie in the working buffer, planned before the device runs.

An activation is needed from the layer that writes it to the one that reads it, so the layers share one buffer. More
than that, a layer may overwrite what it has read already: going through its outputs pixel by pixel, it no longer needs
the rows above its window. So the result of a layer may start a few rows below the start of its input, as far as
`overlap` says, instead of in a place of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from edge_digits_convert.microcontroller.layers import AnyLayer, Convolution, Dense, IntegerNetwork, Mean

_WORD = 4
"""Activations start at multiples of it, in bytes, so that they can be read as words."""


@dataclass(frozen=True)
class Plan:
    """Offsets in the working buffer, in bytes."""

    size: int
    """Of the buffer, in bytes."""
    results: tuple[int, ...]
    """Where the result of each layer starts."""
    patches: tuple[int | None, ...]
    """Where each convolution gathers what its window covers; None for other layers."""


def patch_size(layer: AnyLayer) -> int:
    """Return the bytes that a layer needs beside its input and output while it runs."""
    return layer.window.taps * layer.input.channels if isinstance(layer, Convolution) else 0


def overlap(layer: AnyLayer) -> int:
    """Return how many bytes before its input the result of a layer must start at least.

    Written pixel by pixel, no byte of the result then lies where input is that this or a later pixel needs.
    """
    if isinstance(layer, Dense | Mean):
        return layer.output.size
    needed = list(_first_needed(layer))
    # A later pixel may need an earlier byte, at the left of the next row.
    for pixel in reversed(range(len(needed) - 1)):
        needed[pixel] = min(needed[pixel], needed[pixel + 1])
    written = layer.output.channels
    return max((pixel + 1) * written - first for pixel, first in enumerate(needed))


def _first_needed(layer: AnyLayer) -> Iterable[int]:
    """Yield for each output pixel the first byte of the input that its window covers."""
    assert not isinstance(layer, Dense | Mean)
    window, size = layer.window, layer.input
    for row in range(layer.output.height):
        y = _inside(row * window.stride_y - window.above, window.dilation_y)
        for column in range(layer.output.width):
            x = _inside(column * window.stride_x - window.left, window.dilation_x)
            yield (y * size.width + x) * size.channels


def _inside(first: int, step: int) -> int:
    """Return the first of ``first``, ``first + step``, ... that is not negative."""
    return first if first >= 0 else first % step


def make_plan(network: IntegerNetwork) -> Plan:
    """Plan the buffer: each result goes where the buffer stays smallest, in the order of the layers.

    The picture is not in it: it stays where the caller has it.
    """
    spans: list[tuple[int, int]] = []
    """Start and end of each result, from an origin that is only known at the end."""
    patches: list[tuple[int, int] | None] = []
    for number, layer in enumerate(network.layers):
        size = layer.output.size
        if number == 0:
            place = 0
        else:
            start, end = spans[-1]
            below = (start - max(overlap(layer), 0)) // _WORD * _WORD
            beside = [_aligned(end), (start - size) // _WORD * _WORD]
            place = min((below, *beside), key=lambda at: (_extent(spans, patches, (at, at + size)), -at))
        spans.append((place, place + size))
        if not patch_size(layer):
            patches.append(None)
            continue
        busy = spans[-2:]
        low, high = min(start for start, _ in busy), max(end for _, end in busy)
        gaps = [_aligned(high), (low - patch_size(layer)) // _WORD * _WORD]
        gaps += [_aligned(end) for _, end in busy]
        gaps += [(start - patch_size(layer)) // _WORD * _WORD for start, _ in busy]
        free = [at for at in gaps if all(at >= end or at + patch_size(layer) <= start for start, end in busy)]
        at = min(free, key=lambda at: (_extent(spans, patches, (at, at + patch_size(layer))), -at))
        patches.append((at, at + patch_size(layer)))
    everything = [*spans, *(patch for patch in patches if patch)]
    origin = min(start for start, _ in everything)
    return Plan(
        max(end for _, end in everything) - origin,
        tuple(start - origin for start, _ in spans),
        tuple(patch[0] - origin if patch else None for patch in patches),
    )


def _aligned(at: int) -> int:
    return -(-at // _WORD) * _WORD


def _extent(spans: list[tuple[int, int]], patches: list[tuple[int, int] | None], more: tuple[int, int]) -> int:
    """Return the size of a buffer that holds all that has been placed and ``more``."""
    everything = [*spans, *(patch for patch in patches if patch), more]
    return max(end for _, end in everything) - min(start for start, _ in everything)
