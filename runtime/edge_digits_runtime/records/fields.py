"""Check the fields of a record that was read from a file."""

import dataclasses
import types
from typing import Any, get_args, get_origin, get_type_hints


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
