"""``./check`` says what to do where it cannot set up what the tests need."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``./check`` where only the programs in ``folder`` exist."""
    environment = {"PATH": str(folder), "HOME": str(folder)}
    return subprocess.run(
        [str(folder / "bash"), str(ROOT / "check"), *arguments], env=environment, capture_output=True, text=True
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder of programs with what ``./check`` itself needs, and neither ssh nor anything to install it with."""
    for name in ("bash", "cat", "dirname"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    program(tmp_path, "id", "echo 1000")
    return tmp_path


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!{folder}/bash\n{script}\n")
    (folder / name).chmod(0o755)


def test_without_a_way_to_install_it_says_what_to_install(bare: Path) -> None:
    done = check(bare)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "install what Debian calls openssh-client" in line


def test_without_root_and_sudo_it_says_what_to_type(bare: Path) -> None:
    program(bare, "apt-get", "exit 100")
    done = check(bare)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "type 'apt-get install openssh-client" in line
    assert "as root" in line


def test_with_sudo_it_says_what_it_does_and_stops_where_that_fails(bare: Path) -> None:
    program(bare, "apt-get", "exit 100")
    program(bare, "sudo", 'echo "sudo $*"; "$@"')
    done = check(bare)
    assert done.returncode == 2
    assert "log in to an OpenSSH server of their own: sudo apt-get install openssh-client" in done.stdout
    assert "sudo apt-get update -qq" in done.stdout
    assert "install openssh-client" in done.stderr
    assert "yourself" in done.stderr


def test_arm_stands_alone(bare: Path) -> None:
    done = check(bare, "--arm", "-k", "deploy")
    assert (done.returncode, done.stderr) == (2, "Error: --arm stands alone; got -k deploy\n")


def test_continuous_integration_runs_what_people_type() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == ['exec "$(dirname "$0")/../check" --arm']
    assert os.access(ROOT / "check", os.X_OK)
