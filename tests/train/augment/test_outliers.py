"""Pictures that show no digit: how many of each kind, their frame, and that none of them can be a digit."""

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_train.augment import outliers


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def one_each(full_mnist: DataSet) -> Split:
    """The first picture of each digit, 0 to 9."""
    train = full_mnist.train
    first = [int(np.flatnonzero(train.labels == digit)[0]) for digit in range(10)]
    return Split(train.images[first], train.labels[first])


def boxes(images: np.ndarray) -> np.ndarray:
    """The longer side of the ink of each picture."""
    rows, columns = images.any(axis=2), images.any(axis=1)
    spans = [28 - line.argmax(axis=1) - line[:, ::-1].argmax(axis=1) for line in (rows, columns)]
    return np.maximum(*spans)


@pytest.mark.parametrize("count", [0, 1, 7, 310])
def test_as_many_pictures_as_asked_for(one_each: Split, count: int) -> None:
    images = outliers.make(count, rng(), one_each)
    assert (images.shape, images.dtype) == ((count, 28, 28), np.uint8)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(10, [1, 2, 7]), (100, [10, 20, 70]), (5, [0, 2, 3]), (1, [0, 0, 1]), (0, [0, 0, 0])],
)
def test_kinds_are_mixed_by_their_weights(
    count: int, expected: list[int], one_each: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    def filled(grey: int) -> outliers.Kind:
        return lambda count, _rng, _training: np.full((count, 28, 28), grey, np.uint8)

    monkeypatch.setattr(outliers, "_KINDS", ((1, filled(0)), (2, filled(1)), (7, filled(2))))
    images = outliers.make(count, rng(), one_each)
    # One kind after the other.
    assert images[:, 0, 0].tolist() == [grey for grey, number in enumerate(expected) for _ in range(number)]


def test_the_generator_state_decides(one_each: Split) -> None:
    first, again, other = (outliers.make(130, rng(seed), one_each) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert (first != other).any(axis=(1, 2)).mean() > 0.9


@pytest.mark.parametrize("kind", [draw for _, draw in outliers._KINDS], ids=lambda draw: draw.__name__)
def test_every_kind_is_in_the_frame_of_mnist(kind: outliers.Kind, one_each: Split) -> None:
    images = kind(60, rng(3), one_each)
    assert images.any(axis=(1, 2)).all()
    if kind is not outliers.noise:
        assert boxes(images).max() <= 20
        assert boxes(images).min() >= 18
        place, total = np.arange(28) + 0.5, images.sum(axis=(1, 2), dtype=np.float64)
        for axis in (1, 2):
            centre = images.sum(axis=axis) @ place / total
            # As far as the box can be moved.
            assert np.abs(centre - 14).max() < 4
    assert len({image.tobytes() for image in images}) > 15


def test_no_character_looks_like_a_digit_and_every_font_has_all_letters() -> None:
    both = outliers.LETTERS + outliers.SIGNS
    assert not set(both) & set("0123456789OoDQIlijJ|!/ZzSsBbGgqYy")
    assert len(set(both)) == len(both)
    assert len(outliers._glyphs(outliers.LETTERS)) == 11 * len(outliers.LETTERS)


def test_a_turned_digit_is_no_digit(one_each: Split) -> None:
    made = {image.tobytes() for image in outliers.turned(600, rng(), one_each)}
    zero, one, nine = (one_each.images[digit] for digit in (0, 1, 9))
    # A 0 is a 0 whichever way it is turned, a 1 becomes a dash, a 9 upside down is a 6.
    assert not any(np.rot90(zero, turn).tobytes() in made for turn in range(4))
    assert np.rot90(one).tobytes() in made
    assert not {one.tobytes(), one[::-1, ::-1].tobytes(), nine[::-1, ::-1].tobytes()} & made
    assert nine[:, ::-1].tobytes() in made
    assert len(made) == 16 + 5


def test_digits_side_by_side_are_two(one_each: Split) -> None:
    ones = Split(one_each.images[1:2], one_each.labels[1:2])
    pictures = outliers.beside(40, rng(), ones) >= 128
    # The middle row crosses two strokes, except where two slanted ones touch.
    rises = [(np.diff(np.pad(picture[13].astype(int), 1)) == 1).sum() for picture in pictures]
    assert np.mean(np.equal(rises, 2)) > 0.7


def test_a_single_line_is_level(one_each: Split) -> None:
    pictures = outliers.strokes(200, rng(), one_each) >= 128
    wide, tall = (pictures.any(axis=axis).sum(axis=1) for axis in (1, 2))
    flat = tall <= 8
    assert flat.any()
    assert wide[flat].min() >= 18
    # No single line is upright like a 1.
    assert wide.min() >= 8
