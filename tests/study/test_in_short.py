"""What a page says first: the best system, chance, int8, latency, and what is missing."""

from collections.abc import Callable
from pathlib import Path

from edge_digits_study import in_short
from edge_digits_study.published_comparison import StudyComparison, compare_results
from edge_digits_study.results import Int8, Results, Trial
from edge_digits_study.studies import STUDIES

Make = Callable[..., Trial]
STUDY = STUDIES["dropout-noise"]


def comparison(*trials: Trial) -> StudyComparison:
    return compare_results(STUDY, Results(STUDY.name, trials), Path("none"))


def test_a_best_system_with_one_seed_is_measured_by_the_seeds_of_the_nearest(make_trial: Make) -> None:
    repeated = [make_trial("cnn", seed, value) for seed, value in enumerate((0.988, 0.990, 0.991))]
    one = comparison(make_trial("cnn-noise", test=0.992), make_trial("mlp", test=0.97), *repeated)
    (sentence,) = in_short.chance(one)
    assert "The 3 seeds of CNN alone are 0.30 pp apart, and 1 system is no further than that behind" in sentence


def test_chance_is_not_spoken_of_where_the_best_has_seeds(make_trial: Make) -> None:
    assert not list(in_short.chance(comparison(*(make_trial("cnn", seed) for seed in range(2)))))
    (sentence,) = in_short.chance(comparison(make_trial("cnn"), make_trial("mlp", test=0.9)))
    assert sentence.startswith("Every system has one seed")


def test_systems_of_the_same_title_count_twice_for_int8(make_trial: Make) -> None:
    one = comparison(make_trial("cnn", drop=0.04), make_trial("mlp", drop=0.5))
    (sentence,) = in_short.int8([*one.summaries.values(), *one.summaries.values()])
    assert sentence == (
        "int8 costs at most 0.10 pp, as a mean over the seeds, for 2 of 4 systems (median 0.27 pp). "
        "More: MLP, 0.50 pp; MLP, 0.50 pp."
    )
    assert not list(in_short.int8(comparison(make_trial("cnn", drop=None)).summaries.values()))


def test_latency_names_the_device_that_measured_it(make_trial: Make) -> None:
    fast = Int8({"validation": 0.98, "test": 0.98}, 0.0, 1, 1, 2.0, {"name": "Board", "kind": "CPU"})
    trials = make_trial("cnn"), make_trial("mlp", int8=fast, device={"name": "Fast GPU", "kind": "GPU"})
    (sentence,) = in_short.latency(comparison(*trials).summaries.values())
    assert sentence.startswith("int8 takes 2.0 µs (MLP) to 20.0 µs (CNN) for one picture: median, one thread of ")
    assert "Board, CPU" in sentence
    assert "Fast GPU" not in sentence


def test_missing_are_systems_epochs_and_seeds(make_trial: Make) -> None:
    done = [make_trial(name, seed, epochs=100) for name in ("mlp", "mlp-dropout", "mlp-noise") for seed in range(3)]
    trials = [*done, make_trial("cnn", epochs=5), make_trial("cnn-noise", 1, epochs=100)]
    one = comparison(*trials)
    assert in_short.missing(STUDY, one.summaries) == [
        "CNN, 100 epochs instead of 5",
        "CNN + dropout",
        "CNN + noise, seeds 0 and 2",
    ]
    assert "Missing: " in list(in_short.in_short(one))[-1]


def test_repeated_systems_exist() -> None:
    for study in STUDIES.values():
        names = {system.name for system in study.systems}
        assert set(study.repeated) <= names
        assert {target.system for target in study.targets} <= set(study.repeated)
