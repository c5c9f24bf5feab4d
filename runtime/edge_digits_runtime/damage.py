"""What reading a file that may be damaged takes: what to expect of libraries, and a look at what came out."""

import dataclasses
import struct
import tokenize
import types
import zipfile
import zlib
from typing import Any, get_args, get_origin, get_type_hints

DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy, Pillow, zipfile, gzip and json raise on files that are cut off, scrambled or encrypted, and what follows
where a record lacks something; found by flipping bytes."""


def check_fields(record: Any) -> None:
    """See that each field of the dataclass instance ``record`` is of the type that it is declared with.

    What is inside a container is not looked at. An int is good enough where a float is declared, as in JSON.

    Raises:
        TypeError: one is not; the message names it.
    """
    hints = get_type_hints(type(record))
    for field in dataclasses.fields(record):
        hint, value = hints[field.name], getattr(record, field.name)
        union = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        kinds = tuple(get_origin(kind) or kind for kind in union)
        if not isinstance(value, (*kinds, int) if float in kinds else kinds):
            raise TypeError(f"{field.name} is {value!r:.40}")
