"""The packed meters and displays, the pictures that are drawn, and how a recipe learns from both."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from edge_digits_runtime.data import turns
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.image.prepare import prepare_arrays
from edge_digits_train.data.splits import training_and_validation
from edge_digits_train.engine.epoch_data import epoch_size, label_targets, make_epoch_data
from edge_digits_train.engine.losses import LabelAccuracy
from edge_digits_train.meters import drawing, faces, pictures
from edge_digits_train.meters.camera import photograph
from edge_digits_train.recipes import catalogue
from edge_digits_train.recipes.recipe import METER_CLASSES, Recipe
from numpy.typing import NDArray

FORM = Input("crop", 28, 28)
HELD_OUT = {
    "powermeter/betar", "powermeter/emeter1", "watermeter/Wasser_Geraete_GmbH", "watermeter/pp", "lcd2",
}  # fmt: skip


@pytest.fixture(scope="module")
def meters() -> DataSet:
    return pictures.load(FORM)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return catalogue.get("meter-s")


def test_the_held_out_meters_are_for_testing_and_in_no_other_split(meters: DataSet, recipe: Recipe) -> None:
    training, validation = training_and_validation(recipe, meters)
    assert set(meters.test.group_names) == HELD_OUT
    assert set(validation.group_names) == set(recipe.validation_groups)
    assert not set(training.group_names) & (HELD_OUT | set(validation.group_names))
    assert len(training) + len(validation) + len(meters.test) == 13_628 + 844
    assert pictures.FIRST_DISPLAY in training.group_names
    assert pictures.SECOND_DISPLAY not in training.group_names


def test_labels_are_tenths_and_blank(meters: DataSet) -> None:
    assert meters.classes == METER_CLASSES
    # All but a minus, which is only drawn.
    assert np.unique(meters.train.labels).tolist() == list(range(101))
    second = pictures.display(FORM, second=True)
    assert np.bincount(second.labels)[[0, 30, 90, pictures.BLANK]].tolist() == [68] * 4
    assert turns.rests(second.labels[second.labels != pictures.BLANK]).all()


def test_what_is_packed_is_prepared_as_a_picture_would_be(meters: DataSet) -> None:
    first = np.flatnonzero(~pictures.packed()["held_out"])[:5]
    np.testing.assert_array_equal(prepare_arrays(pictures.packed()["images"][first], FORM), meters.train.images[:5])


def test_the_seed_decides_what_is_drawn() -> None:
    first, again, other = (drawing.draw(40, np.random.default_rng(seed), FORM) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])
    assert (first[0].shape, first[0].dtype) == ((40, 28, 28), np.uint8)


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("wheel", range(100)),
        ("segments", range(0, 100, 10)),
        ("dots", range(0, 100, 10)),
        ("blank", [pictures.BLANK]),
        ("minus", [pictures.MINUS]),
        ("nothing", [drawing.NOTHING]),
    ],
)
def test_each_kind_has_its_labels_and_is_legible(kind: str, labels: range) -> None:
    none = dict.fromkeys((field.name for field in dataclasses.fields(drawing.Mix)), 0.0)
    mix = drawing.Mix(**(none | {kind: 1.0}))
    images, found = drawing.draw(60, np.random.default_rng(0), FORM, mix=mix)
    assert set(found.tolist()) <= set(labels)
    if kind not in ("blank", "nothing"):
        # Nothing is lost in its ground, or outside of the frame.
        assert images.reshape(60, -1).std(axis=1).min() > 5


class _OnlyThree:
    """A typeface whose 3 is a block, and whose other digits are empty."""

    def digit(self, digit: int, high: float) -> NDArray[np.float32]:
        return np.full((int(high), 10), digit == 3, np.float32)


def test_a_wheel_turns_upwards(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_neighbour", "_ticks"):
        monkeypatch.setattr(drawing, name, lambda *_: None)
    monkeypatch.setattr(drawing, "_tones", lambda _: (0.0, 255.0))
    middles = []
    for place in (2.6, 2.8, 3.0, 3.2, 3.4):
        rows = drawing._turned(_OnlyThree(), place, np.random.default_rng(3)).sum(axis=1)
        middles.append((rows * np.arange(len(rows))).sum() / rows.sum())
    assert middles == sorted(middles, reverse=True)
    # Where it rests it is in the middle.
    assert middles[2] == pytest.approx(32, abs=4)


@pytest.mark.parametrize("face", [faces.StrokeFace, faces.PrintFace])
def test_the_digits_of_a_face_are_as_high_as_asked_for_and_differ(
    face: Callable[[np.random.Generator], faces.Face],
) -> None:
    for seed in range(5):
        made = face(np.random.default_rng(seed))
        digits = [made.digit(digit, 40.0) for digit in range(10)]
        assert all(digit.shape[0] == 40 and digit.max() > 0.5 and digit.min() >= 0 for digit in digits)
        wide = max(digit.shape[1] for digit in digits)
        padded = [np.pad(digit, ((0, 0), (0, wide - digit.shape[1]))) for digit in digits]
        apart = [np.abs(one - other).mean() for n, one in enumerate(padded) for other in padded[:n]]
        assert min(apart) > 0.005


def test_typefaces_that_are_held_out_are_in_no_training_picture() -> None:
    every, training, plain = faces.printed(held_out=False)
    _, test, _ = faces.printed(held_out=True)
    assert not set(training) & set(test)
    assert set(plain) < set(training)
    assert not any("Italic" in every.names[number] or "Serif" in every.names[number] for number in plain)


def test_a_camera_leaves_a_dark_digit_darker_than_its_ground() -> None:
    darker = []
    for seed in range(50):
        grey = np.full((64, 40), 220, np.float32)
        grey[16:48, 16:24] = 30
        seen = photograph(grey, np.random.default_rng(seed))
        assert seen.dtype == np.uint8
        assert seen.shape in ((32, 20), (64, 40))
        scale = len(seen) // 32
        darker.append(seen[12 * scale : 20 * scale, 9 * scale : 11 * scale].mean() < seen.mean())
    # Now and then there is glare, or a shadow.
    assert np.mean(darker) > 0.9


def test_an_epoch_has_its_share_of_drawn_pictures_and_takes_small_groups_more_often(
    meters: DataSet, recipe: Recipe
) -> None:
    small = dataclasses.replace(recipe, augmentation=None)
    training, _ = training_and_validation(small, meters)
    assert training.groups is not None
    some = training.take(np.isin(training.groups, ["new", "lcd"]))
    epoch = make_epoch_data(small, 0, some)
    count = epoch_size(small, len(some))
    assert len(epoch.images) == len(epoch.labels) == count
    assert (count - len(some)) / count == pytest.approx(small.drawn, abs=1e-3)
    # Only drawn: minus, and what is nothing.
    assert 0 < (epoch.labels >= pictures.MINUS).mean() < 0.1
    flat = {picture.tobytes() for picture in some.images[some.groups == "lcd"]}
    seen = sum(picture.tobytes() in flat for picture in epoch.images)
    # 167 of 3,821; 1/sqrt(n) makes them sqrt(167) to sqrt(3,654).
    assert seen / len(some) == pytest.approx(np.sqrt(167) / (np.sqrt(167) + np.sqrt(3654)), abs=0.02)
    assert np.array_equal(epoch.targets, make_epoch_data(small, 0, some).targets)


def test_the_target_of_a_turn_is_smoothed_on_the_circle_and_that_of_a_plain_class_is_not() -> None:
    labels = np.array([0, 34, pictures.BLANK, drawing.NOTHING], np.uint8)
    targets = label_targets(labels, len(METER_CLASSES), 1.2)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    assert targets[:3].argmax(axis=1).tolist() == labels[:3].tolist()
    assert targets[0, 99] == pytest.approx(targets[0, 1])
    assert targets[0, 1] / targets[0, 0] == pytest.approx(np.exp(-0.5 / 1.2**2), rel=1e-5)
    assert targets[2].tolist() == np.eye(len(METER_CLASSES))[pictures.BLANK].tolist()
    assert np.ptp(targets[3]) == 0


def test_accuracy_of_turns_allows_a_tenth() -> None:
    accuracy = LabelAccuracy(turning=True)
    labels = np.array([0, 0, 34, 34, 100, 99, 101, drawing.NOTHING], np.uint8)
    answers = np.array([99, 98, 35, 36, 100, 100, 0, 3])
    accuracy.update_state(label_targets(labels, 102, 1.2), np.eye(102, dtype=np.float32)[answers])
    assert float(accuracy.result()) == pytest.approx(3 / 7)
    wanted = turns.right(labels[:-1], answers[:-1], METER_CLASSES)
    assert float(accuracy.result()) == pytest.approx(wanted.mean())
