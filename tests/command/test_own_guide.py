"""The commands of docs/guide/own.md, as they stand there, on a few of its pictures and for a few epochs."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_digits.cli import main

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide" / "own.md"


def commands() -> list[list[str]]:
    """Return the words of each command in the guide, in order."""
    blocks = re.findall(r"```console\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [shlex.split(line.removeprefix("$ ").removeprefix("uv run ")) for line in lines]


def test_every_command_of_the_guide_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said: dict[str, str] = {}
    for words in commands():
        if words[:2] == ["python", "docs/guide/own_pictures.py"]:
            write_pictures([*words[2:], "--each", "3"], monkeypatch)
            continue
        assert words[0] == "edge-digits"
        verb, *arguments = words[1:]
        if verb == "train":
            arguments += ["--epochs", "3"]
        if "new-meter" in arguments:
            (tmp_path / "meters").rename("new-meter")
        result = CliRunner().invoke(main, [verb, *arguments])
        assert result.exit_code == 0, f"{words}: {result.output}"
        said[verb] = result.stdout
    assert list(said) == ["data", "train", "convert", "classify", "evaluate", "report", "import"]
    assert "20 meters" in GUIDE.read_text(encoding="utf-8")
    assert "Leak: no test picture is like one for training." in said["data"]
    assert len(said["classify"].splitlines()) == 3
    assert (tmp_path / "runs" / "meters" / "report" / "report.html").is_file()
    assert (tmp_path / "meters.html").is_file()


def write_pictures(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the script of the guide."""
    import runpy

    monkeypatch.setattr("sys.argv", ["own_pictures.py", *arguments])
    runpy.run_path(str(ROOT / "docs" / "guide" / "own_pictures.py"), run_name="__main__")
