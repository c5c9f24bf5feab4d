"""The packed MNIST is the published one, and reading it does not import Keras."""

import hashlib
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.errors import DataError
from edge_digits_train.data import mnist


def _idx_md5s(split: Split) -> list[str]:
    count = len(split)
    images = struct.pack(">IIII", 0x803, count, 28, 28) + split.images.tobytes()
    labels = struct.pack(">II", 0x801, count) + split.labels.tobytes()
    return [hashlib.md5(content).hexdigest() for content in (images, labels)]


def test_the_data_is_the_published_one(full_mnist: DataSet) -> None:
    # md5 of the four IDX files after gunzip, as they have circulated since 1998.
    assert full_mnist.name == "MNIST"
    assert _idx_md5s(full_mnist.train) == ["6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624"]
    assert _idx_md5s(full_mnist.test) == ["2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637"]
    assert np.bincount(full_mnist.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_a_damaged_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    packed = tmp_path / "mnist.u8.xz"
    if content is not None:
        packed.write_bytes(content)
    monkeypatch.setattr(mnist, "_PACKED", packed)
    with pytest.raises(DataError, match=r"mnist\.u8\.xz: .*install edge-digits-train again"):
        mnist.load()


def test_mnist_and_recipes_import_no_keras() -> None:
    heavy = ("keras", "tensorflow", "jax", "matplotlib")
    code = (
        "import sys; from edge_digits_train.data import mnist; from edge_digits_train.recipes import catalogue; "
        "catalogue.get(catalogue.DEFAULT).table; "
        f"print(sorted(set({heavy}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
