"""Paper, grain and lines on training pictures."""

import numpy as np
from edge_digits_train.augment import corruption as module
from edge_digits_train.augment.corruption import corrupt


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def blank(count: int = 400) -> np.ndarray:
    return np.zeros((count, 28, 28), np.float32)


def inked(count: int = 400) -> np.ndarray:
    """A block of full ink on blank paper."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 8:20, 10:18] = 255
    return images


def test_the_share_of_corrupted_pictures() -> None:
    images = inked(2000)
    before = images.copy()
    result = corrupt(images, rng(), 0.3)
    assert (result.shape, result.dtype) == (images.shape, np.uint8)
    np.testing.assert_array_equal(images, before)
    # One in eight of the chosen pictures gets neither lines nor paper nor grain.
    changed = (result != images).any(axis=(1, 2)).mean()
    assert 0.3 * 7 / 8 - 0.04 < changed < 0.3 * 7 / 8 + 0.04
    np.testing.assert_array_equal(corrupt(images, rng(), 0.0), images)


def test_the_generator_state_decides() -> None:
    first, again, other = (corrupt(inked(50), rng(seed), 1.0) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_no_pictures_give_no_pictures() -> None:
    assert corrupt(inked(0), rng(), 0.5).shape == (0, 28, 28)


def test_lines_run_from_edge_to_edge_and_some_pictures_have_two() -> None:
    lines = module._add_lines(blank(), rng())
    assert lines.max() <= 255
    ink = lines > 20
    # A line from the left edge has ink in every column, one from the top in every row.
    across, down = ink.any(axis=1).all(axis=1), ink.any(axis=2).all(axis=1)
    assert (across | down).all()
    assert 100 < across.sum() < 350
    assert 100 < down.sum() < 350
    # Lines are thin, and not lighter than the lightest grey of a line.
    assert ink.mean(axis=(1, 2)).max() < 0.3
    assert lines.max(axis=(1, 2)).min() >= 60
    # Two lines from the left meet some column in two separate places.
    runs = (np.diff(ink.astype(int), axis=1, prepend=0) == 1).sum(axis=1).max(axis=1)
    assert (runs[across & ~down] >= 2).any()


def test_lines_do_not_lighten_ink() -> None:
    images = inked().astype(np.float32)
    assert (module._add_lines(images, rng()) >= images).all()


def test_paper_is_smooth_grey_and_ink_stays_darker() -> None:
    images = inked().astype(np.float32)
    printed = module._add_paper(images, rng())
    paper = module._add_paper(blank(), rng())
    assert paper.min() >= 0
    assert paper.max() <= 220
    assert 60 < paper.mean() < 100
    for axis in (1, 2):
        assert np.abs(np.diff(paper, axis=axis)).max() < 8
    ink = images > 0
    assert printed.max() <= 255
    # Paper of 220 leaves full ink at least 255 * (1 - 220 / 255).
    assert (printed - paper)[ink].min() >= 34
    np.testing.assert_allclose(printed[~ink], paper[~ink])


def test_grain_has_mean_0_and_its_own_strength_in_each_picture() -> None:
    grain = module._add_grain(blank(), rng())
    spread = grain.std(axis=(1, 2))
    assert 4 < spread.min() < 10 < 45 < spread.max() < 55
    assert abs(grain.mean()) < 1
