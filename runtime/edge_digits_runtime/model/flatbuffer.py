"""Check that a TFLite flatbuffer is complete before an interpreter follows its offsets.

LiteRT checks that itself; tflite-runtime 2.14 does not and dies of a segmentation fault on a file that was cut off.
The layout is that of FlatBuffers: a table starts with the distance back to its vtable, which holds the offset of
each field, and a vector starts with its length. The fields are those of TensorFlow's ``schema.fbs``.
"""

import struct
from typing import TypeAlias

Schema: TypeAlias = "int | dict[int, Schema] | list[Schema]"
"""The thing that an offset leads to. An int is a vector of scalars of so many bytes. A dict is a table: by the number
of a field, the thing that the field leads to. A list of one is a vector of tables. Fields that hold their value in the
table itself are left out."""

_NAME = 1
_TENSOR: Schema = {0: 4, 3: _NAME, 4: {0: 4, 1: 4, 2: 4, 3: 8}}
_OPERATOR: Schema = {1: 4, 2: 4, 4: {}, 5: 1}
_SUBGRAPH: Schema = {0: [_TENSOR], 1: 4, 2: 4, 3: [_OPERATOR], 4: _NAME}
_NAMED_TENSOR: Schema = {0: _NAME}
_SIGNATURE: Schema = {0: [_NAMED_TENSOR], 1: [_NAMED_TENSOR], 2: _NAME}
_MODEL: Schema = {1: [{1: _NAME}], 2: [_SUBGRAPH], 3: _NAME, 4: [{0: 1}], 6: [{0: _NAME}], 7: [_SIGNATURE]}


def is_whole(content: bytes) -> bool:
    """Return whether everything that the model refers to lies within ``content``."""
    try:
        _walk(content, _MODEL, _offset(content, 0))
    except (struct.error, IndexError):
        return False
    return True


def _walk(content: bytes, schema: Schema, at: int) -> None:
    """Follow all offsets from the table or vector that starts at ``at``.

    Raises:
        IndexError, struct.error: it reaches beyond ``content``.
    """
    if isinstance(schema, dict):
        vtable = at - _unpack("<i", content, at)
        vtable_bytes, table_bytes = _unpack("<H", content, vtable), _unpack("<H", content, vtable + 2)
        _within(content, max(vtable + vtable_bytes, at + table_bytes))
        for field, inner in schema.items():
            slot = 4 + 2 * field
            place = _unpack("<H", content, vtable + slot) if slot < vtable_bytes else 0
            if place:
                _walk(content, inner, _offset(content, at + place))
        return
    size = 4 if isinstance(schema, list) else schema
    count = _unpack("<I", content, at)
    _within(content, at + 4 + count * size)
    if isinstance(schema, list):
        for element in range(at + 4, at + 4 + 4 * count, 4):
            _walk(content, schema[0], _offset(content, element))


def _offset(content: bytes, at: int) -> int:
    """Return where the offset at ``at`` leads to."""
    return at + _unpack("<I", content, at)


def _unpack(code: str, content: bytes, at: int) -> int:
    if at < 0:
        raise IndexError(at)
    value: int = struct.unpack_from(code, content, at)[0]
    return value


def _within(content: bytes, end: int) -> None:
    if end > len(content):
        raise IndexError(end)
