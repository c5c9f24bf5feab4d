"""Fields of strokes: distances, thinning, and the digits that are drawn."""

import numpy as np
import pytest
from edge_digits_train.lines import european_digits, signs, stroke_fields
from scipy import ndimage


def test_distances_are_those_of_scipy() -> None:
    lines = np.zeros((1, 64, 80), bool)
    lines[0, 20, 10:60] = lines[0, 30:50, 40] = True
    exact = ndimage.distance_transform_edt(~lines[0]) / 2
    coarse = exact.reshape(32, 2, 40, 2).mean(axis=(1, 3)) * stroke_fields.PER_UNIT
    near = coarse < 16 / 2 * stroke_fields.PER_UNIT
    np.testing.assert_allclose(stroke_fields.distances(lines)[0][near], coarse[near], atol=1)


def test_a_bar_is_thinned_to_a_line() -> None:
    bar = np.zeros((1, 20, 20), bool)
    bar[0, 8:13, 3:17] = True
    thin = stroke_fields.thin(bar)[0]
    assert thin.sum(axis=0).max() == 1
    assert thin[10, 6:14].all()


def test_the_field_of_a_stroke_is_0_on_it_and_grows_beside_it() -> None:
    field = stroke_fields.of_strokes([signs.line((0.5, 0), (0.5, 1))])
    assert field.shape == (32, 40)
    assert field[16, 19:21].max() <= stroke_fields.PER_UNIT
    assert (np.diff(field[16, 20:30].astype(int)) == stroke_fields.PER_UNIT).all()


def test_what_has_no_strokes_or_too_thick_ones_is_left_out() -> None:
    thin, thick = np.zeros((28, 28), np.uint8), np.zeros((28, 28), np.uint8)
    thin[4:24, 13:15] = 255
    thick[4:24, 4:24] = 255
    fields, kept = stroke_fields.of_pictures([np.zeros((28, 28), np.uint8), thin, thick])
    assert kept.tolist() == [1]
    assert fields.shape == (1, 32, 40)
    assert stroke_fields.of_pictures([])[0].shape == (0, 32, 40)


@pytest.mark.parametrize("digit", range(10))
def test_every_digit_can_be_drawn(digit: int) -> None:
    strokes = european_digits.draw(digit, np.random.default_rng(digit))
    left, _, top, _ = stroke_fields.extents(stroke_fields.of_strokes(strokes)[None])[0]
    assert left > 0
    assert top > 0


@pytest.mark.parametrize("character", "+/=()×*%€$£")
def test_every_sign_can_be_drawn(character: str) -> None:
    for seed in range(20):
        strokes = signs.sign(character, np.random.default_rng(seed), 0.04)
        points = np.concatenate(strokes)
        assert np.isfinite(points).all()
        assert np.abs(points).max() < 2
