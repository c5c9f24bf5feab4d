"""Whether a Keras configuration holds anything but layers of Keras itself, found without building any of it.

Keras has a safe mode of its own; this looks first, so that a file with code in it is refused before Keras touches it.
"""

from collections.abc import Iterator
from typing import Any

from edge_digits_train.engine.keras_session import keras

_MODULES = (
    "keras",
    "keras.activations",
    "keras.constraints",
    "keras.dtype_policies",
    "keras.initializers",
    "keras.layers",
    "keras.models",
    "keras.ops",
    "keras.regularizers",
)
_INTERNAL = ("keras.src.models.", "keras.src.ops.", "keras.src.layers.", "keras.engine.")
_FOREIGN = ("JaxLayer", "FlaxLayer", "TFSMLayer", "TorchModuleWrapper")
"""Layers of Keras that run a program of another library."""
_UNUSED = ("compile_config", "build_config", "training_config")
"""Parts of a configuration that nothing is made of here."""
_LEGACY = ("Functional", "Model", "Sequential")


def code_in(config: Any) -> str | None:
    """Return what in a configuration would run code of the file, such as ``Lambda layer add_one``; None if nothing."""
    for part in _objects(config):
        name = str(part["class_name"])
        if name in ("Lambda", "__lambda__"):
            return f"Lambda layer {_named(part)}" if name == "Lambda" else "a lambda function"
        if name in _FOREIGN:
            return f"layer {_named(part)} of the class {name}"
    return None


def custom_in(config: Any) -> str | None:
    """Return what in a configuration is not of Keras itself, such as ``layer of the class Swirl``; None if nothing."""
    for part in _objects(config):
        name, module = str(part["class_name"]), part.get("module")
        if name.startswith("__") or name in ("Lambda", *_FOREIGN):
            continue
        if name == "function" and module == "builtins":
            return f"function {part.get('config')}"
        registered = part.get("registered_name")
        if isinstance(registered, str) and ">" in registered:
            return f"class {registered.rpartition('>')[2]}"
        if module is None:
            places = (keras.layers, keras.initializers, keras.regularizers, keras.constraints, keras.activations)
            if name not in _LEGACY and not any(hasattr(place, name) for place in places):
                return f"class {name}"
        elif module not in _MODULES and not str(module).startswith(_INTERNAL):
            return f"class {name} of the module {module}"
    return None


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object that a configuration describes, outer ones first."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for key, value in config.items():
            if key not in _UNUSED:
                yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)


def _named(part: dict[str, Any]) -> str:
    config = part.get("config")
    return str(config.get("name", "") if isinstance(config, dict) else "")[:60]
