"""Deploying to a real sshd on this machine: the whole way."""

import dataclasses
import datetime
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from board import STEPS, VERSION, Deploy, in_use, virtual_environment
from click.testing import CliRunner
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.records.evaluation import Evaluation, wrong_pictures

from edge_digits.cli import main


def test_a_deployment_installs_measures_and_brings_the_evaluation_back(
    run: Path, device: Path, digits: Split, sshd: Path
) -> None:
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
    assert result.stdout.startswith(f"{out}: {evaluation.accuracy * 100:.2f} % of 200 pictures right")
    assert all(words in result.stdout for words in ("; an invocation ", "; picture file to answer "))

    (unpacked,) = (device / "bundles").iterdir()
    assert in_use(device) == f"bundles/{unpacked.name}"
    assert sorted(path.name for path in device.iterdir()) == ["bundles", "current", "venv"]
    assert (site / "edge_digits" / "cli.py").is_file()
    version = subprocess.run([device / "venv/bin/edge-digits", "--version"], capture_output=True, text=True, timeout=60)
    assert version.stdout == f"edge-digits, version {VERSION}\n"


def test_without_installing_the_last_installation_is_used(run: Path, device: Path, sshd: Path, quick: str) -> None:
    python = device / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nREAL={sys.executable}\n{quick}\nexec $REAL "$@"\n')
    python.chmod(0o755)
    words = ["deploy", run, "device", "-F", sshd / "ssh_config", "--remote-dir", device, "--no-install"]
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    assert "100.00 % of 200 pictures right" in result.stdout
    assert "; an invocation 7.0 µs (p99 7.0); on quick" in result.stdout
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
def test_one_bundle_can_be_deployed_twice_within_one(
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


@pytest.mark.parametrize(
    ("wrong", "limit", "code", "said"),
    [
        (0, "10", 0, "mlp-8 int8 on quick: the drop of 0.00 pp is within the limit of 10.00 pp"),
        (0, "0.1", 1, "is not shown to be within the limit of 0.10 pp with 200 pictures"),
        (100, "10", 1, "the drop of 50.00 pp is above the limit of 10.00 pp"),
    ],
)
def test_the_drop_on_the_device_is_held_to_a_limit(
    wrong: int, limit: str, code: int, said: str, deploy: Deploy, run: Path, tmp_path: Path, digits: Split
) -> None:
    answered = Evaluation.load(tmp_path / "quick.json")
    keras = dataclasses.replace(answered.model, role="float-original", scheme="keras")
    dataclasses.replace(answered, model=keras).save(run / "evaluation.json")
    probabilities = answered.probabilities.copy()
    probabilities[:wrong] = np.roll(probabilities[:wrong], 1, axis=1)
    pictures = wrong_pictures(digits.images, digits.labels, probabilities.argmax(axis=1).astype(np.uint8))
    dataclasses.replace(answered, probabilities=probabilities, pictures=pictures).save(tmp_path / "quick.json")
    result = deploy("--max-drop", limit)
    assert result.exit_code == code, result.output
    assert said in result.stderr.splitlines()[-1]
    # What was brought back stays, whatever the verdict.
    assert (run / "device.int8.evaluation.json").is_file()


def test_a_limit_without_the_original_is_refused_before_anything_is_copied(deploy: Deploy, device: Path) -> None:
    result = deploy("--max-drop", "1")
    assert result.exit_code == 2
    assert "evaluation.json" in result.stderr
    assert not device.exists()
