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
    ones = np.repeat(one()[None], 200, axis=0)
    changed = upstroke(ones, rng())
    for image in changed:
        rows = np.flatnonzero(image.any(axis=1))
        assert rows[-1] - rows[0] == pytest.approx(19, abs=1)
        stem = np.flatnonzero(image[rows[-1]] >= 128)
        top, foot = image[rows[0] : rows[0] + 14], image[rows[0] + 16 :]
        assert (top[:, : stem[0] - 1] >= 128).any()
        assert not (top[:, stem[-1] + 2 :] >= 128).any()
        assert not (foot[:, : stem[0]] >= 128).any()


def test_the_picture_with_an_upstroke_is_centred() -> None:
    changed = upstroke(np.repeat(one()[None], 100, axis=0), rng()).astype(float)
    place, mass = np.arange(28), changed.sum(axis=(1, 2))
    assert changed.sum(axis=1) @ place / mass == pytest.approx(14, abs=0.51)
    assert changed.sum(axis=2) @ place / mass == pytest.approx(14, abs=0.51)


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
