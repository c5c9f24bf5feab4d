"""Profiles: what is written is read back, and every mistake is one line with its place."""

from pathlib import Path

import pytest
from edge_digits_runtime.errors import ProfileError
from edge_digits_runtime.meter.profile import Alignment, Change, Profile, Slot, load_profile, parse_profile
from edge_digits_runtime.meter.profile_text import profile_text

GOOD = """size = [100, 50]
[[slots]]
box = [1, 1, 20, 30]
[[slots]]
box = [21, 1, 20, 30]
"""


def test_what_is_written_is_read_back() -> None:
    profile = Profile(
        size=(640, 480),
        slots=(Slot((8, 4, 20, 32)), Slot((30, 4, 20, 32), "digit", 'odd "name".tflite')),
        name="Küche",
        unit="m³",
        decimals=1,
        rotation=-3.5,
        alignment=Alignment("meter.reference.png", ((300, 10, 40, 40), (10, 300, 40, 40)), 0.2),
        change=Change(2.5, -1.0, True),
    )
    again = parse_profile(profile_text(profile).encode())
    assert profile_text(again) == profile_text(profile)
    assert (again.name, again.rotation, again.change) == ("Küche", -3.5, Change(2.5, -1.0, True))
    assert [tuple(slot.box) for slot in again.slots] == [(8, 4, 20, 32), (30, 4, 20, 32)]
    assert [slot.model for slot in again.slots] == [None, 'odd "name".tflite']


def test_what_is_left_out_has_a_value() -> None:
    profile = parse_profile(GOOD.encode())
    assert (profile.model, profile.decimals, profile.alignment, profile.step) == ("meter-m", 0, None, 1.0)


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (GOOD + "colour = 1\n", "slots[1].colour", "unknown"),
        ("coluor = 1\n" + GOOD, "coluor", "unknown"),
        (GOOD + "[change]\nfastest = 1\n", "change.fastest", "unknown"),
        (GOOD.replace("[21, 1", "[20, 1"), "slots[0].box [1, 1, 20, 30] and slots[1].box [20, 1, 20, 30]", "overlap"),
        (GOOD.replace("[21, 1", "[81, 1"), "slots[1].box", "outside the picture, which is 100×50"),
        (GOOD.replace("[21, 1", "[-1, 1"), "slots[1].box[0] is -1", "allowed is 0 to"),
        (GOOD.replace("20, 30]", "0, 30]"), "slots[0]", "no area"),
        (GOOD.replace("[1, 1, 20, 30]", "[1, 1, 20]"), "slots[0].box", "allowed is a list of 4 to 4"),
        (GOOD.replace("[1, 1, 20, 30]", "[1, 1, 20.5, 30]"), "slots[0].box[2]", "a whole number"),
        (GOOD + "kind = 'dial'\n", "slots[1].kind", "'wheel' or 'digit'"),
        ("size = [100, 50]\nslots = []\n", "slots", "a list of 1 to 16"),
        ("size = [100, 50]\n", "slots", "missing"),
        ("decimals = 3\n" + GOOD, "decimals is 3", "0 to 2, the number of slots"),
        ("min_confidence = 2\n" + GOOD, "min_confidence", "0 to 1"),
        (GOOD + "[change]\nlowest_per_hour = -1\n", "change: lowest_per_hour is -1", "may_fall"),
        (GOOD + "[change]\nlowest_per_hour = 2\nhighest_per_hour = 1\n", "change: highest_per_hour is 1", "below"),
        (GOOD + "[change]\nhighest_per_hour = nan\n", "change.highest_per_hour", "a number"),
        (
            GOOD + "[alignment]\npicture = 'a.png'\npatches = [[60, 1, 12, 12]]\n",
            "alignment.patches",
            "a list of 2 to 8",
        ),
        (
            GOOD + "[alignment]\npicture = 'a.png'\npatches = [[60, 1, 12, 12], [60, 2, 12, 12]]\n",
            "alignment.patches",
            "10 pixels apart",
        ),
        (
            GOOD + "[alignment]\npicture = 'a.png'\npatches = [[60, 1, 12, 12], [60, 30, 11, 12]]\n",
            "alignment: patches[1] is 11×12",
            "12 pixels a side",
        ),
        (
            GOOD + "[alignment]\npicture = 'a.png'\npatches = [[30, 1, 12, 12], [60, 30, 12, 12]]\n",
            "slots[1].box [21, 1, 20, 30] and alignment.patches[0]",
            "overlap",
        ),
        ("size = [100", "no TOML", "end of document"),
        ("size = 2026-01-01\n" + GOOD.partition("\n")[2], "size", "a list"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place(text: str, place: str, what: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text.encode(), "cellar.toml")
    message = str(caught.value)
    assert message.startswith("cellar.toml: ")
    assert place in message
    assert what in message
    assert "\n" not in message


def test_a_file_that_is_no_text_or_missing_is_said(tmp_path: Path) -> None:
    (tmp_path / "meter.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match=r"meter\.toml: no TOML: 'utf-8'"):
        load_profile(tmp_path / "meter.toml")
    with pytest.raises(ProfileError, match="'edge-digits profile' makes one"):
        load_profile(tmp_path / "none.toml")
