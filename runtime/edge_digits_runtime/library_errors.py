"""Exceptions that a library raises on a damaged file, one table for each library.

Catch a table around the call of that library and around nothing else. Then an error in code of ours keeps its
traceback, even where it is of the same type. The types were found by reading files that were cut off, or had bytes
changed, inserted or removed: 600,000 pictures, 50,000 archives, 60,000 headers of arrays. Types that a listed one
covers are left out: `zipfile.BadZipFile` aside, gzip's errors are `OSError`, those of JSON and Unicode `ValueError`,
of deep nesting `RuntimeError`.
"""

import lzma
import struct
import tokenize
import zipfile
import zlib

JSON = (RecursionError, ValueError)
"""`json.loads` of bytes."""

GZIP = (EOFError, OSError, zlib.error)
"""`gzip.open` and `gzip.decompress`."""

ZIP = (EOFError, OSError, RuntimeError, ValueError, lzma.LZMAError, struct.error, zipfile.BadZipFile, zlib.error)
"""`zipfile.ZipFile`, its listing and its entries; RuntimeError where an entry is encrypted, or packed in a way that
zipfile does not know."""

NUMPY = (*ZIP, IndexError, MemoryError, OverflowError, SyntaxError, TypeError, tokenize.TokenError)
"""`numpy.load` of a ``.npz`` and its arrays. The header of an array is parsed as Python; MemoryError where it announces
more than there is memory for."""

PILLOW = (
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)
"""`PIL.Image.open`, `Image.load` and `PIL.ImageOps.exif_transpose`; the readers of PNG, TIFF and EXIF look into what
is not there."""


INTERPRETER = (MemoryError, RuntimeError, ValueError)
"""``Interpreter`` of LiteRT and tflite-runtime: its construction, `allocate_tensors` and `invoke`."""


def first_line(error: BaseException) -> str:
    """Return the first line of what an exception says, or the name of its type where it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0].strip() if text else type(error).__name__
