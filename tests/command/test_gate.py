"""The gate of --max-drop: the interval decides, not the drop that happened to be measured."""

import pytest

from edge_digits.gate import Gate
from edge_digits.paired import Paired, newcombe_interval
from edge_digits.pipeline import print_gates


def pairs(lost: int, won: int, both_wrong: int = 60, count: int = 10_000) -> Paired:
    both_right = count - lost - won - both_wrong
    return Paired(both_right, lost, won, both_wrong, agreeing=both_right + both_wrong)


@pytest.mark.parametrize(
    ("lost", "won", "count", "limit", "outcome"),
    [
        (3, 3, 10_000, 0.5, "within"),
        (0, 0, 10_000, 0.5, "within"),
        (200, 20, 10_000, 0.5, "above"),
        # The drop of 0 is far within the limit, but 200 pictures do not show it.
        (0, 0, 200, 0.5, "not shown"),
        # Above the limit by itself, but not beyond chance.
        (6, 0, 1_000, 0.5, "not shown"),
        # Nothing is lost, but some of these pictures might have been.
        (0, 0, 10_000, 0.0, "not shown"),
        (0, 200, 10_000, 0.0, "within"),
    ],
)
def test_the_whole_interval_must_be_on_one_side(lost: int, won: int, count: int, limit: float, outcome: str) -> None:
    gate = Gate("net", pairs(lost, won, count=count), limit)
    assert gate.outcome == outcome
    assert gate.passed is (outcome == "within")
    low, high = gate.paired.interval_pp
    assert (high <= limit, low > limit) == (outcome == "within", outcome == "above")
    assert f"{low:.2f} to {high:.2f}".replace("-", "−") in str(gate)


@pytest.mark.parametrize(("lost", "won", "count", "limit"), [(0, 0, 200, 0.5), (6, 0, 1_000, 0.5), (3, 2, 500, 0.4)])
def test_the_number_of_pictures_that_would_settle_it(lost: int, won: int, count: int, limit: float) -> None:
    gate = Gate("net", pairs(lost, won, both_wrong=20, count=count), limit)
    needed = gate.pictures_needed
    assert needed is not None

    def settled(pictures: int) -> bool:
        pair = gate.paired
        counts = (pair.both_right, pair.lost, pair.won, pair.both_wrong)
        low, high = newcombe_interval(*(c * pictures / pair.count for c in counts))
        return 100 * high <= limit or 100 * low > limit

    assert settled(needed)
    assert not settled(needed - 1)
    assert "would settle it" in str(gate)


def test_no_number_settles_a_drop_at_the_limit() -> None:
    gate = Gate("net", pairs(0, 0), 0.0)
    assert gate.pictures_needed is None
    assert "no number of pictures would settle it" in str(gate)
    assert gate.to_dict() == {
        "name": "net",
        "limit_pp": 0.0,
        "by_point": False,
        "outcome": "not shown",
        "pictures_needed": None,
    }


def test_by_point_the_drop_alone_decides() -> None:
    assert Gate("net", pairs(0, 0, count=200), 0.5, by_point=True).passed
    assert Gate("net", pairs(6, 0, both_wrong=20, count=1_000), 0.5, by_point=True).outcome == "above"
    # A drop that equals the limit is within it, whatever the last bits of the shares.
    for both_wrong in range(0, 500):
        assert Gate("net", pairs(10, 0, both_wrong), 0.1, by_point=True).passed


def test_one_model_that_fails_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    good, unknown, bad = (Gate(name, pairs(lost, 0), 0.5) for name, lost in (("a", 1), ("b", 45), ("c", 300)))
    assert [gate.outcome for gate in (good, unknown, bad)] == ["within", "not shown", "above"]
    assert print_gates([]) == print_gates([good]) == 0
    assert print_gates([good, unknown]) == print_gates([bad, good]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert "--point" in lines[2]
    assert "c: the drop of 3.00 pp is above the limit of 0.50 pp" in lines[3]


def test_a_limit_is_named_as_it_was_typed() -> None:
    assert "limit of 0.005 pp" in str(Gate("net", pairs(1, 1), 0.005))
    assert "within the limit of 20.00 pp" in str(Gate("net", pairs(1, 1), 20))
    assert "30 lines" in str(Gate("net", pairs(0, 0, both_wrong=1, count=30), 1, what="line"))
