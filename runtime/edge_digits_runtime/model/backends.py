"""The packages that run a ``.tflite``: LiteRT, or tflite-runtime where there is no LiteRT, as on 32-bit ARM.

Both have the same ``Interpreter`` class; nothing else in the runtime knows which of them it uses.
"""

import importlib
import os
import platform
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime import native_stderr
from edge_digits_runtime.errors import BackendError, ModelError
from edge_digits_runtime.library_errors import INTERPRETER
from edge_digits_runtime.versions import release

VARIABLE = "EDGE_DIGITS_BACKEND"
"""Environment variable that names a backend for when no argument does."""
# tflite-runtime was last built for this Python and against numpy 1.
_TFLITE_PYTHON = (3, 11)
_TFLITE_LAST = (2, 14)
# Printed by native code for every interpreter; neither package has a switch for it.
_DELEGATE_LINE = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"


class Interpreter(Protocol):
    """The part of ``Interpreter`` that is used here; the same in both packages."""

    def allocate_tensors(self) -> None:
        """Plan memory; must come before the first invocation and after each resizing."""

    def get_input_details(self) -> list[dict[str, Any]]:
        """Return name, index, shape, dtype and quantization of each input."""

    def get_output_details(self) -> list[dict[str, Any]]:
        """Return the same of each output."""

    def get_tensor_details(self) -> list[dict[str, Any]]:
        """Return the same of every tensor."""

    def resize_tensor_input(self, input_index: int, tensor_size: tuple[int, ...]) -> None:
        """Give an input another shape."""

    def tensor(self, tensor_index: int) -> Callable[[], NDArray[Any]]:
        """Return a function that returns a tensor as an array on the interpreter's memory; see `memory`."""

    def invoke(self) -> None:
        """Run the network once; Python's global lock is released meanwhile."""


class Backend(NamedTuple):
    """One package that runs ``.tflite`` files."""

    name: str
    """Its name in ``--backend`` and `VARIABLE`."""
    module: str
    """The module that has ``Interpreter``."""
    distribution: str
    """Its name for ``pip install``."""

    @property
    def installed(self) -> bool:
        """True if the package is installed; importing it may still fail."""
        return find_spec(self.module.partition(".")[0]) is not None

    @property
    def version(self) -> str:
        """Version of the installed distribution."""
        # Imported here: it takes longer than all other imports of this module, and no answer needs it.
        from importlib.metadata import version

        return version(self.distribution)

    def interpreter(self, content: bytes, name: str, threads: int = 1, batch: int | None = None) -> Interpreter:
        """Load a model and plan its memory.

        Args:
            content: the file. An interpreter follows what it says: it must be one that
                `edge_digits_runtime.model.card.parse_model_file` has checked. What is behind the flatbuffer is ignored.
            name: what messages call the model.
            threads: how many threads one invocation may use, at least 1.
            batch: how many pictures one invocation takes; None for as many as the model states.

        Raises:
            ModelError: the model is damaged, has an operation that this backend cannot run, or cannot be resized.
            BackendError: the package cannot work here, as tflite-runtime beside numpy 2.
        """
        make = self.load().Interpreter
        try:
            with native_stderr.without(_DELEGATE_LINE):
                interpreter: Interpreter = make(model_content=content, num_threads=threads)
                if batch is not None:
                    tensor = interpreter.get_input_details()[0]
                    interpreter.resize_tensor_input(tensor["index"], (batch, *map(int, tensor["shape"][1:])))
                interpreter.allocate_tensors()
        except INTERPRETER as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ModelError(f"{name}: {self.name} {self.version} cannot run this model: {reason}") from error
        return interpreter

    def load(self) -> Any:
        """Import the package and return its module; a broken package shows its own traceback.

        Raises:
            BackendError: tflite-runtime beside numpy 2.
        """
        # Imported beside numpy 2, it prints a page of warnings before it fails.
        if self is TFLITE and release(np.__version__) >= (2,) and release(self.version)[:2] <= _TFLITE_LAST:
            raise BackendError(
                f"tflite-runtime {self.version} does not work with numpy {np.__version__}: "
                "pip install 'numpy<2', or use the other backend: pip install ai-edge-litert"
            )
        return importlib.import_module(self.module)


class _Memory:
    """A tensor for `numpy.asarray`; it keeps the interpreter alive, and with it the memory."""

    def __init__(self, interpreter: Interpreter, index: int) -> None:
        self._interpreter = interpreter
        self.__array_interface__ = interpreter.tensor(index)().__array_interface__


def memory(interpreter: Interpreter, index: int) -> NDArray[Any]:
    """Return an input or output of an interpreter as an array on the interpreter's own memory.

    `set_tensor` and `get_tensor` copy, which takes a fifth of a whole call with a small network on a fast processor.
    An interpreter refuses to run while an array that it returned is alive, since the array might point to memory that
    is about to move; the array returned here is not known to it. No memory moves in a model whose tensors all have a
    fixed shape. In any other model the output has no memory before the first invocation.

    Args:
        interpreter: with its memory planned.
        index: of the tensor.

    Raises:
        ValueError: the tensor has no memory yet.
    """
    return np.asarray(_Memory(interpreter, index))


LITERT = Backend("litert", "ai_edge_litert.interpreter", "ai-edge-litert")
TFLITE = Backend("tflite-runtime", "tflite_runtime.interpreter", "tflite-runtime")
BACKENDS = {backend.name: backend for backend in (LITERT, TFLITE)}
"""All backends by name, the preferred one first."""


def choose(name: str | None = None) -> Backend:
    """Return the backend called ``name``, else the one that `VARIABLE` names, else the first that is installed.

    Raises:
        BackendError: no such backend, or not installed; the message says what to install.
    """
    wanted = name or os.environ.get(VARIABLE)
    if wanted:
        if wanted not in BACKENDS:
            raise BackendError(f"no backend is called {wanted!r}; allowed are {' and '.join(BACKENDS)}")
        if not BACKENDS[wanted].installed:
            raise BackendError(f"the backend {wanted} is not installed: {remedy(wanted)}")
        return BACKENDS[wanted]
    installed = [backend for backend in BACKENDS.values() if backend.installed]
    if not installed:
        raise BackendError(f"nothing here can run .tflite files: {remedy()}")
    return installed[0]


def remedy(name: str | None = None, machine: str | None = None, python: tuple[int, int] | None = None) -> str:
    """Return what to do to get a backend.

    Args:
        name: the backend; None for the one that fits the machine.
        machine: the architecture; None for that of this machine.
        python: version of Python, major and minor; None for this one.
    """
    machine = machine or architecture()
    python = python or sys.version_info[:2]
    if name is None:
        name = TFLITE.name if machine == "armv7l" else LITERT.name
    if name == LITERT.name:
        if machine == "armv7l":
            return "there is no ai-edge-litert for 32-bit ARM; use tflite-runtime, or a 64-bit system"
        return "pip install ai-edge-litert"
    if python > _TFLITE_PYTHON:
        here, last = (".".join(map(str, version)) for version in (python, _TFLITE_PYTHON))
        return f"there is no tflite-runtime for Python {here}; use Python {last}, or ai-edge-litert on a 64-bit system"
    return "pip install 'tflite-runtime==2.14.*' 'numpy<2'"


def architecture() -> str:
    """Return the architecture of this Python; a 32-bit Raspberry Pi OS may have a kernel that calls itself aarch64."""
    machine = platform.machine()
    return "armv7l" if machine == "aarch64" and sys.maxsize < 2**32 else machine
