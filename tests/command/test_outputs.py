"""Where a verb cannot write what it is to write, it says so before the work, in one line."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from edge_digits_runtime.errors import OutputError
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.model.registry import DEFAULT_MODEL
from edge_digits_runtime.records import files

from edge_digits.cli import VERBS, main
from edge_digits.options import OutputPath

FILES = [["evaluate", "digits-m", "-o"], ["testset", "-o"], ["convert", "run", "-o"], ["bundle", "run", "-o"]]
FILES += [["certify", "run", "pi", "--max-drop=1", "--max-ms=1", "-o"], ["data", "mnist", "--html"]]
FILES += [["profile", "meter.jpg", "-o"], ["watch", ".", "--profile=m.toml", "--csv"]]
FILES += [["watch", ".", "--profile=m.toml", "--sqlite"], ["serve", ".", "--profile=m.toml", "--csv"]]
FOLDERS = [["report", "e.json", "-o"], ["train", "--out"], ["quickstart", "--out"], ["import", "m.keras", "-o"]]
FOLDERS += [
    ["watch", ".", "--profile=m.toml", "--doubts"],
    ["export", "-o"],
    ["classify", "7.png", "--explain"],
    ["study", "lightweight-cnn", "--out"],
]


@pytest.mark.parametrize("words", [*FILES, *FOLDERS], ids=lambda words: words[0])
def test_a_place_where_nothing_can_be_written_is_said_first(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    # Even root cannot make anything below a file.
    result = CliRunner().invoke(main, [*words, str(tmp_path / "file" / "out")])
    assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (2, 1, "")
    assert "cannot be written" in result.stderr
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("words", FILES, ids=lambda words: words[0])
def test_a_folder_in_place_of_a_file_is_said_first(words: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [*words, str(tmp_path)])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_every_option_that_is_written_to_is_looked_at() -> None:
    """So that a new verb does not forget it."""
    unlooked = [
        f"{verb} {option.opts[0]}"
        for verb in VERBS
        for option in main.get_command(click.Context(main), verb).params  # type: ignore[union-attr]
        if {"--out", "-o", "--html", "--explain", "--csv", "--sqlite", "--doubts"} & set(option.opts)
        and not isinstance(option.type, OutputPath)
    ]
    assert unlooked == []


def test_default_places_are_looked_at_before_the_work(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = read_model_file(DEFAULT_MODEL)
    run = make_run({"mlp-8-int8.tflite": (file.content[: file.flatbuffer_bytes], "int8")})
    looked: list[Path] = []

    def refuse(path: Path, folder: bool = False) -> None:
        looked.append(path / "inside" if folder else path)
        raise OutputError(f"{path}: cannot be written: a test")

    monkeypatch.setattr(files, "check_writable", refuse)
    model = run / "mlp-8-int8.tflite"
    for words in (["evaluate", model], ["deploy", run, "pi"]):
        result = CliRunner().invoke(main, list(map(str, words)))
        assert (result.exit_code, "cannot be written: a test" in result.stderr) == (2, True), words
    assert run / "mlp-8-int8.evaluation.json" in looked


def test_what_can_be_written_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("old")
    for path in (tmp_path / "old.json", tmp_path / "new.json", tmp_path / "a" / "b" / "new.json", Path("/dev/null")):
        files.check_writable(path)
    for path in (tmp_path, tmp_path / "a" / "b"):
        files.check_writable(path, folder=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.json"]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_path_that_names_no_file_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (
        ["keygen", name],
        ["evaluate", name],
        ["classify", "7.png", "--model", name],
        ["classify", "7.png", "--require-signature", name],
        ["convert", name],
        ["convert", "run", "--out", name],
        ["testset", "-o", name],
        ["bundle", name],
        ["report", name],
        ["deploy", name, "pi"],
        ["doctor", "--passport", name],
        ["import", name],
        ["export", "--model", name],
    ):
        result = CliRunner().invoke(main, words)
        # Some say before that they are loading.
        assert (result.exit_code, result.stderr.count("Error: ")) == (2, 1), (words, result.stderr, result.exception)
        assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert list(tmp_path.iterdir()) == []
