"""The report as JSON-ready values, with everything that its other forms show."""

from collections.abc import Iterable
from typing import Any

from edge_digits_runtime.data.metrics import class_metrics
from edge_digits_runtime.records.timings import Latency

from edge_digits.paired import Paired
from edge_digits.report.reliability import Reliability
from edge_digits.report.structure import Change, Comparison, Family, Report, Row, Step
from edge_digits.report.verdict import verdict

FORMAT = "edge-digits-report/3"


def to_dict(report: Report) -> dict[str, Any]:
    """Return the report as JSON-ready values.

    ``rows`` has one entry for each evaluation: ``name``, ``role`` (``float-original``, ``float-tflite`` or ``int8``),
    ``accuracy``, ``silently_wrong`` (sure and wrong) and ``agreement`` in [0, 1], ``accuracy_drop_pp`` in percentage
    points, ``p50_us`` of an invocation and ``file_p50_us`` from a picture file to the answer in microseconds,
    ``bytes``, and more; of lines, ``character_error_rate``. Values relative to a float original are null if it is not
    among the evaluations, times if only the accuracy was measured. ``families`` has for each family the verdict, the
    comparisons picture by picture and the breakdown of each difference. ``gates`` has for each converted model whether
    its drop is within the limit, if one was given.
    ``layers`` has what ``convert --inspect`` wrote, and ``microcontrollers`` what ``export --measure`` wrote.
    """
    return {
        "format": FORMAT,
        "data": {
            "name": report.data.name,
            "split": report.data.split,
            "sha256": report.data.sha256,
            "count": report.count,
            "classes": list(report.shown),
        },
        "worst_drop_pp": _rounded(report.worst_drop_pp),
        "gates": [gate.to_dict() for gate in report.gates],
        "rows": [_row(row, family) for family in report.families for row in family.rows],
        "families": [_family(family) for family in report.families],
        "notes": list(report.notes),
        "layers": [record.to_dict() for record in report.layers],
        "microcontrollers": [record.to_dict() for record in report.microcontrollers],
    }


def _row(row: Row, family: Family) -> dict[str, Any]:
    evaluation, drop, like = row.evaluation, row.drop, row.float_tflite
    model = evaluation.model
    is_original = row is family.original
    return {
        "name": row.name,
        "role": row.role,
        "accuracy": round(evaluation.accuracy, 6),
        "silently_wrong": _rounded(evaluation.silently_wrong),
        "character_error_rate": _rounded(evaluation.character_error_rate),
        "accuracy_drop_pp": _rounded(row.accuracy_drop_pp),
        "drop": _paired(drop) if drop else None,
        "agreement": 1.0 if is_original else _rounded(drop.agreement if drop else None),
        "p50_us": round(row.latency.p50, 3) if row.latency else None,
        "file_p50_us": round(row.file.p50, 3) if row.file else None,
        "bytes": model.bytes,
        "bytes_ratio": _rounded(row.bytes_ratio),
        "latency_ratio": _rounded(row.latency_ratio),
        "file_ratio": _rounded(row.file_ratio),
        "against_float_tflite": {
            "name": like.name,
            "bytes_ratio": _rounded(like.bytes_ratio),
            "latency_ratio": _rounded(like.latency_ratio),
            "file_ratio": _rounded(like.file_ratio),
        }
        if like
        else None,
        "family": family.title,
        "model": model.name,
        "scheme": model.scheme,
        "sha256": model.sha256,
        "weights_sha256": model.weights_sha256,
        "device": dict(evaluation.device),
        "latency_us": {name: _latency(part) for name, part in evaluation.latency.items()},
        "peak_memory_bytes": evaluation.peak_memory_bytes,
        "classes": None if evaluation.of_lines else _classes(row),
        "confusion": None if evaluation.of_lines else row.confusion.tolist(),
        "confidence": _reliability(row.reliability),
        "extra": dict(evaluation.extra),
        "notes": list(evaluation.notes),
        "created": evaluation.created,
    }


def _latency(latency: Latency) -> dict[str, Any]:
    figures = {name: round(getattr(latency, name), 3) for name in ("p50", "p90", "p99", "mean", "std")}
    return {"what": latency.what, "count": len(latency.samples_us)} | figures


def _classes(row: Row) -> dict[str, list[float]]:
    values = class_metrics(row.confusion)
    return {name: _list(getattr(values, name)) for name in ("precision", "recall", "f1")} | {
        "support": values.support.tolist()
    }


def _reliability(reliability: Reliability) -> dict[str, Any]:
    curve, answered = reliability.curve, reliability.answered
    return {
        "expected_calibration_error": _rounded(reliability.expected_calibration_error),
        "log_loss": _rounded(reliability.log_loss),
        "bins": [
            {
                "low": _rounded(b.low),
                "high": _rounded(b.high),
                "count": b.count,
                "confidence": _rounded(b.confidence),
                "accuracy": _rounded(b.accuracy) if b.count else None,
            }
            for b in reliability.bins
        ],
        "answered": {
            "accuracy": answered.accuracy,
            "coverage": _rounded(answered.coverage),
            "min_confidence": _rounded(answered.threshold),
        },
        "risk_against_coverage": {
            "min_confidence": _list(curve.threshold),
            "coverage": _list(curve.coverage),
            "risk": _list(curve.risk),
        },
    }


def _family(family: Family) -> dict[str, Any]:
    words = verdict(family)
    return {
        "title": family.title,
        "headline": words.headline,
        "sentences": list(words.sentences),
        "original": family.original.name if family.original else None,
        "rows": [row.name for row in family.rows],
        "same_answers": family.same_answers,
        "comparisons": [_comparison(comparison) for comparison in family.comparisons],
        "breakdowns": [
            {"from": steps[0].before.name, "to": steps[-1].after.name, "steps": [_step(step) for step in steps]}
            for steps in family.breakdowns
        ],
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "before": comparison.before.name,
        "after": comparison.after.name,
        "answers": _paired(comparison.paired),
        "recall_drop_pp": _list(comparison.recall_drop_pp),
        "lost": comparison.lost.tolist(),
        "won": comparison.won.tolist(),
        "changes": [_change(change) for change in comparison.changes],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "index": change.index,
        "kind": change.kind,
        "truth": change.truth,
        "before": change.before,
        "before_confidence": round(change.before_confidence, 5),
        "after": change.after,
        "after_confidence": round(change.after_confidence, 5),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "before": step.before.name,
        "after": step.after.name,
        "causes": list(step.causes),
        "answers": _paired(step.paired),
        "largest_probability_difference": _rounded(step.largest_difference),
        "bytes_ratio": _rounded(step.bytes_ratio),
        "latency_ratio": _rounded(step.latency_ratio),
    }


def _paired(paired: Paired) -> dict[str, Any]:
    return {
        "drop_pp": _rounded(paired.drop_pp),
        "interval_pp": _list(paired.interval_pp),
        "p_value": float(f"{paired.p_value:.6g}"),
        "significant": paired.significant,
        "agreement": _rounded(paired.agreement),
        "both_right": paired.both_right,
        "lost": paired.lost,
        "won": paired.won,
        "both_wrong": paired.both_wrong,
        "changed": paired.changed,
    }


def _rounded(value: float | None) -> float | None:
    """Round to six decimals: more than any of these figures needs, and no 0.30000000000000004."""
    return None if value is None else round(float(value), 6)


def _list(values: Iterable[float]) -> list[float]:
    return [round(float(value), 6) for value in values]
