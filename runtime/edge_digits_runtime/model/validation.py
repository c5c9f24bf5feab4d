"""Check that a model fits together before an interpreter runs it.

An interpreter trusts the file: it reads where a wrong index leads, and aborts the process where a scale or a size does
not fit. So shapes, types, options, constants and scales are checked here, operator by operator, with the rules of
`edge_digits_runtime.model.operator_rules`. A model that has other operators cannot be checked; it is for its user to
say whether it may run.
"""

import math
from collections.abc import Sequence

from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.model.operator_rules import Misfit, Step, UnknownUse
from edge_digits_runtime.model.schema import Graph, Model, Tensor

LARGEST_MEMORY = 64 << 20
"""Bytes of all tensors that are computed for one picture; of the networks here, the largest has 0.5 MB."""
MOST_MACS = 10**10
"""Multiply-accumulates of one picture: some ten seconds on a Raspberry Pi."""
_MOST_STEPS = 10_000
_MOST_AXES = 6
_BYTES = {"FLOAT32": 4, "FLOAT16": 2, "INT8": 1, "UINT8": 1, "INT16": 2, "INT32": 4, "INT64": 8, "BOOL": 1}
"""Bytes of a number of the types that a tensor may have."""
_ZERO_POINTS = {"INT8": (-128, 127), "UINT8": (0, 255)}
"""Smallest and largest; of other types 0."""
_SCALES = 1e-30, 1e30
_ORDER = "model_control_dependencies"
"""Metadata that changes the order in which operators run."""


def check(model: Model) -> tuple[str, ...]:
    """Check that a model fits together.

    Args:
        model: as `edge_digits_runtime.model.schema.read` returns it.

    Returns:
        Names of the operators, and uses of operators, that nothing here can check; mostly none.

    Raises:
        ModelError: it does not fit; the message says what, and does not name the file.
    """
    try:
        return _check(model)
    except Misfit as error:
        raise ModelError(f"the model is damaged ({error}): copy the file again") from error


def computed_bytes(graph: Graph) -> int:
    """Return the bytes of all tensors that are computed for one picture."""
    computed = [tensor for tensor in graph.tensors if not tensor.constant]
    return sum(math.prod(tensor.shape) * _BYTES.get(tensor.type, 8) for tensor in computed)


def _check(model: Model) -> tuple[str, ...]:
    unknown = [] if model.version == 3 else [f"version {model.version} of the format"]
    unknown += [model.special] if model.special else []
    unknown += ["more than one graph"] if len(model.graphs) > 1 else []
    unknown += [_ORDER] if _ORDER in model.metadata else []
    graph = model.graphs[0]
    if len(graph.operators) > _MOST_STEPS or len(graph.tensors) > 10 * _MOST_STEPS:
        raise Misfit(f"{len(graph.operators)} operators and {len(graph.tensors)} tensors")
    unknown += _each(graph.tensors)
    _check_memory(graph)
    _check_order(graph)
    macs = 0
    for operator in graph.operators:
        step = Step(operator, graph.tensors)
        try:
            step.check()
        except UnknownUse as error:
            unknown.append(str(error))
        except Misfit as error:
            raise Misfit(f"operator {operator.index}, {operator.name}: {error}") from error
        macs += step.macs
    if macs > MOST_MACS:
        raise Misfit(f"it takes {macs:.2g} multiplications for a picture; allowed are {MOST_MACS:.0g}")
    return tuple(dict.fromkeys(unknown))


def _each(tensors: Sequence[Tensor]) -> list[str]:
    """Check each tensor for itself; return what cannot be checked."""
    unknown = []
    for tensor in tensors:
        # Also where a tensor cannot be checked: the rules of the operators count on it.
        if len(tensor.shape) > _MOST_AXES or min(tensor.shape, default=1) < 1:
            raise Misfit(f"tensor {tensor.index} has the shape {tensor.shape}")
        if tensor.type not in _BYTES or tensor.special:
            unknown.append(tensor.special or f"tensors of {tensor.type}")
            continue
        size = math.prod(tensor.shape) * _BYTES[tensor.type]
        if tensor.constant and len(tensor.data) != size:
            raise Misfit(f"tensor {tensor.index} has {len(tensor.data)} bytes, and its shape takes {size}")
        _check_quantization(tensor)
    return unknown


def _check_quantization(tensor: Tensor) -> None:
    smallest, largest = _SCALES
    lowest, highest = _ZERO_POINTS.get(tensor.type, (0, 0))
    if not all(smallest < scale < largest for scale in tensor.scales):
        raise Misfit(f"tensor {tensor.index} has a scale of 0, below 0, or beyond all others")
    if not all(lowest <= point <= highest for point in tensor.zero_points):
        raise Misfit(f"tensor {tensor.index} has a zero point that is no {tensor.type}")
    if len(tensor.scales) > 1 and not (
        0 <= tensor.axis < len(tensor.shape) and len(tensor.scales) == tensor.shape[tensor.axis]
    ):
        raise Misfit(f"tensor {tensor.index} has {len(tensor.scales)} scales and the shape {tensor.shape}")


def _check_memory(graph: Graph) -> None:
    total = computed_bytes(graph)
    if total > LARGEST_MEMORY:
        raise Misfit(f"its tensors take {total} bytes; allowed are {LARGEST_MEMORY}")


def _check_order(graph: Graph) -> None:
    """Check that every tensor is there when it is read, and is written once."""
    ends = (*graph.inputs, *graph.outputs)
    if not graph.inputs or not graph.outputs or len(set(ends)) < len(ends):
        raise Misfit(f"its inputs are {graph.inputs}, its outputs {graph.outputs}")
    there = {tensor.index for tensor in graph.tensors if tensor.constant}
    for index in graph.inputs:
        _write(index, there)
    for operator in graph.operators:
        for index in operator.inputs:
            if index >= 0 and index not in there:
                raise Misfit(f"operator {operator.index}, {operator.name}, reads tensor {index} before it is written")
        for index in operator.outputs:
            _write(index, there)
    for index in graph.outputs:
        if index not in there or graph.tensors[index].constant:
            raise Misfit(f"its output, tensor {index}, is never written")


def _write(index: int, there: set[int]) -> None:
    if index in there:
        raise Misfit(f"tensor {index} is written twice")
    there.add(index)
