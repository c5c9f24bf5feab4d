"""What libraries raise on files that are damaged."""

import struct
import tokenize
import zipfile
import zlib

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
