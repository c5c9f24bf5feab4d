"""Which room may import which, held by reading every import statement."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    "edge_digits_runtime": ROOT / "runtime",
    "edge_digits_train": ROOT / "train",
    "edge_digits_convert": ROOT / "convert",
    "edge_digits": ROOT,
}
FORBIDDEN = {
    "edge_digits_runtime": {
        "edge_digits", "edge_digits_train", "edge_digits_convert",
        "click", "keras", "tensorflow", "jax", "matplotlib", "scipy", "sklearn", "jinja2",
    },
    "edge_digits_train": {"edge_digits", "edge_digits_convert", "tensorflow", "jax", "click"},
    "edge_digits_convert": {"edge_digits", "edge_digits_train", "click"},
    "edge_digits": {"keras", "tensorflow", "jax"},
}  # fmt: skip
# The one place that speaks to a backend itself: how devices share a training is not Keras' alone.
ALLOWED = {"train/edge_digits_train/cluster.py": {"tensorflow", "jax"}}


def imports(source: str) -> set[str]:
    """Top-level names of all packages that ``source`` imports anywhere, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_imports_are_found_wherever_they_stand() -> None:
    assert imports("import a.b\ndef f():\n    from c.d import e\n    from . import g") == {"a", "c"}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_one_way(room: str) -> None:
    files = list((ROOMS[room] / room).rglob("*.py"))
    assert files
    wrong = {
        name: sorted(bad)
        for file in files
        if (name := str(file.relative_to(ROOT)))
        and (bad := imports(file.read_text(encoding="utf-8")) & FORBIDDEN[room] - ALLOWED.get(name, set()))
    }
    assert wrong == {}
