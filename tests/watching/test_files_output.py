"""Files survive what happens to them: other columns, half a line, a full disk."""

import csv
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from edge_digits_runtime.errors import OutputError
from stand_ins import record

from edge_digits.watching.files_output import COLUMNS, CsvFile, SqliteFile
from edge_digits.watching.record import seconds


@contextmanager
def disk_full(size: int) -> Iterator[None]:
    """Let no file grow beyond ``size`` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def test_csv_has_a_line_for_each_record_and_one_header(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "meter.csv"
    for value in (123.4, None):
        table = CsvFile(path)
        table.write(record(value, source='odd, "name"\n'))
        table.close()
    assert rows(path) == [
        list(COLUMNS),
        ["2026-05-01T12:00:00.000+00:00", "water", "123.4", "m³", "123.4", "True", "", 'odd, "name"\n', ""],
        [
            "2026-05-01T12:00:00.000+00:00", "water", "", "m³", "1?3.4", "False", "doubtful: character 2",
            'odd, "name"\n', "",
        ],
    ]  # fmt: skip


def test_csv_ends_half_a_line_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    table = CsvFile(path)
    table.write(record(123.4))
    table.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    table = CsvFile(path)
    table.write(record(123.5, at=60))
    table.close()
    assert path.read_bytes().startswith(whole[:-20] + b"\n2026-05-01T12:01")


def test_csv_with_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    path.write_text("when,what\n")
    with pytest.raises(OutputError, match="begins with 'when,what'"):
        CsvFile(path)
    assert path.read_text() == "when,what\n"
    with pytest.raises(OutputError, match="Is a directory"):
        CsvFile(tmp_path)


def test_csv_on_a_full_disk_loses_nothing_and_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    table = CsvFile(path)
    table.write(record(123.4))
    size = path.stat().st_size
    with disk_full(size + 10):
        for at in (60, 120):
            with pytest.raises(OSError, match=r"large|space"):
                table.write(record(123.5, at=at))
        assert path.stat().st_size == size
    table.write(record(123.6, at=180))
    table.close()
    assert [row[2] for row in rows(path)[1:]] == ["123.4", "123.5", "123.5", "123.6"]


def test_sqlite_keeps_readings_and_doubts_apart(tmp_path: Path) -> None:
    path = tmp_path / "meter.db"
    for _ in range(2):
        database = SqliteFile(path)
        database.write(record(123.4))
        database.write(record(None, picture="seen.jpg"))
        with sqlite3.connect(path) as reader:
            # Another program reads while the file is open.
            assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert reader.execute("SELECT count(*) FROM readings").fetchone()[0] > 0
        database.close()
    with sqlite3.connect(path) as reader:
        assert reader.execute("SELECT DISTINCT value, unit, text, source FROM readings").fetchall() == [
            (123.4, "m³", "123.4", "numbers")
        ]
        assert (
            reader.execute("SELECT reason, picture FROM doubts").fetchall()
            == [("doubtful: character 2", "seen.jpg")] * 2
        )


def test_sqlite_on_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "meter.db"
    database = SqliteFile(path)
    database.write(record(123.4))
    with disk_full(path.with_suffix(".db-wal").stat().st_size), pytest.raises(OSError, match=r"disk|full"):
        database.write(record(123.5, at=60))
    database.write(record(123.6, at=120))
    database.close()
    with sqlite3.connect(path) as reader:
        found = reader.execute("SELECT value FROM readings ORDER BY time").fetchall()
    assert found == [(123.4,), (123.5,), (123.6,)]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "meter.db"
    path.write_text("no database, but long enough to be taken for one\n" * 50)
    with pytest.raises(OutputError, match="cannot be used as a database"):
        SqliteFile(path)


@pytest.mark.parametrize("kind", [CsvFile, SqliteFile])
def test_the_last_published_reading_is_found_again(tmp_path: Path, kind: type[CsvFile | SqliteFile]) -> None:
    path = tmp_path / "file"
    first = kind(path)
    assert first.last("water") is None
    for at, value in enumerate([123.4, 123.5, None]):
        first.write(record(value, at=60 * at))
    first.write(record(9.0, at=300, meter="gas"))
    first.close()
    again = kind(path)
    assert again.last("water") == (seconds("2026-05-01T12:01:00.000+00:00"), 123.5)
    assert again.last("power") is None
    again.close()
