"""The names of the classes of a model or data set, as a field of a record."""

from collections.abc import Sequence
from typing import Annotated

from edge_digits_runtime.data.classes import ALLOWED, FEWEST, MOST, is_class_name
from edge_digits_runtime.records.fields import Length


class _ClassName:
    def check(self, value: str) -> str | None:
        """Return what is allowed if ``value`` is not, else None."""
        return None if is_class_name(value) else ALLOWED


class _Different:
    def check(self, values: Sequence[str]) -> str | None:
        """Return what is allowed if ``values`` are not, else None."""
        return None if len(set(values)) == len(values) else "names that are all different"


ClassNames = Annotated[tuple[Annotated[str, _ClassName()], ...], Length(FEWEST, MOST), _Different()]
"""In the order of the outputs of a network."""
