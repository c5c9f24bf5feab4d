"""Which evaluations are compared with which, and what the report says about them."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.records.evaluation import Evaluation

from edge_digits.report import Report, compare, to_dict, to_text
from edge_digits.report.breakdown import breakdowns
from edge_digits.report.verdict import verdict

Make = Callable[..., Evaluation]
LABELS = [k % 10 for k in range(2000)]
PI = {"name": "Pi 4", "machine": "aarch64"}


def answers(wrong: range) -> list[int]:
    """The labels, with the pictures of ``wrong`` answered one digit too high."""
    return [(label + (k in wrong)) % 10 for k, label in enumerate(LABELS)]


@pytest.fixture
def trio(make_evaluation: Make) -> list[Evaluation]:
    """Keras, float32 and int8 of the same weights: 20, 20 and 38 wrong of 2,000."""
    return [
        make_evaluation(LABELS, answers(range(20)), "keras", size=80_000, latency_us=2000, device={"name": "GPU"}),
        make_evaluation(LABELS, answers(range(20)), "float32", size=40_000, latency_us=30),
        make_evaluation(LABELS, answers(range(2, 40)), "int8", size=10_000, latency_us=[44, 45, 46]),
    ]


def test_rows_are_compared_with_their_original(trio: list[Evaluation]) -> None:
    report = compare(reversed(trio))
    keras, float32, int8 = report.rows
    assert [row.name for row in report.rows] == ["net Keras", "net float32", "net int8"]
    assert [row.role for row in report.rows] == ["float-original", "float-tflite", "int8"]
    assert keras.drop is None
    assert keras.accuracy_drop_pp == 0.0
    assert float32.accuracy_drop_pp == 0.0
    assert int8.drop
    assert (int8.drop.lost, int8.drop.won, int8.drop.changed) == (20, 2, 22)
    assert int8.accuracy_drop_pp == pytest.approx(100 * 18 / 2000)
    assert report.worst_drop_pp == pytest.approx(0.9)
    assert (int8.bytes_ratio, int8.latency_ratio) == (8.0, 45 / 2000)
    assert int8.float_tflite
    assert (int8.float_tflite.name, int8.float_tflite.bytes_ratio, int8.float_tflite.latency_ratio) == (
        "net float32",
        4.0,
        1.5,
    )
    assert keras.float_tflite is None
    assert float32.float_tflite is None


def test_changed_answers_are_sorted_by_kind_and_have_their_pictures(make_evaluation: Make) -> None:
    labels = [3, 4, 5, 6, 7]
    before = make_evaluation(labels, [3, 4, 9, 9, 7], "keras", confidence=[0.9, 0.8, 0.7, 0.6, 0.5])
    after = make_evaluation(labels, [2, 1, 5, 8, 7], "int8", confidence=[0.3, 0.4, 0.5, 0.6, 0.7])
    (family,) = compare([before, after]).families
    (comparison,) = family.comparisons
    assert [(c.index, c.kind, c.truth, c.before, c.after) for c in comparison.changes] == [
        (1, "lost", "4", "4", "1"),  # the more confident one first
        (0, "lost", "3", "3", "2"),
        (2, "won", "5", "9", "5"),
        (3, "other", "6", "9", "8"),
    ]
    first = comparison.changes[0]
    assert first.before_confidence == pytest.approx(0.8)
    assert first.after_confidence == pytest.approx(0.4)
    for change in comparison.changes:
        # Where two answers differ one is wrong, so either evaluation has the pixels.
        expected = (before.pictures | after.pictures)[change.index]
        np.testing.assert_array_equal(change.pixels, expected)
    assert comparison.lost.tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    assert comparison.won.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert comparison.recall_drop_pp.tolist() == [0, 0, 0, 100, 100, -100, 0, 0, 0, 0]


def test_equal_answers_are_compared_once(trio: list[Evaluation], make_evaluation: Make) -> None:
    on_pi = make_evaluation(LABELS, answers(range(2, 40)), "int8", latency_us=450, device=PI)
    (family,) = compare([*trio, on_pi]).families
    assert [comparison.after.name for comparison in family.comparisons] == ["net int8 on Laptop"]
    assert family.same_answers == {"net float32": "net Keras", "net int8 on Pi 4": "net int8 on Laptop"}


@pytest.mark.parametrize(
    ("others", "names"),
    [
        ([{}], ["net int8 #1", "net int8 #2"]),
        ([{"device": PI}], ["net int8 on Laptop", "net int8 on Pi 4"]),
        ([{"device": {"backend": "other 1"}}], ["net int8, litert 2.3.0", "net int8, other 1"]),
        ([{"device": {"threads": 4}}], ["net int8, 1 thread", "net int8, 4 threads"]),
        ([{"weights_sha256": "b" * 64}], ["net int8 (aaaaaaa)", "net int8 (bbbbbbb)"]),
        ([{"scheme": "float32"}], ["net int8", "net float32"]),
        ([{"name": "a\nb", "weights_sha256": "c" * 64}], ["net int8", "a b int8"]),
        (
            [{"device": PI}, {"device": PI | {"backend": "other 1"}}],
            ["net int8 on Laptop", "net int8 on Pi 4, litert 2.3.0", "net int8 on Pi 4, other 1"],
        ),
    ],
)
def test_names_hold_no_more_than_what_tells_rows_apart(
    others: list[dict[str, object]], names: list[str], make_evaluation: Make
) -> None:
    given = [make_evaluation([1], [1])] + [
        make_evaluation([1], [1], latency_us=20.0 + k, **other) for k, other in enumerate(others)
    ]
    assert sorted(row.name for row in compare(given).rows) == sorted(names)


def test_families_share_weights(trio: list[Evaluation], make_evaluation: Make) -> None:
    other = make_evaluation(LABELS, LABELS, "keras", name="big", weights_sha256="b" * 64)
    foreign = [make_evaluation(LABELS, LABELS, s, name="elsewhere", weights_sha256="") for s in ("int8", "float32")]
    report = compare([*trio, other, *foreign])
    assert [(f.title, len(f.rows), f.original is not None) for f in report.families] == [
        ("net", 3, True),
        ("big", 1, True),
        (f"elsewhere ({foreign[0].model.sha256[:7]})", 1, False),
        (f"elsewhere ({foreign[1].model.sha256[:7]})", 1, False),
    ]
    assert report.worst_drop_pp == pytest.approx(0.9)


def test_two_families_of_the_same_name_have_different_titles(make_evaluation: Make) -> None:
    report = compare([make_evaluation([1, 2], [1, 2], weights_sha256=start * 64) for start in "ab"])
    assert [family.title for family in report.families] == ["net (aaaaaaa)", "net (bbbbbbb)"]


def test_only_rows_measured_in_the_same_way_are_compared_like_for_like(
    trio: list[Evaluation], make_evaluation: Make
) -> None:
    on_pi = make_evaluation(LABELS, LABELS, "int8", device=PI)
    threaded = make_evaluation(LABELS, LABELS, "int8", device={"threads": 2}, latency_us=11)
    rows = {row.name: row for row in compare([*trio, on_pi, threaded]).rows}
    assert rows["net int8 on Pi 4"].float_tflite is None
    assert rows["net int8 on Laptop, 2 threads"].float_tflite is None
    assert rows["net int8 on Laptop, 1 thread"].float_tflite is not None


# --- where the difference comes from


def steps(report: Report) -> list[list[tuple[str, str, str]]]:
    (family,) = report.families
    return [[(" + ".join(s.causes), s.before.name, s.after.name) for s in steps] for steps in family.breakdowns]


def test_format_and_quantization_are_separate_steps_on_one_device(make_evaluation: Make) -> None:
    schemes = ("keras", "float32", "int8")
    report = compare([make_evaluation(LABELS, answers(range(k)), s) for k, s in enumerate(schemes)])
    assert steps(report) == [
        [("format", "net Keras", "net float32"), ("quantization", "net float32", "net int8")],
    ]
    first = report.families[0].breakdowns[0]
    assert [step.paired.drop_pp for step in first] == [0.05, 0.05]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            ["keras PC", "float32 PC", "float32 Pi", "int8 PC", "int8 Pi"],
            ["format: float32 PC", "device: float32 Pi", "quantization: int8 Pi"],
        ),
        (
            ["keras PC", "float32 PC", "int8 PC", "int8 Pi"],
            ["format: float32 PC", "quantization: int8 PC", "device: int8 Pi"],
        ),
        (["keras PC", "float32 Pi", "int8 Pi"], ["format + device: float32 Pi", "quantization: int8 Pi"]),
        (["keras PC", "float32 PC", "int8 Pi"], ["format: float32 PC", "quantization + device: int8 Pi"]),
        (["keras PC", "int8 PC", "int8 Pi"], ["format + quantization: int8 PC", "device: int8 Pi"]),
        (["keras PC", "int8 Pi"], ["format + quantization + device: int8 Pi"]),
        # A row with another scheme or on a third device does not lie between the two.
        (["keras PC", "float16 PC", "float32 Phone", "int8 Pi"], ["format + quantization + device: int8 Pi"]),
        (["float32 PC", "int8 PC", "int8 Pi"], ["quantization: int8 PC", "device: int8 Pi"]),
        (["int8 PC", "int8 Pi"], ["device: int8 Pi"]),
        (["keras PC", "float32 Pi"], ["format + device: float32 Pi"]),
    ],
    ids=" ".join,
)
def test_a_breakdown_goes_by_way_of_the_rows_between(
    rows: list[str], expected: list[str], make_evaluation: Make
) -> None:
    given = []
    for row in rows:
        scheme, device = row.split()
        given.append(make_evaluation([1, 2], [1, 2], scheme, device={"name": device}))
    *_, last = compare(given).families[0].breakdowns
    assert [f"{' + '.join(step.causes)}: {step.after.scheme} {step.after.device}" for step in last] == expected
    assert (last[0].before.scheme, last[0].before.device) == tuple(rows[0].split())
    for former, latter in itertools.pairwise(last):
        assert former.after is latter.before


def test_a_step_has_the_largest_change_of_a_probability(make_evaluation: Make) -> None:
    here = make_evaluation([1, 2], [1, 2], confidence=[0.5, 0.9])
    there = make_evaluation([1, 2], [1, 2], confidence=[0.52, 0.91], device=PI | {"backend": "other 1"}, latency_us=5)
    ((step,),) = breakdowns(compare([here, there]).rows)
    assert step.causes == ("device", "backend")
    assert step.largest_difference == pytest.approx(0.02)
    assert (step.bytes_ratio, step.latency_ratio) == (1.0, 0.5)


# --- evaluations that cannot be compared, and missing ones


def test_evaluations_of_different_pictures_are_refused_in_one_line_that_names_both(make_evaluation: Make) -> None:
    with pytest.raises(EvaluationError) as error:
        compare([make_evaluation([1], [1]), make_evaluation([1, 2], [1, 2], "keras", device=PI, pictures="b")])
    message = str(error.value)
    assert "\n" not in message
    assert "net int8 on Laptop answered 1 pictures of MNIST test (sha256 aaaaaaaaaaaa)" in message
    assert "net Keras on Pi 4 answered 2 pictures of MNIST test (sha256 bbbbbbbbbbbb)" in message
    assert "evaluate both on the same data set" in message


def test_other_labels_under_the_same_digest_are_refused(make_evaluation: Make) -> None:
    with pytest.raises(EvaluationError, match="different pictures"):
        compare([make_evaluation([1], [1]), make_evaluation([2], [2], "keras")])


def test_no_evaluation_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="no evaluation to report on"):
        compare([])


def test_a_copy_counts_once(trio: list[Evaluation]) -> None:
    copy = Evaluation.from_dict(trio[2].to_dict())
    # What a file holds is rounded; two copies of a file are the same.
    report = compare([*trio[:2], copy, Evaluation.from_dict(copy.to_dict())])
    assert [row.name for row in report.rows] == ["net Keras", "net float32", "net int8"]
    assert report.notes[-1] == "1 of the evaluations given were copies of others and count once"


def test_without_the_original_drops_are_unknown_and_a_note_says_so(trio: list[Evaluation]) -> None:
    report = compare(trio[1:])
    assert [row.accuracy_drop_pp for row in report.rows] == [None, None]
    assert [row.drop for row in report.rows] == [None, None]
    assert report.worst_drop_pp is None
    assert report.families[0].original is None
    assert "the float original is not among the evaluations" in report.notes[0]
    assert report.families[0].comparisons[0].paired.lost == 20
    assert verdict(report.families[0]).headline == "int8: 98.10 % right; drop unknown without the float original"


def test_the_original_alone_has_no_drop(trio: list[Evaluation]) -> None:
    report = compare(trio[:1])
    assert report.worst_drop_pp is None
    assert verdict(report.families[0]).headline == "Keras: 99.00 % right"


def test_notes_of_the_device_are_kept_and_a_small_data_set_is_noted(make_evaluation: Make) -> None:
    slow = "the device slowed down while it was measured: throttled now"
    report = compare([make_evaluation([1, 2, 3], [1, 2, 3], "keras", notes=(slow,))])
    assert report.notes[0] == f"net Keras: {slow}"
    assert report.notes[1].startswith("3 pictures are few")


# --- devices and the way from a picture file


BIG = {"cores": 64, "cpu_features": ["avx2"], "memory_bytes": 256 * 10**9, "governor": "performance"}


@pytest.mark.parametrize(
    ("differs", "label"),
    [
        ({"cores": 2}, "2 cores"),
        ({"cpu_features": ["avx2", "avx512_vnni"]}, "avx2 avx512_vnni"),
        ({"cpu_features": []}, "no vector features"),
        ({"cpu_features": None}, "features not known"),
        ({"memory_bytes": 8 * 10**9}, "8.0 GB"),
        ({"governor": "powersave"}, "powersave"),
        ({"machine": "i686"}, "i686"),
        ({"cpu": "another"}, "another"),
    ],
)
def test_devices_of_one_name_are_not_one_device(differs: dict[str, object], label: str, make_evaluation: Make) -> None:
    on_big = make_evaluation(LABELS, LABELS, "float32", latency_us=20, device=BIG)
    report = compare([on_big, make_evaluation(LABELS, LABELS, latency_us=84, device=BIG | differs)])
    float32, int8 = report.rows
    assert int8.device == f"Laptop ({label})"
    assert float32.device != int8.device
    # 4.2 times as slow, but not "there".
    assert int8.float_tflite is None
    assert "there" not in to_text(report)
    assert [step.causes for step in breakdowns(report.rows)[0]] == [("quantization", "device")]
    assert label in to_text(report)


@pytest.mark.parametrize("setting", [{"threads": 2}, {"backend": "litert 2.4.0"}])
def test_other_settings_are_not_compared_as_alike(setting: dict[str, object], make_evaluation: Make) -> None:
    int8 = make_evaluation(LABELS, LABELS, device=BIG | setting)
    rows = compare([make_evaluation(LABELS, LABELS, "float32", device=BIG), int8]).rows
    assert rows[1].float_tflite is None
    assert rows[0].device == rows[1].device == "Laptop"


def test_a_few_kilobytes_of_memory_do_not_make_another_device(make_evaluation: Make) -> None:
    more = BIG | {"memory_bytes": BIG["memory_bytes"] + 40_000}  # type: ignore[operator]
    rows = compare(
        [make_evaluation(LABELS, LABELS, "float32", device=BIG), make_evaluation(LABELS, LABELS, device=more)]
    ).rows
    assert rows[1].float_tflite is not None


def test_the_way_from_a_picture_file_stands_beside_the_invocation(make_evaluation: Make) -> None:
    keras = make_evaluation(LABELS, LABELS, "keras", latency_us=2000, file_us=4000)
    float32 = make_evaluation(LABELS, LABELS, "float32", latency_us=40, file_us=1120)
    int8 = make_evaluation(LABELS, LABELS, latency_us=10, file_us=1090)
    report = compare([keras, float32, int8])
    row = report.rows[2]
    assert row.float_tflite is not None
    assert (row.float_tflite.latency_ratio, row.latency_ratio) == (0.25, 0.005)
    assert (row.float_tflite.file_ratio, row.file_ratio) == (pytest.approx(1090 / 1120), 0.2725)
    said = (
        "An invocation takes 10.0 µs, 4.0× faster than float TFLite there; picture file → answer 1,090 µs, about as "
        "fast as float TFLite there (medians on Laptop)."
    )
    assert verdict(report.families[0]).sentences[-1].endswith(said)
    record = to_dict(report)["rows"][2]
    assert (record["p50_us"], record["file_p50_us"]) == (10.0, 1090.0)
    alone = verdict(compare([keras, int8]).families[0]).sentences[-1]
    assert "Keras took 2,000 µs and 4,000 µs on Laptop." in alone


# --- words


def test_a_loss_beyond_chance_is_called_a_loss(trio: list[Evaluation]) -> None:
    words = verdict(compare(trio).families[0])
    assert (words.title, words.headline, words.tone) == ("net", "int8 loses 0.90 pp of accuracy", "bad")
    accuracy, cost = words.sentences
    assert accuracy.startswith("int8 loses 0.90 pp (99.00 % → 98.10 %); beyond chance: 95 % interval of the drop 0.")
    assert accuracy.endswith(
        "p < 0.001. It answers 22 of 2,000 pictures differently: 20 right → wrong, 2 wrong → right."
    )
    assert cost == (
        "int8: 10,000 bytes, 4.0× smaller than float TFLite and 8.0× smaller than the Keras file. "
        "An invocation takes 45.0 µs, 1.5× slower than float TFLite there (medians on Laptop)."
    )


@pytest.mark.parametrize(
    ("wrong", "headline", "tone", "start"),
    [
        (
            range(23),
            "int8: no accuracy difference beyond chance",
            "plain",
            "int8 loses 0.15 pp (99.00 % → 98.85 %); within",
        ),
        (
            range(18),
            "int8: no accuracy difference beyond chance",
            "plain",
            "int8 gains 0.10 pp (99.00 % → 99.10 %); within",
        ),
        (range(0), "int8 gains 1.00 pp of accuracy", "good", "int8 gains 1.00 pp (99.00 % → 100.00 %); beyond chance"),
        (
            range(20),
            "int8: no accuracy difference beyond chance",
            "plain",
            "int8 gives the same answer as Keras to every picture.",
        ),
        (
            range(1, 21),
            "int8: no accuracy difference beyond chance",
            "plain",
            "int8 is right as often as the float original (99.00 %); within chance",
        ),
    ],
    ids=["small-loss", "small-gain", "gain", "same-answers", "as-often"],
)
def test_the_verdict_claims_no_more_than_the_figures_show(
    wrong: range, headline: str, tone: str, start: str, trio: list[Evaluation], make_evaluation: Make
) -> None:
    words = verdict(compare([*trio[:2], make_evaluation(LABELS, answers(wrong), "int8")]).families[0])
    assert (words.headline, words.tone) == (headline, tone)
    assert words.sentences[0].startswith(start)
    if tone == "plain" and wrong != range(20):
        assert "−" in words.sentences[0]  # the lower end of an interval that includes 0


def test_the_headline_is_about_the_worst_of_several_int8_rows(trio: list[Evaluation], make_evaluation: Make) -> None:
    better = make_evaluation(LABELS, answers(range(20)), "int8", device=PI)
    words = verdict(compare([*trio, better]).families[0])
    assert words.headline == "int8 loses 0.90 pp of accuracy"
    assert "int8 on Pi 4 gives the same answer as Keras to every picture." in words.sentences


def test_a_loss_of_the_float_file_has_a_sentence_of_its_own(trio: list[Evaluation], make_evaluation: Make) -> None:
    broken = make_evaluation(LABELS, answers(range(200)), "float32")
    words = verdict(compare([trio[0], broken, trio[2]]).families[0])
    assert any(sentence.startswith("float32 loses 9.00 pp") for sentence in words.sentences)


def test_speed_on_another_device_is_not_attributed_to_int8(trio: list[Evaluation]) -> None:
    (family,) = compare([trio[0], trio[2]]).families
    assert (
        verdict(family)
        .sentences[-1]
        .endswith(
            "An invocation takes 45.0 µs (medians on Laptop). Keras took 2,000 µs on GPU. "
            "How much of that is due to int8 cannot be told without float TFLite on the same device."
        )
    )
