"""Deploying to a real sshd on this machine: the whole way, several deployments at once, and failures on the way."""

import datetime
import getpass
import importlib.metadata
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner, Result
from edge_digits_runtime.data import datasets, loading
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.errors import DeployError, UsageError
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.model.classifier import DigitClassifier
from edge_digits_runtime.model.registry import DEFAULT_MODEL
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation, Latency, ModelInfo
from edge_digits_train.data import mnist
from packaging.requirements import Requirement

from edge_digits.cli import main
from edge_digits.deploy import deployment
from edge_digits.deploy.bundle import make_bundle
from edge_digits.deploy.ssh import Target

VERSION = importlib.metadata.version("edge-digits")
Deploy = Callable[..., Result]
Stub = Callable[[str], Path]
STEPS = (
    "connect",
    "copy",
    "check and unpack",
    "install",
    "check edge-digits",
    "doctor",
    "try the model",
    "switch over",
    "evaluate",
    "fetch the evaluation",
)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An sshd on the loopback; its folder holds ``log`` and ``ssh_config``, where the host ``device`` is that sshd."""
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
    """A run folder with an int8 model that knows digits."""
    file = read_model_file(DEFAULT_MODEL)
    return make_run({"mlp-8-int8.tflite": (file.content[: file.flatbuffer_bytes], "int8")}, digits)


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """The folder on the 'device'."""
    return tmp_path / "device"


@pytest.fixture
def python(tmp_path: Path) -> Stub:
    """``python(script)``: an interpreter that runs a shell script first, in which $REAL is the interpreter."""

    def make(script: str) -> Path:
        path = tmp_path / "python"
        path.write_text(f'#!/bin/sh\nREAL={sys.executable}\n{script}\nexec $REAL "$@"\n')
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def quick(run: Path, digits: Split, tmp_path: Path) -> str:
    """A script for ``python`` that gives the answer of 'evaluate' and 'doctor' at once."""
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
    """``deploy(*arguments, host=..., python=...)`` to ``device``, where `quick` stands for a real evaluation."""

    def call(*arguments: str, host: str = "device", interpreter: str | Path | None = None) -> Result:
        words = [run, "-F", sshd / "ssh_config", "--remote-dir", device]
        words += ["--no-install", "--python", interpreter or python(quick)]
        return CliRunner().invoke(main, ["deploy", *map(str, words), *arguments, "--", host])

    return call


@pytest.fixture
def scp(tmp_path: Path, sshd: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AbstractContextManager[None]]:
    """``with scp(script)``: a shell script takes the place of scp; $1 and $2 are its files, $REAL is scp."""
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


def in_use(device: Path) -> str:
    """The bundle that ``current`` points to; its checksums match and its model classifies."""
    current = device / "current"
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=current, check=True, timeout=60)
    assert DigitClassifier(current / "model.tflite").classify(current / "samples" / "7.png").digit == 7
    return str(current.readlink())


def error(result: Result) -> str:
    """The error, which is the last line, after those of the progress."""
    assert result.exit_code == 2, result.output
    *progress, last = result.stderr.splitlines()
    assert not [line for line in progress if not re.match("(device|gone): ", line)]
    assert last.startswith("Error: ")
    return last.removeprefix("Error: ")


# --- the whole way


def test_there_and_back(run: Path, device: Path, digits: Split, sshd: Path) -> None:
    site = virtual_environment(device / "venv")
    logins = (sshd / "log").read_text().count("Accepted publickey")
    words = ["deploy", run, "device", "-F", sshd / "ssh_config", "--remote-dir", device]
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    about, *steps = result.stderr.splitlines()
    assert about.startswith("device: mlp-8 int8 (")
    assert [re.sub(r" \(.*\)$", "", step.removeprefix("device: ")) for step in steps] == list(STEPS)
    assert (sshd / "log").read_text().count("Accepted publickey") == logins + 1, "one login for all steps"

    out = run / "device.int8.evaluation.json"
    evaluation = Evaluation.load(out)
    assert evaluation.labels.tolist() == digits.labels.tolist()
    assert evaluation.accuracy > 0.9
    assert result.stdout.startswith(f"{out}: {evaluation.accuracy * 100:.2f} % right, ")

    (unpacked,) = (device / "bundles").iterdir()
    assert in_use(device) == f"bundles/{unpacked.name}"
    assert sorted(path.name for path in device.iterdir()) == ["bundles", "current", "venv"]
    assert (site / "edge_digits" / "cli.py").is_file()
    version = subprocess.run([device / "venv/bin/edge-digits", "--version"], capture_output=True, text=True, timeout=60)
    assert version.stdout == f"edge-digits, version {VERSION}\n"


def virtual_environment(folder: Path) -> Path:
    """Make one where pip finds as installed what edge-digits depends on; sshd lets it see no index to get more from.

    Returns:
        Its folder of packages.
    """
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    (site,) = (folder / "lib").glob("python*/site-packages")
    dependencies = folder.parent.with_name("dependencies")
    dependencies.mkdir()
    for distribution in dependency_tree("edge-digits"):
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (dependencies / top).symlink_to(Path(str(distribution.locate_file(top))))
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    return site


def dependency_tree(name: str) -> list[importlib.metadata.Distribution]:
    """All distributions that are here because of ``name`` without extras, except ours."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [name]
    while waiting:
        for text in importlib.metadata.distribution(waiting.pop()).requires or ():
            required = Requirement(text)
            if required.name not in found and (required.marker is None or required.marker.evaluate({"extra": ""})):
                found[required.name] = importlib.metadata.distribution(required.name)
                waiting.append(required.name)
    return [distribution for required, distribution in found.items() if not required.startswith("edge-digits")]


def test_without_installing_the_last_installation_is_used(run: Path, device: Path, sshd: Path, quick: str) -> None:
    python = device / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nREAL={sys.executable}\n{quick}\nexec $REAL "$@"\n')
    python.chmod(0o755)
    words = ["deploy", run, "device", "-F", sshd / "ssh_config", "--remote-dir", device, "--no-install"]
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    assert "100.00 % right, 7 µs a picture (median) on quick" in result.stdout
    assert not (device / "current" / "wheels").exists()


def test_the_former_bundle_is_kept_and_older_ones_are_removed(deploy: Deploy, device: Path) -> None:
    device.mkdir()
    for name, age_h in (("interrupted", 49), ("in-progress", 1)):
        for path in (device / f".incoming-{name}", device / "bundles" / name / ".deploying"):
            path.mkdir(parents=True)
            os.utime(path, (time.time() - age_h * 3600,) * 2)
    used = []
    for _ in range(3):
        assert deploy().exit_code == 0
        used.append((device / "current").readlink().name)
    assert sorted(path.name for path in (device / "bundles").iterdir()) == [*used[1:], "in-progress"]
    assert [path.name for path in device.glob(".*")] == [".incoming-in-progress"]
    assert not list(device.glob("bundles/2*/.deploying"))


@pytest.mark.parametrize("microseconds", [(5, 70_000), (5, 5)], ids=["second", "microsecond"])
def test_one_bundle_twice_within(
    microseconds: tuple[int, int], deploy: Deploy, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = datetime.datetime(2026, 3, 7, 10, 15, tzinfo=datetime.UTC)
    moments = (second + datetime.timedelta(microseconds=each) for each in microseconds)
    clock = SimpleNamespace(UTC=datetime.UTC, datetime=SimpleNamespace(now=lambda _: next(moments)))
    monkeypatch.setattr("edge_digits.deploy.deployment.datetime", clock)
    assert deploy().exit_code == 0
    former = in_use(device)
    result = deploy()
    assert result.exit_code == 0, result.output
    latest = in_use(device)
    assert former < latest or microseconds == (5, 5), "the names sort by age"
    assert {f"bundles/{path.name}" for path in (device / "bundles").iterdir()} == {former, latest}


# --- several deployments at once


@pytest.fixture
def call(run: Path, device: Path, sshd: Path, tmp_path: Path) -> Callable[..., Evaluation]:
    """``call(interpreter, progress)`` deploys as the command does, but may be called in a thread or within another."""
    bundle = make_bundle(run / "mlp-8-int8.tflite", loading.load_test(run.parent / "noise.npz"), runtime=False)
    target = Target("device", str(device), config=sshd / "ssh_config")

    def deploy(interpreter: Path, progress: Callable[[str], None] | None = None) -> Evaluation:
        output = tmp_path / f"{secrets.token_hex(8)}.json"
        return deployment.deploy(bundle, target, output, install=False, python=str(interpreter), progress=progress)

    return deploy


def test_a_deployment_survives_others_between_any_two_of_its_steps(
    call: Callable[..., Evaluation], device: Path, python: Stub, quick: str
) -> None:
    # Classifying is not the subject, and would take the most time.
    interpreter = python(f'{quick}; case "$*" in *" classify "*) exit;; *m.version*) echo {VERSION}; exit;; esac')
    steps: list[str] = []
    others: list[str] = []

    def progress(line: str) -> None:
        steps.append(re.sub(r" \(.*\)$", "", line.removeprefix("device: ")))
        # Two: one alone would keep this bundle as the former one. None before there is a bundle.
        for _ in range(2 if len(steps) > 2 else 0):
            call(interpreter)
            others.append((device / "current").readlink().name)

    assert call(interpreter, progress).accuracy == 1.0
    assert steps == [step for step in STEPS if step != "install"]
    left = sorted(path.name for path in (device / "bundles").iterdir())
    (own,) = set(left) - set(others)
    assert left == sorted([own, *others[-2:]]), "its own, and of the others the last and the former one of that"
    assert not list(device.glob("bundles/*/.deploying"))
    assert in_use(device) == f"bundles/{others[-1]}"


def test_deployments_at_the_same_time_take_turns_to_measure(
    call: Callable[..., Evaluation], device: Path, python: Stub, quick: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    note = f'note() {{ case "$2" in *" evaluate "*) echo $1 >> {log}; sleep 0.3;; esac; }}'
    interpreter = python(f'{note}; note begin "$*"; trap \'note end "$*"\' EXIT; {quick}')
    with ThreadPoolExecutor(3) as pool:
        evaluations = list(pool.map(lambda _: call(interpreter), range(3)))
    assert [evaluation.accuracy for evaluation in evaluations] == [1.0] * 3
    assert log.read_text().split() == ["begin", "end"] * 3
    assert in_use(device)


def test_another_version_that_was_installed_in_between_is_noticed(
    call: Callable[..., Evaluation], python: Stub, quick: str, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    change = f'case "$2" in *m.version*) [ -e {asked} ] && echo 0.0.9 && exit; touch {asked};; esac'
    with pytest.raises(DeployError, match=r"evaluate failed .*: another deployment has installed edge-digits 0\.0\.9;"):
        call(python(f"{change}; {quick}"))


# --- what breaks on the way


def test_whatever_breaks_on_the_way_leaves_the_old_bundle_working(
    deploy: Deploy, device: Path, scp: Callable[[str], AbstractContextManager[None]], python: Stub, tmp_path: Path
) -> None:
    assert deploy().exit_code == 0
    former = in_use(device)
    send_half = 'head -c 1000 "$1" > "$0.half"; $REAL "$0.half" "$2"'

    with scp(f"{send_half}; kill -9 $$"):
        killed = error(deploy())
    assert re.match(r"device: copy failed \(ended by signal 9\): no message; the former bundle", killed)
    assert in_use(device) == former

    with scp(f"{send_half}; exit 0"):
        short = error(deploy())
    assert re.match(r"device: check and unpack failed \(exit status 1\): sha256sum: .* the former bundle", short)
    assert in_use(device) == former

    checks = json.dumps({"checks": [{"name": "interpreter", "status": "problem", "found": "none", "remedy": "pip"}]})
    sick = python(f"case \"$*\" in *' doctor '*) echo '{checks}'; exit 1;; esac")
    assert error(deploy(interpreter=sick)) == (
        "device: the doctor has a problem with interpreter: none; the former bundle is still in use there; "
        "fix it there: pip"
    )
    assert in_use(device) == former

    broken = python("case \"$*\" in *' doctor '*) echo 'ImportError: no numpy' >&2; exit 1;; esac")
    assert error(deploy(interpreter=broken)).startswith("device: doctor failed (exit status 1): ImportError: no numpy;")
    assert in_use(device) == former

    (tmp_path / "bad.tflite").write_bytes(b"\x18\0\0\0TFL3" + bytes(99))
    assert str(tmp_path / "bad.tflite") in error(deploy("--model", str(tmp_path / "bad.tflite")))
    assert in_use(device) == former

    old = python("case \"$*\" in *' classify '*) echo 'Error: model.tflite: too new' >&2; exit 2;; esac")
    bad = error(deploy(interpreter=old))
    assert re.match(
        r"device: try the model failed \(exit status 2\): Error: model\.tflite: too new; the former bundle", bad
    )
    assert in_use(device) == former

    assert deploy().exit_code == 0
    assert in_use(device) != former


def test_an_evaluation_of_something_else_is_refused(
    deploy: Deploy, run: Path, tmp_path: Path, quick: str, python: Stub
) -> None:
    assert deploy().exit_code == 0
    out = run / "device.int8.evaluation.json"
    former = out.read_bytes()
    values = json.loads(former)
    values["data"]["sha256"] = "0" * 64
    (tmp_path / "other.json").write_text(json.dumps(values))
    names = sorted(path.name for path in run.iterdir())
    other = python(quick.replace("quick.json", "other.json"))
    assert error(deploy(interpreter=other)) == "device: the evaluation is of another model or other pictures; try again"
    assert out.read_bytes() == former
    assert sorted(path.name for path in run.iterdir()) == names


WRONG_PYTHONS = {
    "too old": (
        'case "$2" in *version_info*) exec $REAL -c "import sys; sys.version_info = (3, 9, 2); $2";; esac',
        "device: connect failed (exit status 1): Python 3.9 is too old; Python 3.11 or newer must be installed there",
    ),
    "without edge-digits": (
        'exec $REAL -I -S "$@"',
        "device: check edge-digits failed (exit status 1): importlib.metadata.PackageNotFoundError: ",
    ),
    "other edge-digits": (
        'case "$2" in *m.version*) echo 0.0.9; exit;; esac',
        f"device: has edge-digits 0.0.9, here is {VERSION}; leave out --no-install",
    ),
}


@pytest.mark.parametrize(("script", "message"), WRONG_PYTHONS.values(), ids=WRONG_PYTHONS)
def test_a_wrong_python_is_noticed_before_it_is_used(
    script: str, message: str, deploy: Deploy, device: Path, python: Stub
) -> None:
    assert error(deploy(interpreter=python(script))).startswith(message)
    assert not (device / "current").exists()


def test_no_python(deploy: Deploy) -> None:
    message = error(deploy(interpreter="no-such-python"))
    assert re.match(r"device: connect failed \(exit status 127\): .*no-such-python: (command )?not found; ", message)
    assert message.endswith(
        "Python 3.11 or newer must be installed there as no-such-python; name another with --python"
    )


def test_a_host_that_does_not_answer(deploy: Deploy, run: Path) -> None:
    assert error(deploy(host="gone")) == (
        "gone: connect failed (exit status 255): ssh: connect to host 127.0.0.1 port 1: Connection refused; "
        "check that 'ssh gone' logs in, then try again"
    )
    assert not list(run.glob("*evaluation.json"))


def test_without_ssh(deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert error(deploy()) == "ssh is not on the PATH: install the OpenSSH client (openssh-client on Debian)"


# --- names

ADDRESSES = [
    ("pi", "pi", "pi:edge-digits/x.zip"),
    ("me@raspberrypi.local", "raspberrypi.local", "me@raspberrypi.local:edge-digits/x.zip"),
    ("me@fe80::1%eth0", "fe80-1-eth0", "me@[fe80::1%eth0]:edge-digits/x.zip"),
    ("[::1]", "1", "[::1]:edge-digits/x.zip"),
]


@pytest.mark.parametrize(("host", "label", "path"), ADDRESSES, ids=[host for host, *_ in ADDRESSES])
def test_a_host_as_scp_and_file_names_want_it(host: str, label: str, path: str) -> None:
    target = Target(host)
    assert (target.label, target.path("x.zip")) == (label, path)


@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "-x", "me@-x", "a b", "ssh://pi", "pi:/etc", "", "a@b@c"])
def test_hosts_that_ssh_could_take_for_something_else(host: str, deploy: Deploy) -> None:
    assert "host " in error(deploy(host=host))


@pytest.mark.parametrize("folder", ["a b", "$(reboot)", "-x", "a;b", "~/x", "", "ä"])
def test_folders_that_a_shell_could_take_for_something_else(folder: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"remote folder {folder!r}: allowed are ")):
        Target("pi", folder)
