"""The programs behind docs/research/frontier.md: family.py and ablation.py train, frontier.py writes the page."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import ablation
import family
import frontier
import pytest
import robustness
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.records.run import RunRecord
from edge_digits_train.data import mnist
from edge_digits_train.engine import teachers
from edge_digits_train.recipes import catalogue


def seed(validation: float, test: float, float_test: float, size: int = 5000, **figures: Any) -> dict[str, Any]:
    return {
        "float": {"validation": 0.99, "test": float_test},
        "int8": {"validation": validation, "test": test},
        "bytes": size + 2000,
        "flatbuffer_bytes": size,
        "sha256": "f" * 64,
        "robustness": 0.8,
        "epochs": 60,
        "training_seconds": 600,
        "training_device": "AMD EPYC",
    } | figures


def recipe(seeds: dict[str, Any], **figures: Any) -> dict[str, Any]:
    return {"parameters": 4000, "macs": 300_000, "seeds": seeds} | figures


THREE = recipe(
    {
        "0": seed(0.9931, 0.990, 0.991),
        "1": seed(0.9942, 0.991, 0.992, training_seconds=660),
        "2": seed(0.9942, 0.995, 0.992, training_seconds=900),
    },
    p50_us={"float32": 8.24, "int8": 5.96},
    device="AMD EPYC, litert, one thread",
)


def test_the_shipped_seed_is_chosen_on_validation_and_never_on_test() -> None:
    assert frontier.chosen(THREE) == "1"
    assert frontier.chosen(recipe({"4": seed(0.99, 1.0, 1.0), "9": seed(0.991, 0.5, 0.5)})) == "9"


@pytest.mark.parametrize(
    ("shares", "text"),
    [
        ([0.99, 0.991, 0.995], "99.20 ± 0.26"),  # deviations -0.2, -0.1, 0.3: √(0.14 / 2)
        ([0.99], "99.00"),
        ([-0.00001], "0.00"),
        ([0.0001, -0.0001], "0.00 ± 0.01"),
    ],
)
def test_mean_and_sample_standard_deviation(shares: list[float], text: str) -> None:
    assert frontier.spread(shares) == text


def test_the_tables_hold_every_figure_smallest_network_first() -> None:
    text = frontier.section({"large": recipe({"0": seed(0.99, 0.99, 0.99, size=20_000)}), "tiny": THREE})
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [
        "| `tiny` | 4,000 | 0.30 M | 5,000 | 7,000 | 99.17 ± 0.06 % | 99.20 ± 0.26 % | −0.03 ± 0.23 | 0, 1, 2 "
        "| seed 1, 99.10 % |",
        "| `large` | 4,000 | 0.30 M | 20,000 | 22,000 | 99.00 % | 99.00 % | 0.00 | 0 | seed 0, 99.00 % |",
        "| `tiny` | 99.00 ± 0.00 % | 99.38 ± 0.06 % | 80.00 ± 0.00 % | 8.2 | 6.0 | 60 epochs, 11 min on AMD EPYC |",
        "| `large` | 99.00 % | 99.00 % | 80.00 % |  |  | 60 epochs, 10 min on AMD EPYC |",
    ]
    assert "on AMD EPYC, litert, one thread." in text
    assert all(point.name in text and point.source in text for point in frontier.KNOWN)


def test_only_what_is_between_the_marks_is_replaced() -> None:
    page = f"before\n{frontier.START}\nold\n{frontier.END}\nafter\n"
    once = frontier.between(page, "new")
    assert once == f"before\n{frontier.START}\n\nnew\n\n{frontier.END}\nafter\n"
    assert frontier.between(once, "new") == once
    for wrong in ("no marks", f"{frontier.END} {frontier.START}", page + page):
        with pytest.raises(ValueError, match="once each, in that order"):
            frontier.between(wrong, "new")


def test_the_page_is_made_from_the_record() -> None:
    recorded = json.loads(frontier.FRONTIER.read_text(encoding="utf-8"))
    page = frontier.PAGE.read_text(encoding="utf-8")
    assert page == frontier.between(page, frontier.section(recorded)), (
        "run: uv run python benchmarks/accuracy/frontier.py"
    )


def test_the_shipped_models_are_those_of_the_chosen_seeds() -> None:
    recorded = json.loads(frontier.FRONTIER.read_text(encoding="utf-8"))
    family = {name for name in recorded if name.startswith("digits-") and not name.endswith("-alone")}
    assert family == {name for name in registry.paths() if name.startswith("digits-")}
    assert list(frontier.differing(recorded)) == []


def test_the_teachers_are_the_networks_that_were_measured() -> None:
    recorded = json.loads(frontier.FRONTIER.read_text(encoding="utf-8"))
    for name, teacher in teachers.load().items():
        recipe, _, seed = name.partition("-seed-")
        assert teacher.model.sha256 == recorded[recipe]["seeds"][seed]["sha256"]


def test_both_figures_name_every_point_and_are_the_same_each_time(tmp_path: Path) -> None:
    measured = {"digits-tiny": THREE, "untimed": recipe({"0": seed(0.99, 0.99, 0.99)})}
    written = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        frontier.draw(measured, folder)
        written.append([(folder / name).read_bytes() for name in (frontier.BYTES, frontier.LATENCY)])
    assert written[0] == written[1]
    texts = ["".join(ElementTree.fromstring(content).itertext()) for content in written[0]]
    assert all(point.name in texts[0] for point in frontier.KNOWN if point.accuracy is not None)
    assert ["untimed" in text for text in texts] == [True, False]
    assert all("digits-tiny" in text for text in texts)


def test_another_model_under_the_name_of_a_recipe_is_noticed() -> None:
    card = read_model_file(registry.DEFAULT_MODEL).card
    assert card is not None
    right = recipe({"0": seed(0.99, 0.99, 0.99, sha256=card.sha256)})
    wrong = recipe({"7": seed(0.99, 0.99, 0.99)})
    assert list(frontier.differing({card.name: right, "not-installed": wrong})) == []
    (line,) = frontier.differing({card.name: wrong})
    assert card.name in line
    assert "seed 7" in line


def test_every_change_of_the_ablation_is_a_recipe_of_its_own() -> None:
    base = catalogue.get("digits-xs-alone")
    changed = [dataclasses.replace(base, **change) for change in ablation.CHANGES.values()]
    assert changed[0] == base
    assert all(recipe not in changed[:k] for k, recipe in enumerate(changed))


def test_recording_keeps_earlier_records(tmp_path: Path) -> None:
    file = tmp_path / "frontier.json"
    family.record(file, "a", {"macs": 1, "seeds": {"10": {"bytes": 1}}})
    family.record(file, "b", {"macs": 2, "seeds": {"0": {"bytes": 2}}})
    family.record(file, "a", {"macs": 3, "seeds": {"2": {"bytes": 3}}})
    family.record(file, "a", {"p50_us": {"int8": 4.0}})
    recorded = json.loads(file.read_text())
    assert recorded["b"] == {"macs": 2, "seeds": {"0": {"bytes": 2}}}
    assert recorded["a"] == {"macs": 3, "p50_us": {"int8": 4.0}, "seeds": {"2": {"bytes": 3}, "10": {"bytes": 1}}}
    assert list(recorded["a"]["seeds"]) == ["2", "10"]


def test_one_command_trains_converts_and_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mnist.load()
    few = DataSet(
        "MNIST",
        Split(whole.train.images[:1500], whole.train.labels[:1500]),
        Split(whole.test.images[:100], whole.test.labels[:100]),
    )
    monkeypatch.setattr(mnist, "load", lambda: few)
    monkeypatch.setattr(family, "ROUNDS", 2)
    # The corrupted pictures are kept for the process, which others share.
    monkeypatch.setattr(robustness, "originals", lambda: few.test)
    monkeypatch.setattr(robustness, "corrupted_test", lambda kind: robustness.corrupt(few.test.images, kind))
    short = dataclasses.replace(catalogue.get("cnn-8-16-32"), epochs=1)
    monkeypatch.setitem(catalogue.RECIPES, "cnn-8-16-32", short)  # type: ignore[arg-type]
    arguments = ["cnn-8-16-32", "--seeds", "3", "--runs", str(tmp_path / "runs")]
    monkeypatch.setattr(sys, "argv", ["family.py", *arguments, "--record", str(tmp_path / "frontier.json")])
    family.main()
    run = tmp_path / "runs" / "cnn-8-16-32-seed-3"
    (first,) = json.loads((tmp_path / "frontier.json").read_text()).values()
    figures, file = first["seeds"]["3"], read_model_file(run / "cnn-8-16-32-int8.tflite")
    assert file.card is not None
    assert file.card.recipe["seed"] == 3
    assert figures["float"] == RunRecord.load(run).accuracy
    assert figures["int8"] == file.card.accuracy
    assert (figures["sha256"], figures["flatbuffer_bytes"]) == (file.sha256, file.flatbuffer_bytes)
    assert 0.1 < figures["robustness"] < 1
    assert set(first["p50_us"]) == {"float32", "int8"}
    assert min(first["p50_us"].values()) > 0
    assert "one thread" in first["device"]
    assert frontier.section({"cnn-8-16-32": first})  # holds all that the page asks for
