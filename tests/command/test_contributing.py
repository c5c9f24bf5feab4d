"""The examples of CONTRIBUTING.md work, and a release has one version."""

import importlib.util
import re
import sys
import types
from pathlib import Path

import pytest
from click.testing import CliRunner
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.model import backends
from edge_digits_runtime.model.registry import DEFAULT_MODEL

from edge_digits import cli

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def example(heading: str) -> str:
    """The Python below a heading."""
    found = re.search(rf"^## {heading}\n.*?```python\n(.*?)```", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_a_recipe() -> None:
    pytest.importorskip("edge_digits_train")
    code = example("Add a recipe")
    values: dict[str, object] = {}
    exec(code, values)
    expression, _, wanted = code.splitlines()[-1].partition("  # ")
    assert eval(expression, values) == int(wanted)
    from edge_digits_train.engine.keras_model import build
    from edge_digits_train.recipes.recipe import Recipe

    recipe = values["recipe"]
    assert isinstance(recipe, Recipe)
    assert build(recipe).count_params() == recipe.parameters


def test_a_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("a_verb_of_a_contributor")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(cli, "VERBS", dict(cli.VERBS))
    exec(example("Add a verb"), module.__dict__)
    result = CliRunner().invoke(cli.main, ["size", str(DEFAULT_MODEL)])
    assert (result.exit_code, result.stdout) == (0, f"{DEFAULT_MODEL.stat().st_size}\n")
    assert "Print the size of a model." in CliRunner().invoke(cli.main, ["--help"]).stdout
    bad = CliRunner().invoke(cli.main, ["size", "no-such.tflite"])
    assert (bad.exit_code, len(bad.stderr.splitlines())) == (2, 1)


def test_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    real = backends.choose()
    monkeypatch.setattr(backends, "BACKENDS", dict(backends.BACKENDS))
    exec(example("Add a backend"), {})
    mine = backends.BACKENDS["mine"]
    monkeypatch.setattr(backends.Backend, "installed", property(lambda _: True))
    monkeypatch.setattr(backends.Backend, "version", property(lambda _: "1.0"))
    monkeypatch.setitem(sys.modules, mine.module, sys.modules.get(real.module) or real.load())
    monkeypatch.setattr("importlib.import_module", lambda name: sys.modules[name])
    assert DigitClassifier(backend="mine").backend is mine


def test_the_rooms_are_the_folders_that_there_are() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    there = {path.parent.name for path in ROOT.glob("*/pyproject.toml")} | {"edge_digits"}
    assert named == there


def test_one_version_everywhere() -> None:
    spec = importlib.util.spec_from_file_location("release", ROOT / "release.py")
    assert spec
    assert spec.loader
    release = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(release)
    assert release.differing() == []


def test_another_version_is_written_everywhere(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("release", ROOT / "release.py")
    assert spec
    assert spec.loader
    release = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(release)
    for file in release.files():
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    release.set_version("0.2.0", tmp_path)
    assert release.differing(tmp_path) == []
    texts = [file.read_text(encoding="utf-8") for file in release.files(tmp_path)]
    assert all('"0.2.0"' in text or "==0.2.0" in text for text in texts)
    assert not [text for text in texts if re.search(r"edge-digits[\w\[\],-]*==0\.1\.0", text)]
    with pytest.raises(SystemExit, match="allowed is"):
        release.set_version("next", tmp_path)
