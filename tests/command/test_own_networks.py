"""Networks of the user, from a Python file or a Keras model file, through the whole line."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner, Result
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data import metrics
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.layers import LayerRecord
from edge_digits_runtime.records.run import RunRecord
from edge_digits_train.data import mnist
from keras import layers

from edge_digits.cli import main

ROOT = Path(__file__).parents[2]
EXAMPLE, RECIPES = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "guide" / "networks.md").read_text(encoding="utf-8"), re.DOTALL
)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def ok(*arguments: str | Path) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def digits() -> DataSet:
    """1,500 training and 300 test pictures of MNIST."""
    full = mnist.load()
    return DataSet("digits", *(Split(s.images[:n], s.labels[:n]) for s, n in ((full.train, 1500), (full.test, 300))))


@pytest.fixture(scope="module")
def data(digits: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    train, test = digits.train, digits.test
    np.savez(path, x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels)
    return path


# --- a Python file


@pytest.fixture(scope="module")
def own(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of the example in the guide, whose file is gone."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(EXAMPLE, encoding="utf-8")
    ok("train", folder / "mine.py", "--data", data, "--epochs", "6", "--out", folder / "run")
    (folder / "mine.py").unlink()
    return folder / "run"


def test_the_example_of_the_guide_trains_and_converts_without_its_file(own: Path, data: Path) -> None:
    record = RunRecord.load(own)
    assert (record.name, record.recipe["batch_size"], record.recipe["epochs"]) == ("mine", 32, 6)
    assert record.accuracy["test"] > 0.5
    ok("convert", own, "--max-drop", "5", "--point", "--inspect")
    model = own / "mine-int8.tflite"
    card = read_model_file(model).card
    assert card is not None
    # What Keras says of the network would be longer than the network.
    assert "config" not in card.recipe["layers"][0]
    assert card.recipe["layers"][0]["layers"][-1]["name"] == "dense-10"
    assert model.stat().st_size < 25_000
    ok("evaluate", model, "--data", data)
    assert (own / "mine-int8.layers.svg").read_text().count("conv_2d") >= 2
    ok("evaluate", model, "--data", data, "--out", own / "mine-int8.evaluation.json")
    text = ok("report", own, "--out", own / "report").stdout
    worst = LayerRecord.load(own / "mine-int8.layers.json").worst
    assert f"{worst.layer} loses most, {100 * worst.relative:.2f} % of its signal" in " ".join(text.split())


def test_the_same_seed_gives_the_same_network_and_a_run_starts_another(own: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(EXAMPLE, encoding="utf-8")
    # Other networks were built in this process before: names and weights are those of the first time.
    ok("train", tmp_path / "mine.py", "--data", data, "--epochs", "6", "--out", tmp_path / "again")
    assert RunRecord.load(tmp_path / "again").weights_sha256 == RunRecord.load(own).weights_sha256
    few = ok("train", "--from", own, "--data", data, "--epochs", "1", "--seed", "5", "--out", tmp_path / "more")
    assert "started from mine with weights" in few.stderr
    assert RunRecord.load(tmp_path / "more").accuracy["test"] > 0.5


def test_a_stopped_training_resumes_without_the_file(
    own: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_digits_train.engine import trainer

    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(EXAMPLE, encoding="utf-8")
    epoch = trainer.Trainer.epoch

    def stopped(self: Any, index: int, *rest: Any) -> Any:
        if index == 2:
            raise KeyboardInterrupt
        return epoch(self, index, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(trainer.Trainer, "epoch", stopped)
        assert run("train", "mine.py", "--data", data, "--epochs", "6").exit_code == 130
    Path("mine.py").unlink()
    ok("train", "mine.py", "--data", data, "--epochs", "6", "--resume")
    assert RunRecord.load("runs/mine-1").weights_sha256 == RunRecord.load(own).weights_sha256


def test_recipes_shows_the_networks_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(EXAMPLE + RECIPES, encoding="utf-8")
    shown = ok("recipes", f"{tmp_path / 'mine.py'}:network").stdout
    assert re.search(r"conv3x3/2-12 +14×14×12 +108 +21,168\n", shown)  # 3·3·12 weights at 14·14 places
    assert re.search(r"separableconv3x3/2-24 +7×7×24 +420 +19,404\n", shown)  # (3·3·12 + 12·24) at 7·7 places
    assert re.search(r"dense-10 +10 +11,770 +11,760\n", shown)
    assert "epochs              8" in shown
    both = ok("recipes", tmp_path / "mine.py").stdout
    assert [line.split()[0] for line in both.splitlines() if "flatten" in line or "dense-10" in line] == [
        "small",
        "mine",
    ]
    (small,) = ok("recipes", f"{tmp_path / 'mine.py'}:small", "--json").stdout.splitlines()
    assert json.loads(small)["parameters"] == 80 + 1168 + 7850


def test_a_recipe_of_a_file_is_fitted_to_the_data(data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(RECIPES, encoding="utf-8")
    options = ("--data", data, "--input", "crop:20x16", "--epochs", "1")
    ok("train", tmp_path / "mine.py", *options, "--out", tmp_path / "run")
    assert RunRecord.load(tmp_path / "run").recipe["input_shape"] == [20, 16]


# --- a Keras model file


def sequential_mlp() -> keras.Model:
    hidden = [layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dropout(0.2)]
    return keras.Sequential([keras.Input((28, 28)), *hidden, layers.Dense(10, activation="softmax")])


def functional_cnn() -> keras.Model:
    inputs = keras.Input((28, 28, 1))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(8, 3, activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def normalized_cnn() -> keras.Model:
    block = [layers.Conv2D(8, 3, padding="same"), layers.BatchNormalization(momentum=0.8), layers.ReLU()]
    dense = [layers.Dense(32, activation="relu"), layers.BatchNormalization(momentum=0.8), layers.Dropout(0.3)]
    stack = [*block, layers.MaxPooling2D(), layers.Flatten(), *dense, layers.Dense(10)]
    return keras.Sequential([keras.Input((28, 28, 1)), *stack])


def separable_cnn() -> keras.Model:
    inputs = keras.Input((28, 28, 1))
    prepare = keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(1 / 127.5, -1), layers.RandomRotation(0.02)])
    x = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu")(prepare(inputs))
    x = layers.SeparableConv2D(24, 3, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu6")(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Softmax()(layers.Dense(10)(x)))


def pooled_cnn() -> keras.Model:
    stack = [
        layers.Normalization(axis=None, mean=33.0, variance=6200.0),
        layers.Conv2D(16, 5, strides=2, activation="relu"),
    ]
    stack += [layers.Conv2D(32, 3, strides=2, activation="relu"), layers.Conv2D(10, 3), layers.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((28, 28, 1)), *stack, layers.Activation("softmax")])


def branched() -> keras.Model:
    inputs = keras.Input((784,))
    x = layers.Reshape((28, 28, 1))(layers.Rescaling(1 / 255)(inputs))
    first = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    second = layers.Conv2D(8, 5, strides=2, padding="same", activation="relu")(x)
    x = layers.Flatten()(layers.Concatenate()([first, layers.Multiply()([first, second])]))
    return keras.Model(inputs, layers.Dense(10)(x))


FORMS: dict[str, tuple[Callable[[], keras.Model], str, str, tuple[str, ...]]] = {
    # Dense layers with ReLU do as well with other ranges, so it is said.
    "sequential MLP with softmax": (sequential_mlp, "h5", "0..1", ("--range", "0..1")),
    "functional CNN with Rescaling": (functional_cnn, "keras", "0..255", ()),
    "batch normalization and dropout": (normalized_cnn, "keras", "-1..1", ()),
    "depthwise-separable, a model in it": (separable_cnn, "keras", "0..255", ()),
    "global pooling": (pooled_cnn, "h5", "0..255", ()),
    "branches, a row of pixels": (branched, "keras", "0..255", ()),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_model_of_a_tutorial_goes_the_whole_way(form: str, digits: DataSet, data: Path, tmp_path: Path) -> None:
    build, kind, pixels, options = FORMS[form]
    keras.utils.set_random_seed(1)
    model = build()
    softmax = form not in ("batch normalization and dropout", "branches, a row of pixels")

    def given(split: Split) -> np.ndarray:
        scale, offset = {"0..1": (1 / 255, 0), "0..255": (1, 0), "-1..1": (1 / 127.5, -1)}[pixels]
        values = split.images.astype(np.float32) * np.float32(scale) + np.float32(offset)
        return values.reshape(-1, *model.input_shape[1:])

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not softmax)
    model.compile(keras.optimizers.Adam(0.004), loss)
    model.fit(given(digits.train), digits.train.labels, batch_size=32, epochs=4, verbose=0)
    model.save(tmp_path / f"model.{kind}")
    answers = model.predict(given(digits.test), verbose=0)
    accuracy = metrics.accuracy(digits.test.labels, answers.argmax(axis=1))
    assert accuracy > 0.7

    result = ok("import", tmp_path / f"model.{kind}", "--data", data, "-o", tmp_path / "run", *options)
    assert (f"Pixels {pixels}:" in result.stderr) == (not options)
    record = RunRecord.load(tmp_path / "run")
    assert record.accuracy["test"] == accuracy
    assert (record.name, record.recipe["epochs"]) == ("model", 0)
    assert f"imported from model.{kind}, sha256" in record.extra["origin"]
    assert record.parameters == sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    original = Evaluation.load(tmp_path / "run" / "evaluation.json")
    wanted = answers if softmax else metrics.softmax(answers)
    np.testing.assert_allclose(original.probabilities, wanted, atol=1e-4)

    ok("convert", tmp_path / "run", "--int8", "--max-drop", "5", "--point")
    classifier = DigitClassifier(tmp_path / "run" / "model-int8.tflite")
    labels = classifier.classify_batch(digits.test.images).labels
    assert np.mean(labels == answers.argmax(axis=1)) > 0.95
    ok("evaluate", tmp_path / "run" / "model-int8.tflite", "--data", data)
    assert "int8" in ok("report", tmp_path / "run").stdout


def test_an_imported_model_is_trained_further(digits: DataSet, data: Path, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = functional_cnn()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(digits.train.images[..., None], digits.train.labels, batch_size=32, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    ok("import", tmp_path / "model.keras", "--data", data, "-o", tmp_path / "run")
    refused = run("train", "--from", tmp_path / "run", "--data", data, "--out", tmp_path / "more")
    assert "was imported and has no number of epochs: give one, with --epochs" in refused.stderr
    assert not (tmp_path / "more").exists()
    ok("train", "--from", tmp_path / "run", "--data", data, "--epochs", "1", "--out", tmp_path / "more")
    assert RunRecord.load(tmp_path / "more").accuracy["test"] > RunRecord.load(tmp_path / "run").accuracy["test"] - 0.05
    # A head of three classes, two of them known.
    pictures = np.concatenate([digits.train.images[digits.train.labels == label][:60] for label in (3, 8, 1)])
    names = np.array(["3", "8", "new"])
    np.savez(tmp_path / "new.npz", images=pictures, labels=np.repeat(np.arange(3), 60), class_names=names)
    other = ("--data", tmp_path / "new.npz", "--epochs", "1", "--out", tmp_path / "other")
    assert "outputs of 2 of 3 classes" in ok("train", "--from", tmp_path / "run", *other).stderr
    ok("convert", tmp_path / "other", "--max-drop", "50", "--point")


def test_the_order_of_the_outputs_can_be_named(digits: DataSet, data: Path, tmp_path: Path) -> None:
    order = [int(label) for label in "3140592687"]
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(10)])
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(digits.train.images[..., None], np.argsort(order)[digits.train.labels], epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    refused = run("import", tmp_path / "model.keras", "--data", data, "-o", tmp_path / "run")
    assert refused.exit_code == 2
    assert "are the classes in the order of its outputs (--classes)" in refused.stderr
    assert not (tmp_path / "run").exists()
    named = ",".join(map(str, order))
    ok("import", tmp_path / "model.keras", "--data", data, "-o", tmp_path / "run", "--classes", named)
    assert RunRecord.load(tmp_path / "run").accuracy["test"] > 0.7
    ok("convert", tmp_path / "run", "--max-drop", "5", "--point")
    card = read_model_file(tmp_path / "run" / "model-int8.tflite").card
    assert card is not None
    assert card.labels == tuple(map(str, order))


def test_code_of_a_file_runs_only_where_that_is_allowed(digits: DataSet, data: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    keras.utils.set_random_seed(1)
    written = f"__import__('pathlib').Path({str(mark)!r}).touch() or x / 255"
    scale = layers.Lambda(eval(f"lambda x: {written}"), output_shape=(28, 28, 1))
    model = keras.Sequential([keras.Input((28, 28, 1)), scale, layers.Flatten(), layers.Dense(10)])
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(digits.train.images[..., None], digits.train.labels, epochs=2, verbose=0)
    for kind in ("keras", "h5"):
        model.save(tmp_path / f"model.{kind}")
        mark.unlink()
        refused = run("import", tmp_path / f"model.{kind}", "--data", data, "-o", tmp_path / "run")
        assert refused.exit_code == 2
        assert "holds a Lambda layer lambda" in refused.stderr
        assert "--allow-code" in refused.stderr
        assert not mark.exists()
        assert not (tmp_path / "run").exists()
        ok("import", tmp_path / f"model.{kind}", "--data", data, "-o", tmp_path / f"{kind}-run", "--allow-code")
        assert mark.exists()
    mark.unlink()
    refused = run("convert", tmp_path / "keras-run")
    assert refused.exit_code == 2
    assert "add --allow-code" in refused.stderr
    assert not mark.exists()
    ok("convert", tmp_path / "keras-run", "--allow-code", "--max-drop", "5", "--point")
