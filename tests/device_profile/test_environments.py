"""The verbs of a device in odd environments: closed streams, little memory, the C locale, warnings as errors.

`tests/environments/run.py` runs these and all other tests of the device profile as another user, on a read-only tree.
"""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_digits.samples import SAMPLES

SEVEN = str(SAMPLES[7])
COMMAND = [sys.executable, "-c", "from edge_digits.cli import main; main()"]
ADDRESS_SPACE_KB = 512 << 10
VERBS = ("classify", "read", "models", "doctor", "evaluate", "data")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The command line of each verb that a device has and that needs nobody at the keyboard."""
    folder = tmp_path_factory.mktemp("device")
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    labels = np.arange(20, dtype=np.uint8) % 10
    data, out = f"{folder}/noise.npz", f"{folder}/evaluation.json"
    np.savez(data, x_train=noise, y_train=labels, x_test=noise, y_test=labels)
    return {
        "classify": ["classify", SEVEN],
        "read": ["read", SEVEN],
        "models": ["models"],
        "doctor": ["doctor"],
        "evaluate": ["evaluate", "digits-m", "--data", data, "--accuracy-only", "-o", out],
        "data": ["data", data],
    }


def shell(line: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which ``"$@"`` is the command."""
    return subprocess.run(
        ["sh", "-c", line, "sh", *COMMAND, *arguments],
        capture_output=True,
        encoding="utf-8",
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


@pytest.mark.parametrize("verb", VERBS[1:])
def test_all_streams_of_any_verb_may_be_closed(verb: str, words: dict[str, list[str]]) -> None:
    done = shell('"$@" <&- >&- 2>&-', *words[verb])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v bounds the address space on Linux only")
@pytest.mark.parametrize("verb", VERBS)
def test_512_mb_of_address_space_are_enough(verb: str, words: dict[str, list[str]]) -> None:
    done = shell(f'ulimit -v {ADDRESS_SPACE_KB}; "$@"', *words[verb])
    assert (done.returncode, "Error" in done.stderr) == (0, False)


@pytest.mark.parametrize("verb", VERBS)
def test_the_c_locale_without_utf_8_is_enough(verb: str, words: dict[str, list[str]], tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = shell('"$@"', *words[verb], **ascii_only)
    assert (done.returncode, "Error" in done.stderr) == (0, False)
    if verb in ("classify", "read"):
        # As bytes, since this process may be in that locale itself.
        picture = os.fsencode(tmp_path) + b"/sieben\xe2\x80\x937.png"
        with open(picture, "wb") as file:  # noqa: PTH123
            file.write(SAMPLES[7].read_bytes())
        named = shell('"$@"', verb, os.fsdecode(picture), **ascii_only)
        assert (named.returncode, named.stderr) == (0, "")


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_of_a_device_warns(verb: str, words: dict[str, list[str]]) -> None:
    done = shell('"$@"', *words[verb], PYTHONWARNINGS="error")
    assert (done.returncode, "Warning" in done.stderr) == (0, False)
