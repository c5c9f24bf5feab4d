"""``profile`` and ``read --profile`` from the command line, on a simulated meter."""

import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from drawn_meter import KnowsTheWheels
from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.meter.profile import Profile, Slot, load_profile
from edge_digits_runtime.meter.profile_text import profile_text
from edge_digits_runtime.model.classifier import DigitClassifier
from PIL import Image
from simulated_meter import SimulatedMeter, View

from edge_digits.cli import main
from edge_digits.collection.store import Collection

METER = SimulatedMeter(wheels=6, decimals=2, play=0.0)
KNOWN = KnowsTheWheels(METER)


@pytest.fixture(scope="module", autouse=True)
def model_that_knows_the_wheels() -> Iterator[None]:
    """Let a model that needs no training stand for meter-m; it is found under that name, others are not."""

    def load(name: object = None, **options: Any) -> Any:
        if name is None:
            # The row of digits is found with the usual models.
            return DigitClassifier(**options)
        if str(name) != "meter-m":
            raise UsageError(f"no model {str(name)!r} is installed")
        return KNOWN

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edge_digits_runtime.model.classifier.DigitClassifier", load)
        patch.setattr("edge_digits_runtime.meter.reading.DigitClassifier", load)
        yield


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profiles")
    METER.picture(1234564).save(folder / "now.png")
    METER.picture(1234574, View(shift=(6, 4), degrees=1)).save(folder / "later.png")
    METER.picture(1234564).rotate(-5, Image.Resampling.BICUBIC).save(folder / "askew.png")
    METER.picture(1234564).transpose(Image.Transpose.ROTATE_270).save(folder / "side.png")
    METER.picture(1234564).transpose(Image.Transpose.ROTATE_180).save(folder / "head.png")
    Image.new("L", (640, 480), 128).save(folder / "nothing.png")
    return folder


@pytest.fixture(scope="module")
def profile_path(folder: Path) -> Path:
    path = folder / "meter.toml"
    row = "124,190,360,66"
    result = run(
        "profile", folder / "now.png", folder / "later.png", "-o", path, "--row", row,
        "--digits", 6, "--unit", "m³", "--highest-per-hour", 2.5, "--name", "cellar",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="module")
def exact_path(profile_path: Path) -> Path:
    """A profile whose boxes a person has corrected."""
    profile = load_profile(profile_path)
    path = profile_path.with_name("exact.toml")
    exact: Profile = dataclasses.replace(profile, slots=tuple(Slot(box) for box in METER.boxes), min_confidence=0.98)
    path.write_text(profile_text(exact), encoding="utf-8")
    return path


def test_a_profile_is_written_with_its_reference_and_what_was_found(profile_path: Path) -> None:
    profile = load_profile(profile_path)
    assert (profile.name, profile.unit, profile.decimals, len(profile.slots)) == ("cellar", "m³", 2, 6)
    assert profile.change.highest_per_hour == 2.5
    assert profile.alignment is not None
    assert len(profile.alignment.patches) >= 2
    assert Image.open(profile_path.parent / profile.alignment.picture).size == (640, 480)
    drawn = Image.open(profile_path.with_suffix(".png")).convert("RGB")
    assert drawn.size == (640, 480)


@pytest.mark.parametrize(
    ("picture", "rotation"), [("now.png", 0), ("askew.png", -5), ("side.png", -90), ("head.png", -180)]
)
def test_the_row_of_digits_is_found_however_the_camera_hangs(folder: Path, picture: str, rotation: float) -> None:
    out = folder / f"{picture}.toml"
    result = run("profile", folder / picture, "-o", out, "--digits", 6)
    assert result.exit_code == 0, result.output
    profile = load_profile(out)
    assert profile.rotation == pytest.approx(rotation, abs=0.6)
    check_boxes(profile, METER)


def check_boxes(profile: Profile, meter: SimulatedMeter) -> None:
    """Each window has its slot, and no other place has one."""
    for slot, box in zip(profile.slots, meter.boxes, strict=True):
        right = slot.box[0] + slot.box[2] / 2 - box[0] - box[2] / 2
        down = slot.box[1] + slot.box[3] / 2 - box[1] - box[3] / 2
        assert (right, down) == pytest.approx((0, 0), abs=14)


@pytest.mark.parametrize("seed", range(4))
def test_the_unit_beside_the_windows_is_no_digit(tmp_path: Path, seed: int) -> None:
    """On the face it says m3 behind the last window, as large as the digits."""
    meter = SimulatedMeter(wheels=6, decimals=2, seed=seed, play=0.0)
    meter.picture(1234564, View(light=(1.0, 0.6)[seed % 2], blur=(0.8, 1.4)[seed // 2])).save(tmp_path / "now.png")
    result = run("profile", tmp_path / "now.png", "-o", tmp_path / "meter.toml")
    assert result.exit_code == 0, result.output
    check_boxes(load_profile(tmp_path / "meter.toml"), meter)


def test_a_profile_that_is_there_is_not_replaced(profile_path: Path, folder: Path) -> None:
    before = profile_path.read_bytes()
    result = run("profile", folder / "now.png", "-o", profile_path)
    assert (result.exit_code, "--force replaces it" in result.stderr) == (2, True)
    assert profile_path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.png"], "no row of digits found; give where it is with --row"),
        (["now.png", "--row", "1,2,3"], "allowed is x,y,width,height"),
        (["now.png", "--row", "1,2,30,40"], "say with --digits how many"),
        (
            ["now.png", "--row", "600,400,100,90", "--digits", "3"],
            "outside the picture, which is 640×480",
        ),
        (["now.png", "--model", "no-such-model"], "no model 'no-such-model' is installed"),
        (["none.png"], "none.png"),
    ],
)
def test_what_cannot_be_proposed_is_one_line(folder: Path, arguments: list[str], message: str) -> None:
    picture, *options = arguments
    result = run("profile", folder / picture, "-o", folder / "bad.toml", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1 or "patches" in result.stderr
    assert not (folder / "bad.toml").exists()


def test_read_by_a_profile_prints_a_line_for_each_picture(exact_path: Path, folder: Path, tmp_path: Path) -> None:
    result = run(
        "read", "--profile", exact_path, folder / "now.png", folder / "later.png", folder / "nothing.png",
        "--annotate", tmp_path / "seen",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = [line.rpartition(": ") for line in result.stdout.splitlines()]
    assert [Path(name).name for name, _, _ in lines] == ["now.png", "later.png", "nothing.png"]
    assert [text for _, _, text in lines] == ["1234.56", "1234.57", "????.??"]
    assert "nothing.png: the reference patches were not found" in result.stderr
    assert len(list((tmp_path / "seen").iterdir())) == 3


def test_strict_says_what_is_doubtful_and_exits_with_one(profile_path: Path, folder: Path) -> None:
    result = run("read", "--profile", profile_path, folder / "nothing.png", "--strict")
    assert result.exit_code == 1
    assert "Not sure: " in result.stderr


@pytest.mark.parametrize("option", [["--model", "digits-m"], ["--expect", "integer"], ["--by-digit"]])
def test_options_that_the_profile_answers_are_refused(profile_path: Path, folder: Path, option: list[str]) -> None:
    result = run("read", "--profile", profile_path, folder / "now.png", *option)
    assert result.exit_code == 2
    assert f"{option[0]} does not go with --profile" in result.stderr


def test_a_broken_profile_is_said_once(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "meter.toml").write_text("size = [640, 480]\nslots = [{box = [1, 1, 9, 9], colour = 1}]\n")
    result = run("read", "--profile", tmp_path / "meter.toml", folder / "now.png", folder / "later.png")
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path}/meter.toml: slots[0].colour is unknown; allowed are box, kind, model\n"


def test_watch_reads_a_folder_once(exact_path: Path, tmp_path: Path) -> None:
    import os

    for index in range(4):
        path = tmp_path / f"{index}.png"
        METER.picture(1234564, View(shift=(index, 0))).save(path)
        os.utime(path, (1_700_000_000 + 60 * index,) * 2)
    result = run(
        "watch", tmp_path, "--profile", exact_path, "--once", "--json",
        "--csv", tmp_path / "out.csv", "--sqlite", tmp_path / "out.db", "--doubts", tmp_path / "doubts",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lines: list[dict[str, Any]] = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["source"] for line in lines] == ["0.png", "1.png", "2.png", "3.png"]
    assert [line["value"] for line in lines] == [1234.56] * 4
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 5
    again = run("watch", tmp_path / "doubts-none", "--profile", exact_path, "--once")
    assert again.exit_code == 2


@pytest.mark.parametrize("verb", ["read", "watch"])
def test_places_that_are_not_sure_are_collected(verb: str, exact_path: Path, tmp_path: Path) -> None:
    """Of a doubtful picture, only those; once, and with the meter as their group."""
    picture = METER.picture(1234564)
    x, y, width, height = METER.boxes[2]
    noise = Image.effect_noise((width, height), 120).convert(picture.mode)
    for name in ("0.png", "1.png"):
        picture.save(tmp_path / name)
        picture.paste(noise, (x, y))
    if verb == "read":
        arguments: list[object] = ["read", tmp_path / "0.png", tmp_path / "1.png", tmp_path / "1.png"]
    else:
        arguments = ["watch", tmp_path, "--once", "--doubts-mb", 0]
    result = run(*arguments, "--profile", exact_path, "--collect", tmp_path / "kept")
    assert result.exit_code in (0, 1), result.output
    collection = Collection(tmp_path / "kept")
    (item,) = collection.waiting()
    assert (item.group, item.classes, item.reason) == ("cellar", KNOWN.labels, "doubtful")
    assert Image.open(io.BytesIO(collection.picture(item))).size == (width, height)
