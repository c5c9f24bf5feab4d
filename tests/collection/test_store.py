"""A collection keeps each picture once, within its limit, and loses no label."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.data.loading import load
from edge_digits_runtime.errors import DataError, UsageError
from edge_digits_runtime.image.model_input import Prepared
from edge_digits_runtime.model.classifier import Prediction
from PIL import Image

from edge_digits.cli import main
from edge_digits.collection.store import COLLECTED, Collection

Add = Callable[..., str]


def seen(seed: int) -> Prepared:
    pixels = np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)
    return Prepared(pixels, (0, 0, 28, 28), None, False, None)


def said(index: int = 3, confidence: float = 0.6, reason: str | None = "could be anything") -> Prediction:
    scores = [(1 - confidence) / 9] * 10
    scores[index] = confidence
    return Prediction(index, confidence, scores, reason)


def add(
    collection: Collection, seed: int, confidence: float = 0.6, group: str = "anna", label: str | None = None
) -> str:
    return collection.add(Image.fromarray(seen(seed).pixels), seen(seed), said(3, confidence), group, label)


def test_the_surest_come_first(tmp_path: Path) -> None:
    collection = Collection(tmp_path)
    for seed, confidence in enumerate((0.3, 0.8, 0.5)):
        add(collection, seed, confidence)
    assert [item.confidence for item in collection.waiting()] == [0.8, 0.5, 0.3]
    assert collection.waiting()[0].classes == DIGIT_CLASSES


def test_a_picture_is_kept_once_and_without_its_metadata(tmp_path: Path) -> None:
    collection = Collection(tmp_path)
    photo = Image.new("RGB", (4000, 3000), "white")
    exif = photo.getexif()
    exif[0x010F] = "a secret camera"
    stream = io.BytesIO()
    photo.save(stream, "JPEG", exif=exif, icc_profile=b"a secret profile")
    results = [collection.add(Image.open(stream), seen(1), said(), "a") for _ in range(3)]
    assert results == ["stored", "known", "known"]
    (file,) = tmp_path.rglob("*.png")
    assert b"secret" not in file.read_bytes()
    assert Image.open(file).size == (1334, 1000)


def test_it_is_full_at_its_limit(tmp_path: Path) -> None:
    collection = Collection(tmp_path, limit_bytes=3000)
    results = [add(collection, seed) for seed in range(10)]
    kept = results.index("full")
    assert results == ["stored"] * kept + ["full"] * (10 - kept)
    assert 0 < kept < 10
    assert Collection(tmp_path, limit_bytes=3000).full


def test_a_label_moves_the_picture_and_can_be_taken_back(tmp_path: Path) -> None:
    collection = Collection(tmp_path)
    add(collection, 1)
    (item,) = collection.waiting()
    content = collection.picture(item)
    collection.label(item, "8")
    assert (tmp_path / "8" / f"{item.id}.png").read_bytes() == content
    assert collection.labelled() == {item.id: "8"}
    collection.label(item, "9")
    assert sorted(path.name for path in tmp_path.iterdir()) == [COLLECTED, "9", "groups.csv"]
    collection.unlabel(item)
    assert collection.waiting() == [item]
    assert collection.labelled() == {}


def test_lines_of_groups_that_are_not_ours_are_kept(tmp_path: Path) -> None:
    collection = Collection(tmp_path)
    (tmp_path / "4").mkdir()
    (tmp_path / "4" / "mine.png").write_bytes(b"")
    (tmp_path / "groups.csv").write_text('file,group\n4/mine.png,"me, myself"\n')
    add(collection, 1, label="4")
    rows = (tmp_path / "groups.csv").read_text().splitlines()
    assert rows[:2] == ["file,group", '4/mine.png,"me, myself"']
    assert len(rows) == 3


@pytest.mark.parametrize(("label", "group"), [("10", "a"), ("../x", "a"), ("4", "x" * 300), ("4", "a\nb")])
def test_what_is_no_class_or_group_is_refused(tmp_path: Path, label: str, group: str) -> None:
    collection = Collection(tmp_path)
    with pytest.raises(UsageError):
        add(collection, 1, group=group, label=label)
    assert list(tmp_path.rglob("*.png")) == []


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        "{}",
        '{"id": "../../../etc", "label": "4", "group": "a"}',
        '{"id": "0123456789abcdef", "label": "../x", "group": "a"}',
    ],
)
def test_a_log_that_is_not_ours_is_one_line(tmp_path: Path, line: str) -> None:
    Collection(tmp_path)
    (tmp_path / COLLECTED / "labels.jsonl").write_text(f"{line}\n")
    with pytest.raises(DataError, match="line 1 is no label; remove it"):
        Collection(tmp_path)


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    add(Collection(tmp_path), 1, label="4")
    log = tmp_path / COLLECTED / "labels.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"id": "0123')
    assert len(Collection(tmp_path).labelled()) == 1
    assert log.read_bytes() == whole


_LABEL_ALL = """
import sys
from pathlib import Path
from edge_digits.collection.store import Collection
collection = Collection(Path(sys.argv[1]))
for item in collection.waiting():
    collection.label(item, label := str(int(item.id, 16) % 3))
    print(item.id, label, flush=True)
"""


def test_no_label_is_lost_by_a_kill(tmp_path: Path, started: Callable[..., subprocess.Popen[str]]) -> None:
    """Whatever was said to be labelled is labelled after the process was killed, and `train` can read the folder."""
    collection = Collection(tmp_path)
    for seed in range(60):
        add(collection, seed, group=f"writer {seed % 4}")
    given: dict[str, str] = {}
    rng = np.random.default_rng(1)
    while collection.waiting():
        arguments = [sys.executable, "-c", _LABEL_ALL, str(tmp_path)]
        process = started(arguments)
        assert process.stdout
        lines = [process.stdout.readline()]
        assert lines[0], "each round labels a picture"
        time.sleep(rng.uniform(0, 0.15))
        process.kill()
        lines += process.stdout.readlines()
        process.wait()
        given |= dict(line.split() for line in lines if line.endswith("\n"))
        collection = Collection(tmp_path)
        labelled = collection.labelled()
        assert given.items() <= labelled.items()
        for name, label in labelled.items():
            assert (tmp_path / label / f"{name}.png").exists()
    assert len(load(tmp_path).train) + len(load(tmp_path).test) == 60


def test_classify_collects_what_is_unsure(tmp_path: Path) -> None:
    blank, noise = tmp_path / "blank.png", tmp_path / "noise.png"
    Image.new("L", (60, 60), 255).save(blank)
    cross = np.full((80, 80), 255, np.uint8)
    cross[10:70, 36:44] = cross[36:44, 10:70] = cross[10:18, 10:70] = 0
    Image.fromarray(cross).save(noise)
    kept = tmp_path / "kept"
    arguments = ["classify", str(blank), str(noise), str(noise), "--collect", str(kept), "--collect-group", "me"]
    result = CliRunner().invoke(main, arguments)
    assert "not sure" in result.stdout
    (record,) = (kept / COLLECTED).glob("*.json")
    assert json.loads(record.read_text())["group"] == "me"
    listed = CliRunner().invoke(main, ["label", str(kept), "--list"])
    assert listed.stdout.count("\n") == 1
    assert listed.stdout.startswith(record.stem)
    assert "0 pictures labelled, 1 waiting" in listed.stderr


def test_label_needs_a_collection_and_a_terminal(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["label", str(tmp_path)])
    assert (result.exit_code, "no collection" in result.stderr) == (2, True)
    add(Collection(tmp_path), 1)
    result = CliRunner().invoke(main, ["label", str(tmp_path)])
    assert (result.exit_code, "label needs a terminal" in result.stderr) == (2, True)


def test_label_in_a_terminal(tmp_path: Path, terminal: Callable[[], Any]) -> None:
    """Keys give labels, skip, undo and end; the picture is drawn."""
    collection = Collection(tmp_path)
    for seed, confidence in enumerate((0.9, 0.7, 0.5)):
        add(collection, seed, confidence)
    first, second, third = collection.waiting()
    screen = terminal()
    # 4 for the first; the second is skipped; Return for the third, taken back, then 5; Escape.
    screen.until("▀".encode())
    for key, answer in ((b"4", b"-> 4"), (b" ", b"2 left"), (b"\r", b"-> 3"), (b"\x7f", b"2 left"), (b"5", b"-> 5")):
        screen.until(b"Escape end")
        time.sleep(0.3)  # A key that comes before the terminal is read key by key is dropped.
        screen.type(key)
        screen.until(answer)
    screen.until(b"Escape end")
    time.sleep(0.3)
    screen.type(b"\x1b")
    screen.until(b"2 pictures labelled, 1 waiting")
    assert screen.ends() == 0
    assert Collection(tmp_path).labelled() == {first.id: "4", third.id: "5"}
    assert Collection(tmp_path).waiting() == [second]
