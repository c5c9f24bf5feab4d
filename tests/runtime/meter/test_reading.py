"""Pictures of a simulated meter are read by its profile."""

import dataclasses
from pathlib import Path

import pytest
from drawn_meter import known
from edge_digits_runtime.drawing.annotate_meter import annotate_meter
from edge_digits_runtime.errors import PictureError, ProfileError
from edge_digits_runtime.meter.profile import Profile, Slot
from edge_digits_runtime.meter.reading import MeterReader, turned_by
from edge_digits_runtime.meter.reasons import NOT_FOUND
from PIL import Image
from simulated_meter import SimulatedMeter, View

MOVED = View(shift=(11, -7), degrees=2, scale=1.02)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (0, "0000.00"),
        (50, "0000.05"),
        (1234564, "1234.56"),
        (1299994, "1299.99"),
        (1299997, "1299.99"),
        (1300000, "1300.00"),
        (1300003, "1300.00"),
        (9999996, "9999.99"),
    ],
)
def test_wheels_are_read_in_any_state(meter_reader: MeterReader, meter: SimulatedMeter, state: int, text: str) -> None:
    reading = meter_reader.read(meter.picture(state, MOVED, seed=3))
    assert (reading.written, reading.sure, reading.value) == (text, True, float(text))
    assert reading.placement is not None
    assert reading.placement.degrees == pytest.approx(2, abs=0.2)


def test_the_text_has_a_character_for_each_slot_and_a_mark_for_doubt(
    meter_reader: MeterReader, meter: SimulatedMeter
) -> None:
    picture = meter.picture(1234564)
    x, y, width, height = meter.boxes[2]
    # Something hides a wheel.
    picture.paste(Image.effect_noise((width, height), 60).convert("RGB"), (x, y))
    reading = meter_reader.read(picture)
    assert reading.written == "12?4.56"
    assert (reading.value, reading.sure) == (None, False)
    assert reading.reason == "doubtful: character 3"
    found = reading.to_dict()
    assert (found["text"], found["sure"], len(found["slots"])) == ("12?4.56", False, 6)


def test_a_covered_slot_has_no_contrast(meter_reader: MeterReader, meter: SimulatedMeter) -> None:
    picture = meter.picture(1234564)
    x, y, width, height = meter.boxes[5]
    picture.paste((90, 90, 90), (x - 2, y - 2, x + width + 2, y + height + 2))
    reading = meter_reader.read(picture)
    assert (reading.written, reading.reason) == ("????.??", "no contrast in slot 6")


def test_a_view_without_patches_is_no_reading(meter_reader: MeterReader) -> None:
    reading = meter_reader.read(Image.new("RGB", (640, 480), (60, 60, 60)))
    assert (reading.written, reading.reason, reading.value) == ("????.??", NOT_FOUND, None)


def test_a_picture_of_another_size_is_scaled_and_one_of_another_form_refused(
    meter_reader: MeterReader, meter: SimulatedMeter
) -> None:
    assert meter_reader.read(meter.picture(1234564).resize((1280, 960))).written == "1234.56"
    with pytest.raises(PictureError, match="640×360 pixels; the profile is of 640×480"):
        meter_reader.read(Image.new("L", (640, 360)))


@pytest.mark.parametrize("degrees", [90, 180, -90, 7])
def test_a_camera_that_hangs_askew_is_turned(
    meter: SimulatedMeter, meter_profile: Profile, meter_folder: Path, degrees: float
) -> None:
    picture = turned_by(meter.picture(1234564), -degrees)
    profile = dataclasses.replace(meter_profile, rotation=degrees)
    assert MeterReader(profile, meter_folder, classifiers=known(meter)).read(picture).written == "1234.56"


def test_each_wheel_by_itself_is_a_unit_off_where_it_turns(
    meter: SimulatedMeter, meter_profile: Profile, meter_folder: Path
) -> None:
    plain = MeterReader(meter_profile, meter_folder, classifiers=known(meter), by_wheel=False)
    reading = plain.read(meter.picture(1299997))
    assert reading.written.replace("?", "") != "1299.99"


def test_a_reference_picture_that_is_missing_or_of_another_size_is_said(
    meter: SimulatedMeter, meter_profile: Profile, tmp_path: Path
) -> None:
    with pytest.raises(ProfileError, match=r"alignment\.picture: .*reference\.png"):
        MeterReader(meter_profile, tmp_path, classifiers=known(meter))
    Image.new("L", (320, 240)).save(tmp_path / "reference.png")
    with pytest.raises(ProfileError, match="has 320×240 pixels, the profile says 640×480"):
        MeterReader(meter_profile, tmp_path, classifiers=known(meter))


class Display:
    """A model of a display: what it answers is told."""

    def __init__(self, answers: list[str]) -> None:
        from edge_digits_runtime.image.model_input import Input

        self.labels = (*"0123456789", "blank", "minus")
        self.input = Input("crop", 28, 28)
        self._answers = answers

    def classify_batch(self, _: object) -> object:
        import numpy as np

        shares = np.full((len(self._answers), len(self.labels)), 0.0001)
        for row, answer in enumerate(self._answers):
            shares[row, self.labels.index(answer)] = 1 - 0.0011

        class Answers:
            probabilities = shares

        return Answers()


@pytest.mark.parametrize(
    ("answers", "text", "value"),
    [
        (["blank", "blank", "4", "2"], "004.2", 4.2),
        (["blank", "minus", "4", "2"], "0-4.2", -4.2),
        (["minus", "1", "4", "2"], "-14.2", -14.2),
        (["1", "blank", "4", "2"], "1?4.2", None),
        (["0", "9", "9", "9"], "099.9", 99.9),
    ],
)
def test_a_display_has_blanks_and_a_sign(answers: list[str], text: str, value: float | None) -> None:
    slots = tuple(Slot((10 + 20 * index, 10, 18, 28), "digit") for index in range(4))
    reader = MeterReader(Profile((100, 50), slots, decimals=1), classifiers={"meter-m": Display(answers)})
    reading = reader.read(Image.linear_gradient("L").resize((100, 50)))
    assert (reading.written, reading.value) == (text, value)


def test_slots_and_patches_are_drawn_where_they_are(meter_reader: MeterReader, meter: SimulatedMeter) -> None:
    picture = meter.picture(1234564, MOVED)
    reading = meter_reader.read(picture)
    drawn = annotate_meter(picture, meter_reader.profile, reading)
    assert drawn.size == picture.size
    assert reading.placement is not None
    corner = tuple(map(round, reading.placement.at(meter.boxes[0][:2])))
    assert drawn.getpixel(corner) == (0, 130, 60)
