"""Pictures of any kind take little memory, or are one line; and nothing but that line reaches the terminal."""

import contextlib
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.errors import PictureError
from edge_digits_runtime.image import ink, picture
from edge_digits_runtime.image.ink import to_plain
from edge_digits_runtime.image.picture import open_picture, reduced_by
from PIL import Image, ImageDraw

MOST_MB = 250
_PROGRAM = """
import sys
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.errors import PictureError
try:
    print(DigitClassifier().classify(sys.argv[1]).label)
except PictureError as error:
    print(error)
# What getrusage says holds the memory of the process that started this one, too.
with open("/proc/self/status") as status:
    (line,) = (line for line in status if line.startswith("VmHWM"))
print(int(line.split()[1]) >> 10)
"""


def stroke(mode: str, width: int, height: int) -> Image.Image:
    white, black = (65535, 0) if mode == "I;16" else ("white", "black")
    image = Image.new(mode, (width, height), white)
    ImageDraw.Draw(image).line((width // 2, height // 4, width // 2 - width // 20, height * 3 // 4), black, width // 20)
    return image


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    ("mode", "side", "name", "says"),
    [
        ("RGBA", 5400, "x.png", "1"),
        ("I;16", 7600, "x.png", "1"),
        ("L", 9400, "x.png", "1"),
        ("RGB", 9400, "x.jpg", "1"),
        ("RGBA", 5500, "x.png", "too large"),
        ("I;16", 9400, "x.png", "too large"),
        ("RGB", 3300, "x.webp", "too large"),
    ],
)
def test_no_picture_takes_more_than_250_mb(mode: str, side: int, name: str, says: str, tmp_path: Path) -> None:
    options = {"compress_level": 1} if name.endswith("png") else {}
    stroke(mode, side, side).save(tmp_path / name, **options)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, tmp_path / name], capture_output=True, text=True, check=False
    )
    answer, peak = done.stdout.splitlines()
    assert done.stderr == ""
    assert says in answer
    assert int(peak) < MOST_MB


@pytest.mark.parametrize("size", [(1, 70_000), (70_000, 1)])
def test_a_side_longer_than_that_of_any_jpeg_is_refused(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("L", size).save(tmp_path / "thin.png")
    with pytest.raises(PictureError, match=r"thin\.png: too large: .*65,535 pixels a side"):
        open_picture(tmp_path / "thin.png")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "I", "F", "CMYK"])
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_parts_give_what_the_whole_gives(mode: str, factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 256, (61, 47, 4), np.uint8), "RGBA").convert(
        "RGB" if mode == "P" else mode[:4]
    )
    if mode in ("I;16", "I", "F"):
        values = rng.integers(0, 60_000, (61, 47))
        image = Image.fromarray(values.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    elif mode != "RGBA":
        image = (image if mode == "LA" else image.convert("RGB")).convert(mode)
    whole = to_plain(image, factor)
    monkeypatch.setattr(ink, "_PART", 47 * 8)
    parts = to_plain(image, factor)
    assert (parts.mode, parts.size, parts.tobytes()) == (whole.mode, whole.size, whole.tobytes())
    assert whole.size == (-(-47 // factor), -(-61 // factor))


def test_a_large_picture_is_reduced_and_lies_as_its_exif_data_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(picture, "_LARGE", 4 * 100 * 60)
    exif = Image.Exif()
    exif[0x0112] = 6
    stroke("RGB", 300, 180).save(tmp_path / "x.png", exif=exif)
    found = open_picture(tmp_path / "x.png")
    assert (found.size, reduced_by(found), found.mode) == ((45, 75), 4, "RGB")
    assert open_picture(tmp_path / "x.png").tobytes() == found.tobytes()


def test_too_little_memory_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stroke("L", 30, 30).save(tmp_path / "x.png")

    def fail(_image: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    with pytest.raises(PictureError, match=r"^[^\n]*x\.png: not enough memory; make it smaller$"):
        open_picture(tmp_path / "x.png")


def odd_tiff(path: Path) -> None:
    """A TIFF of compressed rows that end early, with a tag that no reader knows: libtiff and Pillow complain."""
    stroke("L", 64, 64).save(path, compression="tiff_lzw", tiffinfo={65000: "x"})
    content = bytearray(path.read_bytes())
    content[8:40] = b"\xff" * 32
    path.write_bytes(content)


def odd_exif(path: Path) -> None:
    stroke("L", 64, 64).save(path, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0\1\0\0\0\6\0")


@pytest.mark.parametrize(("name", "make"), [("x.tif", odd_tiff), ("x.jpg", odd_exif)])
def test_what_is_odd_about_a_picture_does_not_reach_the_terminal(
    name: str, make: Callable[[Path], None], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(PictureError):
            open_picture(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_what_pillow_logs_does_not_reach_the_terminal(tmp_path: Path) -> None:
    """In a process of its own: pytest has a handler for every log."""
    stroke("RGB", 64, 64).save(tmp_path / "x.tif")
    content = (tmp_path / "x.tif").read_bytes()
    # Samples per pixel: number of the tag, a short, one of them.
    content = content.replace(b"\x15\x01\x03\0\1\0\0\0\3\0", b"\x15\x01\x03\0\1\0\0\0\xff\x50")
    (tmp_path / "x.tif").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, tmp_path / "x.tif"], capture_output=True, text=True, check=False
    )
    assert "not a picture that can be read" in done.stdout
    assert done.stderr == ""


def test_a_long_pipe_takes_time_in_proportion_to_its_length(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", 'head -c 90000000 /dev/zero > "$0"', pipe]):
        program = "import sys\nfrom edge_digits_runtime.image.picture import open_picture\nopen_picture(sys.argv[1])"
        done = subprocess.run(
            [sys.executable, "-c", program, pipe], capture_output=True, text=True, timeout=30, check=False
        )
    assert "not a picture that can be read" in done.stderr
