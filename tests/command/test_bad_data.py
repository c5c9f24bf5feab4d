"""Data sets that are wrong in one way each: one line, exit code 2, nothing written."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from edge_digits.cli import main

Build = Callable[[Path], tuple[Path, tuple[str, ...]]]


def arrays(options: tuple[str, ...] = (), **changes: Any) -> Build:
    """Return what writes an .npz of 40 pictures of A and B in four groups, with ``changes``; None leaves one out."""

    def build(folder: Path) -> tuple[Path, tuple[str, ...]]:
        content = {
            "images": np.random.default_rng(0).integers(0, 256, (40, 32, 20), np.uint8),
            "labels": np.arange(40) % 2,
            "class_names": np.array(["A", "B"]),
            "groups": np.array([f"g{n // 10}" for n in range(40)]),
        } | changes
        np.savez(folder / "set.npz", **{name: value for name, value in content.items() if value is not None})
        return folder / "set.npz", options

    return build


def raw(content: bytes) -> Build:
    """Return what writes a file of these bytes."""

    def build(folder: Path) -> tuple[Path, tuple[str, ...]]:
        (folder / "set.npz").write_bytes(content)
        return folder / "set.npz", ()

    return build


def pictures(
    *more: tuple[str, bytes], names: tuple[str, ...] = ("A", "B"), count: int = 7, options: tuple[str, ...] = ()
) -> Build:
    """Return what writes class folders of ``names`` with ``count`` pictures each, and the files ``more``."""

    def build(folder: Path) -> tuple[Path, tuple[str, ...]]:
        rng = np.random.default_rng(0)
        for name in names:
            (folder / "set" / name).mkdir(parents=True)
            for number in range(count):
                picture = Image.fromarray(rng.integers(0, 256, (32, 20), np.uint8))
                picture.save(folder / "set" / name / f"w{number % 3}-{number}.png")
        for name, content in more:
            (folder / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "set" / name).write_bytes(content)
        return folder / "set", options

    return build


def saved(**content: Any) -> bytes:
    """Return an .npz."""
    buffer = io.BytesIO()
    np.savez(buffer, **content)
    return buffer.getvalue()


def announced(width: int, height: int) -> bytes:
    """Return a PNG that announces a size and has next to no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def listed(groups: bytes) -> Build:
    return pictures(("groups.csv", groups))


FORTY = np.arange(40)
CASES: dict[str, tuple[Build, str]] = {
    # Classes.
    "a class of one picture": (arrays(labels=np.r_[np.zeros(39, int), 1]), "one picture of class B; training needs"),
    "a class without pictures": (arrays(class_names=np.array(["A", "B", "C"])), "no picture of class C; training"),
    "a single class": (pictures(names=("A",)), "set: 1 class; allowed are 2 to 128"),
    "200 classes": (arrays(class_names=np.array([f"c{n}" for n in range(200)])), "200 classes; allowed are 2 to 128"),
    "a name with a slash": (arrays(class_names=np.array(["A", "B/C"])), "a class of the name 'B/C'; allowed are 1 to"),
    "a name that climbs": (arrays(class_names=np.array(["A", ".."])), "a class of the name '..'; allowed are 1 to 40"),
    "a name with a line break": (arrays(class_names=np.array(["A", "B\nC"])), r"a class of the name 'B\nC'; allowed"),
    "a name that colours a terminal": (pictures(names=("A", "\x1b[31mB")), r"a class of the name '\x1b[31mB'"),
    "a name of 10,000 characters": (arrays(class_names=np.array(["A", "x" * 10_000])), "'xxxxxxxxxxxxxxxx"),
    "an empty name": (arrays(class_names=np.array(["A", ""])), "a class of the name ''; allowed are 1 to 40"),
    "half an emoji": (arrays(class_names=np.array(["A", "\ud83d"])), r"a class of the name '\ud83d'; allowed"),
    "one name in two spellings": (arrays(class_names=np.array(["\u00e9", "e\u0301"])), "two classes of the name 'é'"),
    "names that are numbers": (arrays(class_names=np.array([1, 2])), "class_names of type int64 of shape (2,)"),
    "names in a table": (arrays(class_names=np.array([["A", "B"]])), "class_names of type <U1 of shape (1, 2)"),
    "names that are objects": (raw(saved(class_names=np.array(["A", None]), images=0)), "set.npz: cannot be read"),
    # Labels and pictures.
    "a label beyond the names": (arrays(labels=FORTY % 3), "labels hold 2 at index 2; allowed is 0-1"),
    "a label below zero": (arrays(labels=FORTY % 2 - 1), "labels hold -1 at index 0; allowed is 0-1"),
    "labels that are parts": (arrays(labels=FORTY / 2), "labels of type float64; allowed are whole numbers 0-1"),
    "one label too few": (arrays(labels=FORTY[1:] % 2), "40 pictures but 39 labels; give one label each"),
    "pictures of no number": (arrays(images=np.full((40, 32, 20), np.nan)), "pictures of type float64; allowed are"),
    "pictures in colour": (arrays(images=np.zeros((40, 32, 20, 3), np.uint8)), "of shape (40, 32, 20, 3); allowed"),
    "pictures without height": (arrays(images=np.zeros((40, 0, 20), np.uint8)), "of shape (40, 0, 20); allowed is"),
    "pixels of 0 and 1": (arrays(images=np.ones((40, 32, 20), np.uint8)), "pixels of 0 and 1 only"),
    "no labels at all": (arrays(labels=None), "no labels in it, only images, class_names, groups; needed are"),
    "an archive that is cut off": (raw(saved(images=np.zeros((9, 9)))[:-40]), "not a .npz, or cut off; give a Keras"),
    "an empty file": (raw(b""), "not a .npz, or cut off; give a Keras"),
    "a picture that is cut off": (pictures(("A/x.png", b"\x89PNG\r\n\x1a\nand no more")), "x.png: "),
    "a picture of no bytes": (pictures(("A/x.jpg", b"")), "x.jpg: "),
    "a picture as large as a house": (pictures(("A/x.png", announced(2**30, 2**30))), "x.png: "),
    "a class folder without pictures": (pictures(("C/notes.txt", b"none")), "C: no picture in it; each class folder"),
    "a folder of nothing": (pictures(names=()), "no such file or folder; give a Keras-layout .npz"),
    # Groups.
    "one group too few": (arrays(groups=np.array(["g"] * 39)), "40 pictures but 39 groups; give one group each"),
    "groups that are parts": (arrays(groups=FORTY / 2), "groups of type float64 of shape (40,); allowed is"),
    "a group of no name": (arrays(groups=np.array([" "] * 40)), "a group ' '; allowed are 1 to 200 printable"),
    "a group that rings": (arrays(groups=np.array(["\x07"] * 40)), r"a group '\x07'; allowed are 1 to 200"),
    "one group for all": (arrays(groups=np.array(["g"] * 40)), "none of the 1 groups can be held out"),
    "groups of one class each": (arrays(groups=np.array(["g", "h"])[FORTY % 2]), "none of the 2 groups can be held"),
    "all groups for testing": (arrays(options=("--test-groups", "g0,g1,g2,g3")), "all groups are test groups"),
    "a group that is not there": (arrays(options=("--test-groups", "g9")), "no group 'g9'; there are g0, g1, g2, g3"),
    "no group named for testing": (arrays(options=("--test-groups", " , ")), "--test-groups ' , ' names no group"),
    "groups for testing, none known": (
        arrays(groups=None, options=("--test-groups", "g0")),
        "test groups g0 are asked for, but no groups are known",
    ),
    "a pattern for an archive": (arrays(options=("--group-from", "(g)")), "its pictures have no file names to find"),
    "a pattern that finds nothing": (pictures(options=("--group-from", "(x+)-")), "finds no group in 'A/w0-0.png'"),
    "a pattern that is none": (pictures(options=("--group-from", "(w")), "'(w' is no regular expression: missing )"),
    "a table of a file outside": (listed(b"file,group\n../set/A/w0-0.png,g\n"), "groups.csv: no group for"),
    "a table of a giant field": (listed(b"file,group\nA/w0-0.png," + b"g" * 200_000), "groups.csv: not a table of two"),
    "a table of no text": (listed(b"\xff\xfe\0\0"), "groups.csv: cannot be read"),
    # Input.
    "an input too small": (arrays(options=("--input", "crop:8x8")), "input crop of 8×8; allowed is 16 to 64 pixels"),
    "an input too large": (arrays(options=("--input", "crop:65x64")), "input crop of 65×64; allowed is 16 to 64"),
    "an input of no kind": (arrays(options=("--input", "photo")), "'photo'; allowed is ink, crop, or crop with a"),
    "ink of another size": (arrays(options=("--input", "ink")), "for whole pictures of another size: --input crop"),
}


@pytest.mark.parametrize("verb", ["data", "train"])
@pytest.mark.parametrize("case", CASES)
def test_a_data_set_that_is_wrong_is_one_line(
    case: str, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, said = CASES[case]
    source, options = build(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    form = () if "--input" in options else ("--input", "crop:32x20")
    arguments = [str(source), "--html", "page.html"] if verb == "data" else ["crop-s", "--data", str(source)]
    result = CliRunner().invoke(main, [verb, *arguments, *form, *options])
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert said in line
    assert len(line) < 600
    assert result.stdout == ""
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != "runs"] == before


def test_groups_that_leave_nothing_to_validate_on_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = arrays()(tmp_path)
    monkeypatch.chdir(tmp_path)
    options = ("--input", "crop:32x20", "--test-groups", "g0,g1,g2", "--data", str(source))
    for out in ((), ("--out", "mine")):
        result = CliRunner().invoke(main, ["train", "crop-s", *options, *out])
        assert result.exit_code == 2
        assert result.stderr.splitlines()[-1].startswith("Error: none of the 1 groups can be held out: without it")
        assert not (tmp_path / "mine").exists()
        assert not list((tmp_path / "runs").glob("*"))
