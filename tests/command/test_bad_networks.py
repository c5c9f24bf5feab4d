"""Files that are no network: one line each, exit code 2, nothing half-written."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers

from edge_digits.cli import main

HEAD = "import keras\nfrom keras import layers\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bright and dark pictures of 16×16 pixels, 120 of two classes."""
    path = tmp_path_factory.mktemp("data") / "two.npz"
    labels = np.arange(120) % 2
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (120, 16, 16)) + 100 * labels[:, None, None]
    np.savez(path, images=images.astype(np.uint8), labels=labels, class_names=np.array(["dark", "light"]))
    return path


def check(arguments: list[str | Path], said: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command that must refuse in one line that says ``said``, and leave nothing behind in ``place``."""
    monkeypatch.chdir(place)
    before = sorted(place.rglob("*"))
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    progress = (": loading", "measuring on two.npz (held-out seventh)")
    errors = [line for line in result.stderr.splitlines() if not line.endswith(progress)]
    assert len(errors) == 1, errors
    assert errors[0].startswith("Error: ")
    assert said in errors[0]
    assert len(errors[0]) < 700
    left = [path for path in sorted(place.rglob("*")) if path not in before and "__pycache__" not in path.parts]
    assert [path for path in left if path != place / "runs"] == []


# --- Python files


PYTHON = {
    "a syntax error": ("x = 1\ndef network(:\n", ".py:2: SyntaxError: invalid syntax"),
    "an exception": ("\n\nraise KeyError('gone')\n", ".py:3: KeyError: 'gone'"),
    "an exception in a function of it": (
        "def f():\n    return 1 / 0\n\nf()\n",
        ".py:2: ZeroDivisionError: division by",
    ),
    "an exit": ("import sys\nsys.exit(3)\n", ".py:2: SystemExit: 3"),
    "a module that is not there": ("import no_such_module_here\n", ".py:1: ModuleNotFoundError: No module named"),
    "bytes that are no text": (b"\xff\xfe\x01", ".py:1: SyntaxError: "),
    # A ValueError up to Python 3.11.3, and then a SyntaxError.
    "a byte of zero": (b"a = 1\x00", "null bytes"),
    "nothing": ("", "no recipe and no function network(input_shape, classes) in it; see docs/guide/networks.md"),
    "a function of other arguments": ("def network(shape):\n    pass\n", "no recipe and no function network("),
    "settings that are no dict": (
        "settings = 3\ndef network(input_shape, classes):\n    pass\n",
        "settings is a int; it must be a dict",
    ),
    "an unknown setting": (
        "settings = {'epoch': 3}\ndef network(input_shape, classes):\n    pass\n",
        "settings has 'epoch'; allowed are input_shape, description",
    ),
    "a shape that is none": (
        "settings = {'input_shape': 28}\ndef network(input_shape, classes):\n    pass\n",
        "input_shape is 28; allowed is (height, width)",
    ),
    "a recipe that does not fit together": (
        "from edge_digits_train.recipes import Dense, Recipe\n"
        "mine = Recipe('mine', '', '', (Dense(10, activation='linear'),))\n",
        ".py:2: UsageError: recipe mine: dense-10 takes a row of values",
    ),
    "two networks": (
        "from edge_digits_train.recipes import Dense, Flatten, Recipe\n"
        "a, b = (Recipe(n, '', '', (Flatten(), Dense(10))) for n in ('one', 'two'))\n",
        "2 networks, one, two; say which, such as",
    ),
    "nothing returned": (
        "def network(input_shape, classes):\n    pass\n",
        ".py:1: network returns NoneType; it must return a keras.Model",
    ),
    "a failing function": (
        HEAD + "def network(input_shape, classes):\n    return keras.Input(input_shape, size=3)\n",
        ".py:4: TypeError: ",
    ),
    "a wrong number of outputs": (
        HEAD + "def network(input_shape, classes):\n"
        "    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(classes + 1)])\n",
        ".py:3: network returns a model of 3 outputs; 2 classes were asked for",
    ),
    "a map for an output": (
        HEAD + "def network(input_shape, classes):\n"
        "    return keras.Sequential([keras.Input(input_shape), layers.Conv2D(2, 3)])\n",
        ".py:3: network returns a model with an output of shape (None, 14, 14, 2); allowed is",
    ),
    "a sigmoid": (
        HEAD + "def network(input_shape, classes):\n"
        "    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(2, 'sigmoid')])\n",
        "returns a model that ends in sigmoid (layer dense); allowed are softmax and logits",
    ),
    "two heads": (
        HEAD + "def network(input_shape, classes):\n"
        "    x = keras.Input(input_shape)\n    y = layers.Flatten()(x)\n"
        "    return keras.Model(x, [layers.Dense(2)(y), layers.Dense(1)(y)])\n",
        "returns a model of 2 outputs (dense, dense_1); allowed is one",
    ),
    "no input shape": (
        HEAD + "def network(input_shape, classes):\n    return keras.Sequential([layers.Dense(2)])\n",
        "returns a model without an input shape; put keras.Input in front",
    ),
    "a model of another size": (
        HEAD + "def network(input_shape, classes):\n"
        "    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(2)])\n",
        "returns a model of 28×28 pixels, but 16×16 were asked for",
    ),
    "a layer of its own": (
        HEAD + "class Swirl(layers.Layer):\n    def call(self, x):\n        return -x\n"
        "def network(input_shape, classes):\n"
        "    return keras.Sequential([keras.Input(input_shape), Swirl(), layers.Flatten(), layers.Dense(2)])\n",
        "which is not of Keras itself: its code would be needed wherever the network goes",
    ),
    "a model of its own class": (
        HEAD + "class Mine(keras.Model):\n    def call(self, x):\n        return x\n"
        "def network(input_shape, classes):\n    return Mine()\n",
        "returns a model of the class Mine, which is code; allowed are Sequential and functional",
    ),
    "pixels that are scaled twice": (
        HEAD + "def network(input_shape, classes):\n    return keras.Sequential([keras.Input(input_shape), "
        "layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)])\n",
        "scales its input by 0.003922, but is given pixels from 0 to 1 already: leave that layer out",
    ),
    "no weights": (
        HEAD + "def network(input_shape, classes):\n    return keras.Sequential([keras.Input(input_shape), "
        "layers.Flatten(), layers.Reshape((2, 128)), layers.GlobalAveragePooling1D(data_format='channels_first')])\n",
        "returns a network without weights",
    ),
    "settings out of range": (
        "settings = {'epochs': 0, 'learning_rate': -1}\n" + HEAD + "def network(input_shape, classes):\n"
        "    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(2)])\n",
        "settings: learning rate is -1; allowed is more than 0",
    ),
    "settings of another type": (
        "settings = {'epochs': 'ten'}\n" + HEAD + "def network(input_shape, classes):\n"
        "    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(2)])\n",
        "settings: '>=' not supported between",
    ),
}


@pytest.mark.parametrize("case", PYTHON)
def test_a_python_file(case: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, said = PYTHON[case]
    path = tmp_path / "mine.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    check(["train", "mine.py", "--data", data, "--input", "crop:16x16"], said, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.py", "gone.py: no such file"),
        ("mine.py:other", "mine.py: no recipe or function 'other'; there are network"),
        ("mine.py:value", "mine.py: no recipe or function 'value'; there are network"),
    ],
)
@pytest.mark.parametrize("verb", ["train", "recipes"])
def test_a_name_that_is_not_there(
    verb: str, name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text("value = 3\ndef network(input_shape, classes):\n    pass\n")
    check([verb, name], said, tmp_path, monkeypatch)


# --- Keras model files


class Swirl(layers.Layer):  # type: ignore[misc]
    """A layer of the user's own class."""

    def call(self, values: Any) -> Any:
        return -values


def model(*stack: Any, shape: tuple[int | None, ...] = (16, 16, 1)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *stack])


def dense() -> keras.Model:
    return model(layers.Flatten(), layers.Dense(2))


def two_heads() -> keras.Model:
    inputs = keras.Input((16, 16, 1))
    values = layers.Flatten()(inputs)
    return keras.Model(inputs, [layers.Dense(2, name="kind")(values), layers.Dense(1, name="angle")(values)])


def not_numbers() -> keras.Model:
    built = dense()
    built.set_weights([np.full(weight.shape, np.nan, np.float32) for weight in built.get_weights()])
    return built


MODELS: dict[str, tuple[Callable[[], keras.Model], str]] = {
    "two heads": (two_heads, "a model of 2 outputs (kind, angle); allowed is one"),
    "a layer of its own": (
        lambda: model(Swirl(), layers.Flatten(), layers.Dense(2)),
        "holds a class Swirl",
    ),
    "a function of its own": (
        lambda: model(layers.Flatten(), layers.Dense(4, activation=squared), layers.Dense(2)),
        "squared",
    ),
    "not numbers": (not_numbers, "are not all finite numbers; the training failed, repeat it"),
    "colour": (
        lambda: model(layers.Flatten(), layers.Dense(2), shape=(16, 16, 3)),
        "a model of colour pictures, input (None, 16, 16, 3); allowed is grey",
    ),
    "large pictures": (
        lambda: model(layers.Flatten(), layers.Dense(2), shape=(224, 224, 1)),
        "a model of 224×224 pixels; allowed is 16 to 64 a side",
    ),
    "a row of no square": (
        lambda: model(layers.Dense(2), shape=(500,)),
        "a model of 500 pixels; say height and width with --input",
    ),
    "pictures of any size": (
        lambda: model(layers.Conv2D(2, 3), layers.GlobalAveragePooling2D(), shape=(None, None, 1)),
        "a model for pictures of any size; say which with --input",
    ),
    "one output": (lambda: model(layers.Flatten(), layers.Dense(1)), "output of shape (None, 1); allowed is (None, 2)"),
    "a sigmoid": (
        lambda: model(layers.Flatten(), layers.Dense(2, activation="sigmoid")),
        "ends in sigmoid (layer dense",
    ),
    "other classes": (
        lambda: model(layers.Flatten(), layers.Dense(3)),
        "3 outputs, but two.npz (held-out seventh) has 2 classes; give pictures of all classes of the model",
    ),
}


def squared(values: Any) -> Any:
    return values * values


@pytest.mark.parametrize("case", MODELS)
def test_a_model_that_is_no_classifier_of_these_pictures(
    case: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, said = MODELS[case]
    build().save(tmp_path / "model.keras")
    check(["import", "model.keras", "--data", data, "-o", "run"], said, tmp_path, monkeypatch)


def cut(kind: str, share: float) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"model.{kind}"
        dense().save(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        return path

    return make


def changed(**fields: Any) -> Callable[[Path], Path]:
    """A .keras file whose ``config.json`` is another, or that says another version of Keras."""

    def make(folder: Path) -> Path:
        path, other = folder / "old.keras", folder / "model.keras"
        dense().save(path)
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                if name == "config.json" and "config" in fields:
                    content = json.dumps(fields["config"]).encode()
                if name == "metadata.json" and "version" in fields:
                    content = json.dumps({"keras_version": fields["version"]}).encode()
                new.writestr(name, content)
        path.unlink()
        return other

    return make


def keras_2(folder: Path) -> Path:
    """As Keras 2 wrote a model: module names that Keras 3 does not have."""
    config = {"module": "keras.engine.sequential", "class_name": "Sequential", "config": {"name": "s", "layers": []}}
    return changed(config=config, version="2.15.0")(folder)


def called(folder: Path) -> Path:
    """A configuration that would call a function of Python's library."""
    touch = {"module": "os", "class_name": "system", "config": {"command": "touch ran"}, "registered_name": None}
    config = json.loads(dense().to_json())
    config["config"]["layers"].append(touch)
    return changed(config=config)(folder)


def weights_alone(folder: Path) -> Path:
    with h5py.File(folder / "model.h5", "w") as file:
        file["kernel"] = np.zeros(3)
    return folder / "model.h5"


def saved_model(folder: Path) -> Path:
    (folder / "model").mkdir()
    (folder / "model" / "saved_model.pb").write_bytes(b"\x08\x01")
    return folder / "model"


def written(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def a_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("readme.txt", "hello")
    return folder / "model.keras"


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "gone.keras", "no such file; give a .keras or .h5 file"),
    "a folder": (lambda folder: shutil.copytree(folder, folder.parent / f"{folder.name}-copy"), "a folder; give a"),
    "a SavedModel": (saved_model, "a SavedModel, which Keras 3 cannot read; where it was made load it"),
    "empty": (written("model.keras", b""), "neither a .keras nor an .h5 file, or cut off"),
    "a picture": (written("model.keras", b"\x89PNG\r\n\x1a\n"), "neither a .keras nor an .h5 file"),
    "a .tflite": (written("model.tflite", b"\x1c\0\0\0TFL3"), "neither a .keras nor an .h5 file"),
    "another ZIP": (a_zip, "no config.json in it, so no Keras model"),
    "a .keras cut at half": (cut("keras", 0.5), "damaged (File is not a zip file); save the model again"),
    "a .keras cut at the end": (cut("keras", 0.999), "damaged ("),
    "an .h5 cut at half": (cut("h5", 0.5), "damaged ("),
    "an .h5 of weights": (weights_alone, "holds weights without a model; save it whole"),
    "of Keras 2": (keras_2, "it was saved by Keras 2: load it there and save it as .h5"),
    "a configuration of nothing": (changed(config=[]), "Keras 3"),
    "a call in the configuration": (called, "holds a class system of the module os, which is not of Keras itself"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_model(case: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, said = FILES[case]
    check(["import", make(tmp_path), "--data", data, "-o", "run"], said, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--range", "0..2"], "'0..2' is not one of '0..1', '0..255', '-1..1'"),
        (["--input", "crop:20x20"], "a model of 16×16 pixels, but 20×20 were asked for"),
        (["--input", "ink"], "input ink of 16×16; allowed is 28×28"),
        (["--classes", "dark,blue"], "pictures of light, which the model does not know; its classes are dark, blue"),
        (["--classes", "dark"], "--classes: 1 class; allowed are 2 to 128"),
        (["--out", "held"], "held: holds a finished run; choose another folder or delete it"),
    ],
)
def test_options_that_do_not_fit(
    arguments: list[str], said: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense().save(tmp_path / "model.keras")
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "run.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["import", "model.keras", "--data", str(data), *arguments])
    assert result.exit_code == 2
    assert said in result.stderr.splitlines()[-1]
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_two_ranges_that_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.arange(120) % 2
    images = np.random.default_rng(0).integers(0, 100, (120, 16, 16))
    images[labels == 0, :, :8] += 150
    images[labels == 1, :, 8:] += 150
    np.savez(tmp_path / "sides.npz", images=images.astype(np.uint8), labels=labels, class_names=np.array(["a", "b"]))
    built = dense()
    # Without a bias, a linear network answers the same whatever its input is multiplied by.
    left = np.repeat([[1.0, 0.0]], 16, axis=0).repeat(8, axis=1).reshape(256, 1)
    built.set_weights([np.hstack([left, 1 - left]), np.zeros(2)])
    built.save(tmp_path / "model.keras")
    said = (
        "two ranges of pixels fit, 100.0 % with 0..1, 100.0 % with 0..255, 100.0 % with -1..1; say with --range which"
    )
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["import", "model.keras", "--data", "sides.npz"])
    assert result.exit_code == 2
    assert said in result.stderr.splitlines()[-1]
    assert not list((tmp_path / "runs").iterdir())
