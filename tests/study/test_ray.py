"""Studies on a real Ray: on this machine, and on a cluster of two nodes of which one dies.

Starting TensorFlow takes 15 seconds of processor time in each worker. So only one of the three studies here trains; in
the other two Ray runs trials that pretend to, see tiny.py.
"""

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
from edge_digits_runtime.device import facts
from edge_digits_study.results import Results, Trial
from edge_digits_train.data import mnist

TINY = Path(__file__).with_name("tiny.py")
EPOCHS, HALT = 25, 3
"""As in tiny.py."""
TOKEN = secrets.token_hex(32)
PATIENCE_S = 300
"""Longest time to wait for anything; a busy machine needs less."""
STARTS = 3
"""Number of attempts to start a node: it gives up after 30 seconds, which a busy machine may need the first time."""
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


def wait_until(what: Callable[[], object], driver: "Driver | None" = None) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "waited too long"
        assert driver is None or driver.poll() is None, f"the study ended too early: {driver.log.read_text()}"
        time.sleep(0.1)


def processes(word: str) -> list[int]:
    """Return the processes with ``word`` in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


class Driver(subprocess.Popen[str]):
    """The tiny study in a process of its own."""

    def __init__(self, data: Path, scratch: Path, **options: Any) -> None:
        self.log = scratch / "log"
        with self.log.open("w") as log:
            super().__init__(
                [sys.executable, TINY, data, scratch / "study", json.dumps(options)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(scratch),
            )

    def __exit__(self, *error: Any) -> None:
        """Kill the process if a test failed before its end."""
        self.kill()
        super().__exit__(*error)

    def failures(self) -> list[list[str]]:
        """Wait for the end of the study, and return labels and reasons of the trials that failed."""
        stdout, _ = self.communicate(timeout=PATIENCE_S)
        assert self.returncode == 0, self.log.read_text()
        failures: list[list[str]] = json.loads(stdout)
        return failures

    def progress(self) -> list[tuple[int, int, str]]:
        """Return the progress that it has shown so far."""
        lines = self.log.read_text().splitlines()
        return [tuple(json.loads(line[8:])) for line in lines if line.startswith("progress")]


def environment(scratch: Path) -> dict[str, str]:
    """Return variables that put the files of Ray into ``scratch``, with one token for all and no lower priority."""
    inherited = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return inherited | {
        "TMPDIR": str(scratch),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_worker_niceness": "0",
        # As ray_runner sets it for a Ray of its own.
        "RAY_enable_worker_prestart": "0",
        "RAY_prestart_worker_first_driver": "0",
    }


def trials(out: Path) -> list[Trial]:
    return sorted(Results.load(out, "tiny").trials, key=lambda trial: trial.seed)


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
    """A folder with a short name, since the sockets of Ray are below it."""
    with tempfile.TemporaryDirectory(prefix="ed-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
        wait_until(lambda: not processes(folder))


def epochs(out: Path, seed: int) -> list[int]:
    """Return the epochs that a pretended trial has done so far."""
    file = out / "trials" / f"steady-{EPOCHS}epochs-seed{seed}" / "epochs"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def test_a_killed_study_continues_and_names_the_failed_trials(data: Path, scratch: Path) -> None:
    out = scratch / "study"
    with Driver(data, scratch, seeds=2, halting=["steady seed 1"]) as driver:
        wait_until(lambda: list(out.glob("trials/steady*/trial.json")) and len(epochs(out, 1)) == HALT, driver)
        driver.kill()
    # Its Ray dies with it: nothing writes into the run folders any more.
    wait_until(lambda: not processes(str(scratch)))
    (done,) = out.glob("trials/*/trial.json")
    written = done.stat().st_mtime_ns

    # One trial at a time: all are trained in the same worker.
    with Driver(data, scratch, seeds=2, cpus=facts.cores()) as driver:
        failures = driver.failures()
    assert [label for label, _ in failures] == ["diverges seed 0"]
    assert "the loss of mlp-64" in failures[0][1]
    assert driver.progress()[-1][:2] == (3, 3)
    assert done.stat().st_mtime_ns == written
    pretended, trained = trials(out)
    assert (pretended.system, pretended.seed, pretended.accuracy["test"]) == ("steady", 0, 0.9)
    assert (trained.system, trained.seed, len(trained.history["loss"])) == ("steady", 1, EPOCHS)
    assert trained.int8 is not None
    assert 0.5 < trained.int8.accuracy["test"] <= 1
    assert trained.int8.drop == pytest.approx(100 * (trained.accuracy["test"] - trained.int8.accuracy["test"]))
    assert trained.accuracy["train"] > 0.9
    assert {path.name for path in (out / trained.run).iterdir()} >= {"run.json", "trial.json", "mlp-64-int8.tflite"}
    assert {path.name for path in out.iterdir()} == {"results.json", "trials"}


@contextlib.contextmanager
def node(scratch: Path, *options: str) -> Iterator[int]:
    """Start a node of a Ray cluster and yield the session of its processes, which are killed at the end."""
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
    """Kill all processes of a session at once, as a power cut does."""
    for process in session(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def session(leader: int) -> list[int]:
    """Return the processes of a session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name, which may hold anything: state, parent, group, session.
            if int(entry.read_text().rpartition(")")[2].split()[3]) == leader:
                found.append(int(entry.parent.name))
    return found


def test_a_study_survives_the_death_of_a_node(data: Path, scratch: Path) -> None:
    out, note = scratch / "study", scratch / "ray_current_cluster"
    head = ("--head", "--port=0", f"--ray-client-server-port={free_port()}", "--include-dashboard=false")
    with node(scratch, *head, f"--temp-dir={scratch}"):
        wait_until(lambda: note.exists() and note.read_text())
        address = note.read_text()
        halting = ["steady seed 0", "steady seed 1"]
        with (
            node(scratch, f"--address={address}") as worker,
            Driver(data, scratch, seeds=2, address=address, halting=halting) as driver,
        ):
            # Each node has one CPU, so each runs one of the two trials.
            wait_until(lambda: len(epochs(out, 0)) == len(epochs(out, 1)) == HALT, driver)
            # That is what the process of a trial calls itself.
            assert set(session(worker)) & set(processes("ray::ImplicitFunc.train"))
            kill_session(worker)
            (out / "go").touch()
            assert driver.failures() == []
    assert any("starting again" in running for _, _, running in driver.progress())
    for seed, trial in enumerate(trials(out)):
        assert (trial.seed, trial.epochs) == (seed, EPOCHS)
        # The one whose node died went on where it was.
        assert epochs(out, seed) == list(range(1, EPOCHS + 1))
    # The files of Tune are gone.
    assert {path.name for path in out.iterdir()} == {"results.json", "trials", "go"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
