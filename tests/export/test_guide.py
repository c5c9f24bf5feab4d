"""Every command of docs/guide/microcontroller.md works as it is printed, the training on few pictures."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime import DigitClassifier
from edge_digits_train.data import mnist

GUIDE = Path(__file__).parents[2] / "docs/guide/microcontroller.md"


def test_every_command_of_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = re.findall(r"^\$ (.+)$", GUIDE.read_text(), re.MULTILINE)
    assert {command.split()[1] for command in commands if command.startswith("edge-digits")} == {
        "train", "convert", "export", "bundle",
    }  # fmt: skip
    monkeypatch.chdir(tmp_path)
    dataset = mnist.load()
    few = {"x_train": dataset.train.images[:1500], "y_train": dataset.train.labels[:1500]}
    np.savez("few.npz", **few, x_test=dataset.test.images[:300], y_test=dataset.test.labels[:300])
    pictures = dataset.test.images[:3]
    Path("pictures.bin").write_bytes(pictures.tobytes())
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands:
        if command.startswith("edge-digits train"):
            # The same network; the teachers of digits-xs know MNIST's own pictures only.
            command = command.replace("digits-xs", "digits-xs-alone") + " --data few.npz --epochs 2"
        done = subprocess.run(
            command, shell=True, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        if command.startswith("digits/digits"):
            said = [line.split()[0] for line in done.stdout.splitlines()]
            assert said == [str(label) for label in DigitClassifier("pico.tflite").classify_batch(pictures).labels]
    assert Path("measured/microcontroller.json").is_file()
    assert Path("pico.zip").is_file()
