"""The right package runs a model, and one line says what to do where none can. The same tests hold for both."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.errors import BackendError, ModelError
from edge_digits_runtime.model import backends
from edge_digits_runtime.model.backends import BACKENDS, LITERT, TFLITE, choose, remedy

CLASSIFY = """
import sys, numpy
from edge_digits_runtime import DigitClassifier
print(DigitClassifier(sys.argv[1]).classify(numpy.zeros((28, 28), numpy.uint8)).digit)
"""


def installed(*names: str) -> Callable[[str], object]:
    packages = {BACKENDS[name].module.partition(".")[0] for name in names}
    return lambda package: object() if package in packages else None


@pytest.mark.parametrize(
    ("argument", "variable", "there", "wanted"),
    [
        (None, None, ["litert", "tflite-runtime"], LITERT),
        (None, None, ["tflite-runtime"], TFLITE),
        (None, "", ["tflite-runtime"], TFLITE),
        (None, "tflite-runtime", ["litert", "tflite-runtime"], TFLITE),
        ("litert", "tflite-runtime", ["litert", "tflite-runtime"], LITERT),
    ],
)
def test_an_argument_overrides_the_variable_and_that_the_first_installed(
    argument: str | None,
    variable: str | None,
    there: list[str],
    wanted: backends.Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backends, "find_spec", installed(*there))
    monkeypatch.delenv(backends.VARIABLE, raising=False)
    if variable is not None:
        monkeypatch.setenv(backends.VARIABLE, variable)
    assert choose(argument) is wanted


@pytest.mark.parametrize(
    ("argument", "there", "words"),
    [
        ("onnx", ["litert"], "no backend is called 'onnx'; allowed are litert and tflite-runtime"),
        ("litert", ["tflite-runtime"], "the backend litert is not installed: "),
        (None, [], "nothing here can run .tflite files: "),
    ],
)
def test_a_missing_backend_gives_one_line(
    argument: str | None, there: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "find_spec", installed(*there))
    monkeypatch.delenv(backends.VARIABLE, raising=False)
    with pytest.raises(BackendError) as caught:
        choose(argument)
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


TFLITE_PIP = "pip install 'tflite-runtime==2.14.*' 'numpy<2'"


@pytest.mark.parametrize(
    ("name", "machine", "python", "wanted"),
    [
        (None, "aarch64", (3, 13), "pip install ai-edge-litert"),
        (None, "x86_64", (3, 11), "pip install ai-edge-litert"),
        (None, "armv7l", (3, 11), TFLITE_PIP),
        (
            None,
            "armv7l",
            (3, 13),
            "there is no tflite-runtime for Python 3.13; use Python 3.11, or ai-edge-litert on a 64-bit system",
        ),
        (
            "litert",
            "armv7l",
            (3, 11),
            "there is no ai-edge-litert for 32-bit ARM; use tflite-runtime, or a 64-bit system",
        ),
        ("tflite-runtime", "aarch64", (3, 11), TFLITE_PIP),
    ],
)
def test_the_remedy_names_a_package_that_exists(
    name: str | None, machine: str, python: tuple[int, int], wanted: str
) -> None:
    assert remedy(name, machine, python) == wanted


@pytest.mark.parametrize(
    ("machine", "maxsize", "wanted"),
    [("aarch64", 2**63 - 1, "aarch64"), ("aarch64", 2**31 - 1, "armv7l"), ("armv7l", 2**31 - 1, "armv7l")],
)
def test_a_32_bit_python_is_32_bit_arm_whatever_the_kernel(
    machine: str, maxsize: int, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(sys, "maxsize", maxsize)
    assert backends.architecture() == wanted


@pytest.mark.parametrize(("numpy", "runtime", "works"), [("2.1.3", "2.14.0", False), ("2.1.3", "2.19.0", True)])
def test_tflite_runtime_beside_numpy_2(numpy: str, runtime: str, works: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "__version__", numpy)
    monkeypatch.setattr("importlib.metadata.version", lambda _name: runtime)
    monkeypatch.setattr("importlib.import_module", lambda name: name)
    if works:
        assert TFLITE.load() == TFLITE.module
        return
    with pytest.raises(BackendError, match=r"^tflite-runtime 2\.14\.0 does not work with numpy 2\.1\.3: pip install"):
        TFLITE.load()


def test_a_broken_package_shows_its_own_traceback(tmp_path: Path) -> None:
    package = tmp_path / "ai_edge_litert"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text("import a_library_that_is_not_there\n")
    # In front of what is installed.
    paths = [str(tmp_path), *sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), backends.VARIABLE: "litert"}
    code = "from edge_digits_runtime.model.backends import choose; choose().load()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stderr.startswith("Traceback")
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'a_library_that_is_not_there'"


def test_one_answer_and_nothing_else_is_printed(tiny: Callable[[str], Path]) -> None:
    done = subprocess.run([sys.executable, "-c", CLASSIFY, str(tiny("int8"))], capture_output=True, text=True)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.strip().isdigit()


def test_an_interpreter_answers_and_can_take_more_than_one_picture(tiny: Callable[[str], Path]) -> None:
    interpreter = choose().interpreter(tiny("float32").read_bytes(), "tiny", threads=2, batch=3)
    (entry,), (end,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(entry["index"], np.zeros((3, 28, 28, 1), np.float32))
    interpreter.invoke()
    answer = interpreter.get_tensor(end["index"])
    assert answer.shape == (3, 10)
    assert np.all(answer[0] == answer[2])


def test_a_model_that_cannot_be_resized_gives_one_line(tiny: Callable[[str], Path]) -> None:
    with pytest.raises(ModelError, match=r"^single: \S+ \S+ cannot run this model: ") as caught:
        choose().interpreter(tiny("foreign-single").read_bytes(), "single", batch=3)
    assert "\n" not in str(caught.value)
