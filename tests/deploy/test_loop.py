"""Every command of docs/guide/loop.md, in order, against a real sshd: a new writer becomes part of the model."""

import hashlib
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.image.prepare import prepare
from edge_digits_runtime.records.run import RunRecord
from edge_digits_train.data import mnist
from PIL import Image, ImageDraw, ImageFont

from edge_digits import data_sets
from edge_digits.cli import main
from edge_digits.collection.lines import LineCollection
from edge_digits.collection.store import Collection

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "loop.md"
RECIPE = "mlp-64"
"""Trained in seconds, in place of digits-m."""


@pytest.fixture
def commands() -> list[list[str]]:
    """The words of each command of the page."""
    lines = re.findall(r"^\$ (edge-digits .+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) == 14
    return [shlex.split(line.replace("digits-m", RECIPE))[1:] for line in lines]


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """2,000 training and 300 test pictures of MNIST, in its place."""
    full = mnist.load()
    small = DataSet("MNIST", full.train.take(slice(2000)), full.test.take(slice(300)))
    monkeypatch.setattr(data_sets, "_packed", lambda *_: small)
    return small


def scan(folder: Path, writer: str, full: DataSet) -> dict[str, str]:
    """Write scans of one writer, whose digits have a bar through them, three of each digit.

    Returns:
        The digit of each picture, by the name that a collection gives it.
    """
    rng = np.random.default_rng(sum(writer.encode()))
    digits = {}
    for digit in range(10):
        for k in rng.permutation(np.flatnonzero(full.test.labels == digit))[:3]:
            pixels = full.test.images[k].copy()
            pixels[13:16, 2:26] = 255
            page = Image.fromarray(255 - pixels).resize((112, 112))
            folder.mkdir(exist_ok=True)
            page.save(file := folder / f"{writer}-{digit}-{k}.png")
            digits[hashlib.sha256(prepare(open_picture(file)).pixels.tobytes()).hexdigest()[:16]] = str(digit)
    return digits


def test_the_page_works_as_it_says(
    commands: list[list[str]],
    small_mnist: DataSet,
    sshd: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick_measurement: None,  # noqa: ARG001
) -> None:
    monkeypatch.chdir(tmp_path)
    begun = run("train", RECIPE, "--epochs", "2")
    assert begun.exit_code == 0, begun.output
    assert run("convert", f"runs/{RECIPE}-1", "--int8").exit_code == 0
    model = f"runs/{RECIPE}-1/{RECIPE}-int8.tflite"

    classify, label, read, label_lines, train, convert, *evaluations, report, deploy, status, rollback = commands
    assert label == ["label", "kept"]
    # The page says to collect from several writers.
    digits: dict[str, str] = {}
    for writer in ("anna", "ben", "cem", "dora"):
        shutil.rmtree("scans", ignore_errors=True)
        digits |= scan(Path("scans"), writer, small_mnist)
        words = [writer if word == "anna" else word for word in classify]
        assert run(*words, "--model", model, "--min-confidence", "1").exit_code == 0
    collection = Collection(Path("kept"))
    assert len(collection.waiting()) > 50
    # In place of a person at a terminal.
    for item in collection.waiting():
        collection.label(item, digits[item.id])

    Path("pages").mkdir()
    line = Image.new("L", (300, 120), 245)
    ImageDraw.Draw(line).text((30, 20), "40731", fill=20, font=ImageFont.load_default(70))
    line.save("pages/1.png")
    assert run(*read, "--min-confidence", "1").exit_code == 0
    assert label_lines == ["label", "lines"]
    lines_kept = LineCollection(Path("lines"))
    (item,) = lines_kept.waiting()
    lines_kept.label(item, "40731")
    assert Path("lines", "lines.csv").read_text() == f"file,text\nlines/{item.id}.png,40731\n"

    assert run(*train).exit_code == 0
    assert RunRecord.load(Path(f"runs/{RECIPE}-2")).data["name"].endswith("× kept (held-out groups)")
    for words in (convert, *evaluations):
        done = run(*words)
        assert done.exit_code == 0, done.output
    said = run(*report)
    lines = said.stdout.splitlines()
    assert len(lines) == 2
    assert [re.search(r" on (\w+)", line)[1] for line in lines] == ["MNIST", "kept"]  # type: ignore[index]
    assert said.exit_code == int(any(line.endswith(": worse") for line in lines))

    put = [*(("device" if word == "pi" else word) for word in deploy), "-F", str(sshd / "ssh_config")]
    deployed = run(*put, "--remote-dir", str(tmp_path / "device"), "--no-install", "--python", sys.executable)
    assert deployed.exit_code == said.exit_code, deployed.output
    assert deployed.stderr.count(" before, ") == 2
    assert (tmp_path / "device").exists() == (said.exit_code == 0)
    for words in (status, rollback):
        assert words[-1] == "pi"
        there = run(*words[:-1], "device", *put[-2:], "--remote-dir", str(tmp_path / "device"))
        # Nothing was there before the first deployment.
        assert there.exit_code == (0 if words is status and said.exit_code == 0 else 2), there.output


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))
