"""The verbs of a device in odd environments: closed streams, little memory, the C locale, warnings as errors."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_digits.samples import SAMPLES

SEVEN = str(SAMPLES[7])
COMMAND = [sys.executable, "-c", "from edge_digits.cli import main; main()"]
ADDRESS_SPACE_KB = 512 << 10


def shell(line: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which ``"$@"`` is the command."""
    return subprocess.run(
        ["sh", "-c", line, "sh", *COMMAND, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        check=False,
    )


@pytest.mark.parametrize("closed", [streams for k in range(4) for streams in itertools.combinations("012", k)])
def test_any_streams_may_be_closed(closed: tuple[str, ...]) -> None:
    redirections = " ".join({"0": "<&-", "1": ">&-", "2": "2>&-"}[stream] for stream in closed)
    done = shell(f'"$@" {redirections}', "classify", SEVEN)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("" if "1" in closed else f"{SEVEN}: 7 (100.0 %)\n")


def test_a_closed_standard_input_as_the_picture_is_one_line() -> None:
    done = shell('"$@" <&-', "classify", "-")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "Error: standard input: closed\n")


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v bounds the address space on Linux only")
@pytest.mark.parametrize(
    "arguments", [("classify", SEVEN), ("read", SEVEN), ("models",), ("doctor",)], ids=lambda words: words[0]
)
def test_512_mb_of_address_space_are_enough(arguments: tuple[str, ...]) -> None:
    done = shell(f'ulimit -v {ADDRESS_SPACE_KB}; "$@"', *arguments)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_c_locale_is_enough(tmp_path: Path) -> None:
    picture = tmp_path / "sieben–7.png"
    picture.write_bytes(SAMPLES[7].read_bytes())
    done = shell('"$@"', "classify", str(picture), LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "7 (100.0 %)" in done.stdout


@pytest.mark.parametrize("verb", ["classify", "read", "models", "doctor"])
def test_no_verb_of_a_device_warns(verb: str) -> None:
    done = shell('"$@"', *([verb, SEVEN] if verb in ("classify", "read") else [verb]), PYTHONWARNINGS="error")
    assert (done.returncode, done.stderr) == (0, "")
