"""Readings in files: CSV and SQLite."""

import csv
import io
import os
import sqlite3
from collections import deque
from pathlib import Path

from edge_digits_runtime.errors import OutputError

from edge_digits.watching.record import Record, seconds

COLUMNS = ("time", "meter", "value", "unit", "text", "sure", "reason", "source", "picture")
"""Columns of a CSV file."""
BACKLOG = 10_000
"""Records that are kept in memory while there is no room for them; then the oldest are given up."""


class CsvFile:
    """Appends a line for each record, doubtful ones too, and hands it to the system at once.

    A killed process leaves whole lines only. A line that a power cut left incomplete is ended, and stays as it is.

    Raises:
        OutputError: the file cannot be opened, or has other columns.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._waiting: deque[bytes] = deque(maxlen=BACKLOG)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            size = os.fstat(self._file).st_size
            head = os.pread(self._file, 4096, 0)
            tail = os.pread(self._file, 1, size - 1) if size else b""
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
        header = _line(COLUMNS)
        if not size:
            self._waiting.append(header)
        elif not head.startswith(header.rstrip()):
            first = head.split(b"\n", 1)[0].decode(errors="replace").strip()
            raise OutputError(
                f"{path}: begins with {first!r:.60}, not with {header.decode().strip()!r}: name another file"
            )
        elif tail != b"\n":
            self._waiting.append(b"\n")

    def write(self, record: Record) -> None:
        """Append a line.

        Raises:
            OSError: there is no room; the line is tried again with the next one.
        """
        values = record.to_dict()
        self._waiting.append(_line(["" if values[name] is None else str(values[name]) for name in COLUMNS]))
        self._flush()

    def _flush(self) -> None:
        while self._waiting:
            line = self._waiting[0]
            size = os.fstat(self._file).st_size
            try:
                written = os.write(self._file, line)
            except OSError:
                # Half a line may be there already.
                os.ftruncate(self._file, size)
                raise
            if written < len(line):
                os.ftruncate(self._file, size)
                raise OSError(28, "No space left on device", self.name)
            self._waiting.popleft()

    def last(self, meter: str) -> tuple[float, float] | None:
        """Return when and what was published last of a meter; None where nothing was."""
        try:
            with self._path.open(encoding="utf-8", errors="replace", newline="") as stream:
                stream.seek(max(0, self._path.stat().st_size - (1 << 16)))
                rows = list(csv.reader(stream))
        except (OSError, csv.Error):
            return None
        for row in reversed(rows):
            if len(row) == len(COLUMNS) and row[1] == meter and row[COLUMNS.index("sure")] == "True":
                try:
                    return seconds(row[0]), float(row[2])
                except ValueError:
                    continue
        return None

    def close(self) -> None:
        """Write what is left and close the file."""
        try:
            self._flush()
        finally:
            os.close(self._file)


def _line(values: "tuple[str, ...] | list[str]") -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode("utf-8", "replace")


class SqliteFile:
    """Two tables, ``readings`` and ``doubts``, in a file that others may read meanwhile (WAL).

    Raises:
        OutputError: the file cannot be opened, or is no database.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._waiting: deque[Record] = deque(maxlen=BACKLOG)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Opened by one thread and used by another, where a service watches; never by two at a time.
            self._connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            for table, column in (("readings", "value REAL NOT NULL"), ("doubts", "reason TEXT NOT NULL")):
                self._connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {table} (time TEXT NOT NULL, meter TEXT NOT NULL, {column}, "
                    "unit TEXT NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL, picture TEXT)"
                )
                self._connection.execute(f"CREATE INDEX IF NOT EXISTS {table}_time ON {table} (meter, time)")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
        except sqlite3.Error as error:
            raise OutputError(f"{path}: cannot be used as a database: {error}") from error

    def write(self, record: Record) -> None:
        """Add a row to one of the tables.

        Raises:
            OSError: there is no room; the row is tried again with the next one.
        """
        self._waiting.append(record)
        self._flush()

    def _flush(self) -> None:
        while self._waiting:
            record = self._waiting[0]
            table, what = ("readings", record.value) if record.sure else ("doubts", record.reason)
            row = (record.time, record.meter, what, record.unit, record.text, record.source, record.picture)
            try:
                self._connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            except sqlite3.Error as error:
                raise OSError(None, str(error), self.name) from error
            self._waiting.popleft()

    def last(self, meter: str) -> tuple[float, float] | None:
        """Return when and what was published last of a meter; None where nothing was."""
        found = self._connection.execute(
            "SELECT time, value FROM readings WHERE meter = ? ORDER BY time DESC LIMIT 1", (meter,)
        ).fetchone()
        return None if found is None else (seconds(found[0]), float(found[1]))

    def close(self) -> None:
        """Write what is left and close the file."""
        try:
            self._flush()
        finally:
            self._connection.close()
