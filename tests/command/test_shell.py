"""The command around the verbs: lazy imports, errors of one line, exit codes, help."""

import errno
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from edge_digits_runtime.errors import DataError, OutputError, RunError
from edge_digits_runtime.installation import how_to_get
from edge_digits_train.engine.checkpoint import Checkpoint

from edge_digits import cli
from edge_digits.cli import VERBS, main
from edge_digits.options import UserPath
from edge_digits.progress import interruption
from edge_digits.run_folders import next_run, unfinished_run
from edge_digits.samples import SAMPLES


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


COMMAND = f"{shlex.quote(sys.executable)} -c 'from edge_digits.cli import main; main()'"
"""The command as a shell takes it, whether or not its folder is on the path."""
HEAVY = ("tensorflow", "keras", "matplotlib", "sklearn", "scipy", "jax", "jinja2")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["train", "--help"], ["convert", "--help"], ["report", "--help"], ["classify", "no-such.png"]],
    ids=" ".join,
)
def test_help_and_classify_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom edge_digits.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = python(code)
    assert done.stderr.splitlines()[-1] == "[]", done.stderr


def test_help_of_the_command_does_not_import_the_verbs() -> None:
    done = python(
        "import sys\nfrom edge_digits.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([m for m in sys.modules if m.startswith('edge_digits.commands')], file=sys.stderr)"
    )
    assert done.stderr.strip() == "[]"
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example(verb: str) -> None:
    result = CliRunner().invoke(main, [verb, "--help"])
    assert result.exit_code == 0, result.output
    assert "Example" in result.output
    assert f"edge-digits {verb}" in result.output


def test_a_verb_whose_extra_is_absent_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"edge_digits_train", "keras"}
    real = cli.find_spec
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name in absent else real(name))
    result = CliRunner().invoke(main, ["train", "mlp-256-128", "--epochs", "3"])
    assert result.exit_code == 2
    assert result.stderr == f"Error: 'train' needs more than the device profile: {how_to_get(['train'])}\n"
    # Help stays the same wherever it is asked for.
    assert CliRunner().invoke(main, ["--help"]).output.count("Train a recipe") == 1


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (DataError("x.npz: no such file"), 2, "Error: x.npz: no such file"),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (DataError("two\nlines \x1b[31m\udcff"), 2, "Error: two\\nlines \\x1b[31m\\udcff"),
        (OSError(28, "No space left on device"), 2, "Error: standard output: No space left on device"),
        (OSError(28, "No space left on device", "/tmp/x"), 2, "Error: /tmp/x: No space left on device"),
    ],
    ids=["of a user", "ctrl-c", "control characters", "full", "full elsewhere"],
)
def test_an_error_is_one_line_and_an_exit_code(
    raised: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise raised

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: click.Command("fail", callback=fail))
    result = CliRunner().invoke(main, ["fail"])
    assert (result.exit_code, result.stderr.strip()) == (code, line)


@pytest.mark.parametrize(
    "raised",
    [
        ZeroDivisionError(),
        AttributeError("no such thing"),
        EOFError("Ran out of input"),
        FileNotFoundError(2, "No such file or directory", "report.html.j2"),
        PermissionError(13, "Permission denied", "/etc/shadow"),
        OSError("cannot write mode RGBA as JPEG"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fault_of_ours_keeps_its_traceback(raised: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise raised

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: click.Command("fail", callback=fail))
    assert CliRunner().invoke(main, ["fail"]).exception is raised


@pytest.mark.parametrize("raised", [FileNotFoundError(2, "No such file", "sign.png"), AttributeError("ink")], ids=repr)
@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("drawing.annotate.annotate", ["read", str(SAMPLES[0]), "--annotate", "seen.png"]),
        ("drawing.explain.explain", ["classify", str(SAMPLES[0]), "--explain", "why"]),
        ("page.reading.PageReader.read", ["read", str(SAMPLES[0])]),
        ("model.classifier.DigitClassifier.classify", ["classify", str(SAMPLES[0])]),
    ],
    ids=["annotate", "explain", "read", "classify"],
)
def test_a_fault_while_pictures_are_done_keeps_its_traceback(
    place: str, arguments: list[str], raised: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(f"edge_digits_runtime.{place}", fail)
    result = CliRunner().invoke(main, arguments)
    assert result.exception is raised
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-verb"],
        ["classify"],
        ["classify", "a.png", "--top", "129"],
        ["report", "--max-drop", "much", "x.json"],
        ["report", "--max-drop", "-1", "x.json"],
        ["convert", "--max-drop", "-0.1"],
        ["convert", "--max-drop", "nan"],
        ["convert", "--point"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_line(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("Error: ")
    assert "--help" in result.stderr


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and those below it, with their names."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found
            yield from commands(found, f"{name} {inner}")


def test_every_path_on_the_command_line_is_looked_up_first() -> None:
    paths = [
        (name, parameter.name, type(parameter.type))
        for name, command in commands(main, "edge-digits")
        for parameter in command.params
        if isinstance(parameter.type, click.Path)
    ]
    assert len(paths) > 20
    assert [each for each in paths if not issubclass(each[2], UserPath)] == []


@pytest.mark.parametrize(
    "arguments",
    ["evaluate LONG", "report LONG", "convert LONG", "bundle LONG", "testset --data LONG", "train --resume --out LONG"],
)
@pytest.mark.parametrize("name", ["n" * 300, f"{'n' * 300}/a.json"], ids=["name", "folder"])
def test_a_path_that_is_too_long_is_one_line(arguments: str, name: str) -> None:
    result = CliRunner().invoke(main, arguments.replace("LONG", name).split())
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "File name too long" in result.stderr


def test_a_folder_that_is_closed_to_the_user_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.stat

    def stat(path: str, **options: Any) -> os.stat_result:
        # Root, as whom the tests may run, can enter every folder.
        if str(path) == f"{tmp_path}/.":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    result = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert f"{tmp_path}: Permission denied" in result.stderr


@pytest.mark.parametrize("where", [">/dev/full", ">&-", "2>&-", ">&- 2>&-"])
def test_a_full_or_closed_output_ends_without_a_traceback(where: str) -> None:
    done = subprocess.run(["sh", "-c", f"{COMMAND} doctor {where}"], capture_output=True, text=True, timeout=120)
    assert done.returncode == (2 if "full" in where else 0)
    assert done.stderr == ("Error: standard output: No space left on device\n" if "full" in where else "")


@pytest.mark.parametrize("out", ["file/inside.npz", "folder", f"{'n' * 300}.npz"], ids=["no folder", "folder", "long"])
@pytest.mark.parametrize("where", ["", ">&-"], ids=["", "without standard output"])
def test_a_path_that_cannot_be_written_is_one_line(where: str, out: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    command = f"{COMMAND} testset -o {shlex.quote(str(tmp_path / out))} {where}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert str((tmp_path / out).parent) in done.stderr


@pytest.mark.parametrize("arguments", ["models", "recipes --json", "--help", "train --help"])
def test_a_pipe_whose_reader_is_gone_is_no_error(arguments: str) -> None:
    # A pipe whose reader is gone before the first line is written, every time.
    command = f"set -o pipefail; {{ sleep 0.1; {COMMAND} {arguments}; }} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_two_trainings_get_two_folders(tmp_path: Path) -> None:
    (tmp_path / "mlp-7").mkdir()
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: next_run("mlp", tmp_path), range(8)))
    assert sorted(folder.name for folder in folders) == sorted(f"mlp-{number}" for number in range(8, 16))


def test_a_run_is_found_by_its_recipe_whatever_its_folder_is_called(tmp_path: Path) -> None:
    def begin(folder: str, recipe: str, age_s: int) -> Path:
        (tmp_path / folder).mkdir()
        Checkpoint({"name": recipe}, "a" * 64, {"loss": []}, [np.zeros(3)]).save(tmp_path / folder)
        moment = time.time() - age_s
        os.utime(tmp_path / folder / "checkpoint.npz", (moment, moment))
        return tmp_path / folder

    mine = begin("mine", "mlp", 30)
    begin("mlp-1", "mlp", 60)
    # Its folder has the name of another recipe.
    named = begin("mlp-2", "cnn", 10)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "checkpoint.npz").write_bytes(b"PK")
    os.utime(tmp_path / "damaged" / "checkpoint.npz", (1, 1))
    assert unfinished_run("mlp", tmp_path) == mine
    assert unfinished_run("cnn", tmp_path) == unfinished_run(None, tmp_path) == named
    with pytest.raises(RunError, match="nothing to resume of digits-m"):
        unfinished_run("digits-m", tmp_path)
    (mine / "run.json").touch()
    assert unfinished_run("mlp", tmp_path).name == "mlp-1"


@pytest.mark.parametrize("by_click", [True, False])
def test_what_was_interrupted_says_how_to_go_on(by_click: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        with interruption("The same command goes on."):
            raise KeyboardInterrupt

    target = "edge_digits.commands.quickstart._quickstart" if by_click else "click.Group.main"
    monkeypatch.setattr(target, interrupted)
    result = CliRunner().invoke(main, ["quickstart"])
    assert result.exit_code == 130
    assert result.stderr.lstrip().startswith("Interrupted. ")
    assert "The same command goes on" in result.stderr


def test_a_broken_link_in_place_of_the_runs_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to(tmp_path / "unmounted" / "runs")
    with pytest.raises(OutputError, match="this folder cannot be made"):
        next_run("mlp", tmp_path / "runs")


def test_a_path_that_was_written_is_shown_as_one_printable_line(tmp_path: Path) -> None:
    for digit in range(10):
        folder = tmp_path / "data" / "test" / str(digit)
        folder.mkdir(parents=True)
        (folder / "x.png").write_bytes(SAMPLES[digit].read_bytes())
    out = tmp_path / "a\n\x1b[31mError: fake.npz"
    result = CliRunner().invoke(main, ["testset", "-o", str(out), "--data", str(tmp_path / "data")])
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert "a\\n\\x1b[31mError: fake.npz: 10 test pictures" in result.output
