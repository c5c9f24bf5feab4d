"""A run finds its pictures again, wherever `convert` is called."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.records.run import RunRecord

from edge_digits.cli import main


def write_npz(path: Path, digits: DataSet) -> None:
    arrays = {"x_train": digits.train.images, "y_train": digits.train.labels}
    np.savez(path, x_test=digits.test.images, y_test=digits.test.labels, **arrays)


def write_idx(folder: Path, digits: DataSet) -> None:
    folder.mkdir()
    for prefix, split in (("train", digits.train), ("t10k", digits.test)):
        for name, array in (("images-idx3", split.images), ("labels-idx1", split.labels)):
            head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
            (folder / f"{prefix}-{name}-ubyte").write_bytes(head + array.tobytes())


@pytest.mark.parametrize(("name", "write"), [("small.npz", write_npz), ("small", write_idx)])
def test_convert_in_another_folder_reads_what_was_trained_on(
    name: str, write: Callable[[Path, DataSet], None], digits: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir()
    write(here / name, digits)
    monkeypatch.chdir(here)
    # As it is typed: a path relative to the folder one is in.
    trained = CliRunner().invoke(main, ["train", "mlp-64", "--epochs", "1", "--data", name, "--out", "run"])
    assert trained.exit_code == 0, trained.output
    assert RunRecord.load("run").data["source"] == str(here / name)
    monkeypatch.chdir(elsewhere)
    converted = CliRunner().invoke(main, ["convert", str(here / "run"), "-o", "model.tflite"])
    assert converted.exit_code == 0, converted.output
    assert (elsewhere / "model.tflite").is_file()
