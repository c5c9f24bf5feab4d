"""Change records of every kind, and see that they are refused in one line, or can be used.

    python tests/fuzz/records.py --count 20000 --seed 1

A mutant is an evaluation (plain or compressed), a ``run.json`` of a classifier or a line reader, a ``results.json`` of
a study, a model card with its sha256, a passport, or the figures of microcontrollers, changed as in `json_mutation`.
What is loaded is used: an evaluation is reported as text, Markdown and JSON, alone and beside the original, one in 50
as HTML with all charts; a run and a passport are written again; a study is compared with its document; a model with a
changed card classifies. What is a failure is in `harness`.
"""

import gzip
import io
import json
import random
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import json_mutation
import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.device.measurement import evaluate
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.records import passport, run
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation
from edge_digits_runtime.records.line_run import LineRunRecord, is_line_run
from edge_digits_runtime.records.microcontroller import MicrocontrollerRecord
from edge_digits_runtime.records.passport import Passport
from edge_digits_runtime.records.run import RECORD, RunRecord, read_values
from edge_digits_study import published_comparison
from edge_digits_study.results import RESULTS, Results
from edge_digits_study.studies import STUDIES

from edge_digits import report

REPOSITORY = Path(__file__).parents[2]
_STUDY = "mlp-against-cnn"


@dataclass(frozen=True)
class Kind:
    """A kind of record: a good one, and what is done with a changed one."""

    name: str
    """Of its file."""
    values: Any
    """After JSON."""
    use: Callable[[Path], object]


def evaluation_record() -> dict[str, Any]:
    """Return an evaluation of noise with every field there is."""
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    split = Split(images, np.arange(20, dtype=np.uint8) % 10)
    evaluation = evaluate(DigitClassifier(), split, DataInfo("noise", "test", "a" * 64), seconds=0)
    values: dict[str, Any] = json.loads(json.dumps(evaluation.to_dict()))
    for part in values["latency_us"].values():
        part["samples_us"] = part["samples_us"][:20]
    return values


def run_record() -> dict[str, Any]:
    """Return the record of a run of a classifier."""
    rates = [0.9] * 10
    return {
        "format": run.FORMAT,
        "recipe": {"name": "net", "seed": 1},
        "data": {
            "name": "MNIST",
            "source": None,
            "sha256": {"train": "a" * 64, "validation": "b" * 64, "test": "c" * 64},
            "counts": {"train": 20, "validation": 20, "test": 20},
            "classes": list("0123456789"),
            "input": {"kind": "ink", "height": 28, "width": 28, "version": 1},
            "groups": {},
            "grouping": {"pattern": None, "test": []},
        },
        "weights_sha256": "d" * 64,
        "model_sha256": "e" * 64,
        "device": {"name": "here", "machine": "x86_64", "python": "3.11.2", "backend": "keras", "kind": "CPU"},
        "versions": {"keras": "3"},
        "history": {name: [0.5, 0.6] for name in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")},
        "accuracy": {"train": 0.9, "validation": 0.9, "test": 0.9},
        "metrics": {
            **dict.fromkeys(("precision", "recall", "f1"), rates),
            "macro": {"precision": 0.9, "recall": 0.9, "f1": 0.9},
            "confusion": [[2] * 10] * 10,
        },
        "latency_us": dict.fromkeys(("p50", "p90", "p99", "mean", "std"), 800.0),
        "parameters": 10,
        "macs": 20,
        "created": "2026-05-01T12:30:00+00:00",
    }


def line_run_record() -> dict[str, Any]:
    """Return the record of a run of a line reader."""
    return LineRunRecord(
        recipe={"name": "line-m", "kind": "line"},
        generator=1,
        lines=100,
        weights_sha256="a" * 64,
        model_sha256="b" * 64,
        device={"name": "here", "machine": "x86_64", "python": "3.11.2", "backend": "keras"},
        versions={"keras": "3"},
        history={"loss": [1.0], "val_exact": [0.5], "seconds": [1.0]},
        exact=0.5,
        validation_lines=10,
        parameters=10,
        macs=20,
        created="2026-05-01T12:30:00+00:00",
    ).to_dict()


def passport_record(device: dict[str, Any]) -> dict[str, Any]:
    """Return a passport of a board with the facts ``device``."""
    state = {"governor": None, "frequency_mhz": None, "temperature_c": 51.0, "throttled": [], "throttle_count": None}
    return {
        "format": passport.FORMAT,
        "verdict": "certified",
        "reasons": ["It is within its limits."],
        "limits": {"max_drop_pp": 1.0, "max_ms": 50.0},
        "model": {"name": "net", "scheme": "int8", "bytes": 10, "sha256": "a" * 64, "weights_sha256": ""},
        "data_sha256": "b" * 64,
        "installed": {"numpy": {"version": "2", "sha256": "c" * 64, "wheel_sha256": None}},
        "device": device,
        "before": state,
        "after": state,
        "drop": {"pictures": 20, "accuracy": 0.9, "drop_pp": 0.1, "interval_pp": [-0.1, 0.3]},
        "times": dict.fromkeys(("file_p50_us", "file_p99_us", "invoke_p50_us", "invoke_p99_us"), 10.0),
        "original": {"accuracy": 0.9, "device": "here", "backend": "keras"},
        "notes": [],
        "created": "2026-05-01T12:30:00+00:00",
    }


class Records:
    """Loads changed records and uses what was loaded."""

    most_mb = None

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        here = Path(self._folder.name)
        evaluation = evaluation_record()
        self._original = Evaluation.from_dict(evaluation)
        self._reported = 0
        model = read_model_file(registry.DEFAULT_MODEL)
        assert model.card is not None
        self._flatbuffer, self._card = model.content[: model.flatbuffer_bytes], model.card
        study = json.loads((REPOSITORY / "docs" / "research" / "studies" / _STUDY / RESULTS).read_bytes())
        study["trials"] = study["trials"][:2]
        micro = REPOSITORY / "models" / "edge_digits_models" / "digits-xs.microcontroller.json"
        of_run, of_line = run_record(), line_run_record()
        device = {name: value for name, value in evaluation["device"].items() if value is not None}
        self._kinds = [
            Kind("e.json", evaluation, self._report),
            Kind("e.json.gz", evaluation, self._report),
            Kind(RECORD, of_run, self._run),
            Kind(f"line-{RECORD}", of_line, self._run),
            Kind(RESULTS, study, self._study),
            Kind("card.json", model.card.to_dict(), self._classify),
            Kind("passport.json", passport_record(device), lambda path: Passport.load(path).save(here / "again.json")),
            Kind("m.microcontroller.json", json.loads(micro.read_bytes()), MicrocontrollerRecord.load),
        ]
        self._places = {kind.name: list(json_mutation.places(kind.values)) for kind in self._kinds}
        for kind in self._kinds:
            # Else every mutant would be refused for the same reason.
            self.run((kind.name, self._stored(kind, json.dumps(kind.values).encode())))

    def _stored(self, kind: Kind, content: bytes) -> bytes:
        if kind.name.endswith(".gz"):
            return gzip.compress(content, 1, mtime=0)
        if kind.name != "card.json":
            return content
        try:
            values = json.loads(content)
            labels = "".join(f"{label}\n" for label in values["labels"]).encode()
        except (KeyError, TypeError, UnicodeEncodeError, ValueError, RecursionError):
            labels = b"".join(b"%d\n" % digit for digit in range(10))
        buffer = io.BytesIO(self._flatbuffer)
        with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
            archive.writestr("labels.txt", labels)
            archive.writestr("card.json", content)
        return buffer.getvalue()

    def mutant(self, rng: random.Random) -> harness.Mutant:
        """Return a changed record, as it is stored."""
        kind = rng.choice(self._kinds)
        return kind.name, self._stored(kind, json_mutation.changed(kind.values, self._places[kind.name], rng))

    def run(self, mutant: harness.Mutant) -> str:
        """Load it, and use it."""
        name, content = mutant
        (kind,) = (kind for kind in self._kinds if kind.name == name)
        path = Path(self._folder.name) / name.removeprefix("line-")
        path.write_bytes(content)
        kind.use(path)
        return f"{name} is used"

    def _report(self, path: Path) -> None:
        evaluation = Evaluation.load(path)
        for evaluations in ([evaluation], [self._original, evaluation]):
            try:
                result = report.compare(evaluations)
            except EvaluationError:
                if len(evaluations) == 1:
                    raise
                continue  # Of other pictures, or of another kind.
            text = [report.to_text(result), report.to_markdown(result)]
            text.append(json.dumps(report.to_dict(result), allow_nan=False, ensure_ascii=False))
            assert all(part.encode() for part in text)
            assert not any(c in part for part in text for c in "\x1b\x07")
        self._reported += 1
        if self._reported % 50 == 0:
            report.write(report.compare([evaluation]), Path(self._folder.name) / "report")

    def _run(self, path: Path) -> None:
        folder = path.parent
        record = (LineRunRecord if is_line_run(read_values(folder)) else RunRecord).load(folder)
        assert record.name
        record.save(folder)

    def _study(self, path: Path) -> None:
        results = Results.load(path.parent, _STUDY)
        published_comparison.compare_results(STUDIES[_STUDY], results, path.parent)

    def _classify(self, path: Path) -> None:
        classifier = DigitClassifier(path.read_bytes())
        prediction = classifier.classify(np.zeros(classifier.input.shape, np.uint8))
        assert 0 <= prediction.confidence <= 1


if __name__ == "__main__":
    sys.exit(harness.main(Records, __doc__))
