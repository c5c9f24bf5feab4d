"""Written forms that MNIST hardly has, drawn on pictures whose strokes are known."""

import numpy as np
import pytest
from edge_digits_train.augment.strokes import add_forms, cross, hook, shorten, upstroke


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def seven() -> np.ndarray:
    """A head in rows 4-5 from column 8 to 19, an upright stem in columns 18-19 down to row 23."""
    image = np.zeros((28, 28), np.uint8)
    image[4:6, 8:20] = 255
    image[4:24, 18:20] = 255
    return image


def one(lean: float = 0.0) -> np.ndarray:
    """A stem from row 4 to 23, two columns wide, that moves ``lean`` columns to the right with each row upwards."""
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
    assert 8 <= rows.min() < rows.max() <= 22
    assert 10 <= columns.min() < 18
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
        assert columns[0] < first[0] - 1
        # The ink goes to the left below the top row: level with it, it would be the head of a 7.
        assert np.flatnonzero(ink[:, columns[0]])[0] >= rows[0] + 1


def test_the_upstroke_may_be_as_long_as_the_stem_and_some_ones_get_a_foot() -> None:
    changed = upstroke(np.repeat(one()[None], 400, axis=0), rng()) >= 128
    lowest = [27 - row[::-1].argmax() for row in changed.any(axis=2)]
    left = changed[:, :, :9].any(axis=(1, 2))
    foot = np.array([image[low - 1].sum() >= 6 for image, low in zip(changed, lowest, strict=True)])
    assert 0.1 < left.mean() < 0.9
    assert foot.mean() == pytest.approx(0.25, abs=0.1)


def test_a_one_with_an_upstroke_is_in_the_frame_of_mnist() -> None:
    changed = upstroke(np.repeat(one()[None], 100, axis=0), rng())
    place, mass = np.arange(28), changed.sum(axis=(1, 2), dtype=float)
    assert changed.sum(axis=1) @ place / mass == pytest.approx(14, abs=0.51)
    assert changed.sum(axis=2) @ place / mass == pytest.approx(14, abs=0.51)
    sides = np.maximum(changed.any(axis=1).sum(axis=1), changed.any(axis=2).sum(axis=1))
    assert 19 <= sides.min() <= sides.max() <= 20


@pytest.mark.parametrize(("lean", "drawn"), [(0.0, True), (0.3, True), (-0.3, True), (0.7, False), (-0.7, False)])
def test_a_strongly_slanted_one_keeps_its_form_since_it_could_become_a_seven(lean: float, drawn: bool) -> None:
    ones = np.repeat(one(lean)[None], 20, axis=0)
    assert (upstroke(ones, rng()) != ones).any() == drawn


def nine() -> np.ndarray:
    """A ring in rows 4-11 from column 9 to 18 with an upright stem at its right side down to row 23."""
    image = np.zeros((28, 28), np.uint8)
    image[4:12, 9:19] = 255
    image[6:10, 11:17] = 0
    image[4:24, 17:19] = 255
    return image


def four() -> np.ndarray:
    """Two upright lines from row 4, a bar in rows 12-13 between them; the right line continues to row 23."""
    image = np.zeros((28, 28), np.uint8)
    image[4:14, 8:10] = 255
    image[12:14, 8:20] = 255
    image[4:24, 16:18] = 255
    return image


def test_the_hook_turns_left_below_and_the_ring_stays_closed() -> None:
    for image in hook(np.repeat(nine()[None], 100, axis=0), rng()):
        ink = image >= 128
        rows = np.flatnonzero(ink.any(axis=1))
        low = ink[rows[-1] - 4 : rows[-1] + 1].any(axis=0)
        assert low.sum() >= 4
        hole = rows[0] + round(3.5 / 20 * len(rows)), np.flatnonzero(ink.any(axis=0))[-1]
        assert not ink[hole[0], hole[1] - 3]


def test_the_stem_of_a_four_is_cut_below_its_bar_only() -> None:
    fours = np.repeat(four()[None], 100, axis=0)
    changed = shorten(fours, rng())
    # From 12 columns × 20 rows to 12 × 13-18 rows, which is scaled up to 20 again.
    rows, columns = changed.any(axis=2).sum(axis=1), changed.any(axis=1).sum(axis=1)
    ratio = columns / rows
    assert ratio.min() > 12 / 20
    assert ratio.max() < 12 / 12 + 0.1
    # The left line still ends at the bar: below it only the stem has ink.
    for image in changed:
        assert np.flatnonzero(image[-1 - image.any(axis=1)[::-1].argmax()] >= 128).size <= 5


def test_a_four_without_a_stem_below_its_bar_stays_as_it_is() -> None:
    stubs = np.repeat(four()[None], 5, axis=0)
    stubs[:, 14:] = 0
    assert (shorten(stubs, rng()) == stubs).all()


def test_the_share_of_each_digit_that_changes() -> None:
    labels = np.tile(np.arange(10, dtype=np.uint8), 300)
    drawn = {1: one(), 4: four(), 9: nine()}
    images = np.stack([drawn.get(int(label), seven()) for label in labels])
    before = images.copy()
    shares = {1: 0.2, 4: 0.3, 7: 0.5}
    changed = (add_forms(images, labels, rng(), shares) != images).any(axis=(1, 2))
    assert (images == before).all()
    for digit in range(10):
        assert changed[labels == digit].mean() == pytest.approx(shares.get(digit, 0), abs=0.1)
    assert not changed[np.isin(labels, [0, 2, 3, 5, 6, 8, 9])].any()


def test_one_seed_gives_one_result_and_blank_pictures_are_allowed() -> None:
    labels = np.array([1, 4, 7, 9] * 10, np.uint8)
    shares = {1: 1.0, 4: 1.0, 7: 1.0, 9: 1.0}
    images = np.stack([one(), four(), seven(), nine()] * 10)
    first, second = (add_forms(images, labels, rng(5), shares) for _ in range(2))
    assert (first == second).all()
    blank = np.zeros((40, 28, 28), np.uint8)
    assert add_forms(blank, labels, rng(), shares).shape == (40, 28, 28)
    assert add_forms(blank[:0], labels[:0], rng(), shares).shape == (0, 28, 28)
