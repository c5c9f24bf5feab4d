"""``results.json``: what is written is read again, and a damaged file is one line that names it and says what to do."""

import copy
import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edge_digits_runtime.errors import RunError
from edge_digits_study import overview_page, page_plots, published_comparison, study_page
from edge_digits_study.results import RESULTS, Results, Trial
from edge_digits_study.studies import STUDIES

Make = Callable[..., Trial]
NAME = "mlp-classifier"
REPOSITORY = Path(__file__).parents[2] / "docs" / "research" / "studies"
SEEDS = range(400)
JUNK: tuple[Any, ...] = (
    None, True, -1, 1.5, 1e300, -1e300, 10**400, float("nan"), float("inf"), "8 GB", "\ud800", "../..", [], {}, [[1]],
    {"a": 1}, [None], ["x"] * 3, [1e9] * 100,
)  # fmt: skip
LIKELY: dict[type, tuple[Any, ...]] = {
    int: (0, 1, 2, 3, 2**53, 2**53 + 1),
    float: (0, 1, 0.0, 1.0, 1e-300, 0.5, 99.99),
    str: ("", "a\nb", "| *x* |", "\u2028", "€ 數", "\x00", "x" * 300, "\U0001f600"),
}
"""Values of the same type, many of which are allowed."""


@pytest.fixture
def record(make_trial: Make) -> dict[str, Any]:
    """The JSON of two trials, one of them not converted."""
    trials = (make_trial("mlp", 0, epochs=3), make_trial("mlp", 1, epochs=3, drop=None))
    values = [dataclasses.asdict(trial) for trial in trials]
    return {"format": "edge-digits-study/1", "study": NAME, "trials": values}


def load(folder: Path, content: str | bytes) -> Results:
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    (folder / RESULTS).write_bytes(data)
    return Results.load(folder, NAME)


def refusal(folder: Path, content: str | bytes) -> str:
    """The message for content that is refused: one line that names the file."""
    with pytest.raises(RunError) as error:
        load(folder, content)
    message = str(error.value)
    assert message.startswith(f"{folder / RESULTS}: ")
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("name", STUDIES)
def test_results_are_written_as_they_were_read(name: str, tmp_path: Path) -> None:
    results = Results.load(REPOSITORY / name, name)
    results.save(tmp_path)
    assert Results.load(tmp_path, name) == results
    assert (tmp_path / RESULTS).read_bytes() == (REPOSITORY / name / RESULTS).read_bytes()


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"results\.json: cannot be read: No such file"):
        Results.load(tmp_path, NAME)


Path_ = tuple[str | int, ...]
WRONG: list[tuple[Path_, Any, str]] = [
    (("format",), "edge-digits-study/2", "Invalid enum value 'edge-digits-study/2' - at `$.format`"),
    (("study",), "other", "holds the study 'other', not mlp-classifier; choose another folder"),
    (("study",), 3, "Expected `str`, got `int` - at `$.study`"),
    (("trials",), {}, "Expected `array`, got `object` - at `$.trials`"),
    (("trials", 0), [], "Expected `object`, got `array` - at `$.trials[0]`"),
    (("trials", 0, "system"), None, "Expected `str`, got `null` - at `$.trials[0].system`"),
    (("trials", 0, "seed"), -1, "Expected `int` >= 0 - at `$.trials[0].seed`"),
    (("trials", 0, "epochs"), 2.5, "Expected `int`, got `float` - at `$.trials[0].epochs`"),
    (("trials", 0, "epochs"), 0, "Expected `int` >= 1 - at `$.trials[0].epochs`"),
    (("trials", 0, "epochs"), 4, "4 epochs, but another number of values - at `$.trials[0].history.loss`"),
    (("trials", 1, "history", "seconds"), [1.0], "another number of values - at `$.trials[1].history.seconds`"),
    (("trials", 0, "history", "accuracy", 1), 1.01, "Expected `float` <= 1.0 - at `$.trials[0].history.accuracy[1]`"),
    (("trials", 0, "history"), {}, "Object missing required field `"),
    (("trials", 0, "accuracy", "test"), "0.98", "Expected `float`, got `str` - at `$.trials[0].accuracy.test`"),
    (("trials", 0, "loss", "test"), -0.1, "Expected `float` >= 0.0 - at `$.trials[0].loss.test`"),
    (("trials", 0, "metrics", "precision"), [0.5] * 9, "Expected `array` of length"),
    (("trials", 0, "metrics", "confusion", 3, 3), 1.5, "Expected `int`, got `float`"),
    (("trials", 0, "metrics", "macro"), {}, "Object missing required field `"),
    (("trials", 0, "parameters"), 10**30, "- at `$.trials[0].parameters`"),
    (("trials", 0, "float_p50_us"), float("nan"), "JSON is malformed"),
    (("trials", 0, "float_p50_us"), float("inf"), "JSON is malformed"),
    (("trials", 0, "int8", "drop"), 101, "- at `$.trials[0].int8.drop`"),
    (("trials", 0, "int8", "bytes"), "8 GB", "Expected `int`, got `str` - at `$.trials[0].int8.bytes`"),
    (
        ("trials", 0, "device", "memory_bytes"),
        "8 GB",
        "Expected `int | null`, got `str` - at `$.memory_bytes` in `$.trials[0].device`",
    ),
    (("trials", 0, "versions", "keras"), 3, "Expected `str`, got `int` - at `$.trials[0].versions[...]`"),
    (("trials", 0, "run"), "/etc", "the run folder is not below this folder - at `$.trials[0].run`"),
    (("trials", 0, "run"), "trials/../../x", "the run folder is not below this folder - at `$.trials[0].run`"),
]


@pytest.mark.parametrize(("place", "value", "reason"), WRONG, ids=[f"{p[-1]}={v!r:.20}" for p, v, _ in WRONG])
def test_a_wrong_value_is_named_with_its_place(
    place: Path_, value: Any, reason: str, record: dict[str, Any], tmp_path: Path
) -> None:
    assert len(load(tmp_path, json.dumps(record)).trials) == 2
    set_at(record, place, value)
    assert reason in refusal(tmp_path, json.dumps(record))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Input data was truncated"),
        (b"{", "Input data was truncated"),
        (b"\xff\xfe", "JSON is malformed"),
        (b"[" * 100_000, "Expected `object`, got `array`"),
        (b'{"trials": ' + b"[" * 100_000, "Expected `object`, got `array`"),
        (b'{"x": ' + b"[" * 100_000, "recursion"),
        (b'{"study": "\xff"}', "utf-8"),
        (b'{"study": "\\ud800"}', "Input data was truncated"),
        (b'{"study": "a", "trials": [1e999]}', "Number out of range"),
    ],
)
def test_content_that_is_not_json_is_one_line(content: bytes, reason: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, content)
    assert reason in message
    assert message.endswith("delete it and run the study again")


def set_at(record: Any, place: Path_, value: Any) -> None:
    for key in place[:-1]:
        record = record[key]
    record[place[-1]] = value


def places(value: Any, so_far: Path_ = ()) -> list[Path_]:
    """Every place in JSON-ready values."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [so_far, *(place for key, each in items for place in places(each, (*so_far, key)))]


def mutated(record: dict[str, Any], rng: random.Random) -> bytes:
    """The JSON of ``record`` with one to three values replaced or removed, or with damaged bytes."""
    record = copy.deepcopy(record)
    for _ in range(rng.randint(1, 2)):
        place = rng.choice(places(record)[1:])
        *parents, key = place
        parent = record
        for each in parents:
            parent = parent[each]  # type: ignore[index]
        if rng.random() < 0.1:
            del parent[key]  # type: ignore[arg-type]
        else:
            likely = LIKELY.get(type(parent[key])) if rng.random() < 0.8 else None  # type: ignore[index]
            parent[key] = copy.deepcopy(rng.choice(likely or JUNK))  # type: ignore[index]
    data = bytearray(json.dumps(record).encode())
    if rng.random() < 0.2:
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.random() < 0.1:
        del data[rng.randrange(len(data)) :]
    return bytes(data)


def test_whatever_is_loaded_can_be_shown_and_the_rest_is_one_line(record: dict[str, Any], tmp_path: Path) -> None:
    loaded = 0
    for seed in SEEDS:
        content = mutated(record, random.Random(seed))
        (tmp_path / RESULTS).write_bytes(content)
        try:
            results = Results.load(tmp_path, NAME)
        except RunError:
            refusal(tmp_path, content)
            continue
        loaded += 1
        markdown = study_page.to_markdown(STUDIES[NAME], results, tmp_path)
        markdown.encode()
        assert "nan" not in markdown, seed
        assert "inf" not in markdown, seed
        comparisons = published_comparison.compare({NAME: tmp_path})
        overview_page.to_markdown(comparisons, tmp_path).encode()
        overview_page.to_text(comparisons).encode("latin-1", "replace")
        results.save(tmp_path)
        assert Results.load(tmp_path, NAME) == Results(NAME, tuple(sorted(results.trials, key=lambda trial: trial.key)))
    assert 100 < loaded < 300, "the test is about both kinds"


def test_every_figure_can_be_drawn_of_extreme_values(make_trial: Make, tmp_path: Path) -> None:
    history = {"loss": [0.0], "val_loss": [1e39], "accuracy": [0.0], "val_accuracy": [1.0], "seconds": [0.0]}
    study = STUDIES[NAME]
    trials = tuple(make_trial("mlp", seed, epochs=1, history=history) for seed in range(2))
    study_page.write(study, Results(NAME, trials), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "curves.png", "confusion.png"}
    assert len(page_plots.PAGE_PLOTS) == 5
