"""Values and names as C, so that nothing that stands in a model can become code."""

import re
import textwrap
from collections.abc import Iterable
from importlib.resources import files
from string import ascii_letters, digits

_WIDTH = 116
_PLAIN = frozenset(ascii_letters + digits + " .,:;_+-=()%")


def comment(text: str) -> str:
    """Return ``text`` for a comment or a heading: letters, digits and a few signs; all others become ``_``.

    Example:
        >>> comment("digits */ int x;")
        'digits __ int x;'
    """
    return "".join(sign if sign in _PLAIN else "_" for sign in text)


def string(text: str) -> str:
    r"""Return ``text`` as a string literal of C in UTF-8.

    Bytes that are not plain ASCII are written in octal, which takes no more than three digits, and question marks, too,
    since ``??/`` is a backslash in C99.

    Example:
        >>> print(string('"7" '))
        "\0427\042\040"
    """
    allowed = ascii_letters + digits + "_.,:;+-=()"
    return '"' + "".join(chr(byte) if chr(byte) in allowed else f"\\{byte:03o}" for byte in text.encode()) + '"'


def numbers(values: Iterable[int], indent: str = "    ") -> str:
    """Return whole numbers with commas between them, in lines of at most `_WIDTH` characters."""
    return textwrap.fill(", ".join(map(str, values)), _WIDTH, initial_indent=indent, subsequent_indent=indent)


def template(name: str) -> str:
    """Return a file of the folder ``templates``."""
    return files(__package__).joinpath("templates", *name.split("/")).read_text("utf-8")


def fill(text: str, values: dict[str, str]) -> str:
    """Replace every ``@name@`` by its value; a value is not looked through again.

    Raises:
        KeyError: there is no such value.
    """
    return re.sub(r"@([a-z_]+)@", lambda match: values[match[1]], text)
