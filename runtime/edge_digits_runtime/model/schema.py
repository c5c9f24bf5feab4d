"""Read a TFLite flatbuffer: its tensors, constants and operators, each offset checked before it is followed.

The one reader of ``.tflite`` here. It needs nothing but the standard library and numpy, takes a few milliseconds where
importing the generated ``ai_edge_litert.schema_py_generated`` takes 0.4 s, and is there where only tflite-runtime is.

`read` guarantees that everything it returns lay within the file, that tables, strings and vectors are aligned and
whole, and that every index of a tensor, buffer or operator code is one that exists (or -1 for an optional input).
Shapes, types and options are given as they are stored; whether they fit each other is for
`edge_digits_runtime.model.validation` to say.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.model.flatbuffer import Reader
from edge_digits_runtime.model.operator_names import OPERATORS, TYPES
from edge_digits_runtime.model.schema_fields import MODEL, OPTIONS

IDENTIFIER = b"TFL3"
"""Bytes 4 to 8 of every TFLite flatbuffer."""
DTYPES: Mapping[str, type[np.generic]] = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "FLOAT64": np.float64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "BOOL": np.bool_,
}
"""numpy's type for each type of a tensor that numpy has, too."""
_UNQUANTIZED: dict[str, Any] = {"scale": (), "zero_point": (), "quantized_dimension": 0, "details_type": 0}


@dataclass(frozen=True)
class Tensor:
    """A tensor of a graph, constant or computed."""

    index: int
    """Its number in the graph."""
    name: str
    """Its name in the file; empty in a slimmed model."""
    shape: tuple[int, ...]
    """As it is stored; () for a scalar. A size may be any int32."""
    type: str
    """Such as ``INT8``; one of `edge_digits_runtime.model.operator_names.TYPES`."""
    buffer: int
    """Number of the buffer that holds its content; 0, or an empty one, for a computed tensor."""
    data: memoryview
    """The content of that buffer; empty for a computed tensor."""
    scales: tuple[float, ...]
    """One number for the whole tensor or one for each slice along ``axis``; () where it is not quantized. A stored
    number q stands for ``scale * (q - zero_point)``."""
    zero_points: tuple[int, ...]
    """One number for each of ``scales``; some writers leave them out."""
    axis: int
    """The axis that several ``scales`` go along."""
    special: str
    """What this tensor has that no classifier needs, such as ``sparsity``; mostly empty."""

    @property
    def constant(self) -> bool:
        """True if its content is in the file."""
        return len(self.data) > 0

    @cached_property
    def array(self) -> NDArray[Any]:
        """The content of a constant as a read-only array of ``shape``.

        Raises:
            ModelError: numpy has no such type, or the content is not that of such a shape.
        """
        if self.type not in DTYPES:
            raise ModelError(f"tensor {self.index} is {self.type}; allowed are {', '.join(DTYPES)}")
        content = np.frombuffer(self.data, np.dtype(DTYPES[self.type]).newbyteorder("<"))
        try:
            return content.reshape(self.shape) if min(self.shape, default=0) >= 0 else content.reshape(())
        except ValueError as error:
            raise ModelError(
                f"tensor {self.index} has {content.size} numbers, which are not those of the shape {self.shape}"
            ) from error


@dataclass(frozen=True)
class Operator:
    """A step of a graph."""

    index: int
    """Its number in the graph: the order in which they run."""
    name: str
    """Such as ``CONV_2D``; of a custom operator ``CUSTOM``."""
    version: int
    custom: str
    """Name of a custom operator; else empty."""
    inputs: tuple[int, ...]
    """Numbers of the tensors that it reads; -1 for an optional one that is absent."""
    outputs: tuple[int, ...]
    """Numbers of the tensors that it writes."""
    options: Mapping[str, Any]
    """Its options by the names of ``schema.fbs``, such as ``stride_w``, defaults included; empty where the file states
    none, and for operators that are not in `OPTIONS`."""
    options_type: int
    """Number of its options in the union ``BuiltinOptions``; 0 where it has none."""
    special: str
    """What this operator has that no classifier needs, such as ``intermediates``; mostly empty."""


@dataclass(frozen=True)
class Graph:
    """Tensors, and the operators that compute them."""

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Model:
    """A flatbuffer taken apart."""

    version: int
    """Version of the schema; 3."""
    graphs: tuple[Graph, ...]
    """The first one is the network; more are bodies of loops and branches."""
    metadata: Mapping[str, memoryview]
    """Content of each buffer that metadata names, such as ``min_runtime_version``."""
    special: str
    """What this model has that no classifier needs, such as ``external_buffers``; mostly empty."""
    end: int
    """Where the last thing that the model refers to ends, in bytes from the start."""


def read(content: bytes | memoryview) -> Model:
    """Read a flatbuffer; what is behind it, such as a card, is not looked at.

    Args:
        content: the file.

    Raises:
        ModelError: no TFLite flatbuffer, cut off, or something in it refers to what is not there; the message says
            what, and does not name the file.

    Example:
        >>> from edge_digits_runtime.model import schema
        >>> from edge_digits_runtime.model.registry import DEFAULT_MODEL
        >>> graph = schema.read(DEFAULT_MODEL.read_bytes()).graphs[0]
        >>> first = graph.operators[0]
        >>> first.name, first.options["stride_w"], graph.tensors[first.inputs[1]].array.shape
        ('CONV_2D', 1, (8, 3, 3, 1))
    """
    view = memoryview(content)
    if view[4:8] != IDENTIFIER:
        raise ModelError("not a TFLite model (the file identifier TFL3 is missing)")
    reader = Reader(view)
    try:
        model = reader.table(MODEL, reader.offset(0))
        return _model(model, reader)
    except (struct.error, IndexError) as error:
        raise ModelError(f"the model is damaged or was cut off ({error}): copy the file again") from error


def _model(values: dict[str, Any], reader: Reader) -> Model:
    """Return the model that the root table says, its indices checked.

    Raises:
        IndexError: one of them leads nowhere.
    """
    buffers = [buffer["data"] for buffer in values["buffers"]]
    graphs = tuple(_graph(graph, values["operator_codes"], buffers) for graph in values["subgraphs"])
    if not graphs:
        raise IndexError("there is no graph in it")
    for signature in values["signature_defs"]:
        graph = graphs[_index(signature["subgraph_index"], len(graphs), "graph")]
        for entry in (*signature["inputs"], *signature["outputs"]):
            _index(entry["tensor_index"], len(graph.tensors), "tensor")
    for index in values["metadata_buffer"]:
        _index(index, len(buffers), "buffer")
    metadata = {entry["name"]: buffers[_index(entry["buffer"], len(buffers), "buffer")] for entry in values["metadata"]}
    more = {
        "buffers outside": any(buffer["offset"] or buffer["size"] for buffer in values["buffers"]),
        "metadata of one name": len(metadata) < len(values["metadata"]),
    }
    special = _special(values | more, "external_buffer_groups", "external_buffers", *more)
    # The options of operators were read last, and may be the last thing in the file.
    return Model(values["version"], graphs, metadata, special, reader.end)


def _graph(values: dict[str, Any], codes: list[dict[str, Any]], buffers: list[memoryview]) -> Graph:
    tensors = tuple(_tensor(index, tensor, buffers) for index, tensor in enumerate(values["tensors"]))
    for index in (*values["inputs"], *values["outputs"]):
        _index(index, len(tensors), "tensor")
    operators = tuple(
        _operator(index, operator, codes, len(tensors)) for index, operator in enumerate(values["operators"])
    )
    return Graph(tensors, tuple(values["inputs"]), tuple(values["outputs"]), operators)


def _tensor(index: int, values: dict[str, Any], buffers: list[memoryview]) -> Tensor:
    quantization = values["quantization"] or _UNQUANTIZED
    return Tensor(
        index,
        values["name"],
        values["shape"],
        TYPES[_index(values["type"], len(TYPES), "type")],
        values["buffer"],
        buffers[_index(values["buffer"], len(buffers), "buffer")],
        quantization["scale"],
        quantization["zero_point"],
        quantization["quantized_dimension"],
        _special(
            values | quantization, "is_variable", "sparsity", "variant_tensors", "external_buffer", "details_type"
        ),
    )


def _operator(index: int, values: dict[str, Any], codes: list[dict[str, Any]], tensors: int) -> Operator:
    code = codes[_index(values["opcode_index"], len(codes), "operator code")]
    # Files of before 2020 have the number in the first field, and numbers above 127 are only in the second.
    number = max(code["deprecated_builtin_code"], code["builtin_code"])
    name = OPERATORS[_index(number, len(OPERATORS), "operator")]
    for tensor in values["inputs"]:
        if tensor != -1:
            _index(tensor, tensors, "tensor")
    for tensor in values["outputs"]:
        _index(tensor, tensors, "tensor")
    options: dict[str, Any] = {}
    kind = values["builtin_options_type"] if values["builtin_options"] is not None else 0
    if name in OPTIONS and kind == OPTIONS[name][0]:
        options = values["builtin_options"](OPTIONS[name][1])
    special = _special(
        values,
        "custom_options",
        "mutating_variable_inputs",
        "intermediates",
        "large_custom_options_offset",
        "builtin_options_2_type",
    )
    return Operator(
        index,
        name,
        code["version"],
        code["custom_code"],
        tuple(values["inputs"]),
        tuple(values["outputs"]),
        options,
        values["builtin_options_type"],
        special,
    )


def _index(index: int, count: int, what: str) -> int:
    if not 0 <= index < count:
        raise IndexError(f"{what} {index} is referred to, and there are {count}")
    return index


def _special(values: dict[str, Any], *names: str) -> str:
    """Return those names whose value is there and not 0, empty or false."""
    # A table without fields is there, although it is empty.
    return ", ".join(name for name in names if values[name] or values[name] == {})
