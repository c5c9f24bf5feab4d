"""Certify a model on a board: deploy it, measure it there from picture files, hold it to limits, write a passport."""

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from edge_digits_runtime.errors import DeployError
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.fields import Line, Name, Sha256
from edge_digits_runtime.records.passport import NAME, Passport

from edge_digits.deploy.bundle import Bundle
from edge_digits.deploy.deployment import deploy
from edge_digits.deploy.ssh import Device, Target
from edge_digits.gate import Gate

_INSTALLED = (
    "import json; from edge_digits_runtime import installation as i; print(json.dumps(i.installed(i.needed())))"
)


class _Found(TypedDict):
    """A distribution on the device, as `edge_digits_runtime.installation.installed` has it."""

    version: Line
    sha256: Sha256


def certify(
    bundle: Bundle,
    target: Target,
    original: Evaluation,
    judge: Callable[[Evaluation], Gate],
    max_ms: float,
    output: Path,
    evaluation_file: Path,
    *,
    key: Path | None = None,
    python: str | None = None,
    progress: Callable[[str], None],
) -> Passport:
    """Deploy ``bundle``, judge what was measured on the device, and write the passport here and beside the model there.

    Args:
        bundle: with the wheels of edge-digits.
        target: the device.
        original: the float original, answered to the same pictures.
        judge: says whether the drop is within its limit.
        max_ms: limit of the 99th percentile from a picture file to the answer, in milliseconds.
        output: the passport to write here.
        evaluation_file: the evaluation to write here.
        key: file of the private key that signs the passport; None for no signature.
        python: as in `edge_digits.deploy.deployment.deploy`.
        progress: called with one line before each step.

    Raises:
        UsageError: the key cannot be read, or the package that signs is not installed.
        DeployError: as `deploy`; or the device did not measure what is certified.
    """
    passports: list[Passport] = []

    def finish(device: Device, folder: str, program: str, evaluation: Evaluation) -> None:
        if "file" not in evaluation.latency or "conditions" not in evaluation.extra:
            raise DeployError(
                f"{target.host}: did not measure the way from a picture file, and its own state; try again"
            )
        command = shlex.join([program, "-c", _INSTALLED])
        installed = device.ask_for(Mapping[Name, _Found], "identify what is installed", command, advice="try again")
        passport = _passport(bundle, original, evaluation, judge(evaluation), max_ms, installed)
        passport.save(output, key)
        device.send("leave the passport", output, f"{folder}/{NAME}", "copy it there by hand", note="")
        passports.append(passport)

    deploy(bundle, target, evaluation_file, python=python, progress=progress, afterwards=finish)
    return passports[0]


def _passport(
    bundle: Bundle,
    original: Evaluation,
    evaluation: Evaluation,
    gate: Gate,
    max_ms: float,
    installed: Mapping[str, Mapping[str, str]],
) -> Passport:
    file, invoke = evaluation.latency["file"], evaluation.latency["invoke"]
    p99_ms = file.p99 / 1000
    in_time = p99_ms <= max_ms
    reasons = [
        str(gate),
        f"One picture in a hundred takes {p99_ms:.2f} ms or longer from the file to the answer; the limit of "
        f"{max_ms:g} ms is {'kept' if in_time else 'not kept'}.",
    ]
    wheels = {_distribution(name): digest for name, digest in bundle.wheels.items()}
    conditions: Mapping[str, Any] = evaluation.extra["conditions"]
    return Passport(
        verdict="certified" if gate.passed and in_time else "refused",
        reasons=reasons,
        limits={"max_drop_pp": gate.limit_pp, "max_ms": max_ms},
        model={
            "name": evaluation.model.name,
            "scheme": evaluation.model.scheme,
            "bytes": evaluation.model.bytes,
            "sha256": evaluation.model.sha256,
            "weights_sha256": evaluation.model.weights_sha256,
        },
        data_sha256=evaluation.data.sha256,
        installed={
            name: {**found, "wheel_sha256": wheels.get(_normalized(name))}  # type: ignore[typeddict-item]
            for name, found in installed.items()
        },
        device=dict(evaluation.device),
        before=conditions["before"],
        after=conditions["after"],
        drop={
            "pictures": gate.paired.count,
            "accuracy": evaluation.accuracy,
            "drop_pp": gate.paired.drop_pp,
            "interval_pp": list(gate.paired.interval_pp),
        },
        times={
            "file_p50_us": file.p50,
            "file_p99_us": file.p99,
            "invoke_p50_us": invoke.p50,
            "invoke_p99_us": invoke.p99,
        },
        original={
            "accuracy": original.accuracy,
            "device": original.device["name"],
            "backend": original.device["backend"],
        },
        notes=list(evaluation.notes),
        created=evaluation.created,
    )


def _distribution(wheel: str) -> str:
    return _normalized(wheel.partition("-")[0])


def _normalized(name: str) -> str:
    """Return a distribution's name in one spelling, as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()
