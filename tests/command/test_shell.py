"""The shell around the verbs: lazy, one-line errors, every verb helped and documented."""

import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from edge_digits_runtime.errors import DataError

from edge_digits import cli
from edge_digits.cli import VERBS, main
from edge_digits.pipeline import next_run, print_drop_verdict


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


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
    assert result.stderr == "Error: 'train' needs more than the device profile: pip install 'edge-digits[train]'\n"
    # Help stays the same wherever it is asked for.
    assert CliRunner().invoke(main, ["--help"]).output.count("Train a recipe") == 1


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (DataError("x.npz: no such file"), 2, "Error: x.npz: no such file"),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (PermissionError(13, "Permission denied", "/out"), 2, "Error: /out: Permission denied"),
        (OSError(28, "No space left on device"), 2, "Error: No space left on device"),
    ],
    ids=["ours", "ctrl-c", "unwritable", "full"],
)
def test_an_error_is_one_line_and_an_exit_code(
    raised: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise raised

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: click.Command("fail", callback=fail))
    result = CliRunner().invoke(main, ["fail"])
    assert (result.exit_code, result.stderr.strip()) == (code, line)


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: click.Command("fail", callback=fail))
    assert isinstance(CliRunner().invoke(main, ["fail"]).exception, ZeroDivisionError)


@pytest.mark.parametrize(
    "arguments",
    [["no-such-verb"], ["classify"], ["classify", "a.png", "--top", "11"], ["report", "--max-drop", "much", "x.json"]],
    ids=" ".join,
)
def test_wrong_use_is_one_line(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("Error: ")
    assert "--help" in result.stderr


@pytest.mark.parametrize("where", [">/dev/full", ">&-", "2>&-", ">&- 2>&-"])
def test_an_output_that_takes_nothing_is_no_fault_of_ours(where: str) -> None:
    command = f"{shlex.quote(sys.executable)} -c 'from edge_digits.cli import main; main()' doctor {where}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.returncode == (2 if "full" in where else 0)
    assert done.stderr == ("Error: No space left on device\n" if "full" in where else "")


def test_a_path_that_takes_nothing_is_one_line_without_standard_output_too(tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -c 'from edge_digits.cli import main; main()' report -o {tmp_path}/a/b x"
    (tmp_path / "a").write_text("no folder")
    done = subprocess.run(["sh", "-c", f"{command} >&-"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr


def test_a_drop_of_exactly_the_limit_is_within_it(capsys: pytest.CaptureFixture[str]) -> None:
    for right in range(9500, 10_000):
        drop = 100 * (right / 10_000 - (right - 10) / 10_000)
        assert print_drop_verdict(drop, 0.1) == 0
    assert print_drop_verdict(0.11, 0.1) == 1
    assert "above the limit" in capsys.readouterr().err


def test_two_trainings_get_two_folders(tmp_path: Path) -> None:
    (tmp_path / "mlp-7").mkdir()
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: next_run("mlp", tmp_path), range(8)))
    assert sorted(folder.name for folder in folders) == sorted(f"mlp-{number}" for number in range(8, 16))


def test_runs_that_link_to_nowhere_are_an_error_and_no_loop(tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to(tmp_path / "unmounted" / "runs")
    with pytest.raises(FileExistsError):
        next_run("mlp", tmp_path / "runs")
