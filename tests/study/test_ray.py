"""Studies on a real Ray: on this machine, and on a cluster of two nodes one of which dies."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_digits_study.results import Results, Trial
from edge_digits_train.data import mnist

TINY = Path(__file__).with_name("tiny.py")
EPOCHS = 25
TOKEN = secrets.token_hex(32)
PATIENCE_S = 300
"""Only a machine that has hung needs longer."""
STARTS = 3
"""A node gives itself 30 seconds to start, which a machine that does much else may exceed the first time."""
RAY = Path(sys.executable).with_name("ray")
NODE = (
    "--block",
    "--num-cpus=1",
    "--object-store-memory=100000000",
    "--min-worker-port=0",
    "--max-worker-port=0",
    "--dashboard-agent-listen-port=0",
    "--node-ip-address=127.0.0.1",
    "--disable-usage-stats",
)


def wait_until(what: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "waited too long"
        assert process is None or process.poll() is None, "the study ended too early"
        time.sleep(0.05)


def processes(word: str) -> list[int]:
    """The processes in whose command line ``word`` is."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


class Driver(subprocess.Popen[str]):
    """The tiny study in a process of its own."""

    def __init__(self, data: Path, scratch: Path, seeds: int, *address: str) -> None:
        self.log = scratch / "log"
        with self.log.open("w") as log:
            super().__init__(
                [sys.executable, TINY, data, scratch / "study", str(seeds), *address],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(scratch),
            )

    def __exit__(self, *error: Any) -> None:
        """Kill it where a test has failed before its end."""
        self.kill()
        super().__exit__(*error)

    def failures(self) -> list[list[str]]:
        """Wait for its end: labels and reasons of the trials that failed."""
        stdout, _ = self.communicate(timeout=PATIENCE_S)
        assert self.returncode == 0, self.log.read_text()
        failures: list[list[str]] = json.loads(stdout)
        return failures

    def progress(self) -> list[tuple[int, int, str]]:
        """What it has shown so far."""
        lines = self.log.read_text().splitlines()
        return [tuple(json.loads(line[8:])) for line in lines if line.startswith("progress")]


def environment(scratch: Path) -> dict[str, str]:
    """Ray's files go into ``scratch``, those who know the token may join, and trials are as urgent as the test."""
    inherited = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return inherited | {
        "TMPDIR": str(scratch),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_worker_niceness": "0",
    }


def trials(out: Path) -> list[Trial]:
    return sorted(Results.load(out).trials, key=lambda trial: trial.seed)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 600 training and 200 test pictures, as a file."""
    path = tmp_path_factory.mktemp("data") / "small.npz"
    whole = mnist.load()
    train, test = whole.train, whole.test
    np.savez(
        path,
        x_train=train.images[:600],
        y_train=train.labels[:600],
        x_test=test.images[:200],
        y_test=test.labels[:200],
    )
    return path


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder whose name is short: the sockets of Ray are below it."""
    with tempfile.TemporaryDirectory(prefix="ed-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
        wait_until(lambda: not processes(folder))


def test_killed_study_goes_on_and_names_what_failed(data: Path, scratch: Path) -> None:
    out = scratch / "study"
    with Driver(data, scratch, 2) as driver:
        wait_until(lambda: list(out.glob("trials/steady*/trial.json")), driver)
        driver.kill()
    # Its Ray dies with it: nothing writes into the run folders any more.
    wait_until(lambda: not processes(str(scratch)))
    done = {path: path.stat().st_mtime_ns for path in out.glob("trials/*/run.json")}
    assert done

    with Driver(data, scratch, 2) as driver:
        failures = driver.failures()
    assert [label for label, _ in failures] == ["diverges seed 0"]
    assert "the loss of mlp-64" in failures[0][1]
    assert driver.progress()[-1][:2] == (3, 3)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    results = trials(out)
    assert [(trial.system, trial.seed, len(trial.history["loss"])) for trial in results] == [
        ("steady", 0, EPOCHS),
        ("steady", 1, EPOCHS),
    ]
    for trial in results:
        assert trial.int8 is not None
        assert 0.5 < trial.int8.accuracy["test"] <= 1
        assert trial.int8.drop == pytest.approx(100 * (trial.accuracy["test"] - trial.int8.accuracy["test"]))
        assert trial.accuracy["train"] > 0.9
        assert (out / trial.run / "run.json").exists()
    assert {path.name for path in out.iterdir()} == {"results.json", "trials"}


@contextlib.contextmanager
def node(scratch: Path, *options: str) -> Iterator[int]:
    """A node of a Ray cluster: the session of its processes. Whatever is left of them is killed at the end."""
    log = scratch / "node.log"
    for _ in range(STARTS):
        with log.open("w") as output:
            process = subprocess.Popen(
                [RAY, "start", *options, *NODE],
                stdout=output,
                stderr=output,
                env=environment(scratch),
                start_new_session=True,
            )
        try:
            # `process` is that of this round: it is waited for in it.
            wait_until(lambda: "Ray runtime started" in log.read_text() or process.poll() is not None)  # noqa: B023
            if process.poll() is None:
                yield process.pid
                return
        finally:
            kill_session(process.pid)
            process.wait()
    pytest.fail(log.read_text())


def kill_session(leader: int) -> None:
    """Kill every process of a session at once, as a power cut does."""
    for process in session(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name, which may hold anything: state, parent, group, session.
            if int(entry.read_text().rpartition(")")[2].split()[3]) == leader:
                found.append(int(entry.parent.name))
    return found


def test_study_survives_the_death_of_a_node(data: Path, scratch: Path) -> None:
    out, note = scratch / "study", scratch / "ray_current_cluster"
    head = ("--head", "--port=0", f"--ray-client-server-port={free_port()}", "--include-dashboard=false")
    with node(scratch, *head, f"--temp-dir={scratch}"):
        wait_until(lambda: note.exists() and note.read_text())
        address = note.read_text()
        with node(scratch, f"--address={address}") as worker, Driver(data, scratch, 2, address) as driver:
            # That is what the process of a trial calls itself.
            wait_until(lambda: set(session(worker)) & set(processes("ray::ImplicitFunc.train")), driver)
            kill_session(worker)
            assert driver.failures() == []
    assert any("starting again" in running for _, _, running in driver.progress())
    assert [(trial.seed, len(trial.history["loss"])) for trial in trials(out)] == [(0, EPOCHS), (1, EPOCHS)]
    assert all(trial.int8 is not None for trial in trials(out))
    # What Tune writes for itself is gone.
    assert {path.name for path in out.iterdir()} == {"results.json", "trials"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
