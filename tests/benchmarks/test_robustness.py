"""The corruptions of benchmarks/accuracy/robustness.py, on pictures whose outcome can be worked out by hand."""

import sys

import numpy as np
import pytest
import robustness
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data.datasets import Split
from edge_digits_train.data import mnist
from edge_digits_train.data.splits import training_and_validation
from edge_digits_train.recipes import catalogue
from numpy.typing import NDArray

Pictures = NDArray[np.float64]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def dots(*places: tuple[int, int], count: int = 1) -> Pictures:
    """``count`` blank pictures with full ink in these rows and columns."""
    pictures = np.zeros((count, 28, 28))
    for row, column in places:
        pictures[:, row, column] = 1
    return pictures


def ink(picture: Pictures) -> list[tuple[int, int]]:
    return [(int(row), int(column)) for row, column in np.argwhere(picture > 1e-9)]


def test_there_are_the_fifteen_kinds_of_the_paper() -> None:
    assert " ".join(robustness.KINDS) == (
        "shot_noise impulse_noise glass_blur motion_blur shear scale rotate brightness translate stripe fog spatter "
        "dotted_line zigzag canny_edges"
    )


@pytest.mark.parametrize("kind", robustness.KINDS)
def test_the_same_seed_gives_the_same_pictures_and_no_kind_leaves_them_alone(kind: str) -> None:
    images = np.random.default_rng(1).integers(0, 256, (6, 28, 28), np.uint8)
    before = images.copy()
    once = robustness.corrupt(images, kind)
    assert (once.dtype, once.shape) == (np.uint8, (6, 28, 28))
    np.testing.assert_array_equal(once, robustness.corrupt(images, kind))
    assert (once != images).any()
    np.testing.assert_array_equal(images, before)


def test_shot_noise_counts_photons(rng: np.random.Generator) -> None:
    full = robustness.shot_noise(np.ones((200, 28, 28)), rng)
    np.testing.assert_array_equal(full * 3, np.round(full * 3))
    assert full.mean() == pytest.approx(1, abs=0.01)
    assert full.var() == pytest.approx(1 / 3, abs=0.01)  # of a Poisson count with mean 3, divided by 3²
    assert not robustness.shot_noise(dots(), rng).any()


def test_impulse_noise_hits_17_percent(rng: np.random.Generator) -> None:
    grey = robustness.impulse_noise(np.full((300, 28, 28), 0.5), rng)
    assert [np.mean(grey == value) for value in (0, 0.5, 1)] == pytest.approx([0.085, 0.83, 0.085], abs=0.005)


def test_glass_blur_keeps_the_ink_near_where_it_was(rng: np.random.Generator) -> None:
    blurred = robustness.glass_blur(dots((14, 14), count=50), rng)
    np.testing.assert_allclose(blurred.sum(axis=(1, 2)), 1)
    assert blurred.std(axis=0).max() > 0.01  # each picture is shuffled in its own way
    assert np.abs(np.argwhere(blurred.mean(axis=0) > 0.01) - 14).max() <= 6


def test_motion_blur_draws_ink_out_along_one_line(rng: np.random.Generator) -> None:
    blurred = robustness.motion_blur(dots((14, 24), count=40), rng)
    # A pixel takes what lies ahead of it to the right: the dot trails to its left, most of it at the dot itself.
    weights = np.exp(-(np.arange(21) ** 2) / 18)
    for picture in blurred:
        assert picture[14, 24] == pytest.approx(weights[0] / weights.sum())
        assert picture.sum() == pytest.approx(1, abs=1e-4)
        rows, columns = np.nonzero(picture)
        assert (columns <= 24).all()
        assert (np.abs(rows - 14) <= 24 - columns + 1).all()  # at most 45°
    assert len({tuple(map(tuple, np.argwhere(picture))) for picture in blurred}) > 10
    np.testing.assert_allclose(robustness.motion_blur(np.ones((2, 28, 28)), rng), 1)


def test_shear_moves_rows_by_their_distance_from_the_centre(rng: np.random.Generator) -> None:
    upright = np.zeros((40, 28, 28))
    upright[:, :, 13:15] = 1
    sheared = robustness.shear(upright, rng)
    centres = (sheared * np.arange(28)).sum(axis=2) / sheared.sum(axis=2)
    moved = centres - 13.5
    rows = np.arange(28) - 13.5
    for picture in moved:
        assert abs(picture[20] / rows[20]) == pytest.approx(np.sin(0.4), abs=0.02)
        np.testing.assert_allclose(picture[4:24], picture[20] / rows[20] * rows[4:24], atol=0.05)
    assert set(np.sign(moved[:, 20])) == {-1, 1}


def test_scale_shrinks_about_the_centre(rng: np.random.Generator) -> None:
    box = np.zeros((1, 28, 28))
    box[:, 4:24, 4:24] = 1
    small = robustness.scale(box, rng)[0]
    assert small.sum() == pytest.approx(400 * 0.7**2, rel=0.02)
    np.testing.assert_allclose(small, small[::-1, ::-1], atol=1e-12)
    assert ink(small)[0] == (7, 7)  # 13.5 - 0.7 × 9.5 = 6.85, of which the bilinear edge reaches no further


def test_rotate_turns_by_23_degrees(rng: np.random.Generator) -> None:
    bar = np.zeros((40, 28, 28))
    bar[:, 13:15, 4:24] = 1
    turned = robustness.rotate(bar, rng)
    place = np.arange(28) - 13.5
    angles = []
    for picture in turned:
        covariance = np.einsum("ij,i,j->", picture, place, place)
        spread = (picture.sum(axis=0) * place**2).sum() - (picture.sum(axis=1) * place**2).sum()
        angles.append(np.arctan2(2 * covariance, spread) / 2)  # of the long axis
    np.testing.assert_allclose(np.abs(angles), 0.4, atol=0.02)
    assert set(np.sign(angles)) == {-1, 1}


def test_brightness_adds_half_and_clips() -> None:
    grey = np.zeros((1, 28, 28), np.uint8)
    grey[0, 0, :3] = (10, 127, 200)
    bright = robustness.corrupt(grey, "brightness")
    assert bright[0, 0, :4].tolist() == [138, 254, 255, 128]  # 10 + 127.5, 127 + 127.5, and rounded to even


def test_translate_moves_by_three_both_ways(rng: np.random.Generator) -> None:
    moved = robustness.translate(dots((10, 20), count=60), rng)
    assert {tuple(ink(picture)) for picture in moved} == {((row, column),) for row in (7, 13) for column in (17, 23)}


def test_stripe_inverts_the_outer_quarters(rng: np.random.Generator) -> None:
    striped = robustness.stripe(dots((5, 6), (5, 7), (5, 20), (5, 21)), rng)[0]
    assert striped[5, [5, 6, 7, 8, 20, 21, 22]].tolist() == [1, 0, 1, 0, 1, 0, 1]


def test_fog_is_between_nothing_and_the_brightest_ink(rng: np.random.Generator) -> None:
    grey = np.full((3, 28, 28), 0.5)
    grey[0] = 0
    foggy = robustness.fog(grey, rng)
    # (0.5 + 3 f) × 0.5 / 3.5 with f from 0 to 1; black pictures stay black.
    assert not foggy[0].any()
    assert foggy[1:].min() >= 0.25 / 3.5 - 1e-6
    assert foggy[1:].max() <= 0.5 + 1e-6
    assert (foggy[1] != foggy[2]).any()


def test_a_landscape_is_smooth_at_small_scale_and_repeats(rng: np.random.Generator) -> None:
    height = robustness.landscape(64, 1.4, rng)
    assert (height.min(), height.max(), height.shape) == (0, 1, (64, 64))
    near, far = (np.abs(height - np.roll(height, shift, axis=0)).mean() for shift in (1, 32))
    seam = np.abs(height[0] - height[-1]).mean()
    assert near < far / 2
    assert seam < far / 2


def test_spatter_covers_with_a_quarter_of_ink(rng: np.random.Generator) -> None:
    wet = robustness.spatter(np.zeros((50, 28, 28)), rng)
    assert set(np.unique(wet[wet < 0.8 * 63 / 255])) == {0.0}
    assert wet.max() == pytest.approx(63 / 255, abs=1e-3)
    assert 0.05 < np.mean(wet > 0) < 0.4
    full = robustness.spatter(np.ones((50, 28, 28)), np.random.default_rng(5))
    np.testing.assert_allclose(full[full < 1].max(), 1 - 0.8 + 0.8 * 63 / 255, atol=0.02)


def test_a_line_fades_with_the_distance_in_rows() -> None:
    flat = robustness.line(np.array([3.0]), np.array([10.0]), np.array([20.5]), np.array([10.0]))[0]
    fade = [1, 1 + np.log(1 - 1 / 2.3), 0]  # 1 + log(1 - 2 / 2.3) is below 0
    np.testing.assert_allclose(flat[10:13, 5], fade)
    np.testing.assert_allclose(flat[8:11, 5], fade[::-1])
    assert np.nonzero(flat.any(axis=0))[0].tolist() == list(range(3, 21))
    steep = robustness.line(np.array([0.0]), np.array([0.0]), np.array([27.0]), np.array([13.5]))[0]
    assert steep.argmax(axis=0)[:27:2].tolist() == list(range(14))


def test_a_dotted_line_is_two_columns_on_and_two_off(rng: np.random.Generator) -> None:
    for picture in robustness.dotted_line(dots(count=20), rng):
        columns = np.nonzero(picture.max(axis=0) > 0.6)[0].tolist()
        assert columns == [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26]


def test_a_zigzag_swings_about_its_line(rng: np.random.Generator) -> None:
    for picture in robustness.zigzag(dots(count=40), rng):
        rows, columns = np.nonzero(picture > 0.99)
        assert columns.min() >= 2
        assert columns.max() <= 25
        slope, start = np.polyfit(columns, rows, 1)
        assert abs(slope) < 0.35
        assert np.abs(rows - slope * columns - start).max() < 5
    # With a level line of row 14 the corners are at columns 4, 8, ... and rows 16, 12, ...
    level = robustness.zigzag(dots(), Fixed(14, 0))[0]
    assert [int(level[:, column].argmax()) for column in (4, 8, 12, 16, 20, 24)] == [16, 12, 16, 12, 16, 12]


class Fixed(np.random.Generator):
    """Draws what it was told, in turn."""

    def __init__(self, *values: int) -> None:
        super().__init__(np.random.PCG64(0))
        self._values = iter(values)

    def integers(self, _low: int, _high: int, size: int) -> NDArray[np.int64]:  # type: ignore[override]
        return np.full(size, next(self._values))


def test_canny_draws_the_outline_of_a_box_and_nothing_else(rng: np.random.Generator) -> None:
    box = np.zeros((2, 28, 28))
    box[0, 8:20, 8:20] = 1
    edges = robustness.canny_edges(box, rng)
    assert set(np.unique(edges)) == {0, 1}
    assert not edges[1].any()
    rows, columns = np.nonzero(edges[0])
    outside = np.maximum(np.abs(rows - 13.5), np.abs(columns - 13.5))
    assert ((outside >= 4.5) & (outside <= 6.5)).all()
    # Along the middle row the gradient is largest on both sides of the edge between 7 and 8, alike.
    assert np.nonzero(edges[0, 14])[0].tolist() == [7, 8, 19, 20]


def test_canny_keeps_weak_edges_only_where_they_hang_together_with_strong_ones(rng: np.random.Generator) -> None:
    # A step of height h, blurred by 1 pixel, has a Sobel gradient of 4 h × (0.399 + 0.242) = 2.56 h at its edge.
    steps = np.zeros((3, 28, 28))
    for picture, height in zip(steps, (0.03, 0.06, 0.1), strict=True):
        picture[:, 14:] = height
    edges = robustness.canny_edges(steps, rng)
    assert [bool(picture.any()) for picture in edges] == [False, False, True]
    assert not edges[:, [0, -1]].any()
    assert not edges[:, :, [0, -1]].any()
    joined = np.zeros((1, 28, 28))
    joined[:, :14, 14:], joined[:, 14:, 14:] = 0.06, 0.1
    assert robustness.canny_edges(joined, rng)[0, 4, 12:16].any()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Split:
    """MNIST with 30 test pictures, and none of them kept corrupted for other tests."""
    test = Split(robustness.originals().images[:30], robustness.originals().labels[:30])
    monkeypatch.setattr(robustness, "originals", lambda: test)
    monkeypatch.setattr(robustness, "corrupted_test", lambda kind: robustness.corrupt(test.images, kind))
    return test


def test_preprocessing_takes_away_what_lies_behind_the_digit(few: Split) -> None:
    classifier, bright = DigitClassifier(), robustness.corrupt(few.images, "brightness")
    assert robustness.right_as_pictures(classifier, Split(bright, few.labels)) > 0.9
    digits = classifier.classify_batch(bright).labels
    assert robustness.right(classifier, Split(bright, few.labels)) == np.mean(digits == few.labels)
    assert robustness.by_kind(classifier)["brightness"] == np.mean(digits == few.labels)


@pytest.mark.parametrize("options", [[], ["--as-pictures", "10"]], ids=["raw", "as pictures"])
def test_the_table_has_a_row_for_each_kind(
    options: list[str], few: Split, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["robustness.py", *options])
    robustness.main()
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert [row[0].replace(" ", "_") for row in rows[3:-1]] == list(robustness.KINDS)
    shares = [float(row[1].removesuffix(" %")) for row in rows[2:]]
    assert shares[0] == 100.0
    assert shares[-1] == pytest.approx(np.mean(shares[1:-1]), abs=0.01)
    count = int(options[1]) if options else len(few)
    assert shares[1] * count / 100 == pytest.approx(round(shares[1] * count / 100), abs=0.01)


def test_validation_pictures_are_those_that_recipes_hold_out(
    few: Split, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out = robustness.held_out()
    _, of_recipe = training_and_validation(catalogue.get("digits-l"), mnist.load())
    np.testing.assert_array_equal(held_out.images, of_recipe.images)
    # Labels that fit no picture of the test, so that an answer tells which split it was held against.
    monkeypatch.setattr(robustness, "held_out", lambda: Split(few.images, (few.labels + 1) % 10))
    monkeypatch.setattr(sys, "argv", ["robustness.py", "--validation"])
    robustness.main()
    assert "| none | 0.00 % |" in capsys.readouterr().out


def test_the_mean_is_over_the_kinds() -> None:
    assert robustness.mean({"a": 0.5, "b": 1.0}) == 0.75
