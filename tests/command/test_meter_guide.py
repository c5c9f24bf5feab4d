"""Every command of the guide to meters runs as it stands there, on a simulated meter."""

import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from simulated_meter import SimulatedMeter, View

from edge_digits.cli import main

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "meter.md"
METER = SimulatedMeter(wheels=6, decimals=2, seed=1, play=0.0)


def test_the_commands_of_the_guide_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    METER.picture(1234564).save("now.png")
    METER.picture(1234574, View(shift=(6, 4), degrees=1)).save("later.png")
    Path("pictures").mkdir()
    for index in range(5):
        METER.picture(1234564, View(shift=(index, 0)), index).save(f"pictures/{index}.png")
        os.utime(f"pictures/{index}.png", (1_700_000_000 + 60 * index,) * 2)
    commands = [
        shlex.split(line)[1:]
        for block in re.findall(r"```console\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
        for line in re.findall(r"^\$ (edge-digits .*)$", block, re.MULTILINE)
    ]
    assert len(commands) == 5
    for words in commands:
        monkeypatch.setattr(sys, "argv", ["edge-digits", *words])
        result = CliRunner().invoke(main, words)
        # A doubtful reading is no fault: exit code 1 of --once.
        assert result.exit_code in ((0, 1) if "--once" in words else (0,)), (words, result.output)
    assert {path.name for path in Path.cwd().iterdir()} >= {
        "meter.toml", "meter.reference.png", "meter.png", "meter.csv", "meter.db",
    }  # fmt: skip
    # A line for each picture, and the header.
    assert len(Path("meter.csv").read_text().splitlines()) == 6
