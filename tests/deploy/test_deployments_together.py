"""Several deployments to one device at the same time."""

import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from board import BUILDS, STEPS, Stub, in_use
from edge_digits_runtime.data import loading
from edge_digits_runtime.errors import DeployError
from edge_digits_runtime.records.evaluation import Evaluation

from edge_digits.deploy import deployment
from edge_digits.deploy.bundle import make_bundle
from edge_digits.deploy.ssh import Target


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
    interpreter = python(f'{quick}; case "$*" in *" classify "*) exit;; *i.build*) echo {BUILDS}; exit;; esac')
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
    change = f'case "$2" in *i.build*) [ -e {asked} ] && echo 0.0.9 && exit; touch {asked};; esac'
    with pytest.raises(DeployError, match=r"evaluate failed .*: another deployment has installed edge-digits 0\.0\.9;"):
        call(python(f"{change}; {quick}"))
