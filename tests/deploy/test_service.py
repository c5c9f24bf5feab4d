"""``deploy --serve``: a service that always answers with the model in use, or goes back to the one before."""

import http.client
import io
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import edge_digits_live
import numpy as np
import pytest
from board import Stub, error
from click.testing import CliRunner, Result
from edge_digits_runtime.data import datasets, loading
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation, Latency, ModelInfo

from edge_digits.cli import main
from edge_digits.deploy import service as services
from edge_digits.deploy import switching
from edge_digits.deploy.bundle import FOLDER, make_bundle
from edge_digits.deploy.service import Service

TOKEN = "a-token-of-this-test"
SYSTEMCTL = """
import os, shlex, signal, subprocess, sys, time
from pathlib import Path

home = Path(os.environ["HOME"])
unit, pid_file = home / ".config/systemd/user/edge-digits.service", home / "pid"
_, *words = sys.argv[1:]
with (home / "calls").open("a") as calls:
    calls.write(" ".join(words) + "\\n")

def running():
    try:
        pid = int(pid_file.read_text())
        return pid if Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" else None
    except (OSError, ValueError):
        return None

def stop():
    if pid := running():
        os.kill(pid, signal.SIGTERM)
        while running():
            time.sleep(0.05)

if words[0] == "restart":
    stop()
    settings = dict(line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line)
    command = [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(settings["ExecStart"])]
    variables = Path(settings["EnvironmentFile"].removeprefix("-"))
    more = dict(line.split("=", 1) for line in variables.read_text().splitlines()) if variables.exists() else {}
    log = open(settings["StandardError"].removeprefix("append:"), "ab")
    where, nothing = settings["WorkingDirectory"], subprocess.DEVNULL
    streams = {"stdin": nothing, "stdout": log, "stderr": log}
    started = subprocess.Popen(command, env=os.environ | more, cwd=where, start_new_session=True, **streams)
    pid_file.write_text(str(started.pid))
elif words[0] == "stop":
    stop()
elif words[0] == "is-active":
    print("active" if running() else "failed")
    sys.exit(0 if running() else 3)
"""
"""As much of systemctl --user as is used; it starts what the unit says."""


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def path_of(model: str) -> Path:
    return registry.paths()[model]


def sha256(model: str) -> str:
    return read_model_file(path_of(model)).sha256


@pytest.fixture
def quick_for(tmp_path: Path, digits: Split) -> Callable[[str], str]:
    """``quick_for(model)``: a script for ``python`` that answers 'evaluate' and 'doctor' without measuring anything."""

    def make(model: str) -> str:
        file = read_model_file(path_of(model))
        assert file.card is not None
        Evaluation(
            model=ModelInfo(model, "int8", "int8", len(file.content), file.sha256, file.card.weights_sha256),
            data=DataInfo("Noise", "test", datasets.digest(digits)),
            labels=digits.labels,
            probabilities=np.eye(10, dtype=np.float32)[digits.labels],
            latency={"invoke": Latency(np.array([7.0]))},
            device={"name": "quick", "machine": "here", "python": "3.11", "backend": "none"},
        ).save(tmp_path / f"{model}.json")
        return (
            # Classifying is not the subject, either.
            'case "$*" in *" doctor "*) echo "{\\"checks\\": []}"; exit;; *" classify "*) exit;; '
            f'*" evaluate "*) for out; do :; done; cp {tmp_path}/{model}.json "$out"; exit;; esac'
        )

    return make


@pytest.fixture
def words(
    run: Path, device: Path, sshd: Path, python: Stub, quick_for: Callable[[str], str]
) -> Iterator[Callable[..., list[str]]]:
    """``words(model, *options)``: the command that deploys an installed model; its service ends with the test."""

    def make(model: str, *options: str, before: str = "") -> list[str]:
        # A name of its own for each, since two may be deployed at once.
        interpreter = python(f"{before}\n{quick_for(model)}")
        own = interpreter.rename(interpreter.with_name(f"python-{model}"))
        given = [run, "-F", sshd / "ssh_config", "--remote-dir", device, "--no-install", "--python", own]
        return ["deploy", *map(str, given), "--model", model, *options, "--", "device"]

    yield make
    if device.exists():
        services._stop_alone(device)


@pytest.fixture
def put(words: Callable[..., list[str]]) -> Callable[..., Result]:
    """``put(model, *options)`` deploys an installed model."""

    def call(model: str, *options: str, before: str = "", environment: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(main, words(model, *options, before=before), env=environment)

    return call


def ask(port: int, path: str = "/healthz", token: str | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={} if token is None else {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def answering(port: int) -> str:
    status, about = ask(port)
    assert status == 200
    return str(about["sha256"])


def silent(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def other(option: str, sshd: Path, device: Path, *words: str) -> Result:
    command = ["deploy", option, "-F", sshd / "ssh_config", "--remote-dir", device, "--python", sys.executable]
    return CliRunner().invoke(main, [*map(str, command), *words, "device"])


def test_the_service_answers_with_whatever_is_in_use(
    put: Callable[..., Result], port: int, sshd: Path, device: Path
) -> None:
    result = put("digits-m", "--serve", "--serve-options", f"--port {port}")
    assert result.exit_code == 0, result.output
    assert f"device: the service answers at http://127.0.0.1:{port}/\n" in result.stderr
    note = next(line for line in result.stderr.splitlines() if "@reboot" in line)
    assert answering(port) == sha256("digits-m")
    first = (device / services.PID).read_text()

    # Without --serve: the service that is there is restarted with the new model.
    result = put("digits-xs")
    assert result.exit_code == 0, result.output
    assert answering(port) == sha256("digits-xs")
    assert not Path(f"/proc/{first}").exists()
    status = other("--status", sshd, device)
    assert status.stdout.endswith(f"; the service answers at http://127.0.0.1:{port}/\n"), status.output

    result = other("--rollback", sshd, device)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("device: digits-m int8")
    assert answering(port) == sha256("digits-m")

    # What the note says to put into the crontab starts it again.
    services._stop_alone(device)
    assert silent(port)
    status = other("--status", sshd, device)
    assert "does not answer as it should" in status.stdout
    subprocess.run(["sh", "-c", note.partition("@reboot ")[2]], check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert answering(port) == sha256("digits-m")


def test_a_service_that_does_not_answer_is_taken_back(
    put: Callable[..., Result], port: int, taken: int, device: Path
) -> None:
    assert put("digits-m", "--serve", "--serve-options", f"--port {port}").exit_code == 0
    before = (device / "current").readlink()
    result = put("digits-xs", "--serve", "--serve-options", f"--port {taken}")
    message = error(result)
    assert "switch over failed" in message
    assert "Address already in use" in message
    assert "the former bundle is in use again, and its service answers" in message
    assert (device / "current").readlink() == before
    assert answering(port) == sha256("digits-m")
    # Else --rollback would find the failed one.
    assert [path.name for path in (device / "bundles").iterdir()] == [before.name]
    assert Service.load(device) == Service(device, ("--port", str(port)), sys.executable)


def test_a_first_service_that_does_not_answer_leaves_nothing(
    put: Callable[..., Result], taken: int, device: Path
) -> None:
    message = error(put("digits-m", "--serve", "--serve-options", f"--port {taken}"))
    assert "nothing was in use before, and nothing is now" in message
    assert not (device / "current").is_symlink()
    assert not [name for name in (services.RECORD, services.PID, services.ENVIRONMENT) if (device / name).exists()]


def test_where_there_was_no_service_the_former_bundle_comes_back(
    put: Callable[..., Result], taken: int, device: Path
) -> None:
    assert put("digits-m").exit_code == 0
    before = (device / "current").readlink()
    message = error(put("digits-xs", "--serve", "--serve-options", f"--port {taken}"))
    assert "the former bundle is in use again;" in message
    assert (device / "current").readlink() == before
    assert Service.load(device) is None


def test_another_service_at_the_port_is_not_taken_for_it(
    put: Callable[..., Result], port: int, started: Callable[..., subprocess.Popen[str]]
) -> None:
    command = [sys.executable, "-c", services._RUN, "serve", "--model", str(path_of("digits-s")), "--port", str(port)]
    foreign = started(command)
    assert foreign.stdout is not None
    foreign.stdout.readline()
    message = error(put("digits-m", "--serve", "--serve-options", f"--port {port}"))
    assert "Address already in use" in message


def test_the_token_is_no_secret_of_a_command_line(put: Callable[..., Result], port: int, device: Path) -> None:
    options = ["--serve", "--serve-options", f"--host 0.0.0.0 --port {port}"]
    result = put("digits-m", *options, environment={services.TOKEN: TOKEN})
    assert result.exit_code == 0, result.output
    assert TOKEN not in result.output
    assert (device / services.ENVIRONMENT).stat().st_mode & 0o777 == 0o600
    assert ask(port, "/api/models")[0] == 401
    assert ask(port, "/api/models", TOKEN)[0] == 200
    pid = (device / services.PID).read_text()
    assert TOKEN not in Path(f"/proc/{pid}/cmdline").read_text()
    # A failed change of the token leaves the one that was there.
    with socket.create_server(("127.0.0.1", 0)) as other_program:
        at = other_program.getsockname()[1]
        error(put("digits-xs", "--serve", "--serve-options", f"--port {at}", environment={services.TOKEN: "x" * 20}))
    assert ask(port, "/api/models", TOKEN)[0] == 200
    assert not list(device.glob(".incoming*"))


def test_systemd_runs_it_where_it_answers(
    put: Callable[..., Result], port: int, taken: int, device: Path, tmp_path: Path
) -> None:
    home, programs = tmp_path / "home", tmp_path / "programs"
    for folder in (home, programs):
        folder.mkdir()
    (programs / "systemctl.py").write_text(SYSTEMCTL)
    for name, script in (
        ("systemctl", f'exec {sys.executable} {programs}/systemctl.py "$@"'),
        ("loginctl", f'echo loginctl "$@" >> {home}/calls; exit 1'),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    before = f"export PATH={programs}:$PATH HOME={home}"
    try:
        result = put("digits-m", "--serve", "--serve-options", f"--port {port}", before=before)
        assert result.exit_code == 0, result.output
        assert answering(port) == sha256("digits-m")
        assert "type there: sudo loginctl enable-linger" in result.stderr
        assert not (device / services.PID).exists()
        calls = (home / "calls").read_text().splitlines()
        unit = services.UNIT
        wanted = ["daemon-reload", f"enable {unit}", f"restart {unit}", "loginctl enable-linger"]
        assert [line for line in calls if line in wanted] == wanted

        message = error(put("digits-xs", "--serve", "--serve-options", f"--port {taken}", before=before))
        assert "the former bundle is in use again, and its service answers" in message
        assert answering(port) == sha256("digits-m")

        assert put("digits-xs", before=before).exit_code == 0
        assert answering(port) == sha256("digits-xs")
    finally:
        env = os.environ | {"HOME": str(home)}
        subprocess.run([programs / "systemctl", "--user", "stop", services.UNIT], env=env, timeout=60)
    assert silent(port)


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed here")
    folder = tmp_path / "a folder, 100 % of $HOME"
    folder.mkdir()
    unit = tmp_path / services.UNIT
    unit.write_text(services._unit(Service(folder, ("--host", "0.0.0.0", "--collect", 'a "b" $c %d'), sys.executable)))
    env = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    command = [verify, "--user", "verify", "--man=no", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode == 0, done.stderr
    assert services.UNIT not in done.stderr


def test_deployments_at_once_leave_one_model_in_use_and_the_service_with_it(
    put: Callable[..., Result], words: Callable[..., list[str]], port: int, device: Path
) -> None:
    assert put("digits-m", "--serve", "--serve-options", f"--port {port}").exit_code == 0
    commands = [words(model) for model in ("digits-xs", "digits-s", "digits-l")]

    def alone(command: list[str]) -> str:
        # Each in a process of its own: the runner of the tests is for one thread.
        start = [sys.executable, "-c", services._RUN]
        done = subprocess.run([*start, *command], capture_output=True, text=True, timeout=300)
        return done.stderr if done.returncode else ""

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(alone, commands)) == ["", "", ""]
    now = read_model_file(device / "current" / "model.tflite").sha256
    assert answering(port) == now
    assert now in map(sha256, ("digits-xs", "digits-s", "digits-l"))
    left = [path.name for path in (device / "bundles").iterdir()]
    assert (device / "current").readlink().name in left
    assert not list(device.glob("bundles/*/.deploying"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--serve-options", "--port 8080"], "--serve-options is for --serve"),
        (["--serve", "--serve-options", "--prot 8080"], "No such option"),
        (["--serve", "--serve-options", "--port x"], "Invalid value for '--port'"),
        (["--serve", "--serve-options", "--port 0"], "name one"),
        (["--serve", "--serve-options", "--host 0.0.0.0"], "give --token TEXT, or --open"),
        (["--serve", "--serve-options", f"--token {TOKEN}"], "set the variable EDGE_DIGITS_TOKEN"),
        (["--serve", "--serve-options", "--model=m"], "it answers with the model in use"),
        (["--serve", "--serve-options", "--help"], "--help is for"),
        (["--serve", "--serve-options", "'"], "a quotation mark has no end"),
        (["--serve", "--serve-options", "--profile m.toml"], "--profile: name a SOURCE to watch"),
        (["--serve", "--status"], "--serve goes with a RUN"),
    ],
)
def test_wrong_options_are_one_line(options: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["deploy", *options, "run", "pi"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr


def test_a_service_may_watch_a_meter_whose_files_are_on_the_device(tmp_path: Path) -> None:
    """The paths are those of the device: nothing is looked for here, where not even root could write them."""
    (tmp_path / "file").write_text("no folder")
    options = f"/dev/video0 --profile {tmp_path}/file/m.toml --csv {tmp_path}/file/m.csv --doubts {tmp_path}/file/d"
    words = ["deploy", "--serve", "--serve-options", options, str(tmp_path / "no-run"), "pi"]
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"{tmp_path}/no-run: " in result.stderr


def test_a_token_that_a_file_of_systemd_would_change_is_refused() -> None:
    env = {services.TOKEN: 'a"quoted"token'}
    result = CliRunner().invoke(main, ["deploy", "--serve", "run", "pi"], env=env)
    assert (result.exit_code, "allowed are letters, digits" in result.stderr) == (2, True)


def test_a_bundle_with_the_page_carries_all_of_it(run: Path) -> None:
    bundle = make_bundle(run / "mlp-8-int8.tflite", loading.load_test(run.parent / "noise.npz"), live=True)
    (wheel,) = (name for name in bundle.wheels if name.startswith("edge_digits_live-"))
    with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
        content = archive.read(f"{FOLDER}/wheels/{wheel}")
        constraints = archive.read(f"{FOLDER}/constraints.txt").decode()
    assert {"starlette", "uvicorn", "python-multipart"} <= {
        line.partition("==")[0] for line in constraints.splitlines()
    }
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        packed = {name for name in archive.namelist() if name.startswith("edge_digits_live/")}
    package = Path(edge_digits_live.__file__).parent
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert packed == {path.relative_to(package.parent).as_posix() for path in files}


@pytest.mark.parametrize(
    "failure", [OSError(28, "No space left on device"), subprocess.TimeoutExpired("systemctl", 60)]
)
def test_whatever_goes_wrong_with_a_service_the_former_bundle_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    for name in ("a", "b"):
        (tmp_path / "bundles" / name).mkdir(parents=True)
    (tmp_path / "current").symlink_to("bundles/a")
    (tmp_path / services.ENVIRONMENT).write_text("EDGE_DIGITS_TOKEN=before")
    (tmp_path / "new").write_text("EDGE_DIGITS_TOKEN=after")
    Service(tmp_path, ("--port", "8001"), sys.executable).save()
    started: list[tuple[str, ...]] = []

    def start(service: Service) -> list[str]:
        started.append(service.options)
        if service.options == ("--port", "8002"):
            raise failure
        return []

    monkeypatch.setattr(services, "start", start)
    monkeypatch.setattr(services, "stop", lambda _: None)
    with pytest.raises(services.ServiceError, match="the former bundle is in use again, and its service answers"):
        switching.use(tmp_path, "bundles/b", ["--port", "8002"], tmp_path / "new")
    assert started == [("--port", "8002"), ("--port", "8001")]
    assert (tmp_path / "current").readlink() == Path("bundles/a")
    assert (tmp_path / services.ENVIRONMENT).read_text() == "EDGE_DIGITS_TOKEN=before"
    assert not (tmp_path / "bundles" / "b").exists()


def test_a_bundle_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "bundles" / "a").mkdir(parents=True)
    (tmp_path / "current").symlink_to("bundles/a")
    (tmp_path / services.ENVIRONMENT).write_text("EDGE_DIGITS_TOKEN=before")
    with pytest.raises(services.ServiceError, match="bundles/b is not there any more"):
        switching.use(tmp_path, "bundles/b", [], None)
    assert (tmp_path / "current").readlink() == Path("bundles/a")
    assert (tmp_path / services.ENVIRONMENT).read_text() == "EDGE_DIGITS_TOKEN=before"


def test_the_code_comes_back_with_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: called.append(command))
    (tmp_path / "wheels").mkdir()
    switching._put_back_code(tmp_path)
    assert called == []
    for name in ("edge_digits-1-py3-none-any.whl", "edge_digits_live-1-py3-none-any.whl", "numpy-2-py3-none-any.whl"):
        (tmp_path / "wheels" / name).touch()
    switching._put_back_code(tmp_path)
    ((*_, first, second),) = called
    assert [Path(first).name, Path(second).name] == [
        "edge_digits-1-py3-none-any.whl",
        "edge_digits_live-1-py3-none-any.whl",
    ]


def test_a_process_that_has_the_number_by_now_is_left_alone(
    tmp_path: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    foreign = started([sys.executable, "-c", "input()", "serve"], stdin=subprocess.PIPE)
    (tmp_path / services.PID).write_text(str(foreign.pid))
    services._stop_alone(tmp_path)
    time.sleep(0.1)
    assert foreign.poll() is None
    assert not (tmp_path / services.PID).exists()
    assert shlex.split(Service(tmp_path, (), sys.executable).url)[0] == "http://127.0.0.1:8000/"
