"""``edge-digits serve`` as a process: what it refuses, what it prints, how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
import requests
from click.testing import CliRunner

from edge_digits.cli import main

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
        # A shell starts what runs in its background with Ctrl-C ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
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
