"""Every command of docs/guide/microcontroller.md works as it is printed."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.model.registry import find
from edge_digits_train.data import mnist

GUIDE = Path(__file__).parents[2] / "docs/guide/microcontroller.md"


def test_every_command_of_the_guide(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = re.findall(r"^\$ (.+)$", GUIDE.read_text(), re.MULTILINE)
    assert {command.split()[1] for command in commands if command.startswith("edge-digits")} == {
        "train", "convert", "export", "bundle",
    }  # fmt: skip
    monkeypatch.chdir(tmp_path)
    xs = find("digits-xs")
    # Training and conversion have tests of their own; here the model that ships stands for what they make.
    file = read_model_file(xs)
    (tmp_path / "pico.tflite").write_bytes(file.content)
    run = make_run({"digits-xs-int8.tflite": (file.content[: file.flatbuffer_bytes], "int8")})
    (tmp_path / "runs").mkdir()
    run.rename(tmp_path / "runs" / "pico")
    (tmp_path / "pictures.bin").write_bytes(mnist.load().test.images[:3].tobytes())
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands:
        if command.startswith(("edge-digits train", "edge-digits convert")):
            # The options are right, if nothing else.
            words = command.split()
            done = subprocess.run(
                [*words[:2], "--help"], env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True
            )
            assert all(word in done.stdout for word in words if word.startswith("--"))
            continue
        done = subprocess.run(
            command, shell=True, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        if command.startswith("digits/digits"):
            assert [line.split()[0] for line in done.stdout.splitlines()] == ["7", "2", "1"]
    assert (tmp_path / "measured" / "microcontroller.json").is_file()
    assert (tmp_path / "pico.zip").is_file()
