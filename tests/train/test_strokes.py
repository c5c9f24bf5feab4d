"""The written forms that MNIST lacks, drawn onto pictures whose strokes are known."""

import numpy as np
import pytest
from edge_digits_train.strokes import add_strokes, cross, upstroke


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def seven() -> np.ndarray:
    """A head in rows 4-5 from column 8 to 19, an upright stem in columns 18-19 down to row 23."""
    image = np.zeros((28, 28), np.uint8)
    image[4:6, 8:20] = 255
    image[4:24, 18:20] = 255
    return image


def one(lean: float = 0.0) -> np.ndarray:
    """A stem from row 4 to 23, two columns wide, ``lean`` columns further right for each row upwards."""
    image = np.zeros((28, 28), np.uint8)
    for row in range(4, 24):
        left = round(13 + lean * (13.5 - row))
        image[row, left : left + 2] = 255
    return image


def test_the_bar_crosses_the_stem_in_its_middle_and_nothing_else_changes() -> None:
    sevens = np.repeat(seven()[None], 200, axis=0)
    added = cross(sevens, rng()).astype(int) - sevens
    assert added.min() == 0
    rows, columns = (np.flatnonzero(added.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    assert 9 <= rows.min() < rows.max() <= 19
    assert 11 <= columns.min() < 18
    assert 19 < columns.max() <= 27
    both_sides = (added[:, :, :18].max(axis=(1, 2)) == 255) & (added[:, :, 20:].max(axis=(1, 2)) == 255)
    assert both_sides.all()


def test_the_bar_is_about_as_wide_as_the_stem() -> None:
    added = cross(np.repeat(seven()[None], 200, axis=0), rng()).astype(float)
    # Column 16 lies beside the stem and below the head.
    width = added[:, 6:, 16].sum(axis=1) / 255
    assert 1.4 < width.mean() < 3.0


def test_the_upstroke_starts_at_the_top_and_lies_left_of_the_stem() -> None:
    for image in upstroke(np.repeat(one()[None], 200, axis=0), rng()):
        ink = image >= 128
        rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
        first = np.flatnonzero(ink[rows[0] : rows[0] + 3].any(axis=0))
        # Nothing but the foot reaches to the right of where the stem begins.
        assert columns[-1] - first[-1] <= 1 or ink[rows[-1] - 1].sum() >= 4
        assert columns[0] < first[0] - 1
        # From the top on the ink goes to the left, and not at once: that would be the head of a 7.
        assert np.flatnonzero(ink[:, columns[0]])[0] >= rows[0] + 1


def test_the_upstroke_may_be_as_long_as_the_stem_and_some_ones_get_a_foot() -> None:
    changed = upstroke(np.repeat(one()[None], 400, axis=0), rng()) >= 128
    lowest = [27 - row[::-1].argmax() for row in changed.any(axis=2)]
    left = changed[:, :, :9].any(axis=(1, 2))
    foot = np.array([image[low - 1].sum() >= 6 for image, low in zip(changed, lowest, strict=True)])
    assert 0.1 < left.mean() < 0.9
    assert foot.mean() == pytest.approx(0.25, abs=0.1)


def test_the_picture_with_an_upstroke_has_the_form_of_mnist() -> None:
    changed = upstroke(np.repeat(one()[None], 100, axis=0), rng())
    place, mass = np.arange(28), changed.sum(axis=(1, 2), dtype=float)
    assert changed.sum(axis=1) @ place / mass == pytest.approx(14, abs=0.51)
    assert changed.sum(axis=2) @ place / mass == pytest.approx(14, abs=0.51)
    sides = np.maximum(changed.any(axis=1).sum(axis=1), changed.any(axis=2).sum(axis=1))
    assert 19 <= sides.min() <= sides.max() <= 20


@pytest.mark.parametrize(("lean", "drawn"), [(0.0, True), (0.3, True), (-0.3, True), (0.7, False), (-0.7, False)])
def test_a_slanted_one_keeps_its_form_since_it_could_become_a_seven(lean: float, drawn: bool) -> None:
    ones = np.repeat(one(lean)[None], 20, axis=0)
    assert (upstroke(ones, rng()) != ones).any() == drawn


def test_only_sevens_and_ones_change_and_about_the_share_asked_for() -> None:
    labels = np.tile(np.arange(10, dtype=np.uint8), 300)
    images = np.where((labels == 1)[:, None, None], one(), seven()).astype(np.uint8)
    before = images.copy()
    result = add_strokes(images, labels, rng(), crossed_seven=0.5, upstroke_one=0.2)
    changed = (result != images).any(axis=(1, 2))
    assert (images == before).all()
    assert changed[labels == 7].mean() == pytest.approx(0.5, abs=0.1)
    assert changed[labels == 1].mean() == pytest.approx(0.2, abs=0.08)
    assert not changed[(labels != 7) & (labels != 1)].any()


def test_one_seed_gives_one_result_and_blank_pictures_are_no_fault() -> None:
    labels = np.array([1, 7] * 20, np.uint8)
    blank = np.zeros((40, 28, 28), np.uint8)
    first, second = (add_strokes(blank, labels, rng(5), 1, 1) for _ in range(2))
    assert (first == second).all()
    assert add_strokes(blank[:0], labels[:0], rng(), 1, 1).shape == (0, 28, 28)
