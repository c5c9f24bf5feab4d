"""Slim a TFLite flatbuffer: remove what no interpreter reads, and store equal parts once.

The converter writes for tools: every tensor has a name, a buffer of its own even if it is empty, a second shape with an
open batch size, and its own copy of every list. For a network of 10,000 parameters this is as much as half the file. No
number that an interpreter computes with is changed. What goes:

- strings: names of tensors and subgraph, description, signatures, metadata (``min_runtime_version`` tells converters,
  not interpreters);
- ``shape_signature`` and ``has_rank``: interpreters resize a tensor by its shape; the minimum and maximum in the
  quantization parameters: interpreters use scale and zero point;
- a reshape in front of nothing but dense layers: these flatten what they are given;
- copies of buffers with equal content, and empty buffers: their tensors refer to buffer 0, which is always empty;
- copies of equal vectors (zero points, shapes, lists of inputs) and equal tables (quantization parameters, options): a
  flatbuffer may refer to one from several places.

What stays although it looks unused, measured with LiteRT 2.3 and tflite-runtime 2.14. The zero points of per-channel
weights are all 0, but there must be as many as scales or the model does not load. Without the quantization parameters
of the biases it loads, but no longer runs on XNNPACK (51 instead of 13 µs). Buffers keep the 16-byte alignment that the
schema demands: 4 bytes would save 0.8 % and load as well, but kernels on small devices read with aligned instructions.

This is the one place that uses the generated schema, since it writes: what it does not know of, such as the options of
an operator that the runtime has no rule for, must come out as it went in. What was written is read by the runtime.
"""

from collections.abc import Hashable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

FILE_IDENTIFIER = b"TFL3"
_BUFFER_ALIGNMENT = 16
"""``force_align`` of ``Buffer.data`` in the TFLite schema, which the Python writer of flatbuffers does not know."""


def unpack(flatbuffer: bytes) -> Any:
    """Return the flatbuffer as a tree of the schema's objects, a ``ModelT``."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))


def strip(flatbuffer: bytes) -> bytes:
    """Return the same model in fewer bytes; equal input gives equal output, and a second time changes nothing."""
    model = unpack(flatbuffer)
    model.description = model.signatureDefs = model.metadata = model.metadataBuffer = None
    for graph in model.subgraphs:
        graph.name = None
        _drop_flattening(graph, model.operatorCodes)
        _drop_unused_tensors(graph)
        for tensor in graph.tensors:
            _strip_tensor(tensor)
    _drop_unused_codes(model)
    _share_buffers(model)
    _share_tables(model)
    builder = _SharingBuilder()
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def _drop_flattening(graph: Any, codes: Any) -> None:
    """Let dense layers read the input of a reshape in front of them, which they flatten themselves."""
    operator = schema.BuiltinOperator
    kinds = {id(op): codes[op.opcodeIndex].builtinCode for op in graph.operators}
    for reshape in [op for op in graph.operators if kinds[id(op)] == operator.RESHAPE]:
        source, flat = reshape.inputs[0], reshape.outputs[0]
        readers = [op for op in graph.operators if flat in op.inputs]
        if flat not in graph.outputs and all(kinds[id(op)] == operator.FULLY_CONNECTED for op in readers):
            for reader in readers:
                reader.inputs = [source if index == flat else index for index in reader.inputs]
            graph.operators.remove(reshape)


def _drop_unused_tensors(graph: Any) -> None:
    """Remove the tensors that no operator reads or writes, and renumber the others."""
    used = {index for op in graph.operators for index in (*op.inputs, *op.outputs)} | {*graph.inputs, *graph.outputs}
    kept = sorted(index for index in used if index >= 0)
    # -1 stands for an optional input that is absent.
    number = {index: place for place, index in enumerate(kept)} | {-1: -1}
    graph.tensors = [graph.tensors[index] for index in kept]
    for holder in (graph, *graph.operators):
        holder.inputs = [number[index] for index in holder.inputs]
        holder.outputs = [number[index] for index in holder.outputs]


def _drop_unused_codes(model: Any) -> None:
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    model.operatorCodes = [model.operatorCodes[index] for index in used]
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)


def _strip_tensor(tensor: Any) -> None:
    tensor.name = tensor.shapeSignature = None
    tensor.hasRank = False
    quantization = tensor.quantization
    if quantization is None:
        return
    quantization.min = quantization.max = None
    if quantization.scale is None:
        tensor.quantization = None


def _share_buffers(model: Any) -> None:
    """Give tensors of equal content one buffer, and tensors without content buffer 0."""
    buffers = [schema.BufferT()]
    index: dict[bytes, int] = {b"": 0}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            content = b"" if data is None else data.tobytes()
            if content not in index:
                index[content] = len(buffers)
                buffers.append(schema.BufferT(data=data))
            tensor.buffer = index[content]
    model.buffers = buffers


def _share_tables(model: Any) -> None:
    """Replace equal quantization parameters, and equal options of operators, by one object each."""
    shared: dict[Hashable, _Once] = {}

    def share(table: Any) -> Any:
        return None if table is None else shared.setdefault(_key(table), _Once(table))

    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.quantization = share(tensor.quantization)
        graph.inputs, graph.outputs = _indices(graph.inputs), _indices(graph.outputs)
        for operator in graph.operators:
            operator.builtinOptions = share(operator.builtinOptions)
            operator.inputs, operator.outputs = _indices(operator.inputs), _indices(operator.outputs)


def _indices(values: Any) -> NDArray[np.int32]:
    # The builder shares only arrays.
    return np.asarray(values, np.int32)


def _key(value: Any) -> Hashable:
    """Return a key that is equal for equal content: of an array, a list, a table with its fields, or a plain value."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tobytes()
    if isinstance(value, list):
        return tuple(map(_key, value))
    if hasattr(value, "__dict__"):
        return type(value).__name__, tuple((name, _key(field)) for name, field in sorted(vars(value).items()))
    return value  # type: ignore[no-any-return]


class _Once:
    """A table that is written the first time it is packed, and referred to after that."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._offset: int | None = None

    def Pack(self, builder: Any) -> int:
        """Return the offset of the table in ``builder``; the objects of the schema call this method."""
        if self._offset is None:
            self._offset = int(self._table.Pack(builder))
        return self._offset


class _SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """A builder that writes equal vectors once, and buffers at the alignment of the schema."""

    def __init__(self) -> None:
        super().__init__(1024)
        self._vectors: dict[tuple[int, int, bytes], int] = {}

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:
        """Return the offset of a vector with the elements of ``x``, which has one axis."""
        # Buffers are the only vectors of bytes here.
        alignment = _BUFFER_ALIGNMENT if x.dtype == np.uint8 else x.dtype.itemsize
        content = x.astype(x.dtype.newbyteorder("<")).tobytes()
        key = (alignment, x.size, content)
        if key not in self._vectors:
            self.StartVector(1, len(content), alignment)
            self.head -= len(content)
            self.Bytes[self.head : self.head + len(content)] = content
            self.vectorNumElems = x.size
            self._vectors[key] = self.EndVector()
        return self._vectors[key]
