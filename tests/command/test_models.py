"""``models/add.py`` turns a run folder into a model that can be named."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from edge_digits_runtime.errors import DataError
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.records.evaluation import Evaluation

from edge_digits.commands.models import describe

ROOT = Path(__file__).parents[2]
TINY = (ROOT / "tests" / "runtime" / "models" / "foreign-half-scale.tflite").read_bytes()


@pytest.fixture
def add() -> Callable[..., Path]:
    """Return the function of that script."""
    spec = importlib.util.spec_from_file_location("add", ROOT / "models" / "add.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[..., Path] = module.add
    return function


def test_a_run_becomes_an_entry_with_its_evaluation(
    add: Callable[..., Path],
    make_run: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_run({"mlp-8-int8.tflite": (TINY, "int8")})
    shelf = tmp_path / "site" / registry.PACKAGE
    shelf.mkdir(parents=True)
    (shelf / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert add(run, folder=shelf) == shelf / "mlp-8.tflite" == registry.find("mlp-8")
    model = registry.read("mlp-8", shelf / "mlp-8.tflite")
    assert model.file.sha256 == read_model_file(run / "mlp-8-int8.tflite").sha256
    assert model.file.card is not None
    assert model.file.card.licence == "MIT"
    assert model.evaluation is not None
    assert len(model.evaluation.labels) == 20
    assert sorted(path.name for path in shelf.glob("mlp*")) == ["mlp-8.evaluation.json.gz", "mlp-8.tflite"]


def test_the_default_goes_where_it_is_told_and_only_its_evaluation_here(
    add: Callable[..., Path], make_run: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_run({"mlp-8-int8.tflite": (TINY, "int8")})
    add(run, tmp_path / "runtime" / "default.tflite", tmp_path / "shelf")
    assert (tmp_path / "runtime" / "default.tflite").is_file()
    (evaluation,) = (tmp_path / "shelf").iterdir()
    assert Evaluation.load(evaluation).model.name == "mlp-8"


def test_every_classifier_that_ships_was_measured_from_the_picture_file_on() -> None:
    rows = [describe(registry.read(name, path)) for name, path in registry.paths().items()]
    assert [row["name"] for row in rows] == ["digits-m", "digits-xs", "digits-s", "meter-s", "meter-m", "digits-l"]
    for row in rows:
        assert row["device"], row["name"]
        assert row["file_p50_us"] > 10 * row["p50_us"] > 0, row["name"]


def test_a_run_of_other_pictures_leaves_no_entry(
    add: Callable[..., Path], make_run: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_run({"mlp-8-int8.tflite": (TINY, "int8")})
    record = json.loads((run / "run.json").read_text())
    record["data"]["sha256"]["test"] = "0" * 64
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="not the test pictures"):
        add(run, folder=tmp_path / "shelf")
    assert not (tmp_path / "shelf").exists()
