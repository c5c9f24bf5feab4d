"""Equal and nearly equal pictures."""

import numpy as np
import pytest
from edge_digits_runtime.data.duplicates import NEARLY, equal_sets, flat, nearest, nearest_among
from numpy.typing import NDArray


def _noise(count: int, seed: int = 0, shape: tuple[int, int] = (32, 20)) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(40, 216, (count, *shape), np.uint8)


def _correlations(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of every pair, by numpy's own means."""
    return np.corrcoef(images.reshape(len(images), -1).astype(float))


def _similar(count: int, seed: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Pictures of three things, each with noise of its own: some pairs correlate by a little more than is asked for."""
    rng = np.random.default_rng(seed)
    things = rng.integers(60, 196, (3, *shape)).repeat(count // 3, axis=0)
    return (things + rng.normal(0, rng.uniform(1, 8, (len(things), 1, 1)), things.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(28, 28), (32, 20), (17, 63), (16, 16)])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_pair_is_missed_or_made_up(shape: tuple[int, int], seed: int) -> None:
    images = _similar(60, seed, shape)
    every = _correlations(images)
    np.fill_diagonal(every, -1)
    assert 0.04 < (every >= NEARLY).mean() < 0.33, "the pictures lie on both sides of the threshold"
    part = np.arange(60) % 4
    any_other, of_other_part = nearest(images, [np.arange(60), part])
    across = np.where(part[:, None] == part, -1, every)
    for found, expected in ((any_other, every), (of_other_part, across)):
        best = expected.max(axis=1)
        assert np.array_equal(found.found, np.flatnonzero(best >= NEARLY))
        assert found.correlation[found.found] == pytest.approx(best[found.found], abs=1e-5)
        partners = found.partner[found.found]
        assert expected[found.found, partners] == pytest.approx(best[found.found], abs=1e-5)
        assert found.correlation[found.partner < 0].max(initial=0) == 0


def test_two_sets_of_pictures_are_compared_as_one_is() -> None:
    images = _similar(60, 3, (28, 28))
    (together,) = nearest(images, [np.repeat([0, 1], 30)])
    apart = nearest_among(images[:30], images[30:])
    assert np.array_equal(apart.partner, np.where(together.partner[:30] < 0, -1, together.partner[:30] - 30))


def test_brightness_and_contrast_alone_make_no_other_picture() -> None:
    plain = _noise(2)
    changed = (plain.astype(int) * 0.6 + 70).astype(np.uint8)
    assert nearest_among(changed, plain).partner.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("sigma", "same"),
    # Grey levels of noise between two pictures of one thing, whose grey levels have a standard deviation of 51.
    [(1, True), (4, True), (12, False), (40, False)],
)
def test_noise_of_a_camera_is_the_same_picture_and_another_digit_is_not(sigma: float, same: bool) -> None:
    plain = _noise(1)
    noisy = (plain + np.random.default_rng(1).normal(0, sigma, plain.shape)).clip(0, 255).astype(np.uint8)
    assert (len(nearest_among(noisy, plain).found) == 1) is same


def test_pictures_of_one_grey_are_like_none() -> None:
    images = np.concatenate(
        [np.zeros((3, 28, 28), np.uint8), np.full((2, 28, 28), 7, np.uint8), _noise(1, 0, (28, 28))]
    )
    assert flat(images).tolist() == [True] * 5 + [False]
    assert equal_sets(images) == []
    assert nearest(images, [np.arange(6)])[0].found.tolist() == []


def test_equal_pictures_are_found_wherever_they_are() -> None:
    images = _noise(6)[[0, 1, 2, 1, 0, 1]]
    assert equal_sets(images) == [[0, 4], [1, 3, 5]]


def test_many_pictures_are_compared_in_blocks() -> None:
    images = _noise(1300, 5, (16, 16))
    images[1299] = images[3]
    images[700] = images[3]
    seen: list[tuple[int, int]] = []
    (found,) = nearest(images, [np.arange(1300)], lambda done, length: seen.append((done, length)))
    assert found.found.tolist() == [3, 700, 1299]
    assert seen == [(512, 1300), (1024, 1300), (1300, 1300)]


def test_nothing_is_compared_with_nothing() -> None:
    none = np.zeros((0, 28, 28), np.uint8)
    assert nearest(none, [np.zeros(0, int)])[0].found.tolist() == []
    assert nearest_among(none, _noise(2, 0, (28, 28))).found.tolist() == []
    assert nearest_among(_noise(2, 0, (28, 28)), none).found.tolist() == []
