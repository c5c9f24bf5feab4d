"""Whoever passes on a model, a bundle or a distribution finds the terms of what is in it, and they agree."""

import dataclasses
import json
import re
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import ModelCard, TrainedOn, append_card, read_model_file

from edge_digits.cli import main

ROOT = Path(__file__).parents[2]
NOTICE = (ROOT / "NOTICE.md").read_text(encoding="utf-8")
SHIPPED = sorted(
    path for folder in ("runtime", "models") for path in (ROOT / folder / f"edge_digits_{folder}").rglob("*.tflite")
)
PROJECTS = [
    tomllib.loads(path.read_text(encoding="utf-8"))["project"] | {"folder": path.parent}
    for path in [ROOT / "pyproject.toml", *sorted(ROOT.glob("*/pyproject.toml"))]
]
IN_NOTICE = {
    "CC-BY-SA-3.0": "licenses/by-sa/3.0/",
    "CC-BY-4.0": "licenses/by/4.0/",
    "CC0-1.0": "publicdomain/zero/1.0/",
    "Apache-2.0": "apache.org/licenses/LICENSE-2.0",
    "Bitstream-Vera": "Bitstream Vera licence",
    "OFL-1.1": "SIL Open Font License 1.1",
    "LicenseRef-NOTICE.md": "**Fonts**",
    "MIT": "[MIT licence](LICENSE)",
}
"""How NOTICE.md writes what SPDX identifies."""
OWN = TrainedOn("own", "CC-BY-4.0")
DATA_FILES = ("*.tflite", "*.npz", "*.xz", "*.png", "*.keras")


def identifiers(expression: str) -> list[str]:
    return [word for word in expression.split() if word not in ("AND", "OR", "WITH")]


def test_these_are_all_models_that_ship() -> None:
    named = {*registry.paths().values(), *registry.line_paths().values(), registry.ROW_MODEL}
    assert {path.resolve() for path in named} == {path.resolve() for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_card_of_a_model_that_ships_names_its_data_and_their_terms_and_what_is_granted(path: Path) -> None:
    card = read_model_file(path).card
    assert card is not None
    assert card.licence == "MIT", "convert it with --licence MIT"
    assert card.trained_on
    for each in card.trained_on:
        assert each.terms, each.data
        assert not [name for name in identifiers(each.terms) if IN_NOTICE[name] not in NOTICE]
    if card.recipe.get("optdigits"):
        assert TrainedOn("Optical Recognition of Handwritten Digits", "CC-BY-4.0") in card.trained_on


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project["name"])
def test_the_metadata_of_a_distribution_agree(project: dict[str, object]) -> None:
    folder = project["folder"]
    assert isinstance(folder, Path)
    assert project["authors"] == [{"name": "the edge-digits authors"}]
    package = folder / str(project["name"]).replace("-", "_")
    data = [path for pattern in DATA_FILES for path in package.rglob(pattern)]
    assert project["license-files"] == ["LICENSE", *(["NOTICE.md"] if data else [])]
    for name in project["license-files"]:
        assert (folder / name).read_bytes() == (ROOT / name).read_bytes()
    # What NOTICE.md says lies in this distribution is in its licence, and nothing else.
    wanted = {"MIT"} | {name for name, paths in places().items() if any(p.startswith(inside(package)) for p in paths)}
    assert set(identifiers(str(project["license"]))) == wanted


def inside(package: Path) -> str:
    return f"{package.relative_to(ROOT).as_posix()}/"


def places() -> dict[str, list[str]]:
    """The files of each section of NOTICE.md that has one licence, by that licence."""
    found: dict[str, list[str]] = {}
    for section in re.split(r"^(?=\*\*)", NOTICE, flags=re.MULTILINE)[1:]:
        names = [name for name, words in IN_NOTICE.items() if words in section and words.count("/")]
        if len(names) == 1 and "**Fonts**" not in section:
            found.setdefault(names[0], []).extend(re.findall(r"`([\w./]+)`", section))
    return found


def test_the_card_says_what_a_person_says(make_run: Callable[..., Path]) -> None:
    """What `convert` writes is tested where Keras is: this is how the card and the bundle carry it."""
    pytest.importorskip("edge_digits_convert")
    from edge_digits_convert.terms import MNIST, OPTDIGITS, SIGNS, Terms, trained_on
    from edge_digits_runtime.records.run import RunRecord

    record = RunRecord.load(make_run({}))
    terms = Terms("CC-BY-4.0", "MIT")
    own = {"source": "/own", "name": "own"}
    mixed = {"source": "/runs/a/mixed.npz", "name": "MNIST + 12 × kept"}
    cases = [
        ({}, {}, {}, (MNIST,)),
        (own, {}, {}, (OWN,)),
        ({"source": "/MNIST", "name": "MNIST"}, {}, {}, (TrainedOn("MNIST", "CC-BY-4.0"),)),
        (mixed, {}, {}, (MNIST, TrainedOn("kept", "CC-BY-4.0"))),
        ({}, {"optdigits": 1, "distillation": 0.9, "outliers": 0.03}, {}, (MNIST, OPTDIGITS, SIGNS)),
        (
            own,
            {},
            {"origin": "started from digits-m"},
            (OWN, TrainedOn("weights that were started from digits-m", "")),
        ),
    ]
    for data, recipe, extra, wanted in cases:
        changed = dataclasses.replace(
            record,
            data=dict(record.data) | {"source": None, "name": "MNIST"} | data,
            recipe=dict(record.recipe) | {"optdigits": 0, "distillation": 0.0, "outliers": 0.0} | recipe,
            extra=extra,
            history={"loss": [0.1]},
        )
        assert trained_on(changed, terms) == wanted
    # The pictures of an imported model measure it: it was trained on others.
    imported = dataclasses.replace(record, extra={"origin": "imported from a.h5"}, history={"loss": []})
    assert trained_on(imported, terms) == (TrainedOn("weights that were imported from a.h5", ""),)


@pytest.mark.parametrize("licence", ["all rights reserved", "MIT;", "MIT AND", "\n", "MIT\nAND X"])
def test_what_is_no_spdx_expression_is_refused(licence: str, make_run: Callable[..., Path]) -> None:
    run = make_run({})
    for option in ("--licence", "--data-licence"):
        result = CliRunner().invoke(main, ["convert", str(run), option, licence])
        assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
        assert "SPDX expression" in result.stderr
    flatbuffer = (ROOT / "tests" / "runtime" / "models" / "foreign-half-scale.tflite").read_bytes()
    with pytest.raises(ModelError, match="SPDX expression"):
        append_card(flatbuffer, ModelCard("tiny", "int8", "", licence=licence))


def test_models_and_bundles_say_it(tmp_path: Path, make_run: Callable[..., Path]) -> None:
    rows = [json.loads(line) for line in CliRunner().invoke(main, ["models", "--json"]).stdout.splitlines()]
    assert {row["licence"] for row in rows} == {"MIT"}
    assert {"data": "MNIST", "terms": "CC-BY-SA-3.0"} in rows[0]["trained_on"]
    command = ["bundle", str(make_run({})), "--model", "digits-m", "-o", str(tmp_path / "pi.zip")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.stderr
    with zipfile.ZipFile(tmp_path / "pi.zip") as archive:
        readme = archive.read("edge-digits-bundle/README.txt").decode()
    assert "trained on MNIST (CC-BY-SA-3.0)\n" in readme
    assert "licence of the model: MIT\n" in readme
