"""Compare evaluations with each other."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from edge_digits_runtime.data import turns
from edge_digits_runtime.data.metrics import class_metrics
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.records.device_facts import device_key, setting_key
from edge_digits_runtime.records.evaluation import ROLES, Evaluation
from edge_digits_runtime.records.layers import LayerRecord
from edge_digits_runtime.records.microcontroller import MicrocontrollerRecord
from numpy.typing import NDArray

from edge_digits.formatting import counted, device_facts
from edge_digits.paired import pair
from edge_digits.report.breakdown import breakdowns
from edge_digits.report.reliability import judge
from edge_digits.report.structure import (
    FLOAT,
    KERAS,
    ORIGINAL,
    Change,
    Comparison,
    Family,
    LikeForLike,
    Report,
    Row,
    device_name,
    latency_ratio,
)

FEW_PICTURES = 1000
"""With fewer pictures the report warns that its intervals are wide."""
_KINDS = ("lost", "won", "other")


class _Named(NamedTuple):
    name: str
    label: str
    device: str
    evaluation: Evaluation


def compare(
    evaluations: Iterable[Evaluation],
    microcontrollers: Sequence[MicrocontrollerRecord] = (),
    layers: Sequence[LayerRecord] = (),
) -> Report:
    """Compare evaluations of the same pictures with each other.

    Models that descend from the same Keras weights (``ModelInfo.weights_sha256``) form a family. Drops are counted from
    the float original of the family; if it was evaluated more than once, from the first of these. An evaluation that is
    given twice counts once.

    Args:
        evaluations: at least one.
        microcontrollers: what exports of models among them take on microcontrollers.
        layers: what int8 costs, layer by layer; of a model that is not among them there is a note and no table.

    Raises:
        EvaluationError: there is no evaluation, or two are of different pictures; the message names both. Or a model
            was measured on microcontrollers, but not evaluated.
    """
    given = list(evaluations)
    if not given:
        raise EvaluationError("no evaluation to report on: give at least one, made by 'edge-digits evaluate'")
    _check_same_pictures(given)
    distinct = list({_identity(evaluation): evaluation for evaluation in given}.values())
    families = _families(distinct)
    models = {evaluation.model.sha256 for evaluation in distinct}
    inspected = tuple({record.sha256: record for record in layers if record.sha256 in models}.values())
    left_out = [
        f"the layers of {record.name} (sha256 {record.sha256[:12]}) were inspected, but that model was not evaluated"
        for record in layers
        if record.sha256 not in models
    ]
    return Report(
        data=given[0].data,
        count=len(given[0].labels),
        families=families,
        notes=(*_notes(families, len(given) - len(distinct), len(given[0].labels)), *left_out),
        microcontrollers=_evaluated(microcontrollers, distinct),
        layers=inspected,
    )


def _evaluated(
    records: Sequence[MicrocontrollerRecord], evaluations: Sequence[Evaluation]
) -> tuple[MicrocontrollerRecord, ...]:
    """Return the records, each model once, the last one that was given."""
    evaluated = {evaluation.model.sha256 for evaluation in evaluations}
    for record in records:
        if record.sha256 not in evaluated:
            raise EvaluationError(
                f"{record.name} was measured on microcontrollers, but there is no evaluation of that file "
                f"(sha256 {record.sha256[:12]}): add it, or leave the figures out"
            )
    return tuple({record.sha256: record for record in records}.values())


def _check_same_pictures(evaluations: Sequence[Evaluation]) -> None:
    first = evaluations[0]
    for other in evaluations[1:]:
        if other.data.sha256 != first.data.sha256 or not np.array_equal(other.labels, first.labels):
            raise EvaluationError(
                f"the evaluations are of different pictures: {_what(first)}, but {_what(other)}; "
                "evaluate both on the same data set"
            )
        if other.classes != first.classes or other.input != first.input:
            raise EvaluationError(
                f"the evaluations are of different classes or inputs: {_base_name(first)} has {len(first.classes)} "
                f"classes, input {first.input.kind} {first.input}, but {_base_name(other)} {len(other.classes)}, "
                f"input {other.input.kind} {other.input}; compare models of one kind"
            )


def _what(evaluation: Evaluation) -> str:
    data = evaluation.data
    return (
        f"{_base_name(evaluation)} on {device_name(evaluation)} answered {len(evaluation.labels)} pictures of "
        f"{data.name} {data.split} (sha256 {data.sha256[:12]})"
    )


def _identity(evaluation: Evaluation) -> tuple[object, ...]:
    """Return what is equal for copies of one evaluation; two measurements never have the same thousand latencies."""
    invoke = evaluation.latency.get("invoke")
    return (
        evaluation.model,
        device_name(evaluation),
        evaluation.created,
        evaluation.probabilities.tobytes(),
        invoke.samples_us.tobytes() if invoke else b"",
    )


def _families(evaluations: Sequence[Evaluation]) -> tuple[Family, ...]:
    """Group evaluations by the weights that their models descend from; families and rows keep the order given."""
    groups: dict[str, list[_Named]] = {}
    for named in _named(evaluations):
        groups.setdefault(_origin(named.evaluation), []).append(named)
    titles = [members[0].evaluation.model.name for members in groups.values()]
    return tuple(
        _family(title if titles.count(title) == 1 else f"{title} ({origin[:7]})", members)
        for title, (origin, members) in zip(titles, groups.items(), strict=True)
    )


def _origin(evaluation: Evaluation) -> str:
    """Return what the members of a family share; a model whose weights are unknown is a family of its own."""
    return evaluation.model.weights_sha256 or evaluation.model.sha256


def _base_name(evaluation: Evaluation) -> str:
    scheme = evaluation.model.scheme
    # A line break in a name would break a table.
    return " ".join(f"{evaluation.model.name} {'Keras' if scheme == KERAS else scheme}".split())


def _named(evaluations: Sequence[Evaluation]) -> list[_Named]:
    """Name each evaluation by model and scheme, and by device, backend and threads where these tell it apart."""
    origins = [f"({_origin(evaluation)[:7]})" for evaluation in evaluations]
    labels = _told_apart([_base_name(evaluation) for evaluation in evaluations], origins, " {}")
    names = labels
    devices = _device_labels(evaluations)
    backends = [str(evaluation.device.get("backend", "unknown backend")) for evaluation in evaluations]
    threads = [_threads(evaluation) for evaluation in evaluations]
    for join, values in ((" on {}", devices), (", {}", backends), (", {}", threads)):
        names = _told_apart(names, values, join)
    # The same model measured again in the same way gets a number.
    names = [f"{name} #{names[:k].count(name) + 1}" if names.count(name) > 1 else name for k, name in enumerate(names)]
    return [_Named(*parts) for parts in zip(names, labels, devices, evaluations, strict=True)]


def _device_labels(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return the name of the device of each evaluation, with the facts that differ where two devices share a name."""
    labels = []
    for evaluation in evaluations:
        name = device_name(evaluation)
        namesakes = {device_key(e.device): e.device for e in evaluations if device_name(e) == name}
        described = [device_facts(facts) for facts in namesakes.values()]
        own = device_facts(evaluation.device)
        differing = [own[key] or f"{key} not known" for key in own if len({facts[key] for facts in described}) > 1]
        labels.append(f"{name} ({', '.join(differing)})" if differing else name)
    return labels


def _threads(evaluation: Evaluation) -> str:
    count = evaluation.device.get("threads")
    return counted(count, "thread") if isinstance(count, int) else "unknown threads"


def _told_apart(names: Sequence[str], values: Sequence[str], join: str) -> list[str]:
    """Append its value to each name that stands for rows with different values."""
    by_name: dict[str, set[str]] = {}
    for name, value in zip(names, values, strict=True):
        by_name.setdefault(name, set()).add(value)
    return [
        name + join.format(value) if len(by_name[name]) > 1 else name for name, value in zip(names, values, strict=True)
    ]


def _family(title: str, members: Sequence[_Named]) -> Family:
    members = sorted(members, key=_place_in_family)
    first = members[0].evaluation
    original = first if first.model.role == ORIGINAL else None
    rows = tuple(_row(named, original, members) for named in members)
    pixels = {index: picture for named in members for index, picture in named.evaluation.pictures.items()}
    comparisons, same_answers = _comparisons(rows, pixels)
    return Family(title, rows, rows[0] if original else None, comparisons, same_answers, breakdowns(rows))


def _place_in_family(named: _Named) -> tuple[int, bool]:
    model = named.evaluation.model
    return ROLES.index(model.role), model.scheme != FLOAT


def _row(named: _Named, original: Evaluation | None, members: Sequence[_Named]) -> Row:
    evaluation = named.evaluation
    before = None if evaluation is original else original
    latency = evaluation.latency
    was = before.latency if before else {}
    return Row(
        name=named.name,
        label=named.label,
        device=named.device,
        evaluation=evaluation,
        reliability=judge(evaluation),
        drop=pair(evaluation.labels, before.predicted, evaluation.predicted, before.classes) if before else None,
        bytes_ratio=before.model.bytes / evaluation.model.bytes if before else None,
        latency_ratio=latency_ratio(latency.get("invoke"), was.get("invoke")),
        file_ratio=latency_ratio(latency.get("file"), was.get("file")),
        float_tflite=_like_for_like(evaluation, members),
    )


def _like_for_like(evaluation: Evaluation, members: Sequence[_Named]) -> LikeForLike | None:
    """Compare with the float32 ``.tflite`` that ran on the same device in the same way; None if there is none."""
    if evaluation.model.scheme in (KERAS, FLOAT):
        return None
    for name, _, _, other in members:
        if other.model.scheme == FLOAT and setting_key(other.device) == setting_key(evaluation.device):
            return LikeForLike(
                name,
                other.model.bytes / evaluation.model.bytes,
                latency_ratio(evaluation.latency.get("invoke"), other.latency.get("invoke")),
                latency_ratio(evaluation.latency.get("file"), other.latency.get("file")),
            )
    return None


def _comparisons(
    rows: Sequence[Row], pixels: Mapping[int, NDArray[np.uint8]]
) -> tuple[tuple[Comparison, ...], dict[str, str]]:
    """Compare the first row with each row whose answers are new; name for the others the row with the same answers."""
    reference, *others = rows
    by_answers: dict[tuple[str, ...], Row] = {_answers(reference): reference}
    comparisons: list[Comparison] = []
    same_answers: dict[str, str] = {}
    for row in others:
        earlier = by_answers.setdefault(_answers(row), row)
        if earlier is row:
            comparisons.append(_comparison(reference, row, pixels))
        else:
            same_answers[row.name] = earlier.name
    return tuple(comparisons), same_answers


def _answers(row: Row) -> tuple[str, ...]:
    return tuple(row.evaluation.names(row.evaluation.predicted))


def _comparison(before: Row, after: Row, pixels: Mapping[int, NDArray[np.uint8]]) -> Comparison:
    labels = before.evaluation.labels
    changes = _changes(before.evaluation, after.evaluation, pixels)
    recalls = [class_metrics(row.confusion).recall for row in (before, after)]
    return Comparison(
        before=before,
        after=after,
        paired=pair(labels, before.evaluation.predicted, after.evaluation.predicted, before.evaluation.classes),
        recall_drop_pp=100 * (recalls[0] - recalls[1]),
        lost=_count_by_class(changes, "lost", before.evaluation),
        won=_count_by_class(changes, "won", before.evaluation),
        changes=changes,
    )


def _count_by_class(changes: Sequence[Change], kind: str, evaluation: Evaluation) -> NDArray[np.int64]:
    """Count changes of a kind by their true class, shape ``(s,)``; of lines, which have none, shape ``(0,)``."""
    if evaluation.of_lines:
        return np.zeros(0, np.int64)
    classes = evaluation.classes
    truths = np.array([classes.index(change.truth) for change in changes if change.kind == kind], np.int64)
    return np.bincount(turns.shown_index(classes)[truths], minlength=len(turns.shown(classes)))


def _changes(before: Evaluation, after: Evaluation, pixels: Mapping[int, NDArray[np.uint8]]) -> tuple[Change, ...]:
    truths, first, second = (before.names(each) for each in (before.labels, before.predicted, after.predicted))
    first_confidence, second_confidence = before.confidences, after.confidences
    was_right, is_right = before.right, after.right
    changes = [
        Change(
            index=index,
            truth=truths[index],
            before=first[index],
            before_confidence=float(first_confidence[index]),
            after=second[index],
            after_confidence=float(second_confidence[index]),
            pixels=pixels.get(index),
            kind=_kind(bool(was_right[index]), bool(is_right[index])),
        )
        for index in range(len(first))
        if first[index] != second[index]
    ]
    return tuple(sorted(changes, key=lambda c: (_KINDS.index(c.kind), -c.after_confidence, c.index)))


def _kind(was_right: bool, is_right: bool) -> str:
    if was_right == is_right:
        return "other"
    return "lost" if was_right else "won"


def _notes(families: Sequence[Family], repeated: int, count: int) -> tuple[str, ...]:
    notes = [f"{row.name}: {note}" for family in families for row in family.rows for note in row.evaluation.notes]
    for family in families:
        if family.original is None:
            notes.append(
                f"{family.title}: the float original is not among the evaluations, so its models have no drop; "
                "add the evaluation.json of the run folder"
            )
    if count < FEW_PICTURES:
        notes.append(
            f"{count} pictures are few: the intervals are wide, and a drop below {300 / count:.1f} pp can hide"
        )
    if repeated:
        notes.append(f"{repeated} of the evaluations given were copies of others and count once")
    return tuple(notes)
