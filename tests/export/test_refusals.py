"""What C cannot be written of is one line that names operator and layer, and nothing is written."""

import contextlib
import dataclasses
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from edge_digits_convert.microcontroller.exporting import check, export, made_pictures
from edge_digits_convert.microcontroller.reading import read_network
from edge_digits_convert.strip import unpack
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.errors import ChecksumError, EdgeDigitsError, ModelError, OutputError, UsageError
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import ModelCard, ModelFile, append_card, read_model_file
from edge_digits_runtime.model.registry import DEFAULT_MODEL
from edge_digits_train.data import mnist
from hypothesis import given, settings
from hypothesis import strategies as st

CONTENT = DEFAULT_MODEL.read_bytes()
FLATBUFFER = CONTENT[: read_model_file(DEFAULT_MODEL).flatbuffer_bytes]
PICTURES = made_pictures(28, 28)


def changed(change: Callable[[Any], None]) -> ModelFile:
    """Return the default model with something else in its flatbuffer."""
    model = unpack(FLATBUFFER)
    change(model)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    content = bytes(builder.Output())
    return ModelFile(content, len(content), None)


def options(operator: int, **values: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        vars(model.subgraphs[0].operators[operator].builtinOptions).update(values)

    return change


def tensor(number: int, **values: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        vars(model.subgraphs[0].tensors[number]).update(values)

    return change


def scale(number: int, **values: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        quantization = model.subgraphs[0].tensors[number].quantization
        kinds = {"scale": np.float32, "zeroPoint": np.int64}
        vars(quantization).update({name: np.asarray(value, kinds[name]) for name, value in values.items()})

    return change


def operator_code(code: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.operatorCodes[-1].builtinCode = model.operatorCodes[-1].deprecatedBuiltinCode = code

    return change


def branch(model: Any) -> None:
    operators = model.subgraphs[0].operators
    operators[3].inputs = [operators[1].outputs[0], *operators[3].inputs[1:]]


# Tensor 0 is the picture, 14 and 13 are the weights and biases of the second convolution, and 18 is its result.
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (operator_code(28), "layer 8, TANH: an operator"),
        (operator_code(25), "layer 8, SOFTMAX: an operator"),
        (tensor(0, shape=[1, 28, 28, 3]), "input: a picture of shape 1×28×28×3"),
        (scale(0, scale=[0.5]), "input: scale 0.5 and zero point -128"),
        (scale(0, zeroPoint=[0]), "input: scale 0.00392157 and zero point 0"),
        (tensor(18, type=0), "layer 2, CONV_2D: an activation of type FLOAT32"),
        (tensor(18, quantization=None), "layer 2, CONV_2D: an activation of type INT8 with 0 scales"),
        (scale(18, scale=[np.nan]), "layer 2, CONV_2D: scale nan"),
        (scale(18, zeroPoint=[300]), "layer 2, CONV_2D: .* zero point 300"),
        (scale(18, scale=[1e-9]), "layer 2, CONV_2D: sums with a larger scale than the result"),
        (scale(14, zeroPoint=[1] * 16), "layer 2, CONV_2D: weights without a scale, or with a zero point"),
        (scale(14, scale=[-1.0] * 16), "layer 2, CONV_2D: weights without a scale"),
        (scale(14, scale=[0.1] * 3, zeroPoint=[0] * 3), "layer 2, CONV_2D: 3 scales for 16 channels"),
        (tensor(14, type=1), "layer 2, CONV_2D: constant weights of type FLOAT16"),
        (tensor(14, shape=[16, 9, 8]), "layer 2, CONV_2D: constant weights of type INT8 and shape 16×9×8"),
        (tensor(14, shape=[16, 3, 3, 4]), "layer 2, CONV_2D: 1152 weights are not those"),
        (tensor(14, shape=[16, 6, 3, 4]), "layer 2, CONV_2D: .*"),
        (tensor(13, type=4), "layer 2, CONV_2D: 64 bytes of biases of type INT64"),
        (tensor(13, shape=[3]), None),
        (options(1, strideW=0), "layer 2, CONV_2D: a window of 3×3 that goes 2×0 pixels"),
        (options(1, strideW=1), "layer 2, CONV_2D: a result of 14×14, not of 14×28"),
        (options(1, strideH=300), "layer 2, CONV_2D: a window of 3×3 that goes 300×2"),
        (options(1, dilationHFactor=-1), "layer 2, CONV_2D: a window"),
        (options(1, padding=2), "layer 2, CONV_2D: padding 2"),
        (options(1, fusedActivationFunction=4), "layer 2, CONV_2D: activation function 4"),
        (options(7, weightsFormat=1), "layer 8, FULLY_CONNECTED: weights of shape 10×32"),
        (branch, "layer 4, CONV_2D: a branch"),
    ],
)
def test_what_is_not_covered(change: Callable[[Any], None], message: str | None) -> None:
    file = changed(change)
    if message is None:
        read_network(file, "m")
        return
    with pytest.raises(ModelError, match=f"^m: {message}") as caught:
        read_network(file, "m")
    assert len(str(caught.value).splitlines()) == 1


def no_folder(tmp_path: Path, model: Path, error: type[EdgeDigitsError], message: str) -> None:
    with pytest.raises(error, match=message):
        export(model, tmp_path / "out", PICTURES, "")
    assert [path for path in tmp_path.iterdir() if path.suffix != ".tflite"] == []


def test_a_model_without_a_card(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(FLATBUFFER)
    no_folder(tmp_path, tmp_path / "m.tflite", ModelError, "no card with a sha256")


def test_a_model_that_does_not_match_its_card(tmp_path: Path) -> None:
    content = bytearray(CONTENT)
    content[20_000] ^= 1
    (tmp_path / "m.tflite").write_bytes(content)
    no_folder(tmp_path, tmp_path / "m.tflite", ChecksumError, "does not match the sha256")


@pytest.mark.parametrize("name", ["float32.tflite", "foreign-32.tflite", "absent.tflite"])
def test_other_models(tmp_path: Path, name: str) -> None:
    no_folder(tmp_path, Path(__file__).parents[1] / "runtime/models" / name, ModelError, f"{name}: ")


def test_a_line_reader(tmp_path: Path) -> None:
    for path in registry.line_paths().values():
        no_folder(tmp_path, path, ModelError, "reads lines; C is written of int8 classifiers")


def test_labels_of_another_number(tmp_path: Path) -> None:
    card = read_model_file(DEFAULT_MODEL).card
    assert card is not None
    wrong = append_card(FLATBUFFER, dataclasses.replace(card, labels=("a", "b")))
    (tmp_path / "m.tflite").write_bytes(wrong)
    no_folder(tmp_path, tmp_path / "m.tflite", ModelError, "10 classes and pictures of 28×28, but the card says 2")


def test_pictures_of_another_size(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pictures of 32×32 pixels"):
        export(DEFAULT_MODEL, tmp_path / "out", made_pictures(32, 32), "")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        export(DEFAULT_MODEL, out, PICTURES, "")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]
    (out / "mine.txt").unlink()
    export(DEFAULT_MODEL, out, PICTURES, "")
    assert (out / "digits.c").is_file()
    with pytest.raises(OutputError, match="is there already"):
        export(DEFAULT_MODEL, out / "digits.c", PICTURES, "")
    with pytest.raises(OutputError, match="cannot be made"):
        export(DEFAULT_MODEL, out / "digits.c" / "below", PICTURES, "")


def test_an_interrupted_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edge_digits_convert.microcontroller.exporting.self_test", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export(DEFAULT_MODEL, tmp_path / "out", PICTURES, "")
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60)
@given(place=st.integers(0, len(FLATBUFFER) - 1), value=st.integers(0, 255), length=st.integers(1, 4))
def test_a_damaged_flatbuffer_is_refused_or_whole(place: int, value: int, length: int) -> None:
    content = bytearray(FLATBUFFER)
    content[place : place + length] = bytes([value]) * length
    # Any other exception fails. Weights may have any value.
    with contextlib.suppress(ModelError):
        assert read_network(ModelFile(bytes(content), len(content), None), "m").classes == 10


_PARTS = ["*/", "/*", "??/", "//", "@calls@", '"', "\\", "\n", "\r", "\0", "%", "7", "f", "ä", "語", "\u2028", "\u202e"]
NASTY = st.lists(st.sampled_from(_PARTS) | st.characters(codec="utf-8"), min_size=1, max_size=12).map("".join)


@settings(max_examples=40)
@given(name=NASTY, data=NASTY, labels=st.lists(NASTY, min_size=10, max_size=10, unique=True), created=NASTY)
def test_names_cannot_become_code(name: str, data: str, labels: list[str], created: str) -> None:
    from edge_digits_convert.microcontroller import source
    from edge_digits_convert.microcontroller.plan import make_plan

    network = read_network(read_model_file(registry.find("digits-xs")), "m")
    plan = make_plan(network)

    def texts(card: ModelCard) -> tuple[str, str]:
        written = source.write_source(network, plan, card)
        return written.header, written.code

    def skeleton(text: str) -> str:
        """Return what a compiler sees once comments are gone and strings are emptied."""
        assert text.isascii()
        assert "??" not in text
        without = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        return re.sub(r'"(?:[^"\\\n]|\\[0-7]{3})*"', '""', without)

    plain = ModelCard(name="plain", scheme="int8", sha256="0" * 64, labels=tuple("0123456789"), data="x", created="t")
    # A card is validated when it is read; what would be refused there must not get through here either.
    nasty = dataclasses.replace(plain, name=name, data=data, labels=tuple(labels), created=created)
    for expected, got in zip(texts(plain), texts(nasty), strict=True):
        assert skeleton(got) == skeleton(expected)


def test_labels_come_out_as_they_are(tmp_path: Path) -> None:
    card = read_model_file(DEFAULT_MODEL).card
    assert card is not None
    # Class names have no / and no \\.
    labels = ('"; int x = 1;', "*", "%s%n", "??(", "名前", "'", "@calls@", "7", "a b", "{}")
    model = tmp_path / "m.tflite"
    model.write_bytes(append_card(FLATBUFFER, dataclasses.replace(card, labels=labels, name="x", input=Input())))
    file = read_model_file(model)
    check(file, "m")
    export(model, tmp_path / "out", PICTURES, "")
    subprocess.run(["make", "-s", "-C", tmp_path / "out", "host", "CFLAGS=-O1"], check=True)
    pictures = mnist.load().test.images[:80]
    done = subprocess.run([tmp_path / "out" / "digits"], input=pictures.tobytes(), capture_output=True, check=True)
    said = [line.rsplit(" ", 11)[0] for line in done.stdout.decode().splitlines()]
    assert said == [labels[answer] for answer in DigitClassifier(model).classify_batch(pictures).labels]
    assert set(said) == set(labels)
