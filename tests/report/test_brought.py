"""What a new model brought, on the same pictures; and no worse one is deployed."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.records.evaluation import Evaluation

from edge_digits.cli import main
from edge_digits.report.brought import between

MODELS = Path(__file__).parents[2] / "models" / "edge_digits_models"
TRUTH = [k % 10 for k in range(200)]


def answers(wrong: range) -> list[int]:
    return [(label + 1) % 10 if k in wrong else label for k, label in enumerate(TRUTH)]


@pytest.mark.parametrize(
    ("before", "after", "verdict", "worse"),
    [
        (range(10), range(40), "worse", True),
        (range(40), range(10), "better", False),
        (range(10), range(12), "no difference beyond chance", False),
        (range(20), range(100, 120), "no difference beyond chance", False),
        (range(0), range(0), "no difference beyond chance", False),
    ],
)
def test_only_what_is_beyond_chance_counts(
    tmp_path: Path, make_evaluation: Callable[..., Evaluation], before: range, after: range, verdict: str, worse: bool
) -> None:
    old = tmp_path / "old.json"
    make_evaluation(TRUTH, answers(before), name="old").save(old)
    (result,) = between([old], [make_evaluation(TRUTH, answers(after), name="new")])
    assert str(result).endswith(f": {verdict}")
    assert str(result).startswith("new int8 on MNIST: ")
    assert result.worse is worse
    assert result.to_dict()["difference_pp"] == pytest.approx((len(before) - len(after)) / 2)
    low, high = result.to_dict()["interval_pp"]
    assert low <= result.to_dict()["difference_pp"] <= high


def test_evaluations_of_other_pictures_do_not_compare(
    tmp_path: Path, make_evaluation: Callable[..., Evaluation]
) -> None:
    old = tmp_path / "old.json"
    make_evaluation(TRUTH, TRUTH).save(old)
    other = make_evaluation(TRUTH, TRUTH, pictures="b")
    with pytest.raises(EvaluationError, match="none of the other evaluations is of the same pictures"):
        between([old], [other])
    assert len(between([old], [other, dataclasses.replace(other, data=make_evaluation(TRUTH, TRUTH).data)])) == 1


def test_report_says_what_was_brought() -> None:
    names = [MODELS / f"digits-{size}.evaluation.json.gz" for size in ("m", "xs")]
    worse = CliRunner().invoke(main, ["report", str(names[1]), "--before", str(names[0])])
    assert (worse.exit_code, worse.stdout.rstrip()[-5:]) == (1, "worse")
    better = CliRunner().invoke(main, ["report", str(names[0]), "--before", str(names[1]), "--json"])
    assert (better.exit_code, json.loads(better.stdout)["worse"]) == (0, False)


def test_a_worse_model_is_not_deployed() -> None:
    """digits-xs answers 0.38 points of MNIST's test pictures less than digits-m, far beyond chance."""
    better = str(MODELS / "digits-m.evaluation.json.gz")
    arguments = ["deploy", "no-run", "no-host", "--require-better", better]
    refused = CliRunner().invoke(main, [*arguments, "--model", "digits-xs"])
    assert refused.exit_code == 1
    assert "is worse than the model before on MNIST: it is not put into use." in refused.stderr
    # The same model is not worse than itself; what stops it then is that there is no such run.
    allowed = CliRunner().invoke(main, [*arguments, "--model", "digits-m"])
    assert allowed.exit_code == 2
    assert "MNIST: 99.64 % before, 99.64 % now, of 10,000 pictures" in allowed.stderr
    assert "no-run" in allowed.stderr
