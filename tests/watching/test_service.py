"""The systemd service says what was typed, and systemd takes it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_digits.cli import main
from edge_digits.watching.service import unit

VERIFY = shutil.which("systemd-analyze")


def verified(text: str, folder: Path) -> str:
    """Return what systemd finds wrong with a unit."""
    file = folder / "edge-digits-test.service"
    file.write_text(text)
    done = subprocess.run(
        [str(VERIFY), "verify", "--man=no", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    said = [line for line in done.stderr.splitlines() if "edge-digits-test" in line or str(file) in line]
    return "\n".join(said) if done.returncode or said else ""


@pytest.mark.skipif(VERIFY is None, reason="systemd is not here")
@pytest.mark.parametrize(
    "arguments",
    [
        ["pictures", "--profile", "/etc/meter.toml"],
        ["http://cam/x?a=1&b=%20$HOME", "--profile", '/home/a b/"meter".toml', "--every", "5m"],
        [r"exec:sh -c 'echo \"a\"; true'", "--profile", "/x%y.toml", "--csv", "/var/lib/m;x.csv"],
    ],
)
def test_systemd_takes_the_unit(arguments: list[str], tmp_path: Path) -> None:
    assert verified(unit(arguments, "Küche 1"), tmp_path) == ""


@pytest.mark.skipif(VERIFY is None, reason="systemd is not here")
def test_a_unit_with_a_mistake_would_be_noticed(tmp_path: Path) -> None:
    text = unit(["pictures"], "water").replace("Restart=on-failure", "Restart=sometimes")
    assert "restart" in verified(text, tmp_path)


def test_the_service_does_what_was_typed_with_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "meter.toml").write_text("model = 'digits-m'\nsize = [80, 40]\nslots = [{box = [8, 4, 20, 32]}]\n")
    words = [
        "watch",
        "pictures",
        "--profile",
        "meter.toml",
        "--csv=m.csv",
        "--every",
        "5m",
        "--install-service",
        "--print",
    ]
    monkeypatch.setattr(sys, "argv", ["edge-digits", *words])
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    (command,) = [line for line in result.stdout.splitlines() if line.startswith("ExecStart=")]
    assert command.endswith(
        f"watch {tmp_path}/pictures --profile {tmp_path}/meter.toml --csv={tmp_path}/m.csv --every 5m"
    )
    assert "Restart=on-failure" in result.stdout
    if VERIFY is not None:
        assert verified(result.stdout, tmp_path) == ""
    assert not (tmp_path / "m.csv").exists()
