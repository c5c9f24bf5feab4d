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


def test_a_share_of_the_pictures_is_corrupted_and_none_where_it_is_0() -> None:
    images = inked(2000)
    before = images.copy()
    result = corrupt(images, rng(), 0.3)
    assert (result.shape, result.dtype) == (images.shape, np.uint8)
    np.testing.assert_array_equal(images, before)
    # One in eight of those that are chosen gets neither lines nor paper nor grain.
    changed = (result != images).any(axis=(1, 2)).mean()
    assert 0.3 * 7 / 8 - 0.04 < changed < 0.3 * 7 / 8 + 0.04
    np.testing.assert_array_equal(corrupt(images, rng(), 0.0), images)


def test_the_same_state_corrupts_alike_and_another_one_does_not() -> None:
    first, again, other = (corrupt(inked(50), rng(seed), 1.0) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_no_pictures_are_no_mistake() -> None:
    assert corrupt(inked(0), rng(), 0.5).shape == (0, 28, 28)


def test_a_line_runs_from_one_edge_to_the_other_and_some_pictures_have_two() -> None:
    lines = module._lines(blank(), rng())
    assert lines.max() <= 255
    ink = lines > 20
    # Every column for one that starts at the left, every row for one that starts at the top.
    across, down = ink.any(axis=1).all(axis=1), ink.any(axis=2).all(axis=1)
    assert (across | down).all()
    assert 100 < across.sum() < 350
    assert 100 < down.sum() < 350
    # Thin, and no lighter than the least grey of a line.
    assert ink.mean(axis=(1, 2)).max() < 0.3
    assert lines.max(axis=(1, 2)).min() >= 60
    # Two of one kind meet a column or row in two places that are apart.
    runs = (np.diff(ink.astype(int), axis=1, prepend=0) == 1).sum(axis=1).max(axis=1)
    assert (runs[across & ~down] >= 2).any()


def test_lines_leave_ink_as_dark_as_it_was() -> None:
    images = inked().astype(np.float32)
    assert (module._lines(images, rng()) >= images).all()


def test_paper_is_grey_without_edges_and_ink_stays_darker_than_it() -> None:
    images = inked().astype(np.float32)
    laid = module._paper(images, rng())
    paper = module._paper(blank(), rng())
    assert paper.min() >= 0
    assert paper.max() <= 220
    assert 60 < paper.mean() < 100
    for axis in (1, 2):
        assert np.abs(np.diff(paper, axis=axis)).max() < 8
    ink = images > 0
    assert laid.max() <= 255
    # Paper of 220 leaves full ink at least 255 * (1 - 220 / 255).
    assert (laid - paper)[ink].min() >= 34
    np.testing.assert_allclose(laid[~ink], paper[~ink])


def test_grain_has_no_direction_and_another_strength_in_each_picture() -> None:
    grain = module._grain(blank(), rng())
    spread = grain.std(axis=(1, 2))
    assert 4 < spread.min() < 10 < 45 < spread.max() < 55
    assert abs(grain.mean()) < 1
