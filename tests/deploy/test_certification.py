"""Certifying on a real sshd: limits that are kept and not kept, and a device that no longer runs what was certified."""

import dataclasses
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from board import virtual_environment
from click.testing import CliRunner, Result
from edge_digits_runtime import installation, signature
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.device import certified, facts
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.records.evaluation import Evaluation, ModelInfo
from edge_digits_runtime.records.passport import Passport
from edge_digits_runtime.records.timings import Latency

from edge_digits.cli import main
from edge_digits.deploy import certification
from edge_digits.deploy.bundle import Bundle
from edge_digits.gate import Gate
from edge_digits.paired import pair


@pytest.fixture
def original(run: Path, tmp_path: Path, quick: str) -> Evaluation:
    """The evaluation of the run's float original, which is right every time."""
    assert quick
    answered = Evaluation.load(tmp_path / "quick.json")
    keras = dataclasses.replace(answered.model, role="float-original", scheme="keras")
    evaluation = dataclasses.replace(answered, model=keras, device=dict(answered.device) | {"name": "Workstation"})
    evaluation.save(run / "evaluation.json")
    return evaluation


def certify(run: Path, device: Path, sshd: Path, out: Path, *limits: str) -> Result:
    words = ["certify", run, "device", "-F", sshd / "ssh_config", "--remote-dir", device, "-o", out, *limits]
    return CliRunner().invoke(main, list(map(str, words)))


def problems(device: Path, *arguments: str) -> list[str]:
    """What ``doctor --passport`` on the device has a problem with."""
    command = [device / "venv/bin/edge-digits", "doctor", "--passport", "current/passport.json", "--json", *arguments]
    done = subprocess.run(command, cwd=device, capture_output=True, text=True, timeout=120)
    checks = json.loads(done.stdout)["checks"]
    assert done.returncode == any(check["status"] == "problem" for check in checks)
    return [f"{check['name']}: {check['found']}" for check in checks if check["status"] == "problem"]


def test_a_board_is_certified_and_notices_what_has_changed(
    run: Path, device: Path, sshd: Path, digits: Split, original: Evaluation, tmp_path: Path
) -> None:
    site = virtual_environment(device / "venv")
    for path, content in zip((tmp_path / "a.key", tmp_path / "a.pub"), signature.make_keys(), strict=True):
        path.write_bytes(content)
    limits = ["--max-drop", "20", "--max-ms", "10000"]
    result = certify(run, device, sshd, tmp_path / "passport.json", *limits, "--sign", str(tmp_path / "a.key"))
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'passport.json'}: certified\n"
    assert "device: identify what is installed" in result.stderr
    passport = Passport.load(tmp_path / "passport.json")
    evaluation = Evaluation.load(run / "device.int8.evaluation.json")
    assert passport.model["sha256"] == read_model_file(run / "mlp-8-int8.tflite").sha256
    assert passport.installed["edge-digits-runtime"]["sha256"] == installation.package_sha256()
    assert {"numpy", "pillow", "click", "edge-digits"} <= set(passport.installed)
    # The wheels of ours are in the bundle; the others were there.
    assert passport.installed["edge-digits"]["wheel_sha256"]
    assert passport.installed["numpy"]["wheel_sha256"] is None
    assert (passport.drop["pictures"], passport.drop["accuracy"]) == (len(digits), evaluation.accuracy)
    assert passport.times["file_p99_us"] == pytest.approx(evaluation.latency["file"].p99)
    assert passport.device["name"] == evaluation.device["name"]
    assert passport.original == {"accuracy": original.accuracy, "device": "Workstation", "backend": "none"}
    assert len(passport.reasons) == 2
    assert (device / "current" / "passport.json").read_bytes() == (tmp_path / "passport.json").read_bytes()
    assert problems(device) == []
    # Signed, as it came here; the device checks it with the public key.
    words = ["doctor", "--passport", tmp_path / "passport.json", "--model", device / "current/model.tflite"]
    checked = CliRunner().invoke(main, [*map(str, words), "--require-signature", str(tmp_path / "a.pub")])
    assert "was changed" not in checked.stderr
    assert "certified model" in checked.stdout
    (tmp_path / "passport.json").write_bytes(
        (tmp_path / "passport.json").read_bytes().replace(b"certified", b"certifieD")
    )
    refused = CliRunner().invoke(main, [*map(str, words), "--require-signature", str(tmp_path / "a.pub")])
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "passport.json: was changed after it was signed" in refused.stderr

    # The code of the runtime changes by a comment.
    module = site / "edge_digits_runtime" / "errors.py"
    content = module.read_text()
    module.write_text(content + "# changed\n")
    assert [line for line in problems(device) if "edge-digits-runtime" in line]
    module.write_text(content)
    assert problems(device) == []
    # Another model comes into use.
    shutil.copy(Path(__file__).parents[1] / "runtime" / "models" / "int8.tflite", device / "current" / "other.tflite")
    (other,) = problems(device, "--model", "current/other.tflite")
    assert other.startswith("certified model: ")


@pytest.fixture
def made(original: Evaluation) -> Callable[..., Passport]:
    """``made(wrong, file_us, max_drop, max_ms)``: the passport of an evaluation with so many wrong answers."""

    def make(wrong: int, file_us: float, max_drop: float, max_ms: float) -> Passport:
        probabilities = original.probabilities.copy()
        probabilities[:wrong] = np.roll(probabilities[:wrong], 1, axis=1)
        conditions = {
            "governor": "ondemand",
            "frequency_mhz": None,
            "temperature_c": 51.0,
            "throttled": [],
            "throttle_count": None,
        }
        latency = {"invoke": Latency(np.array([7.0])), "file": Latency(np.array([1000.0] * 98 + [file_us] * 2))}
        evaluation = dataclasses.replace(
            original,
            model=ModelInfo("mlp-8", "int8", "int8", 100, "a" * 64),
            probabilities=probabilities,
            latency=latency,
            extra={"conditions": {"before": conditions, "after": conditions | {"temperature_c": 60.0}}},
        )
        gate = Gate("mlp-8", pair(original.labels, original.predicted, evaluation.predicted), max_drop)
        bundle: Any = object.__new__(Bundle)
        object.__setattr__(bundle, "wheels", {"typing_extensions-4-py3-none-any.whl": "c" * 64})
        found = {"typing-extensions": {"version": "4", "sha256": "d" * 64}}
        passport = certification._passport(bundle, original, evaluation, gate, max_ms, found)
        return Passport.from_dict(json.loads(json.dumps(passport.to_dict())))

    return make


@pytest.mark.parametrize(
    ("wrong", "file_us", "max_drop", "max_ms", "verdict", "said"),
    [
        (0, 1500.0, 20.0, 2.0, "certified", ("is within the limit of 20.00 pp", "the limit of 2 ms is kept")),
        # One picture in a hundred is too slow, though the median is not.
        (0, 2500.0, 20.0, 2.0, "refused", ("is within the limit", "2.50 ms or longer")),
        # 200 pictures cannot show so small a drop, and what is not shown is not certified.
        (0, 1500.0, 0.1, 2.0, "refused", ("is not shown to be within", "is kept")),
        (100, 1500.0, 20.0, 2.0, "refused", ("is above the limit", "is kept")),
    ],
)
def test_only_what_is_shown_is_certified(
    wrong: int, file_us: float, max_drop: float, max_ms: float, verdict: str, said: tuple[str, str], made: Any
) -> None:
    passport = made(wrong, file_us, max_drop, max_ms)
    assert passport.verdict == verdict
    assert all(part in reason for part, reason in zip(said, passport.reasons, strict=True))
    assert (passport.before["temperature_c"], passport.after["temperature_c"]) == (51.0, 60.0)
    # One name in two spellings.
    assert passport.installed["typing-extensions"]["wheel_sha256"] == "c" * 64


@pytest.fixture
def here(made: Any, tmp_path: Path) -> Callable[..., list[tuple[str, str]]]:
    """``here(**changes)``: the checks of a passport of this machine and code with some fields changed."""
    shutil.copy(Path(__file__).parents[1] / "runtime" / "models" / "int8.tflite", tmp_path / "model.tflite")
    names = ["edge-digits-runtime", "numpy"]
    backend = certified.backends.choose()
    passport = dataclasses.replace(
        made(0, 1500.0, 20.0, 2.0),
        model={**made(0, 1500.0, 20.0, 2.0).model, "sha256": read_model_file(tmp_path / "model.tflite").sha256},
        installed={n: {**(f or {}), "wheel_sha256": None} for n, f in installation.installed(names).items()},
        device=facts.device_facts() | {"backend": f"{backend.name} {backend.version}"},
    )

    def check(**changes: Any) -> list[tuple[str, str]]:
        dataclasses.replace(passport, **changes).save(tmp_path / "passport.json")
        found = certified.compare(tmp_path / "passport.json")
        return [(each.name, each.status) for each in found if each.status != "ok"]

    check.passport = passport  # type: ignore[attr-defined]
    return check


def test_what_differs_from_the_passport_is_named(here: Any) -> None:
    passport = here.passport
    assert here() == []
    assert here(verdict="refused", reasons=["too slow"]) == [("passport", "problem")]
    assert here(model={**passport.model, "sha256": "0" * 64}) == [("certified model", "problem")]
    other = {**passport.installed, "numpy": {**passport.installed["numpy"], "version": "1.0"}}
    assert here(installed=other) == [("certified code", "problem")]
    changed = {**passport.installed, "numpy": {**passport.installed["numpy"], "sha256": "0" * 64}}
    assert here(installed=changed) == [("certified code", "problem")]
    gone = {**passport.installed, "no-such-thing": passport.installed["numpy"]}
    assert here(installed=gone) == [("certified code", "problem")]
    assert here(device={**passport.device, "name": "Raspberry Pi 5"}) == [("certified board", "problem")]
    assert here(device={**passport.device, "backend": "litert 9"}) == [("certified board", "problem")]
    assert here(device={**passport.device, "governor": "other"}) == [("certified governor", "warning")]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"format": "edge-digits-passport/1"}', b"\xff"])
def test_no_passport_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "passport.json").write_bytes(content)
    with pytest.raises(EvaluationError, match=r"passport\.json: ") as caught:
        Passport.load(tmp_path / "passport.json")
    assert "\n" not in str(caught.value)
    result = CliRunner().invoke(main, ["doctor", "--passport", str(tmp_path / "passport.json")])
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


def test_certifying_without_the_original_is_refused_at_once(
    run: Path, device: Path, sshd: Path, tmp_path: Path
) -> None:
    result = certify(run, device, sshd, tmp_path / "passport.json", "--max-drop", "1", "--max-ms", "10")
    assert result.exit_code == 2
    assert "evaluation.json" in result.stderr
    assert not device.exists()
