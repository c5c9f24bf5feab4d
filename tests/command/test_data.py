"""``edge-digits data``: what a data set holds, and what is wrong with it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from edge_digits.cli import main

SHAPE = (32, 20)
NAMES = ("9", "10", "blank", "<b>")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["data", *map(str, arguments)])


def ok(*arguments: str | Path) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def pictures(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), np.uint8)


def grouped(folder: Path) -> Path:
    """Write 48 pictures of four classes and six groups, with one of each fault.

    Picture 1 (class 10, group g0) is again in group g5 with noise, and picture 6 (blank, g0) in g1 as another class.
    """
    images = pictures(48)
    noise = np.random.default_rng(1).normal(0, 3, SHAPE)
    images[41] = (images[1] * 0.8 + 20 + noise).clip(0, 255).astype(np.uint8)
    images[12] = images[6]
    images[3] = 77
    labels = np.arange(48) % 4
    labels[41] = 1
    groups = np.array([f"g{n // 8}" for n in range(48)])
    path = folder / "mine.npz"
    np.savez(path, images=images, labels=labels, groups=groups, class_names=np.array(NAMES))
    return path


def test_faults_are_found_and_named(tmp_path: Path) -> None:
    text = ok(grouped(tmp_path), "--input", "crop:32x20", "--test-groups", "g5").stdout
    assert "mine.npz (held-out groups): 48 pictures of 4 classes, read as crop of 32×20 pixels" in text
    assert re.search(r"^blank +10 +2$", text, re.MULTILINE)
    assert re.search(r"^g5 +0 +8 +4$", text, re.MULTILINE)
    assert "Sizes in pixels, width × height: 20×32 (48)" in text
    assert "Blank: 1 picture of one grey, such as train 3 (<b>, g0)." in text
    assert "Equal: 2 pictures in 1 set of equal ones." in text
    assert "Nearly equal (a correlation of 0.99 or more): 4 of 48 pictures." in text
    assert "Labels: 1 pair of such pictures with two different labels." in text
    assert "Leak: 1 of 8 test pictures (12.5 %) are like one for training." in text
    assert "Groups: 2 pictures like one of another group: are these groups apart?" in text
    assert "  train 6 (blank, g0) ~ train 12 (9, g1): equal" in text
    assert re.search(r"test 41 \(10, g5\) ~ train 1 \(10, g0\): 0\.99\d\d", text)


def test_the_json_has_all_of_it(tmp_path: Path) -> None:
    found = json.loads(ok(grouped(tmp_path), "--input", "crop:32x20", "--test-groups", "g5", "--json").stdout)
    assert found["counts"] == {"train": [10, 10, 10, 10], "test": [2, 2, 2, 2]}
    assert found["groups"]["g5"] == {"train": 0, "test": 8, "by_class": [2, 2, 2, 2]}
    (leak,) = found["across_splits"]
    assert (leak["picture"]["name"], leak["other"]["name"], leak["equal"]) == ("41", "1", False)
    (wrong,) = found["disagreeing"]
    assert (wrong["picture"]["label"], wrong["other"]["label"], wrong["equal"]) == ("blank", "9", True)
    assert found["nearly_equal_from"] == 0.99


def test_the_page_shows_classes_groups_and_pairs(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ok(grouped(tmp_path), "--input", "crop:32x20", "--html", page)
    text = page.read_text(encoding="utf-8")
    assert text.count('class="sheet"') == 4
    assert text.count('class="pair"') == 1 + 2 + 2 + ("Test pictures like one" in text)
    # The name of a class is text, not markup.
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    # It refers to nothing outside itself.
    assert not re.search(r'(src|href)="(?!data:)', text)


def test_a_folder_is_looked_at_by_the_names_of_its_files(tmp_path: Path) -> None:
    from PIL import Image

    images = pictures(16)
    for number, pixels in enumerate(images):
        path = tmp_path / "mine" / "AB"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Enlarged without a change of what a model sees of it.
        image = Image.fromarray(pixels)
        image = image.resize((40, 64), Image.Resampling.NEAREST) if number == 5 else image
        image.save(path)
    (tmp_path / "mine" / "A" / "copy.png").write_bytes((tmp_path / "mine" / "A" / "2.png").read_bytes())
    text = ok(tmp_path / "mine", "--input", "crop:32x20").stdout
    assert "Sizes in pixels, width × height: 20×32 (16), 40×64 (1)" in text
    assert "Equal: 2 pictures in 1 set of equal ones." in text
    assert "Groups: none are known" in text
    found = json.loads(ok(tmp_path / "mine", "--input", "crop:32x20", "--json").stdout)
    assert {place["name"] for place in found["equal"][0]} == {"A/2.png", "A/copy.png"}


def test_a_clean_set_has_nothing_to_say_against_it(tmp_path: Path) -> None:
    path = tmp_path / "clean.npz"
    images = pictures(40)
    np.savez(
        path,
        x_train=images[:30],
        y_train=np.arange(30) % 3,
        x_test=images[30:],
        y_test=np.arange(10) % 3,
        class_names=["A", "B", "C"],
    )
    text = ok(path, "--input", "crop:32x20").stdout
    assert "Leak: no test picture is like one for training." in text
    assert "Equal: no two pictures are." in text
    assert "Groups:" not in text


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    result = run(grouped(tmp_path), "--input", "crop:32x20", "--html", tmp_path / "mine.npz" / "page.html")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert result.stdout == ""


@pytest.mark.parametrize(("repeated", "said"), [(0, None), (2, "Leak: 2 of 20 test pictures equal or nearly equal")])
def test_a_training_warns_of_leaks_in_one_line(tmp_path: Path, repeated: int, said: str | None) -> None:
    path = tmp_path / "set.npz"
    images, test = pictures(60), pictures(20, 1)
    test[:repeated] = images[:repeated]
    np.savez(
        path, x_train=images, y_train=np.arange(60) % 2, x_test=test, y_test=np.arange(20) % 2, class_names=["A", "B"]
    )
    options = ("--input", "crop:32x20", "--data", path, "--epochs", 1, "--out", tmp_path / "run")
    result = CliRunner().invoke(main, ["train", "mlp-64-dropout", *map(str, options)])
    assert result.exit_code == 0, result.output
    leaks = [line for line in result.stderr.splitlines() if line.startswith("Leak: ")]
    assert len(leaks) == (said is not None)
    assert all(line.startswith(str(said)) and f"'edge-digits data {path}'" in line for line in leaks)


def test_a_large_set_is_compared_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_digits_runtime.data.datasets import Split

    from edge_digits.survey import leaks

    images = pictures(100)
    training = Split(images[:60], np.zeros(60, np.uint8))
    held_out = Split(images[20:100], np.zeros(80, np.uint8))
    assert "40 of 80 test pictures equal" in str(leaks.leak_warning(training, {"test": held_out}, "x.npz"))
    monkeypatch.setattr(leaks, "MOST_PAIRS", 600)
    assert "5 of 10 test pictures compared equal" in str(leaks.leak_warning(training, {"test": held_out}, "x.npz"))
