"""The examples of CONTRIBUTING.md work, and a release has one version."""

import importlib.util
import re
import sys
import tomllib
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


@pytest.fixture
def release() -> types.ModuleType:
    """The release script."""
    spec = importlib.util.spec_from_file_location("release", ROOT / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copied(release: types.ModuleType, tmp_path: Path) -> Path:
    """A folder with copies of all files that a release changes."""
    for file in release.files():
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def test_one_version_and_one_address_everywhere(release: types.ModuleType) -> None:
    assert release.differing() == []
    found = release.urls()
    assert len(found) in (0, len(release.files()) - 1)
    assert len(set(found.values())) <= 1


def test_the_address_of_the_project_is_written_into_all_metadata(release: types.ModuleType, copied: Path) -> None:
    before = {file: tomllib.loads(file.read_text()) for file in release.files(copied)[1:]}
    for url in ("https://example.org/edge-digits", "https://example.org/moved"):
        release.set_url(url, copied)
        for file, values in before.items():
            now = tomllib.loads(file.read_text())
            assert now["project"].pop("urls") == {"Repository": url}
            values["project"].pop("urls", None)
            assert now == values
    assert set(release.urls(copied).values()) == {"https://example.org/moved"}
    for wrong in ("example.org", 'https://example.org/"', "https://example.org/?a=b", "https://a\nb"):
        with pytest.raises(SystemExit, match="allowed is https://"):
            release.set_url(wrong, copied)


def test_another_version_is_written_everywhere(release: types.ModuleType, copied: Path) -> None:
    release.set_version("0.2.0", copied)
    assert release.differing(copied) == []
    texts = [file.read_text(encoding="utf-8") for file in release.files(copied)]
    assert all('"0.2.0"' in text or "==0.2.0" in text for text in texts)
    assert not [text for text in texts if re.search(r"edge-digits[\w\[\],-]*==0\.1\.0", text)]
    with pytest.raises(SystemExit, match="allowed is"):
        release.set_version("next", copied)
