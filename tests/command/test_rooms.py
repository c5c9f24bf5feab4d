"""No room imports what it must not; every import statement is read."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    "edge_digits_runtime": ROOT / "runtime",
    "edge_digits_train": ROOT / "train",
    "edge_digits_convert": ROOT / "convert",
    "edge_digits_live": ROOT / "live",
    "edge_digits_study": ROOT / "study",
    "edge_digits": ROOT,
}
FORBIDDEN = {
    "edge_digits_runtime": {
        "edge_digits", "edge_digits_train", "edge_digits_convert", "edge_digits_live", "edge_digits_study",
        "click", "keras", "tensorflow", "jax", "matplotlib", "scipy", "sklearn", "jinja2", "ray",
        "starlette", "uvicorn",
    },
    "edge_digits_train": {"edge_digits", "edge_digits_convert", "edge_digits_study", "tensorflow", "jax", "click"},
    "edge_digits_convert": {"edge_digits", "edge_digits_train", "edge_digits_study", "click"},
    "edge_digits_live": {"edge_digits_train", "edge_digits_convert", "edge_digits_study", "keras", "tensorflow", "jax"},
    "edge_digits_study": {"keras", "tensorflow", "jax"},
    "edge_digits": {
        "edge_digits_live", "edge_digits_study", "keras", "tensorflow", "jax", "ray", "starlette", "uvicorn",
    },
}  # fmt: skip
# What speaks to a backend itself: Keras alone can neither share a training among devices nor turn off the tuning of a
# pipeline of pictures.
_ENGINE = "train/edge_digits_train/engine"
ALLOWED = {
    f"{_ENGINE}/feed.py": {"tensorflow"},
    f"{_ENGINE}/tensorflow_cluster.py": {"tensorflow"},
    f"{_ENGINE}/jax_cluster.py": {"jax"},
    f"{_ENGINE}/jax_epoch.py": {"jax"},
}

WITHIN_RUNTIME = {
    "image": set(),
    "records": {"data", "image"},
    "data": {"image", "records"},
    "model": {"data", "image", "records"},
    "page": {"data", "image", "model"},
    "device": {"data", "image", "model", "records"},
    "meter": {"data", "image", "model", "page", "records"},
    "drawing": {"data", "image", "meter", "model", "page"},
}
"""The rooms of the runtime that each of them may import; any may import the modules outside the rooms."""


def imports(source: str) -> set[str]:
    """Return the full names of all modules that ``source`` imports anywhere, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def rooms_of(source: str) -> set[str]:
    """Return the rooms of the runtime that ``source`` imports from."""
    parts = [name.split(".") for name in imports(source)]
    return {each[1] for each in parts if each[0] == "edge_digits_runtime" and len(each) > 1} & set(WITHIN_RUNTIME)


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b\ndef f():\n    from c.d import e\n    from . import g"
    assert imports(source) == {"a.b", "c.d.e"}
    assert rooms_of("from edge_digits_runtime import page\nfrom edge_digits_runtime.image.ink import Ink") == {
        "page",
        "image",
    }


@pytest.mark.parametrize("room", ROOMS)
def test_packages_import_one_way(room: str) -> None:
    files = list((ROOMS[room] / room).rglob("*.py"))
    assert files
    wrong = {
        name: sorted(bad)
        for file in files
        if (name := str(file.relative_to(ROOT)))
        and (packages := {each.split(".")[0] for each in imports(file.read_text(encoding="utf-8"))})
        and (bad := packages & FORBIDDEN[room] - ALLOWED.get(name, set()))
    }
    assert wrong == {}


@pytest.mark.parametrize("room", WITHIN_RUNTIME)
def test_rooms_of_the_runtime_import_one_way(room: str) -> None:
    files = list((ROOT / "runtime" / "edge_digits_runtime" / room).glob("*.py"))
    assert files
    allowed = WITHIN_RUNTIME[room] | {room}
    wrong = {file.name: sorted(bad) for file in files if (bad := rooms_of(file.read_text(encoding="utf-8")) - allowed)}
    assert wrong == {}


def test_every_room_of_the_runtime_has_a_rule() -> None:
    rooms = {path.parent.name for path in (ROOT / "runtime" / "edge_digits_runtime").glob("*/__init__.py")}
    assert rooms == set(WITHIN_RUNTIME)
