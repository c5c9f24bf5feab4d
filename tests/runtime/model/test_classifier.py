"""Pictures in, digit and confidence out."""

import dataclasses
import io
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import edge_digits_runtime
import numpy as np
import pytest
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data import metrics
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.errors import BackendError, ChecksumError, ModelError, PictureError, UsageError
from edge_digits_runtime.image.model_input import INK, NO_CONTRAST, NO_INK, Input, Prepared
from edge_digits_runtime.image.prepare import prepare
from edge_digits_runtime.model import backends
from edge_digits_runtime.model.card import ModelCard, append_card, read_model_file
from edge_digits_runtime.model.classifier import Prediction, _doubt
from numpy.typing import NDArray
from PIL import Image

Tiny = Callable[[str], Path]
Drawn = tuple[NDArray[np.uint8], NDArray[np.uint8]]
MODELS = ["int8", "float32", "foreign-uint8-flat", "foreign-float32-plane", "foreign-half-scale", "foreign-single"]


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_reads_the_drawn_digits(name: str, tiny: Tiny, drawn: Drawn) -> None:
    images, labels = drawn
    classifier = DigitClassifier(tiny(name))
    many = classifier.classify_batch(images)
    assert metrics.accuracy(labels, many.labels) == 1.0
    assert (many.labels.dtype, many.probabilities.dtype, many.sure.dtype) == (np.uint8, np.float32, np.bool_)
    np.testing.assert_allclose(many.probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(many.confidences, many.probabilities.max(axis=1))
    for image, digit, row, sure in zip(images, many.labels, many.probabilities, many.sure, strict=True):
        one = classifier.classify(image)
        assert (one.digit, one.sure) == (digit, sure)
        assert one.confidence == pytest.approx(row.max(), abs=1e-5)
        np.testing.assert_allclose(one.probabilities, row, atol=1e-5)


def test_confidence_is_softmax_of_the_outputs_by_the_temperature_of_the_card(tiny: Tiny, drawn: Drawn) -> None:
    classifier = DigitClassifier(tiny("int8"))
    card = classifier.model.card
    assert card is not None
    logits = classifier.outputs(drawn[0]).astype(np.float64) * classifier.output_scale
    wanted = metrics.softmax(logits, card.temperature)
    assert card.temperature == 1.5
    np.testing.assert_allclose(classifier.classify_batch(drawn[0]).probabilities, wanted, atol=1e-5)


def test_probabilities_of_a_foreign_softmax_are_kept(tiny: Tiny, drawn: Drawn) -> None:
    classifier = DigitClassifier(tiny("foreign-uint8-flat"))
    outputs = classifier.outputs(drawn[0]).astype(np.float64)
    wanted = outputs / outputs.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(classifier.classify_batch(drawn[0]).probabilities, wanted, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_without_pictures_gives_no_answers(name: str, tiny: Tiny) -> None:
    nothing = DigitClassifier(tiny(name)).classify_batch(np.zeros((0, 28, 28), np.uint8))
    shapes = nothing.labels.shape, nothing.confidences.shape, nothing.probabilities.shape, nothing.sure.shape
    assert shapes == ((0,), (0,), (0, 10), (0,))


@pytest.mark.parametrize("name", ["int8", "float32", "foreign-single"])
def test_blank_pixels_are_not_sure(name: str, tiny: Tiny, drawn: Drawn) -> None:
    classifier = DigitClassifier(tiny(name), min_confidence=0.0)
    images = drawn[0].copy()
    images[[0, 7, 249]] = 0
    many = classifier.classify_batch(images)
    assert np.flatnonzero(~many.sure).tolist() == [0, 7, 249]
    assert classifier.classify(images[0]).reason == NO_INK
    assert classifier.classify(images[1]).reason is None


def int8_output(**logits: int) -> NDArray[np.int8]:
    """An output of the tiny model, -128 but for ``_3=100`` and such."""
    values = np.full((1, 10), -128, np.int8)
    for name, value in logits.items():
        values[0, int(name[1:])] = value
    return values


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        # A step is 0.1824 / 1.5 = 0.1216; one step is a ratio of 1.1293: 53.04 % to 46.96 %.
        (int8_output(_3=100, _8=99), "could be a 3 or an 8 (53 % / 47 %)"),
        (int8_output(_8=100, _0=98), "could be an 8 or a 0 (56 % / 44 %)"),
        # Three steps are a ratio of 1.4403: 59.02 %, and four 61.93 %, which is more than the 60 % of the card.
        (int8_output(_1=103, _2=100), "could be a 1 or a 2 (59 % / 41 %)"),
        (int8_output(_1=104, _2=100), None),
        # 1.1293 + 1 of 3.1293 is more than two thirds, two of four is not.
        (int8_output(_1=101, _2=100, _5=100), "could be a 1 or a 2 (36 % / 32 %)"),
        (int8_output(_1=100, _2=100, _5=100, _7=100), "looks like no digit"),
    ],
)
def test_two_likely_digits_are_named_but_not_of_many(output: NDArray[np.int8], reason: str | None, tiny: Tiny) -> None:
    classifier = DigitClassifier(tiny("int8"))
    assert classifier.min_confidence == 0.6
    prediction = classifier.read_output(output, np.ones((28, 28), np.uint8))
    assert (prediction.reason, prediction.sure) == (reason, reason is None)
    assert prediction.digit == output.argmax()


def test_an_answer_of_nan_is_not_sure(tiny: Tiny, drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = DigitClassifier(tiny("float32"))
    outputs = classifier.outputs(drawn[0])
    outputs[3] = np.nan
    one = classifier.read_output(outputs[3:4], drawn[0][3])
    assert (one.digit, one.sure) == (0, False)
    monkeypatch.setattr(classifier, "outputs", lambda _pictures: outputs)
    many = classifier.classify_batch(drawn[0])
    assert np.flatnonzero(~many.sure).tolist() == [3]
    assert many.labels[3] == 0


def test_an_argument_overrides_the_card(tiny: Tiny, drawn: Drawn) -> None:
    strict = DigitClassifier(tiny("int8"), min_confidence=1.0)
    assert not strict.classify_batch(drawn[0]).sure.any()
    assert strict.classify(drawn[0][3]).reason is not None
    assert DigitClassifier(tiny("foreign-single")).min_confidence == 0.5


def test_a_prediction_divides_by_the_sum() -> None:
    prediction = Prediction(2, 0.5, (0, 1, 2, 0, 0, 0, 0, 0, 0, 1))
    assert prediction.probabilities == (0, 0.25, 0.5, 0, 0, 0, 0, 0, 0, 0.25)
    assert prediction.sure
    assert Prediction(0, 0.0, (0.0,) * 10).probabilities == (0.0,) * 10


def test_pictures_go_through_the_preprocessing(tiny: Tiny, drawn: Drawn, tmp_path: Path) -> None:
    classifier = DigitClassifier(tiny("int8"))
    image = Image.fromarray(drawn[0][4])
    image.save(tmp_path / "four.png")
    content = (tmp_path / "four.png").read_bytes()
    answers = [classifier.classify(p) for p in (image, tmp_path / "four.png", content, io.BytesIO(content))]
    assert [answer.digit for answer in answers] == [4] * 4
    assert answers[0] == answers[1] == answers[2] == answers[3]


def test_doubtful_pixels_give_an_answer_that_is_not_sure(tiny: Tiny, drawn: Drawn) -> None:
    classifier = DigitClassifier(tiny("int8"))
    found = Prepared(drawn[0][3], (0, 0, 28, 28), np.ones((28, 28), bool), False, "touches the border")
    doubtful = classifier.classify_prepared(found)
    assert (doubtful.digit, doubtful.sure, doubtful.reason) == (3, False, "touches the border")
    certain = classifier.classify_prepared(dataclasses.replace(found, reason=None))
    assert certain.sure
    assert certain.scores == doubtful.scores


@pytest.mark.parametrize(
    ("pixels", "got"),
    [
        (np.zeros((28, 28)), "float64 array of shape (28, 28)"),
        (np.zeros((28, 28), np.int8), "int8 array of shape (28, 28)"),
        (np.zeros((28, 28, 1), np.uint8), "uint8 array of shape (28, 28, 1)"),
        (np.zeros(784, np.uint8), "uint8 array of shape (784,)"),
    ],
)
def test_other_arrays_are_refused(pixels: NDArray[Any], got: str, tiny: Tiny) -> None:
    classifier = DigitClassifier(tiny("int8"))
    with pytest.raises(PictureError) as one:
        classifier.classify(pixels)
    with pytest.raises(PictureError) as many:
        classifier.classify_batch(pixels)
    for caught, allowed in ((one, "(28, 28)"), (many, "(n, 28, 28)")):
        assert str(caught.value) == (
            f"pixels: got {got}; allowed is a uint8 array of shape {allowed}, 0 background, 255 ink"
        )


@pytest.mark.parametrize("picture", [None, 5, [[0]], {"a": 1}, object()])
def test_values_that_are_no_picture_are_refused(picture: Any, tiny: Tiny) -> None:
    with pytest.raises(PictureError, match=rf"^picture: got {type(picture).__name__}; allowed is a path, [^\n]*$"):
        DigitClassifier(tiny("int8")).classify(picture)


@pytest.mark.parametrize("min_confidence", [5.0, -0.1, 1.01, float("nan"), float("inf")])
def test_a_confidence_outside_its_range_is_refused(min_confidence: float, tiny: Tiny) -> None:
    with pytest.raises(UsageError, match=rf"^min_confidence: got {min_confidence}; allowed is 0 to 1$"):
        DigitClassifier(tiny("int8"), min_confidence=min_confidence)


def test_a_list_is_refused_as_a_batch(tiny: Tiny) -> None:
    with pytest.raises(PictureError, match="got list"):
        DigitClassifier(tiny("int8")).classify_batch([[0]])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("refused-two-outputs", "1 inputs and 2 outputs"),
        ("refused-sizes", "the size of a tensor is only known when it runs"),
        ("refused-nan", "answers with NaN or infinity"),
        ("not-there", "cannot be read: No such file"),
    ],
)
def test_models_that_are_no_digit_classifiers_are_refused(name: str, words: str, tiny: Tiny) -> None:
    with pytest.raises(ModelError) as caught:
        DigitClassifier(tiny(name), allow_unverified=True)
    assert str(caught.value).startswith(f"{tiny(name)}: {words}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "words"), [("refused-sizes", "GREATER, WHERE, GATHER_ND"), ("refused-nan", "LOG")])
def test_operators_that_cannot_be_checked_run_only_if_asked_for(name: str, words: str, tiny: Tiny) -> None:
    with pytest.raises(ModelError, match=f"^[^\n]*cannot be checked, since it has {words}: [^\n]*--allow-unverified"):
        DigitClassifier(tiny(name))


def test_cut_off_files_and_noise_give_one_line(tiny: Tiny, tmp_path: Path) -> None:
    content = tiny("int8").read_bytes()
    end = read_model_file(tiny("int8")).flatbuffer_bytes
    noise = np.random.default_rng(0).integers(0, 256, 3000, np.uint8).tobytes()
    for damaged in (b"", b"\0" * 100, noise, noise[:4] + b"TFL3" + noise, *(content[:n] for n in range(0, end, 101))):
        file = tmp_path / "model.tflite"
        file.write_bytes(damaged)
        with pytest.raises(ModelError) as caught:
            DigitClassifier(file)
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_cut_off_within_its_card_is_refused(tiny: Tiny) -> None:
    content = tiny("int8").read_bytes()
    end = read_model_file(tiny("int8")).flatbuffer_bytes
    for length in range(end + 1, len(content)):
        with pytest.raises(ModelError, match="the model: cut off within the model card behind the model"):
            DigitClassifier(content[:length])
    # Without any of it, it is a model that others could have made.
    assert DigitClassifier(content[:end]).model.card is None


def test_a_changed_model_is_refused_unless_allowed(tiny: Tiny, drawn: Drawn, tmp_path: Path) -> None:
    changed = tmp_path / "changed.tflite"
    # One bit in the description that the converter leaves: no interpreter would mind.
    content = tiny("int8").read_bytes()
    changed.write_bytes(content.replace(b"MLIR", b"mLIR"))
    assert content.count(b"MLIR") == 1
    with pytest.raises(ChecksumError, match=f"^{changed}: .*--allow-unverified"):
        DigitClassifier(changed)
    answers = DigitClassifier(changed, allow_unverified=True).classify_batch(drawn[0])
    assert metrics.accuracy(drawn[1], answers.labels) == 1.0


def test_a_model_for_a_later_runtime_is_refused(tiny: Tiny) -> None:
    flatbuffer = tiny("foreign-single").read_bytes()
    later = append_card(flatbuffer, ModelCard("tiny", "float32", "", runtime="0.10.0"))
    with pytest.raises(ModelError, match=r"^the model: needs edge-digits-runtime 0\.10\.0 or newer, here is "):
        DigitClassifier(later)
    same = append_card(flatbuffer, ModelCard("tiny", "float32", "", runtime=edge_digits_runtime.__version__))
    assert DigitClassifier(same).model.card is not None


def test_no_threads_and_unknown_backends_are_refused(tiny: Tiny) -> None:
    with pytest.raises(UsageError, match="threads: got 0; allowed is 1 or more"):
        DigitClassifier(tiny("int8"), threads=0)
    with pytest.raises(BackendError, match="'onnx'"):
        DigitClassifier(tiny("int8"), backend="onnx")


@pytest.mark.parametrize("threads", [1, 2])
def test_more_threads_give_the_same_answers(threads: int, tiny: Tiny, drawn: Drawn) -> None:
    alone = DigitClassifier(tiny("int8")).classify_batch(drawn[0])
    side_by_side = DigitClassifier(tiny("int8"), threads=threads).classify_batch(drawn[0])
    for field in dataclasses.fields(alone):
        np.testing.assert_array_equal(getattr(alone, field.name), getattr(side_by_side, field.name))


def test_the_package_is_cheap_to_import_and_pixels_need_no_pillow(tiny: Tiny) -> None:
    code = (
        "import sys, edge_digits_runtime\n"
        "first = {'numpy', 'PIL'} & set(sys.modules)\n"
        "import numpy\n"
        "answer = edge_digits_runtime.DigitClassifier(sys.argv[1]).classify(numpy.zeros((28, 28), numpy.uint8))\n"
        "print(first, {'PIL', 'importlib.metadata', 'edge_digits_runtime.image.picture'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tiny("int8"))], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "set() set()"


def test_the_package_has_the_version_of_its_distribution() -> None:
    import tomllib

    project = Path(edge_digits_runtime.__file__).parents[1] / "pyproject.toml"
    if not project.is_file():
        pytest.skip("installed, not in the repository")
    assert tomllib.loads(project.read_text())["project"]["version"] == edge_digits_runtime.__version__
    with pytest.raises(AttributeError, match="no attribute 'NoSuchName'"):
        _ = edge_digits_runtime.NoSuchName


def test_the_backend_in_use_is_the_one_asked_for(tiny: Tiny) -> None:
    wanted = backends.choose()
    assert DigitClassifier(tiny("int8")).backend is wanted
    assert wanted.version[0].isdigit()


def test_an_output_of_ten_times_zero_is_no_digit(tiny: Tiny, drawn: Drawn) -> None:
    classifier = DigitClassifier(tiny("foreign-uint8-flat"))
    nothing = np.zeros_like(classifier.network.one(drawn[0][0]))
    assert not classifier.read_output(nothing, drawn[0][0]).sure


# --- classes and pictures of one's own


def test_a_model_of_other_classes_answers_by_name(tiny: Tiny, drawn: Drawn) -> None:
    classifier = DigitClassifier(tiny("own"))
    assert classifier.labels == ("2", "10", "A", "blank", "minus")
    assert classifier.input == Input("crop", 32, 20)
    pictures, expected = (array[drawn[1] < 5] for array in drawn)
    pixels = np.pad(pictures, ((0, 0), (2, 2), (0, 0)))[:, :, 4:24]
    many = classifier.classify_batch(pixels)
    assert metrics.accuracy(expected, many.labels) > 0.95
    assert many.probabilities.shape == (len(pixels), 5)
    for picture, index, row in zip(pixels[:20], many.labels, many.probabilities, strict=False):
        one = classifier.classify(picture)
        assert (one.class_index, one.label) == (index, classifier.labels[index])
        assert np.allclose(one.probabilities, row, atol=1e-6)
        with pytest.raises(UsageError, match=f"the answer is {one.label}, of a model whose classes are no digits"):
            _ = one.digit


def test_a_picture_becomes_pixels_as_the_card_says(tiny: Tiny, tmp_path: Path) -> None:
    classifier = DigitClassifier(tiny("own"))
    image = Image.linear_gradient("L").resize((50, 90))
    image.save(tmp_path / "picture.png")
    pixels = prepare(image, classifier.input).pixels
    assert classifier.classify(image) == classifier.classify(pixels)
    assert classifier.classify(tmp_path / "picture.png") == classifier.classify(pixels)
    flat = classifier.classify(Image.new("L", (50, 90), 128))
    assert (flat.sure, flat.reason) == (False, NO_CONTRAST)
    assert classifier.classify(np.zeros((32, 20), np.uint8)).reason == NO_CONTRAST
    assert classifier.classify_batch(np.zeros((1, 32, 20), np.uint8)).sure.tolist() == [False]


def test_pixels_of_another_shape_name_the_one_of_the_model(tiny: Tiny) -> None:
    classifier = DigitClassifier(tiny("own"))
    allowed = r"allowed is a uint8 array of shape \(32, 20\)$"
    with pytest.raises(PictureError, match=rf"got uint8 array of shape \(28, 28\); {allowed}"):
        classifier.classify(np.zeros((28, 28), np.uint8))
    with pytest.raises(PictureError, match=r"allowed is a uint8 array of shape \(n, 32, 20\)$"):
        classifier.classify_batch(np.zeros((1, 28, 28), np.uint8))


@pytest.mark.parametrize(
    ("labels", "scores", "reason"),
    [
        (DIGIT_CLASSES, [0, 0, 0, 5, 0, 0, 0, 0, 4, 0], "could be a 3 or an 8 (56 % / 44 %)"),
        (("8", "3"), [4, 5], "could be a 3 or an 8 (56 % / 44 %)"),
        (("A", "blank", "minus"), [0, 5, 4], "could be blank or minus (56 % / 44 %)"),
        (DIGIT_CLASSES, [1] * 10, "looks like no digit"),
        (("A", "B", "C", "D"), [1] * 4, "looks like none of the classes"),
    ],
)
def test_a_doubt_names_the_classes(labels: tuple[str, ...], scores: list[float], reason: str) -> None:
    assert _doubt(scores, labels) == reason


def test_digits_in_another_order_are_digits_still(tiny: Tiny, drawn: Drawn) -> None:
    file = read_model_file(tiny("int8"))
    assert file.card is not None
    reversed_labels = dataclasses.replace(file.card, labels=tuple("9876543210"))
    classifier = DigitClassifier(append_card(file.content[: file.flatbuffer_bytes], reversed_labels))
    ours, theirs = (each.classify(drawn[0][0]) for each in (DigitClassifier(tiny("int8")), classifier))
    assert theirs.digit == 9 - ours.digit
    assert theirs.class_index == ours.class_index


@pytest.mark.parametrize(
    ("name", "labels", "form"),
    [
        ("foreign-nine", tuple("012345678"), INK),
        ("foreign-32", DIGIT_CLASSES, Input("crop", 32, 32)),
    ],
)
def test_what_is_assumed_of_a_model_without_a_card(name: str, labels: tuple[str, ...], form: Input, tiny: Tiny) -> None:
    classifier = DigitClassifier(tiny(name))
    assert (classifier.labels, classifier.input) == (labels, form)
    assert classifier.classify(np.zeros(form.shape, np.uint8)).sure is False


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": ("A", "B")}, "5 outputs, but 2 labels in its card: convert it again"),
        ({"input": INK}, "the input is int8 1×32×20×1 of scale 0.003922, but its card says 28×28 pixels"),
        ({"input": Input("crop", 20, 32)}, "the input is int8 1×32×20×1 of scale 0.003922, but its card says 20×32"),
    ],
)
def test_a_card_of_another_network_is_refused(change: dict[str, Any], words: str, tiny: Tiny) -> None:
    file = read_model_file(tiny("own"))
    assert file.card is not None
    with pytest.raises(ModelError, match=words):
        DigitClassifier(append_card(file.content[: file.flatbuffer_bytes], dataclasses.replace(file.card, **change)))


def test_threads_that_share_a_classifier_get_their_own_answers(tiny: Tiny) -> None:
    """Without a lock a few of ten thousand answers are those of another thread's picture."""
    classifier = DigitClassifier(tiny("int8"))
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (4, 28, 28), np.uint8)
    expected = [classifier.classify(picture) for picture in pictures]
    wrong = []

    def work(index: int) -> None:
        for _ in range(1500):
            if classifier.classify(pictures[index]) != expected[index]:
                wrong.append(index)
            outputs = classifier.outputs(pictures[index : index + 1])
            if not np.array_equal(outputs, classifier.outputs(pictures[index : index + 1])):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
