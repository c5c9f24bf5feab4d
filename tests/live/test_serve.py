"""``edge-digits serve`` as a process: what it refuses, what it prints, how it ends."""

import contextlib
import csv
import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner
from live_meter import written
from live_service import SAMPLES
from PIL import Image

from edge_digits.cli import main

Started = Callable[..., "subprocess.Popen[str]"]
TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0: whoever reaches this machine could ask; give --token TEXT, or --open"),
        (["--host", "192.168.0.1"], "whoever reaches this machine could ask"),
        (["--host", "::"], "whoever reaches this machine could ask"),
        (["--token", "short"], "--token: 5 characters; give 12 or more"),
        (["--token", "with a space in it"], "--token: 18 characters"),
        (["--token", TOKEN, "--open"], "--token and --open exclude each other"),
        (["--host", "192.0.2.1", "--open"], "--host 192.0.2.1 --port 8000: "),
        (["--host", "no such host", "--open"], "--host no such host --port 8000: "),
        (["--model", "nothing"], "no model 'nothing' is installed"),
    ],
)
def test_what_cannot_be_served_is_one_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["serve", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["serve", "--port", str(port)])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"--port {port}: " in result.stderr


def test_it_prints_where_it_answers_and_ends_with_the_signal(
    seven: bytes, started: Callable[..., subprocess.Popen[str]]
) -> None:
    arguments = [sys.executable, "-m", "edge_digits.cli", "serve", "--port", "0", "--host", "0.0.0.0"]
    code = "import sys; from edge_digits.cli import main; main(prog_name='edge-digits')"
    arguments = [sys.executable, "-c", code, *arguments[3:]]
    process = started(
        arguments,
        stderr=subprocess.PIPE,
        env=os.environ | {"EDGE_DIGITS_TOKEN": TOKEN},
    )
    assert process.stdout
    line = process.stdout.readline()
    match = re.fullmatch(rf"http://\S+:(\d+)/#token={TOKEN}\n", line)
    assert match, line
    url = f"http://127.0.0.1:{match[1]}"
    assert requests.post(f"{url}/api/classify", data=seven, timeout=60).status_code == 401
    authorized = {"authorization": f"Bearer {TOKEN}"}
    answer = requests.post(f"{url}/api/classify", data=seven, headers=authorized, timeout=60)
    assert answer.json()["label"] == "7"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "Answering with digits-m. Ctrl-C ends it.\n\nInterrupted.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "m.csv"], "--csv: nothing is watched; add --profile METER.TOML and a SOURCE"),
        (["--every", "5m"], "--every: nothing is watched"),
        (["--size", "640x480"], "--size: nothing is watched"),
        (["--profile", "meter.toml"], "--profile: name a SOURCE to watch"),
        (["--profile", "meter.toml", "--sqlite", "m.db", "--every", "5m"], "--every: nothing is watched here without"),
        (["--profile", "meter.toml", "--sqlite", "m.db"], "--sqlite m.db: there is no such file"),
        (
            [".", "--profile", "meter.toml", "--require-signature", "k.pub"],
            "models that a profile names are not signed",
        ),
        (["nowhere"], "'nowhere' is no source; give a folder, http://"),
        ([".", "--profile", "none.toml"], "none.toml: cannot be read"),
        ([".", "--profile", "meter.toml", "--csv", "."], "File '.' is a directory"),
    ],
)
def test_what_cannot_be_watched_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path)
    result = CliRunner().invoke(main, ["serve", "--port", "0", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("Error: ") == 1


def serving(started: Started, folder: Path, *arguments: str) -> tuple["subprocess.Popen[str]", str]:
    """Run the command in a folder and return the process and its address."""
    code = "import sys; from edge_digits.cli import main; main(prog_name='edge-digits')"
    process = started(
        [sys.executable, "-c", code, "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        cwd=folder,
    )
    assert process.stdout
    address = process.stdout.readline().strip()
    assert address.startswith("http://")
    return process, address


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_hanging_camera_does_not_hold_up_the_end(tmp_path: Path, started: Started, ending: signal.Signals) -> None:
    """The command that is the camera never answers: classify does, and both end within a second."""
    written(tmp_path)
    # Found again among all processes.
    seconds = f"1234.{os.getpid()}{ending:d}"
    words = [f"exec:sleep {seconds}", "--profile", "meter.toml", "--csv", "m.csv"]
    process, address = serving(started, tmp_path, *words)
    looking = threading.Thread(target=lambda: requests.get(f"{address}api/camera", timeout=60))
    looking.start()
    seven = (SAMPLES / "7.png").read_bytes()
    assert requests.post(f"{address}api/classify", data=seven, timeout=60).json()["label"] == "7"
    begin = time.monotonic()
    process.send_signal(ending)
    process.wait(20)
    # Half a second for a machine that is busy.
    assert time.monotonic() - begin < 1.5
    assert process.returncode == (0 if ending == signal.SIGTERM else 130)
    looking.join(10)
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            assert seconds.encode() not in status.read_bytes()


def test_what_was_watched_is_written_before_the_end(tmp_path: Path, started: Started) -> None:
    """A folder is watched; what still waits to be borne out at the end is in the file, as doubtful."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    written(tmp_path)
    for index in range(2):
        Image.effect_noise((80, 40), 60).save(pictures / f"{index}.png")
    arguments = ["pictures", "--profile", "meter.toml", "--sqlite", "m.db", "--csv", "m.csv", "--every", "0.1s"]
    process, address = serving(started, tmp_path, *arguments)
    deadline = time.monotonic() + 30
    while len(shown := requests.get(f"{address}api/readings", timeout=60).json()["records"]) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert shown[0]["source"].endswith(".png")
    picture = requests.get(f"{address}api/camera", timeout=60).content
    assert Image.open(io.BytesIO(picture)).size == (80, 40)
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    with (tmp_path / "m.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 2
    # The same readings are shown without watching.
    _, address = serving(started, tmp_path, "--profile", "meter.toml", "--sqlite", "m.db")
    again = requests.get(f"{address}api/readings", timeout=60).json()
    assert (len(again["records"]), again["watching"]) == (2, False)
    assert requests.get(f"{address}api/camera", timeout=60).status_code == 404
