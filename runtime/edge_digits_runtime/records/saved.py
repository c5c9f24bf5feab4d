"""Read a record of one JSON file, which says its format."""

import json
import os
from typing import TypeVar

from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.library_errors import JSON, first_line
from edge_digits_runtime.records import fields, files
from edge_digits_runtime.records.fields import FieldError

Record = TypeVar("Record")


def load(kind: type[Record], path: str | os.PathLike[str], format_name: str, advice: str) -> Record:
    """Read a record.

    Args:
        kind: its dataclass.
        path: the file.
        format_name: what its ``format`` says.
        advice: what to do if the file is damaged, such as ``convert the run again``.

    Raises:
        EvaluationError: the file cannot be read, is damaged, or of another format; the message names it.
    """
    try:
        values = json.loads(files.read_bytes(path))
        if not isinstance(values, dict) or values.pop("format", None) != format_name:
            raise FieldError(f"not of format {format_name}")
        record: Record = fields.read(kind, values)
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read: {error.strerror}") from error
    except (FieldError, *JSON) as error:
        raise EvaluationError(f"{path}: {first_line(error)}: {advice}") from error
    return record
