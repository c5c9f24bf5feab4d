"""Ray opens its folder to all users; the one that it lies in is closed to them."""

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_study import ray_runner


def test_the_folder_of_ray_lies_in_one_that_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []

    def start(_machines: Any, _dataset: Any, temporary: str) -> None:
        Path(temporary).mkdir(mode=0o777)
        folders.append(Path(temporary))

    monkeypatch.setattr(ray_runner, "_start", start)
    # So is every folder then that is made without a mode.
    before = os.umask(0)
    try:
        nothing = Split(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8))
        with ray_runner._ray(ray_runner.Machines(None, 1), tmp_path, DataSet("none", nothing, nothing)) as tune:
            (folder,) = folders
            assert stat.S_IMODE(folder.stat().st_mode) == 0o777
            assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
            # What Tune writes is closed to them, too.
            assert tune == folder.parent
    finally:
        os.umask(before)
    assert not folder.parent.exists()
