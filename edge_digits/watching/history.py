"""What was read of a meter before: kept in memory, or looked up in the database that is written meanwhile."""

import math
import sqlite3
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from edge_digits_runtime.errors import WatchError

from edge_digits.watching.record import Record

KEPT = 10_000
"""Records that are kept in memory, a week of one a minute; then the oldest are forgotten."""


class History(Protocol):
    """Finds records again."""

    def records(self, limit: int, since: str | None = None, sure: bool | None = None) -> list[Record]:
        """Return records, the newest first.

        Args:
            limit: how many at most. Without ``since`` they are the newest ones; with it, every so many of them.
            since: the earliest time that counts, as `Record.time`; None for all.
            sure: True for what was published, False for what was doubtful, None for both.

        Raises:
            WatchError: they cannot be looked up.
        """
        ...


class Recent:
    """An output that keeps the last `KEPT` records in memory.

    Example:
        >>> recent = Recent()
        >>> recent.write(Record("2026-05-01T12:00:00.000+00:00", "water", "12.3", 12.3, "m³", None, "camera"))
        >>> [record.value for record in recent.records(10)]
        [12.3]
    """

    name = "history"

    def __init__(self) -> None:
        self._records: deque[Record] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def write(self, record: Record) -> None:
        """Keep a record."""
        with self._lock:
            self._records.append(record)

    def records(self, limit: int, since: str | None = None, sure: bool | None = None) -> list[Record]:
        """Return records, as `History.records`."""
        with self._lock:
            kept = list(self._records)
        found = [
            record
            for record in reversed(kept)
            if (since is None or record.time >= since) and (sure is None or record.sure == sure)
        ]
        return found[:limit] if since is None else list(_thinned(found, limit))

    def close(self) -> None:
        """Do nothing: what is in memory stays readable."""


class Database:
    """Looks records up in a file that `edge_digits.watching.files_output.SqliteFile` writes, here or elsewhere.

    Args:
        path: the file.
        meter: name of the meter whose records are meant.
    """

    def __init__(self, path: Path, meter: str) -> None:
        self._path, self._meter = path, meter

    def records(self, limit: int, since: str | None = None, sure: bool | None = None) -> list[Record]:
        """Return records, as `History.records`.

        Raises:
            WatchError: the file is not there, or is no such database.
        """
        tables = {True: ["readings"], False: ["doubts"], None: ["readings", "doubts"]}[sure]
        both = " UNION ALL ".join(
            f"SELECT time, meter, text, {'value, unit, NULL' if table == 'readings' else 'NULL, unit, reason'}, "
            f"source, picture FROM {table} WHERE meter = ? AND time >= ?"
            for table in tables
        )
        values: list[object] = [self._meter, since or ""] * len(tables)
        try:
            connection = sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", uri=True, timeout=2)
            try:
                step = 1
                if since is not None:
                    (count,) = connection.execute(f"SELECT count(*) FROM ({both})", values).fetchone()
                    step = max(1, math.ceil(count / limit))
                rows = connection.execute(f"SELECT * FROM ({both}) ORDER BY time DESC LIMIT ?", [*values, limit * step])
                return [Record(*row) for place, row in enumerate(rows) if place % step == 0]
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise WatchError(f"{self._path}: the readings cannot be looked up: {error}") from error


def _thinned(records: Sequence[Record], limit: int) -> Sequence[Record]:
    return records[:: max(1, math.ceil(len(records) / limit))]
