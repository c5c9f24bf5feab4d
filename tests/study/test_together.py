"""What the studies say together: sizes, sentences and the figure."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from edge_digits_runtime.errors import RunError
from edge_digits_study import overview_page, published_comparison, together
from edge_digits_study.results import Results, Trial
from edge_digits_study.studies import STUDIES
from PIL import Image

from edge_digits.cli import main

Make = Callable[..., Trial]
FRONTIER = Path(__file__).parents[2] / "docs" / "research" / "frontier.json"


@pytest.fixture
def folder(make_trial: Make, tmp_path: Path) -> Path:
    """Results of two studies: an MLP and two CNNs, one of them without int8."""
    trials = {
        "mlp-against-cnn": [
            make_trial("mlp", test=0.977, parameters=235_146, macs=234_752),
            make_trial("cnn", test=0.991, parameters=421_642, macs=4_241_152),
        ],
        "dropout-noise": [make_trial("cnn", test=0.99, epochs=100, parameters=34_826, macs=2_440_960, drop=None)],
    }
    for name, each in trials.items():
        Results(name, tuple(each)).save(tmp_path / name)
    return tmp_path


def words(folder: Path, family: tuple[together.Model, ...] = ()) -> str:
    comparisons = published_comparison.compare({name: folder / name for name in STUDIES})
    return "\n".join(together.sentences(comparisons, together.systems(comparisons), family))


def test_sentences(folder: Path) -> None:
    said = words(folder)
    assert "Best float original: CNN 32-64 (MLP against CNN; 421,642 parameters) with 99.10 %" in said
    assert "With one seed it is not known whether it is the best." in said
    assert (
        "the best network without them is MLP 256-128 (MLP against CNN; 235,146 parameters) with 97.70 %, and all 2 "
        "with convolutions are better, down to CNN (Dropout and Gaussian noise; 34,826 parameters) with 99.00 %"
    ) in said
    assert "Missing: MLP against CNN: MLP 256-128, seeds 1 and 2; " in said


def test_the_family_is_compared_in_int8(folder: Path) -> None:
    said = words(folder, together.family(FRONTIER))
    assert "In int8 the best system of the studies has 99.10 % (CNN 32-64, 50,000 bytes). digits-xs has 99.20 %" in said
    small = together.Model("digits-xs", "digits- family", 10, 10, True, 90.0, 90.0, 50.0, 1)
    assert "none of the models beside them has more" in words(folder, (small,))


def test_nothing_was_run(tmp_path: Path) -> None:
    assert words(tmp_path) == "No system was run."
    comparisons = published_comparison.compare({name: tmp_path / name for name in STUDIES})
    overview_page.draw(comparisons, tmp_path)
    assert not (tmp_path / overview_page.FIGURE).exists()
    assert "## All systems" not in overview_page.to_markdown(comparisons, tmp_path)


def test_the_verb_draws_the_figure_and_shows_every_system(folder: Path) -> None:
    out = folder / "page" / "README.md"
    out.parent.mkdir()
    result = CliRunner().invoke(main, ["study", "compare", str(folder), "--out", str(out), "--family", str(FRONTIER)])
    assert result.exit_code == 0
    page = out.read_text(encoding="utf-8")
    assert f"]({overview_page.FIGURE})" in page
    assert (
        "| CNN | Dropout and Gaussian noise | 34,826 | 2,440,960 | 99.00 | not converted | not converted | 1 |" in page
    )
    assert "| digits-m | digits- family | 24,498 |" in page
    with Image.open(out.parent / overview_page.FIGURE) as image:
        assert min(image.size) > 200


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not a file of models"),
        ("{}", "has none of digits-xs"),
        (json.dumps({"digits-xs": {"parameters": 1, "macs": 1, "seeds": {}}}), "not a file of models"),
        (json.dumps({"digits-xs": {"parameters": 1, "macs": 0, "seeds": {"0": 1}}}), "not a file of models"),
    ],
)
def test_a_damaged_file_of_the_family_is_an_error(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "frontier.json"
    path.write_text(content)
    with pytest.raises(RunError, match=reason):
        together.family(path)
    with pytest.raises(RunError, match="cannot be read"):
        together.family(tmp_path / "none.json")
