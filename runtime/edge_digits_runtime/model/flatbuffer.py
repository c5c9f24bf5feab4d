"""Read FlatBuffers: tables by a list of their fields, each offset checked before it is followed.

A table starts with the distance back to its vtable, which holds the place of each field in the table, and a vector
starts with its length; `edge_digits_runtime.model.schema_fields` has the tables of a TFLite model. LiteRT checks the
offsets itself; tflite-runtime 2.14 does not, and dies of a segmentation fault on a file that was cut off.
"""

import struct
from typing import Any

Fields = dict[int, tuple[str, Any]]
"""The fields of a table: by number, the name and what is stored. That is a code of `struct` for a scalar (with a
default behind it, if it is not 0), ``"[i]"`` for a vector of scalars, ``"string"``, ``"bytes"`` for a vector of bytes,
a dict for a table, ``"union"`` for a table whose fields something else decides, and a list of one dict for a vector of
tables."""


class Reader:
    """Reads tables by their `Fields`, each place once; values are by name in a dict.

    A place may be referred to often, and vectors may overlap: the number of elements read is bounded by the size of the
    file, so that no file takes longer than another of its size.
    """

    def __init__(self, content: memoryview) -> None:
        self._content, self._size = content, len(content)
        self._tables: dict[tuple[int, int], dict[str, Any]] = {}
        self._left = self._size
        self.end = 8

    def table(self, fields: Fields, at: int) -> dict[str, Any]:
        """Read the table that starts at ``at``.

        Raises:
            IndexError, struct.error: a part of it is outside the file.
        """
        key = id(fields), at
        if key in self._tables:
            return self._tables[key]
        vtable = at - self._number("i", at)
        vtable_bytes, table_bytes = self._number("H", vtable), self._number("H", vtable + 2)
        if vtable_bytes < 4 or vtable_bytes % 2 or table_bytes < 4:
            raise IndexError(f"a table at byte {at} has a wrong list of fields")
        self._within(vtable, vtable_bytes)
        self._within(at, table_bytes)
        self._spend(1)
        # A later version of the schema may have more fields.
        listed = min(vtable_bytes // 2 - 2, max(fields, default=-1) + 1)
        places = struct.unpack_from(f"<{listed}H", self._content, vtable + 4)
        values: dict[str, Any] = {}
        for number, (name, kind) in fields.items():
            place = places[number] if number < len(places) else 0
            if 0 < place < 4 or place >= table_bytes:
                raise IndexError(f"a field of the table at byte {at} is outside of it")
            values[name] = self._value(kind, at + place) if place else _default(kind)
        self._tables[key] = values
        return values

    def offset(self, at: int) -> int:
        """Return where the offset at ``at`` leads to."""
        distance: int = self._number("I", at)
        return at + distance

    def _value(self, kind: Any, at: int) -> Any:
        if isinstance(kind, dict):
            return self.table(kind, self.offset(at))
        if isinstance(kind, list):
            start, count = self._vector(at, 4)
            self._spend(count)
            return [self.table(kind[0], self.offset(place)) for place in range(start, start + 4 * count, 4)]
        if kind == "union":
            # What it is depends on the operator, which is looked up later.
            return lambda fields: self.table(fields, self.offset(at))
        if kind in ("string", "bytes"):
            start, count = self._vector(at, 1)
            if kind == "bytes":
                return self._content[start : start + count]
            self._spend(count)
            if self._number("B", start + count):
                raise IndexError(f"a string at byte {start} has no end")
            return bytes(self._content[start : start + count]).decode("utf-8", "replace")
        if kind[0] == "[":
            size = struct.calcsize(f"<{kind[1]}")
            start, count = self._vector(at, size)
            self._spend(count)
            return struct.unpack_from(f"<{count}{kind[1]}", self._content, start)
        return self._number(kind[0], at)

    def _vector(self, at: int, size: int) -> tuple[int, int]:
        """Return where the elements of a vector start, and how many there are."""
        start = self.offset(at)
        count = self._number("I", start)
        if (start + 4) % min(size, 8) or count > self._size:
            raise IndexError(f"a vector at byte {start} is misplaced")
        self._within(start + 4, count * size)
        return start + 4, count

    def _number(self, code: str, at: int) -> Any:
        size = struct.calcsize(f"<{code}")
        # A processor may refuse to read a number from where none may be.
        if at % size:
            raise IndexError(f"a number at byte {at} is misplaced")
        self._within(at, size)
        return struct.unpack_from(f"<{code}", self._content, at)[0]

    def _within(self, at: int, size: int) -> None:
        end = at + size
        if at < 0 or end > self._size:
            raise IndexError(f"byte {end} of {self._size} is referred to")
        if end > self.end:
            self.end = end

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise IndexError("its parts overlap")


def _default(kind: Any) -> Any:
    """Return the value of a field that is not there."""
    if isinstance(kind, dict) or kind == "union":
        return None
    if isinstance(kind, list) or kind[:1] == "[":
        return ()
    if kind == "string":
        return ""
    if kind == "bytes":
        return memoryview(b"")
    default = int(kind[1:] or 0)
    return bool(default) if kind[0] == "?" else default
