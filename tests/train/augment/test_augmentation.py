"""Augmentation, on shapes whose place, size and weight are known."""

import dataclasses
import json

import numpy as np
import pytest
from edge_digits_runtime.errors import UsageError
from edge_digits_train.augment.augmentation import Augmentation, augment
from numpy.testing import assert_array_equal

OFF = Augmentation(
    rotation=0,
    shear=0,
    width=(1.0, 1.0),
    height=(1.0, 1.0),
    translation=0,
    elastic=0,
    thicken=0,
    thin=0,
    blur=0,
    contrast=0,
    tone=0,
    clean=0,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def blocks(count: int, top: int = 10, left: int = 10, height: int = 8, width: int = 8) -> np.ndarray:
    """``count`` pictures of the same filled rectangle."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, top : top + height, left : left + width] = 255
    return images


def ink(images: np.ndarray) -> np.ndarray:
    return images.sum(axis=(1, 2)) / 255


def centre(images: np.ndarray) -> np.ndarray:
    """Centre of mass (x, y) of each picture, shape (n, 2)."""
    place = np.arange(28)
    total = images.sum(axis=(1, 2))
    return np.stack([images.sum(axis=1) @ place, images.sum(axis=2) @ place], axis=1) / total[:, None]


def test_nothing_changes_where_every_amount_is_zero() -> None:
    images = rng().integers(0, 256, (70, 28, 28), dtype=np.uint8)
    assert_array_equal(augment(images, rng(), OFF), images)


def test_the_input_is_not_changed_and_the_result_has_its_shape_and_type() -> None:
    images = blocks(130)
    before = images.copy()
    changed = augment(images, rng(), Augmentation())
    assert_array_equal(images, before)
    assert (changed.shape, changed.dtype) == ((130, 28, 28), np.uint8)
    assert augment(images[:0], rng(), Augmentation()).shape == (0, 28, 28)


def test_one_seed_gives_one_result() -> None:
    images = blocks(100)
    settings = Augmentation(noise=10)
    assert_array_equal(augment(images, rng(3), settings), augment(images, rng(3), settings))
    assert (augment(images, rng(3), settings) != augment(images, rng(4), settings)).any()


def test_pictures_of_one_batch_are_changed_differently() -> None:
    changed = augment(blocks(64), rng(), dataclasses.replace(Augmentation(), clean=0))
    assert len(np.unique(changed.reshape(64, -1), axis=0)) == 64


@pytest.mark.parametrize("clean", [0.0, 0.25, 1.0])
def test_the_clean_share_stays_as_it_is(clean: float) -> None:
    images = blocks(2000)
    same = (augment(images, rng(), dataclasses.replace(Augmentation(), clean=clean)) == images).all(axis=(1, 2))
    assert same.mean() == pytest.approx(clean, abs=0.03)


def test_translation_moves_up_to_its_limit_and_no_further() -> None:
    moved = centre(augment(blocks(1000), rng(), dataclasses.replace(OFF, translation=3))) - 13.5
    assert np.abs(moved).max() <= 3.02
    assert (moved.min(axis=0) < -2.8).all()
    assert (moved.max(axis=0) > 2.8).all()


def test_ink_that_leaves_the_picture_does_not_come_back_on_the_other_side() -> None:
    images = blocks(300, top=0, left=0, height=28, width=2)
    changed = augment(images, rng(), dataclasses.replace(OFF, translation=10))
    assert not changed[:, :, 14:].any()


def test_scale_changes_the_area_within_its_range() -> None:
    area = ink(augment(blocks(5000), rng(), dataclasses.replace(OFF, width=(0.5, 1.5), height=(0.5, 1.5)))) / 64
    assert area.min() == pytest.approx(0.25, abs=0.06)
    assert area.max() == pytest.approx(2.25, rel=0.08)


def test_rotation_turns_a_bar_up_to_its_limit() -> None:
    bars = blocks(500, top=4, left=13, height=20, width=2)
    turned = augment(bars, rng(), dataclasses.replace(OFF, rotation=20))
    ends = np.stack([half.argmax(axis=1) for half in (turned[:, 6], turned[:, 21])], axis=1).astype(float)
    angle = np.degrees(np.arctan2(ends[:, 1] - ends[:, 0], 15))
    assert np.abs(angle).max() == pytest.approx(20, abs=2.5)
    assert angle.min() < -15 < 15 < angle.max()
    assert ink(turned) == pytest.approx(40, rel=0.05)


def test_shear_slants_a_bar_and_keeps_its_rows() -> None:
    bars = blocks(500, top=4, left=13, height=20, width=2)
    slanted = augment(bars, rng(), dataclasses.replace(OFF, shear=0.5))
    assert_array_equal(slanted.any(axis=2), bars.any(axis=2))
    place = np.arange(28)
    top, bottom = ((slanted[:, row] @ place) / slanted[:, row].sum(axis=1) for row in (4, 23))
    assert np.abs(bottom - top).max() == pytest.approx(0.5 * 19, abs=0.3)


def test_elastic_displacement_has_the_stated_size() -> None:
    # A ramp of 5 grey levels a pixel shows how far each pixel was displaced along x.
    ramp = np.tile(np.arange(28, dtype=np.uint8) * 5 + 50, (400, 28, 1))
    changed = augment(ramp, rng(), dataclasses.replace(OFF, elastic=1.0, elastic_sigma=4))
    displaced = (changed.astype(float) - ramp)[:, 6:-6, 6:-6] / 5
    assert displaced.std() == pytest.approx(1.0, abs=0.1)
    assert displaced.mean() == pytest.approx(0, abs=0.15)


def test_elastic_displacement_is_smooth() -> None:
    ramp = np.tile(np.arange(28, dtype=np.uint8) * 5 + 50, (100, 28, 1))
    displaced = augment(ramp, rng(), dataclasses.replace(OFF, elastic=1.0, elastic_sigma=4))[:, 6:-6, 6:-6] / 5.0
    # Neighbouring rows a pixel apart: a Gaussian field's slope has a root mean square of 1 / (sigma * sqrt(2)).
    slope = np.diff(displaced, axis=1).std()
    assert slope == pytest.approx(1 / (4 * np.sqrt(2)), rel=0.2)


# An 8x8 block with its four sides dilated by one has 64 + 32 pixels, eroded by one it has 36.
@pytest.mark.parametrize(
    ("settings", "low", "high"),
    [({"thicken": 1.0}, 64, 96), ({"thin": 1.0}, 36, 64), ({"thicken": 0.5, "thin": 0.5}, 50, 80)],
)
def test_pen_width_changes_between_erosion_and_dilation(settings: dict[str, float], low: float, high: float) -> None:
    area = ink(augment(blocks(2000), rng(), dataclasses.replace(OFF, **settings)))
    assert area.min() == pytest.approx(low, abs=0.5)
    assert area.max() == pytest.approx(high, abs=0.5)


def test_a_pen_adds_no_ink_from_outside_the_picture() -> None:
    full = np.full((50, 28, 28), 255, np.uint8)
    assert_array_equal(augment(full, rng(), dataclasses.replace(OFF, thin=1.0, thicken=1.0)), full)


def test_blur_keeps_the_ink_and_has_the_stated_width() -> None:
    point = np.zeros((3000, 28, 28), np.uint8)
    point[:, 14, 14] = 255
    blurred = augment(point, rng(), dataclasses.replace(OFF, blur=0.7))
    profile = blurred.sum(axis=1) / blurred.sum(axis=(1, 2))[:, None]
    variance = profile @ (np.arange(28) - 14.0) ** 2
    assert np.sqrt(variance.max()) == pytest.approx(0.7, abs=0.02)
    assert ink(blurred) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("grey", "low", "high"), [(0, 0, 0), (255, 255 * 0.6, 255), (200, 200 * 0.6, 229), (60, 33, 60)]
)
def test_contrast_changes_about_mid_grey_and_keeps_the_background(grey: int, low: float, high: float) -> None:
    images = np.full((2000, 28, 28), grey, np.uint8)
    changed = augment(images, rng(), dataclasses.replace(OFF, contrast=0.4))
    assert changed.min() == pytest.approx(low, abs=1)
    assert changed.max() == pytest.approx(high, abs=1)


# grey + tone * grey * (255 - grey) / 255: 127 moves by 0.5 * 63.75, black and white stay.
@pytest.mark.parametrize(("grey", "reach"), [(0, 0), (255, 0), (127, 31.9), (64, 24.0)])
def test_tone_moves_the_half_tones_only(grey: int, reach: float) -> None:
    images = np.full((2000, 28, 28), grey, np.uint8)
    changed = augment(images, rng(), dataclasses.replace(OFF, tone=0.5)).astype(float) - grey
    assert changed.max() == pytest.approx(reach, abs=1)
    assert changed.min() == pytest.approx(-reach, abs=1)


def test_noise_has_at_most_the_stated_spread() -> None:
    grey = np.full((500, 28, 28), 128, np.uint8)
    spread = augment(grey, rng(), dataclasses.replace(OFF, noise=20)).std(axis=(1, 2))
    assert spread.max() == pytest.approx(20, abs=1.5)
    assert spread.min() < 1


def test_written_forms_need_labels_and_change_only_their_digits() -> None:
    settings = dataclasses.replace(OFF, crossed_seven=1, upstroke_one=1)
    images = blocks(30, top=4, left=13, height=20, width=2)
    labels = np.arange(30, dtype=np.uint8) % 10
    changed = (augment(images, rng(), settings, labels) != images).any(axis=(1, 2))
    assert_array_equal(changed, (labels == 1) | (labels == 7))
    with pytest.raises(ValueError, match="need the labels"):
        augment(images, rng(), settings)


def test_settings_survive_json() -> None:
    settings = Augmentation(rotation=7, width=(0.9, 1.2), noise=4)
    assert Augmentation.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
    assert Augmentation.from_dict({}) == Augmentation()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"wobble": 1}, "augmentation has no wobble; there is rotation, shear"),
        ({"clean": 1.5}, "augmentation clean is 1.5; allowed is 0 to 1"),
        ({"rotation": -3}, "augmentation rotation is -3; allowed is 0 to 180"),
        ({"elastic_sigma": 0.5}, "augmentation elastic_sigma is 0.5; allowed is 2 to 28"),
        ({"blur": float("nan")}, "augmentation blur is nan; allowed is 0 to 0.7"),
        ({"height": (1.2, 0.8)}, "augmentation height is 1.2 to 0.8; allowed is 0.1 to 10, the smaller first"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Augmentation.from_dict(values)
    assert str(caught.value).startswith(message)


# --- whole pictures of any size

WHOLE = dataclasses.replace(OFF, whole_picture=True)


@pytest.mark.parametrize("shape", [(16, 64), (32, 20), (64, 16)])
def test_pictures_of_any_size_are_changed_and_keep_it(shape: tuple[int, int]) -> None:
    images = rng().integers(0, 256, (70, *shape), np.uint8)
    everything = Augmentation(whole_picture=True, noise=10, brightness=30, inverted=0.5)
    changed = augment(images, rng(1), everything)
    assert changed.shape == images.shape
    assert (changed != images).mean() > 0.5
    assert_array_equal(augment(images, rng(), WHOLE), images)


def test_what_comes_in_from_outside_is_the_edge_of_a_whole_picture_and_background_of_ink() -> None:
    images = np.full((50, 32, 20), 200, np.uint8)
    moved = dataclasses.replace(WHOLE, translation=5.0, rotation=20.0)
    assert_array_equal(augment(images, rng(), moved), images)
    assert augment(images, rng(), dataclasses.replace(moved, whole_picture=False)).min() == 0


def test_a_share_of_the_pictures_becomes_negatives() -> None:
    images = rng().integers(0, 256, (400, 20, 16), np.uint8)
    changed = augment(images, rng(1), dataclasses.replace(WHOLE, inverted=0.5))
    inverted = (changed == 255 - images).all(axis=(1, 2))
    assert 150 < inverted.sum() < 250
    assert_array_equal(changed[~inverted], images[~inverted])


def test_brightness_moves_all_pixels_alike() -> None:
    images = np.full((200, 20, 16), 128, np.uint8)
    changed = augment(images, rng(1), dataclasses.replace(WHOLE, brightness=40.0)).astype(int)
    levels = changed[:, 0, 0]
    assert (changed == levels[:, None, None]).all()
    assert (levels.min() < 95, levels.max() > 160, levels.min() >= 88, levels.max() <= 168) == (True,) * 4


def test_shade_is_a_plane_of_at_most_the_stated_slope_along_each_axis() -> None:
    grey = np.full((200, 32, 20), 128, np.uint8)
    changed = augment(grey, rng(1), dataclasses.replace(WHOLE, shade=60.0)).astype(float)
    for axis, side in ((1, 32), (2, 20)):
        slope = np.diff(changed.mean(axis=3 - axis), axis=1) * side
        # The same everywhere, but for the rounding of each pixel.
        assert np.ptp(slope, axis=1).max() < 40
        steps = slope.mean(axis=1)
        assert 45 < np.abs(steps).max() <= 60.5
        assert steps.min() < -30 < 30 < steps.max()
    assert np.abs(changed.mean(axis=(1, 2)) - 128).max() < 1


def test_contrast_of_a_whole_picture_changes_dark_and_light_alike() -> None:
    images = np.tile(np.array([[[64, 192]]], np.uint8), (200, 16, 8))
    changed = augment(images, rng(1), dataclasses.replace(WHOLE, contrast=0.4)).astype(int)
    assert np.abs(changed[:, 0, 0] + changed[:, 0, 1] - 255).max() <= 2
    assert changed[:, 0, 0].min() < 45
    assert changed[:, 0, 0].max() > 83


@pytest.mark.parametrize(("name", "value"), [("brightness", -1.0), ("brightness", 256.0), ("inverted", 1.1)])
def test_amounts_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"augmentation {name} is {value}"):
        dataclasses.replace(OFF, **{name: value})
