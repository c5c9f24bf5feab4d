"""A small set of one's own mixed with a big one: shares, groups, what the run keeps, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from edge_digits_runtime.data import loading, npz
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.image.model_input import INK
from edge_digits_runtime.records.run import RunRecord

from edge_digits import mixing
from edge_digits.cli import main


def split(count: int, seed: int, groups: int | None, classes: int = 10) -> Split:
    """Bars whose place says the class, with noise."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % classes).astype(np.uint8)
    images = rng.integers(0, 60, (count, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 2 * label + 4 : 2 * label + 6] = 255
    names = None if groups is None else np.array([f"writer {k // classes % groups}" for k in range(count)])
    return Split(images, labels, names)


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    """A big set without groups, and a small one of three of its classes, with groups."""
    big, small = tmp_path / "big.npz", tmp_path / "small.npz"
    npz.save(big, DataSet("Big", split(600, 1, None), split(100, 2, None)))
    own = split(60, 3, 6, 3)
    test = own.groups == "writer 5"
    assert own.groups is not None
    npz.save(small, DataSet("Small", own.take(~test), own.take(test), ("0", "1", "2")))
    return big, small


@pytest.mark.parametrize(("share", "times"), [(0.2, 3), (0.5, 12), (0.01, 1), (0.999, 100)])
def test_the_small_set_is_repeated_up_to_its_share(sets: tuple[Path, Path], share: float, times: int) -> None:
    mixture = mixing.load(sets, INK, share)
    together = mixture.together
    assert mixture.times == [1, times]
    assert len(together.train) == 600 + times * 51
    assert len(together.test) == 109
    assert together.name == ("Big + Small" if times == 1 else f"Big + {times} × Small")
    assert together.classes == tuple("0123456789")


def test_no_split_parts_a_picture_from_its_copies_or_its_group(sets: tuple[Path, Path]) -> None:
    together = mixing.load(sets, INK, 0.5).together
    copies: dict[bytes, set[str]] = {}
    assert together.train.groups is not None
    for image, group in zip(together.train.images, together.train.groups.tolist(), strict=True):
        copies.setdefault(image.tobytes(), set()).add(group)
    assert {len(groups) for groups in copies.values()} == {1}
    assert set(together.train.group_names).isdisjoint(
        set(together.test.group_names) - {f"Big: {k}" for k in range(200)}
    )


def train(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


def test_a_run_keeps_its_mixture_and_the_test_pictures_of_each_part(sets: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ("--data", sets[0], "--data", sets[1], "--share", "0.5", "--epochs", "1", "--out", out)
    result = train("mlp-64", *options)
    assert result.exit_code == 0, result.output
    assert "Mixed: 600 training pictures of Big, 51 training pictures of Small 12 times." in result.stderr
    record = RunRecord.load(out)
    assert record.data["name"] == "Big + 12 × Small"
    assert record.data["source"] == str(out / "mixed.npz")
    assert len(loading.load_test(out / "tests" / "Small.npz").test) == 9
    assert len(loading.load_test(out / "tests" / "Big.npz").test) == 100
    # What was collected since then changes nothing.
    sets[1].unlink()
    converted = CliRunner().invoke(main, ["convert", str(out), "--int8"])
    assert converted.exit_code == 0, converted.output


def test_what_cannot_be_mixed_is_one_line(sets: tuple[Path, Path], tmp_path: Path) -> None:
    big, small = sets
    for arguments, message in (
        (("--data", small, "--data", big), "which the model does not know; its classes are 0, 1, 2"),
        (("--data", big, "--data", big), "names one set twice"),
        (("--data", big, "--data", tmp_path / "none"), "no such file or folder"),
        (("--data", big, "--data", small, "--group-from", "(x)"), "--group-from and --test-groups are for one --data"),
    ):
        result = train("mlp-64", *arguments, "--epochs", "1", "--out", tmp_path / "run")
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
        assert result.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
