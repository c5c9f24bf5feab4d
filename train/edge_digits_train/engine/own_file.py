"""Networks from a Python file of the user: recipes, or functions that build a Keras model.

The file is run when a training starts from it, and never again: the run keeps the network as plain data.
"""

import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.errors import EdgeDigitsError, UsageError
from edge_digits_runtime.library_errors import first_line

from edge_digits_train.recipes.recipe import Recipe

FUNCTION, SETTINGS = "network", "settings"
"""Names of the function and of the settings that are looked for in a file."""
_FIXED = ("name", "layers", "input_shape", "mean", "std", "initializer", "initializer_stddev", "l2")
"""Fields of a recipe that follow from the network."""
_SMALLEST_SCALE = 1 / 64
"""A network that scales its input by less was written for pixels from 0 to 255."""


@dataclass(frozen=True)
class OwnNetwork:
    """A function of a file that builds a network, and how that is trained."""

    name: str
    """What the recipe is called."""
    function: Callable[..., Any]
    """``network(input_shape, classes) -> keras.Model``."""
    settings: Mapping[str, Any]
    """Fields of `Recipe` by name."""
    input_shape: tuple[int, int]
    """Height and width of a picture in pixels where nothing else is asked for."""
    file: Path

    def recipe(self, shape: tuple[int, int], classes: int) -> Recipe:
        """Build the network and return it as a recipe.

        Raises:
            UsageError: the function fails, or returns no classifier of these pictures and classes; the message names
                file and line.
        """
        from edge_digits_train.engine.adoption import adopt, network_of
        from edge_digits_train.engine.keras_session import devices, forget, keras

        devices()
        # So that the same function gives layers of the same names.
        forget()
        model = _called(self.file, self.function, (*shape, 1), classes)
        where = f"{self.file}:{inspect.unwrap(self.function).__code__.co_firstlineno}: {self.function.__name__}"
        if not isinstance(model, keras.Model):
            raise UsageError(f"{where} returns {type(model).__name__}; it must return a keras.Model")
        try:
            adopted = adopt(model, self.name, shape)
            network = network_of(adopted)
        except EdgeDigitsError as error:
            raise UsageError(f"{where} returns {error}") from error
        output = network.layers[-1].output_shape
        if output != (classes,):
            raise UsageError(f"{where} returns a model of {output[0]} outputs; {classes} classes were asked for")
        scales = [layer.scale for layer in adopted.layers if isinstance(layer, keras.layers.Rescaling)]
        if any(np.min(scale) < _SMALLEST_SCALE for scale in scales):
            raise UsageError(
                f"{where} scales its input by {np.min(scales[0]):.4g}, but is given pixels from 0 to 1 already: "
                "leave that layer out"
            )
        try:
            given = {"description": "A network of Keras layers.", "source": self.file.name} | dict(self.settings)
            return Recipe(name=self.name, layers=(network,), input_shape=shape, **given)
        except (UsageError, TypeError) as error:
            raise UsageError(f"{self.file}: {SETTINGS}: {first_line(error)}") from error


def is_own(name: str) -> bool:
    """Return whether the name of a recipe is that of a Python file, such as ``mine.py`` or ``mine.py:small``."""
    return name.endswith(".py") or ".py:" in name


def stem(name: str) -> str:
    """Return what the recipe of such a name is called: ``mine``, or ``small``."""
    path, _, part = name.partition(".py:")
    return clean_name(part or Path(path).stem)


def read(name: str) -> list[Recipe | OwnNetwork]:
    """Run a Python file and return its networks: the one that is named, or all.

    Args:
        name: ``mine.py``, or ``mine.py:NAME`` with the name of a recipe, of the variable that holds it, or of a
            function.

    Raises:
        UsageError: the file is missing, fails, or has no such network; the message names file and line.
    """
    path, _, part = name.partition(".py:")
    file = Path(path if not part else f"{path}.py")
    found = vars(_module(file))
    recipes = {key: value for key, value in found.items() if isinstance(value, Recipe)}
    if part:
        chosen = recipes.get(part) or next((recipe for recipe in recipes.values() if recipe.name == part), None)
        if chosen is not None:
            return [chosen]
        if inspect.isfunction(found.get(part)):
            return [_network(file, part, found)]
        functions = [key for key, value in found.items() if _is_network(value)]
        there = ", ".join([*(recipe.name for recipe in recipes.values()), *functions]) or "neither"
        raise UsageError(f"{file}: no recipe or function {part!r:.60}; there are {there}")
    networks: list[Recipe | OwnNetwork] = [
        recipe for key, recipe in recipes.items() if recipe not in list(recipes.values())[: list(recipes).index(key)]
    ]
    if _is_network(found.get(FUNCTION)):
        networks.append(_network(file, FUNCTION, found))
    if not networks:
        raise UsageError(
            f"{file}: no recipe and no function {FUNCTION}(input_shape, classes) in it; see docs/guide/networks.md"
        )
    return networks


def one(name: str) -> Recipe | OwnNetwork:
    """Return the network of a Python file that is named, or the only one in it.

    Raises:
        UsageError: as `read`, or there are several.
    """
    networks = read(name)
    if len(networks) > 1:
        names = ", ".join(network.name for network in networks)
        raise UsageError(f"{name}: {len(networks)} networks, {names}; say which, such as {name}:{networks[0].name}")
    return networks[0]


def _network(file: Path, name: str, found: Mapping[str, Any]) -> OwnNetwork:
    function, settings = found[name], found.get(SETTINGS, {})
    if not isinstance(settings, Mapping):
        raise UsageError(f"{file}: {SETTINGS} is a {type(settings).__name__}; it must be a dict, such as epochs: 10")
    known = [field.name for field in fields(Recipe) if field.name not in _FIXED]
    unknown = [key for key in settings if key not in (*known, "input_shape")]
    if unknown:
        raise UsageError(f"{file}: {SETTINGS} has {unknown[0]!r:.60}; allowed are input_shape, {', '.join(known)}")
    settings = dict(settings)
    shape = settings.pop("input_shape", Recipe.input_shape)
    try:
        height, width = shape
    except (TypeError, ValueError) as error:
        raise UsageError(f"{file}: input_shape is {shape!r:.60}; allowed is (height, width)") from error
    return OwnNetwork(clean_name(file.stem if name == FUNCTION else name), function, settings, (height, width), file)


def _is_network(value: Any) -> bool:
    """Return whether a value is a function of two arguments, as a network is built by."""
    return inspect.isfunction(value) and list(inspect.signature(value).parameters)[:2] == ["input_shape", "classes"]


def _module(file: Path) -> Any:
    """Run a Python file as a module of its own."""
    if not file.is_file():
        raise UsageError(f"{file}: no such file")
    name = f"edge_digits_own_{clean_name(file.stem)}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up; files beside it may be imported.
    sys.modules[name] = module
    sys.path.insert(0, str(file.parent.absolute()))
    try:
        _called(file, spec.loader.exec_module, module)
    finally:
        sys.path.remove(str(file.parent.absolute()))
        del sys.modules[name]
    return module


def _called(file: Path, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call code of the user; whatever it raises becomes one line with file and line."""
    try:
        return function(*arguments)
    except (Exception, SystemExit) as error:
        said = error.msg if isinstance(error, SyntaxError) else first_line(error)
        raise UsageError(f"{file}:{_line(file, error)}: {type(error).__name__}: {said}") from error


def _line(file: Path, error: BaseException) -> int:
    """Return the last line of ``file`` that was run before an error, or that cannot be parsed."""
    # Python knows the file by its absolute path.
    names = (str(file), str(file.absolute()))
    if isinstance(error, SyntaxError) and error.filename in names and error.lineno:
        return error.lineno
    lines = [at.lineno for at in traceback.extract_tb(error.__traceback__) if at.filename in names]
    return lines[-1] if lines and lines[-1] else 1


def clean_name(name: str) -> str:
    """Return a name that a run folder and a model file can have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:80].strip(".-") or "own"
