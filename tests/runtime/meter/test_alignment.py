"""A view that has moved is found again to a part of a pixel; another view is not."""

import numpy as np
import pytest
from drawn_meter import PATCHES
from edge_digits_runtime.meter.alignment import Aligner, Placement, correlation
from edge_digits_runtime.meter.patches import lasting, propose_patches
from PIL import Image
from simulated_meter import SimulatedMeter, View


@pytest.fixture(scope="module")
def aligner(meter: SimulatedMeter) -> Aligner:
    return Aligner(meter.picture(1234500), PATCHES, 64)


@pytest.mark.parametrize(
    "view",
    [
        View(),
        View(shift=(37.5, -21)),
        View(degrees=4),
        View(degrees=-3, scale=1.05, shift=(-20, 20)),
        View(scale=0.95, light=0.15, noise=4),
        View(light=1.6, shift=(3, 3)),
        View(glare=(440, 380, 60, 1.0), shift=(5, 5)),
        View(haze=0.6, blur=1.5, degrees=1),
    ],
    ids=str,
)
def test_a_moved_view_is_found(aligner: Aligner, meter: SimulatedMeter, view: View) -> None:
    found = aligner.find(meter.picture(8765432, view, seed=1))
    assert found is not None
    angle = np.deg2rad(view.degrees)
    for x, y in ((130.0, 190.0), (476.0, 256.0)):
        right, down = x - 320, y - 240
        wanted = (
            320 + view.shift[0] + view.scale * (np.cos(angle) * right - np.sin(angle) * down),
            240 + view.shift[1] + view.scale * (np.sin(angle) * right + np.cos(angle) * down),
        )
        assert np.hypot(*np.subtract(found.at((x, y)), wanted)) < 0.6
    assert found.degrees == pytest.approx(view.degrees, abs=0.2)
    assert found.scale == pytest.approx(view.scale, abs=0.005)


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("L", (640, 480), 128),
        Image.effect_noise((640, 480), 80),
        Image.linear_gradient("L").resize((640, 480)),
    ],
    ids=["one grey", "noise", "gradient"],
)
def test_what_is_no_meter_is_not_found(aligner: Aligner, picture: Image.Image) -> None:
    assert aligner.find(picture) is None


def test_a_view_that_moved_too_far_is_not_found(aligner: Aligner, meter: SimulatedMeter) -> None:
    assert aligner.find(meter.picture(0, View(shift=(150, 0)))) is None
    assert aligner.find(meter.picture(0, View(degrees=25))) is None


def test_placements_follow_each_other() -> None:
    first, second = Placement(0.9, 0.1, 3, 4), Placement(1.1, -0.2, 5, 6)
    assert first.after(second).at((7.0, 8.0)) == pytest.approx(first.at(second.at((7.0, 8.0))))


def test_correlation_is_that_of_numpy_at_each_place() -> None:
    random = np.random.default_rng(0)
    window, template = random.normal(100, 30, (12, 14)), random.normal(100, 30, (5, 6))
    wanted = [
        [np.corrcoef(template.ravel(), window[y : y + 5, x : x + 6].ravel())[0, 1] for x in range(9)] for y in range(8)
    ]
    np.testing.assert_allclose(correlation(template, window), wanted, atol=1e-9)


def test_patches_are_proposed_on_print_and_not_on_what_changes(meter: SimulatedMeter) -> None:
    picture = meter.picture(1234500)
    patches = propose_patches(picture, meter.boxes, 64)
    assert len(patches) == 4
    for x, y, width, height in patches:
        assert all(
            x + width <= slot[0] or slot[0] + slot[2] <= x or y + height <= slot[1] or slot[1] + slot[3] <= y
            for slot in meter.boxes
        )
    assert propose_patches(Image.new("L", (640, 480), 90), [], 64) == []


def test_a_patch_that_another_picture_lacks_is_left_out(meter: SimulatedMeter) -> None:
    picture, other = meter.picture(1234500), meter.picture(1234500, View(shift=(4, 4)))
    # Another serial number is stuck over one of them.
    other.paste((120, 90, 60), (288, 68, 352, 132))
    assert lasting(picture, PATCHES, 64, [other]) == [PATCHES[0], PATCHES[2]]
