"""Let a device answer anything, and see that ``deploy``, ``certify`` and the rest end in one line.

    python tests/fuzz/devices.py --count 20000 --seed 1

A mutant is an answer to one of the questions that are asked over ssh: what is installed, what the doctor says, which
bundle is in use or was before, the evaluation that is fetched, the versions for a passport. It is changed as in
`json_mutation`, or has a greeting of a shell before or behind it, or is noise. ssh itself is left out; that what it
brings is bounded is in `tests/deploy/test_hostile_device.py`. What is a failure is in `harness`; so is a message that a
terminal would not show in one line, or of more than 2,000 characters.
"""

import contextlib
import dataclasses
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import harness
import json_mutation
import numpy as np
import records
from edge_digits_runtime import installation
from edge_digits_runtime.errors import DeployError
from edge_digits_runtime.records.evaluation import Evaluation

from edge_digits.deploy import certification, deployment, in_use
from edge_digits.deploy.bundle import Bundle
from edge_digits.deploy.ssh import Device, Target
from edge_digits.gate import Gate
from edge_digits.paired import pair
from edge_digits.pipeline import summary
from edge_digits.printing import printable

_GREETINGS = (
    b"Welcome to Raspberry Pi OS\n",
    b"\x1b[1;31mWARNING\x1b[0m: {not JSON}\r\n\n",
    b"\x1b]0;title\x07\x1b[2J",
    b'{"checks": []}\n',
    b"\xff\xfe\x00\n",
    b"x" * 5000 + b"\n",
)


@dataclasses.dataclass(frozen=True)
class Answering(Device):
    """A device that gives the same answers every time; ``answers`` is by the name of the step."""

    answers: dict[str, bytes] = dataclasses.field(default_factory=dict)

    def run(self, step: str, *_commands: str, **_named: Any) -> str:
        """Return the answer to ``step``; nothing where there is none."""
        return self.answers.get(step, b"").decode(errors="replace")

    def send(self, *_arguments: Any, **_named: Any) -> None:
        """Do nothing."""

    def fetch(self, step: str, _name: str, file: Path, _advice: str) -> None:
        """Write the answer into ``file``."""
        file.write_bytes(self.answers[step])


class Devices:
    """Deploys to, certifies and asks devices that answer anything."""

    most_mb = None

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        evaluation = records.evaluation_record()
        original = Evaluation.from_dict(evaluation)
        self._original = original
        self._bundle = _bundle(original)
        check = {"name": "memory", "status": "ok", "found": "8 GB", "remedy": None}
        ours = {"version": "2", "sha256": "a" * 64}
        about = {"bundle": "20260501T123000.000000Z-1", "model": "m", "scheme": "int8", "sha256": "a", "accuracy": 0.5}
        builds = f"{installation.build('edge-digits')} {installation.build(installation.RUNTIME)}"
        self._good: dict[str, Any] = {
            "check edge-digits": builds,
            "doctor": {"checks": [check, check | {"status": "warning", "remedy": "rest"}]},
            "fetch the evaluation": evaluation,
            "identify what is installed": {"numpy": ours, "pillow": ours},
            "switch over": ["the service answers on port 8000"],
            "ask how the service is": ["no service"],
            "ask what is in use": about,
            "ask for the version": "0.1.0",
            "find the former bundle": "20260501T123000.000000Z-0123",
        }
        self._places = {step: list(json_mutation.places(values)) for step, values in self._good.items()}
        for step in self._good:
            # Else every mutant would be refused for the same reason.
            self.run((step, self._stored(step)))

    def _stored(self, step: str) -> bytes:
        values = self._good[step]
        return values.encode() if isinstance(values, str) else json.dumps(values).encode()

    def mutant(self, rng: random.Random) -> harness.Mutant:
        """Return the answer to a step, changed."""
        step = rng.choice(list(self._good))
        if rng.random() < 0.1:
            content = rng.randbytes(rng.choice((0, 1, 40, 3000)))
        elif self._places[step]:
            content = json_mutation.changed(self._good[step], self._places[step], rng)
        else:
            content = json.dumps(rng.choice(json_mutation.VALUES)).strip('"').encode()
            content = rng.choice((content, self._stored(step) + content, content + self._stored(step)))
        if rng.random() < 0.3 and step != "fetch the evaluation":
            content = rng.choice(_GREETINGS) + content
            content += rng.choice((b"", b"\n\n", rng.choice(_GREETINGS)))
        return step, content

    def run(self, mutant: harness.Mutant) -> str:
        """Do what asks for that answer."""
        step, content = mutant
        answers = {name: self._stored(name) for name in self._good} | {step: content}

        @contextlib.contextmanager
        def connected(target: Target, progress: Callable[[str], None]) -> Iterator[Device]:
            yield Answering(target, (), progress, answers)

        with (
            mock.patch.object(deployment, "connected", connected),
            mock.patch.object(in_use, "connected", connected),
        ):
            try:
                return self._used(step)
            except DeployError as error:
                text = printable(error)
                assert text.isprintable()
                assert len(text) < 2000, len(text)
                raise

    def _used(self, step: str) -> str:
        target = Target("pi")
        out = Path(self._folder.name) / "pi.evaluation.json"
        if step.startswith("ask "):
            about, version, service = in_use.status(target, _silent)
            assert printable(f"{about}, edge-digits {version}; {service}").isprintable()
        elif step == "find the former bundle":
            in_use.roll_back(target, _silent)
        elif step == "identify what is installed":
            passport = Path(self._folder.name) / "passport.json"
            certification.certify(
                self._bundle, target, self._original, self._gate, 50.0, passport, out, progress=_silent
            )
        else:
            assert summary(deployment.deploy(self._bundle, target, out, install=False, progress=_silent))
        return f"{step}: taken"

    def _gate(self, evaluation: Evaluation) -> Gate:
        return Gate("m", pair(self._original.labels, self._original.predicted, evaluation.predicted), 90.0)


def _silent(_: str) -> None:
    """Show no progress."""


def _bundle(evaluation: Evaluation) -> Bundle:
    """Return a bundle of the model and pictures of an evaluation, with nothing in it."""
    return Bundle(
        content=b"nothing",
        name=evaluation.model.name,
        scheme=evaluation.model.scheme,
        model_bytes=evaluation.model.bytes,
        model_sha256=evaluation.model.sha256,
        data_name=evaluation.data.name,
        data_sha256=evaluation.data.sha256,
        pictures=int(np.size(evaluation.labels)),
        wheels={},
        platform=None,
        installed_bytes=0,
    )


if __name__ == "__main__":
    sys.exit(harness.main(Devices, __doc__))
