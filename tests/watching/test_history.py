"""What was read before is found again, in memory and in the database, alike."""

from pathlib import Path

import pytest
from edge_digits_runtime.errors import WatchError
from stand_ins import record

from edge_digits.watching import history
from edge_digits.watching.files_output import SqliteFile
from edge_digits.watching.history import Database, History, Recent


@pytest.fixture(params=["memory", "database"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> History:
    """A hundred records a minute apart, each tenth doubtful, and one of another meter."""
    output: Recent | SqliteFile = Recent() if request.param == "memory" else SqliteFile(tmp_path / "m.db")
    if request.param == "database":
        output.write(record(9.0, at=30, meter="gas"))
    for minute in range(60):
        output.write(record(None if minute % 10 == 5 else 100.0 + minute, at=60 * minute))
    output.close()
    return output if isinstance(output, Recent) else Database(tmp_path / "m.db", "water")


def test_the_newest_come_first(kept: History) -> None:
    found = kept.records(3)
    assert [one.value for one in found] == [159.0, 158.0, 157.0]
    assert found[0] == record(159.0, at=59 * 60)


def test_doubtful_ones_are_told_apart(kept: History) -> None:
    assert {one.value for one in kept.records(100, sure=False)} == {None}
    assert len(kept.records(100, sure=False)) == 6
    assert len(kept.records(100, sure=True)) == 54
    assert len(kept.records(100)) == 60
    assert kept.records(1, sure=False)[0] == record(None, at=55 * 60)


def test_over_a_time_they_are_spread_evenly(kept: History) -> None:
    since = record(0.0, at=20 * 60).time
    assert len(kept.records(100, since)) == 40
    assert [one.time[14:16] for one in kept.records(8, since)] == ["59", "54", "49", "44", "39", "34", "29", "24"]
    assert len(kept.records(7, since)) <= 7
    assert kept.records(5, record(0.0, at=59 * 60).time + "x") == []


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT", 10)
    recent = Recent()
    for minute in range(50):
        recent.write(record(float(minute), at=60 * minute))
    assert [one.value for one in recent.records(100)] == [float(minute) for minute in range(49, 39, -1)]


@pytest.mark.parametrize("content", [None, b"no database, but long enough to be taken for one\n" * 50])
def test_what_is_no_database_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "m.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WatchError, match=r"m\.db: the readings cannot be looked up: "):
        Database(path, "water").records(1)
