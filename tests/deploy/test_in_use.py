"""What is in use on a device, the way back, and several devices at once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_digits.cli import main

Deploy = Callable[..., Result]


@pytest.fixture
def ask(sshd: Path, device: Path, python: Callable[[str], Path]) -> Callable[..., Result]:
    """``ask("--status", host)`` runs deploy with an option that takes no run."""

    def call(option: str, *hosts: str) -> Result:
        words = ["deploy", option, "-F", sshd / "ssh_config", "--remote-dir", device, "--python", python("")]
        return CliRunner().invoke(main, [*map(str, words), *hosts])

    return call


def test_status_says_what_is_in_use(deploy: Deploy, ask: Callable[..., Result]) -> None:
    assert deploy().exit_code == 0
    result = ask("--status", "device")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("device: mlp-8 int8, 100.00 % right there, sha256 ")
    assert " UTC, edge-digits -\n" in result.stdout


def test_rollback_leads_back_and_forth(deploy: Deploy, ask: Callable[..., Result], device: Path) -> None:
    places = []
    for _ in range(2):
        assert deploy().exit_code == 0
        places.append((device / "current").readlink())
    for expected in (places[0], places[1], places[0]):
        result = ask("--rollback", "device")
        assert result.exit_code == 0, result.output
        assert (device / "current").readlink() == expected
    assert result.stdout.startswith("device: mlp-8 int8, 100.00 % right there")


def test_a_model_that_does_not_answer_is_not_gone_back_to(
    deploy: Deploy, ask: Callable[..., Result], device: Path
) -> None:
    assert deploy().exit_code == 0
    (device / (device / "current").readlink() / "model.tflite").write_bytes(b"no model")
    assert deploy().exit_code == 0
    now = (device / "current").readlink()
    result = ask("--rollback", "device")
    assert result.exit_code == 2
    assert "try the former model failed" in result.stderr
    assert "what is in use stays in use" in result.stderr
    assert (device / "current").readlink() == now


def test_where_nothing_is_there_is_one_line(deploy: Deploy, ask: Callable[..., Result], device: Path) -> None:
    device.mkdir()
    assert "ask what is in use failed" in ask("--status", "device").stderr
    assert deploy().exit_code == 0
    result = ask("--rollback", "device")
    assert (result.exit_code, "no other bundle is there to go back to" in result.stderr) == (2, True)


def test_what_a_device_answers_is_not_believed(deploy: Deploy, ask: Callable[..., Result], device: Path) -> None:
    assert deploy().exit_code == 0
    (device / "current" / "evaluation.json").write_text('{"model": {"name": "x\\u001b[31m\\n"}, "accuracy": 7}')
    result = ask("--status", "device")
    assert (result.exit_code, "not what edge-digits answers there" in result.stderr) == (2, True)


def test_one_device_that_fails_does_not_stop_the_others(deploy: Deploy, run: Path, device: Path) -> None:
    result = deploy("gone")
    assert result.exit_code == 2
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert errors[0].startswith("Error: gone: connect failed")
    assert (device / "current").is_symlink()
    assert (run / "device.int8.evaluation.json").is_file()
    assert not (run / "gone.int8.evaluation.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run"], "no HOST"),
        (["run", "pi", "pi"], "each HOST once"),
        (["run", "a@pi", "b@pi"], "each HOST once"),
        (["--status", "--rollback", "pi"], "--status and --rollback are two things"),
    ],
)
def test_wrong_use_is_one_line(words: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["deploy", *words])
    assert (result.exit_code, message in result.stderr, result.stderr.count("\n")) == (2, True, 1)
