"""Write ``digits.h`` and ``digits.c`` of a network."""

import math
from dataclasses import dataclass

from edge_digits_runtime.data import turns
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.model.card import ModelCard

from edge_digits_convert.microcontroller.c_text import comment, fill, numbers, string, template
from edge_digits_convert.microcontroller.layers import (
    AnyLayer,
    AveragePool,
    Convolution,
    Dense,
    Depthwise,
    IntegerNetwork,
    MaxPool,
    Mean,
    Range,
    Scaling,
    Shape,
    Window,
    macs,
)
from edge_digits_convert.microcontroller.plan import Plan, patch_size

CERTAIN = 1 << 15
"""A probability of 1, see ``EDGE_DIGITS_CERTAIN`` in ``digits.h``."""
_PIXELS = {
    "ink": "white ink on black: the digit found and framed as in MNIST.",
    "crop": "the whole picture scaled, its contrast stretched to 0 to 255.",
}
_KERNELS = {
    Convolution: ("requantize", "dot", "convolution"),
    Depthwise: ("requantize", "depthwise"),
    Dense: ("requantize", "dot"),
    MaxPool: ("requantize", "max_pool"),
    AveragePool: ("requantize", "average_pool"),
    Mean: ("requantize", "mean"),
}
"""Files in ``templates/kernels`` that a layer needs."""
_ORDER = ("requantize", "dot", "convolution", "depthwise", "max_pool", "average_pool", "mean")


@dataclass(frozen=True)
class Source:
    """The two files that a firmware needs."""

    header: str
    code: str


def write_source(network: IntegerNetwork, plan: Plan, card: ModelCard) -> Source:
    """Write the C of a network."""
    flash = network.weight_bytes
    facts = {
        "Model": card.name,
        "sha256": card.sha256,
        "Trained on": card.data,
        "Accuracy": ", ".join(f"{100 * share:.2f} % ({split})" for split, share in card.accuracy.items()),
        "Converted": card.created,
    }
    least = math.ceil(card.min_confidence * CERTAIN)
    header = fill(
        template("digits.h"),
        {
            "summary": "A classifier of small grey pictures, written by edge-digits export.",
            "facts": "".join(f" * {name}: {comment(text)}\n" for name, text in facts.items() if text),
            "memory": f"RAM: a static buffer of {plan.size} bytes, and the stack. Flash: {flash} bytes of weights, and "
            "the code.",
            "height": str(network.height),
            "width": str(network.width),
            "classes": str(network.classes),
            "labels": ", ".join(map(string, card.labels)),
            "turns": str(turns.COUNT if turns.are_turns(card.labels) else 0),
            "reach": str(turns.REACH),
            "min_confidence": f"{card.min_confidence:g}",
            "min_confidence_units": str(least),
            "pixels": _pixels(card.input),
            "logit_scale": f"{network.logit_scale:g}",
            "temperature": f"{card.temperature:g}",
        },
    )
    return Source(header, _code(network, plan, card))


def exponentials(step: float) -> list[int]:
    """Return ``exp(-step * distance)`` in units of 1/`CERTAIN` for each distance that gives more than 0."""
    table = [round(CERTAIN * math.exp(-step * distance)) for distance in range(256)]
    return [value for value in table if value]


def _pixels(form: Input) -> str:
    return _PIXELS[form.kind]


def _code(network: IntegerNetwork, plan: Plan, card: ModelCard) -> str:
    used = {name for layer in network.layers for name in _KERNELS[type(layer)]}
    table = exponentials(network.logit_scale / card.temperature)
    parts = [
        f"/* {comment(card.name)}: weights, kernels and layers, written by edge-digits export. See digits.h. */\n"
        '#include "digits.h"\n\n#include <string.h>\n',
        template("kernels/types.h"),
        *(template(f"kernels/{name}.c") for name in _ORDER if name in used),
        *(_layer_data(layer) for layer in network.layers),
        "/* Where activations lie while they are needed: the layers share it. Words, for the sake of alignment. */\n"
        f"static uint32_t buffer[{-(-plan.size // 4)}];\n",
        _classify(network, plan),
        f"/* exp of minus 0, 1, 2, ... steps of a logit, in units of 1/EDGE_DIGITS_CERTAIN. */\n"
        f"#define EXPONENTIALS {len(table)}\n"
        f"static const uint16_t exponentials[EXPONENTIALS] = {{\n{numbers(table)}}};\n",
        template("kernels/probabilities.c"),
    ]
    return "\n".join(parts)


def _layer_data(layer: AnyLayer) -> str:
    """Return the constants of a layer."""
    heading = f"/* {_describe(layer)} */\n"
    weights = channels = ""
    if isinstance(layer, Convolution | Depthwise | Dense):
        values = layer.weights.reshape(-1).tolist()
        weights = f"static const int8_t {layer.name}_weights[{len(values)}] = {{\n{numbers(values)}}};\n"
        rows = ",\n".join(f"    {_channel(layer.scaling, number)}" for number in range(len(layer.scaling.bias)))
        channels = f"static const Channel {layer.name}_channels[{len(layer.scaling.bias)}] = {{\n{rows}}};\n"
    return heading + weights + channels + _struct(layer)


def _describe(layer: AnyLayer) -> str:
    window = getattr(layer, "window", None)
    over = f", {window.height}x{window.width} window" if window else ""
    count = macs(layer)
    work = f", {count:,} multiply-accumulates" if count else ""
    return f"{layer.name}: {_size(layer.input)} to {_size(layer.output)}{over}{work}"


def _size(shape: Shape) -> str:
    return f"{shape.height}x{shape.width}x{shape.channels}"


def _struct(layer: AnyLayer) -> str:
    fields = {"input": _shape(layer.input), "output": _shape(layer.output)}
    match layer:
        case Convolution() | Depthwise():
            kind = type(layer).__name__
            fields |= {
                "window": _window(layer.window),
                "padding": str(layer.padding),
                "range": _range(layer.range),
                "weights": f"{layer.name}_weights",
                "channels": f"{layer.name}_channels",
            }
        case MaxPool() | AveragePool():
            kind = type(layer).__name__
            fields |= {"window": _window(layer.window), "range": _range(layer.range)}
        case Mean():
            kind = "Mean"
            fields = {
                "input": _shape(layer.input),
                "padding": str(layer.padding),
                "range": _range(layer.range),
                "scale": _channel(layer.scaling, 0),
            }
        case Dense():
            return f"static const Range {layer.name}_range = {_range(layer.range)};\n"
    inside = "".join(f"    .{name} = {value},\n" for name, value in fields.items())
    return f"static const {kind} {layer.name} = {{\n{inside}}};\n"


def _shape(shape: Shape) -> str:
    return f"{{{shape.height}, {shape.width}, {shape.channels}}}"


def _range(spread: Range) -> str:
    return f"{{{spread.zero}, {spread.low}, {spread.high}}}"


def _channel(scaling: Scaling, number: int) -> str:
    return f"{{{scaling.bias[number]}, {scaling.multiplier[number]}, {scaling.shift[number]}}}"


def _window(window: Window) -> str:
    values = (
        *(window.height, window.width, window.stride_y, window.stride_x),
        *(window.dilation_y, window.dilation_x, window.above, window.left),
    )
    return f"{{{', '.join(map(str, values))}}}"


def _classify(network: IntegerNetwork, plan: Plan) -> str:
    calls = []
    for number, layer in enumerate(network.layers):
        source = f"at + {plan.results[number - 1]}" if number else "pixels"
        result = f"at + {plan.results[number]}"
        match layer:
            case Convolution():
                assert patch_size(layer)
                call = f"convolution({source}, &{layer.name}, at + {plan.patches[number]}, {result})"
            case Dense():
                outputs, count = layer.weights.shape
                call = (
                    f"dense({source}, {layer.name}_weights, {count}, {layer.name}_channels, {outputs}, "
                    f"&{layer.name}_range, {result})"
                )
            case _:
                call = f"{layer.kind}({source}, &{layer.name}, {result})"
        calls.append(f"    {call};\n")
    return fill(template("kernels/classify.c"), {"calls": "".join(calls), "result": str(plan.results[-1])})
