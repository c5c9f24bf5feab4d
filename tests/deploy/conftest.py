"""A real sshd on this machine, a run to deploy, and interpreters and copies that go wrong as told."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from board import Deploy, Stub
from click.testing import CliRunner, Result
from edge_digits_runtime.data import datasets
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.model.registry import DEFAULT_MODEL
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation, ModelInfo
from edge_digits_runtime.records.timings import Latency
from edge_digits_train.data import mnist

from edge_digits.cli import main


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an sshd on the loopback interface, with ``log`` and ``ssh_config``; the host is ``device``."""
    # It is on root's PATH alone, and insists on being started by its full path.
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert program, "these tests need the OpenSSH server: apt-get install openssh-server"
    if os.geteuid() == 0:
        # Where it puts itself to lose its rights; made by its start script, which does not run here.
        Path("/run/sshd").mkdir(exist_ok=True)
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True, timeout=60)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        "PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\nSetEnv PIP_NO_INDEX=1\n"
    )
    (folder / "ssh_config").write_text(
        f"Host device gone\n  HostName 127.0.0.1\n  User {getpass.getuser()}\n  IdentityFile {folder}/user\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known_hosts\n  StrictHostKeyChecking yes\n"
        f"  BatchMode yes\nHost device\n  Port {port}\nHost gone\n  Port 1\n"
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([program, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    try:
        wait_for(port, server, folder / "log")
        yield folder
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"sshd does not answer: {log.read_text()}")


@pytest.fixture(scope="session")
def digits() -> Split:
    """200 test pictures of MNIST."""
    test = mnist.load().test
    return Split(test.images[:200], test.labels[:200])


@pytest.fixture
def run(make_run: Callable[..., Path], digits: Split) -> Path:
    """A run folder with a trained int8 model."""
    file = read_model_file(DEFAULT_MODEL)
    return make_run({"mlp-8-int8.tflite": (file.content[: file.flatbuffer_bytes], "int8")}, digits)


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """The remote folder."""
    return tmp_path / "device"


@pytest.fixture
def python(tmp_path: Path) -> Stub:
    """``python(script)``: an interpreter that runs a shell script first; in it $REAL is the real interpreter."""

    def make(script: str) -> Path:
        path = tmp_path / "python"
        path.write_text(f'#!/bin/sh\nREAL={sys.executable}\n{script}\nexec $REAL "$@"\n')
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def quick(run: Path, digits: Split, tmp_path: Path) -> str:
    """A script for ``python`` that answers 'evaluate' and 'doctor' without measuring anything."""
    file = read_model_file(run / "mlp-8-int8.tflite")
    evaluation = Evaluation(
        model=ModelInfo("mlp-8", "int8", "int8", len(file.content), file.sha256),
        data=DataInfo("Noise", "test", datasets.digest(digits)),
        labels=digits.labels,
        probabilities=np.eye(10, dtype=np.float32)[digits.labels],
        latency={"invoke": Latency(np.array([7.0]))},
        device={"name": "quick", "machine": "here", "python": "3.11", "backend": "none"},
    )
    evaluation.save(tmp_path / "quick.json")
    return (
        'case "$*" in *" doctor "*) echo "{\\"checks\\": []}"; exit;; '
        f'*" evaluate "*) for out; do :; done; cp {tmp_path}/quick.json "$out"; exit;; esac'
    )


@pytest.fixture
def deploy(run: Path, device: Path, sshd: Path, quick: str, python: Stub) -> Deploy:
    """``deploy(*arguments, host=..., interpreter=...)`` runs the command; `quick` replaces the evaluation."""

    def call(*arguments: str, host: str = "device", interpreter: str | Path | None = None) -> Result:
        words = [run, "-F", sshd / "ssh_config", "--remote-dir", device]
        words += ["--no-install", "--python", interpreter or python(quick)]
        return CliRunner().invoke(main, ["deploy", *map(str, words), *arguments, "--", host])

    return call


@pytest.fixture
def scp(tmp_path: Path, sshd: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AbstractContextManager[None]]:
    """``with scp(script)`` replaces scp by a shell script, in which $1 and $2 are the files and $REAL is scp."""
    real = f"{shutil.which('scp')} -q -F {sshd / 'ssh_config'}"

    @contextmanager
    def replaced(script: str) -> Iterator[None]:
        path = tmp_path / "bin" / "scp"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nREAL="{real}"\nwhile [ $# -gt 2 ]; do shift; done\n{script}\n')
        path.chmod(0o755)
        with monkeypatch.context() as patch:
            patch.setenv("PATH", str(path.parent), prepend=os.pathsep)
            yield

    return replaced
