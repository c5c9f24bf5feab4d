"""The loop: every picture is accounted for, trouble is said once, and SIGTERM ends it within a second."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from edge_digits_runtime.errors import PictureError, WatchError
from stand_ins import Kept, Numbers, Told, picture, profile

from edge_digits.watching.doubts import Doubts
from edge_digits.watching.folder import Folder
from edge_digits.watching.frames import Frame
from edge_digits.watching.loop import Watch


def watch(
    source: object, kept: Kept, doubts: Doubts | None = None, once: bool = False, every: float = 0.0
) -> list[str]:
    """Watch until the source is exhausted and return what was said."""
    said: list[str] = []
    Watch(source, Told(profile(highest_per_hour=60.0)), [kept], said.append, doubts).run(every, once)  # type: ignore[arg-type]
    return said


class Ends(Numbers):
    """A camera whose process is told to end when it has shown everything."""

    def frames(self):  # type: ignore[no-untyped-def]
        if not self._left:
            os.kill(os.getpid(), signal.SIGTERM)
        yield from super().frames()


def test_every_picture_becomes_one_record_in_order(kept: Kept, tmp_path: Path) -> None:
    watch(Ends([50, 50, 50, 51, 0, 51, 990, 52, 52]), kept, Doubts(tmp_path / "doubts", 10**6))
    assert [one.value for one in kept.records] == [5.0, 5.0, 5.0, None, 5.1, 5.1, None, 5.2, 5.2]
    assert [one.text for one in kept.records if not one.sure] == ["???.?", "099.0"]
    assert all(one.picture and Path(one.picture).is_file() for one in kept.records if not one.sure)
    assert len({one.time for one in kept.records}) == 9
    assert kept.closed


def test_a_vanished_camera_is_one_warning_and_a_retry(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("edge_digits.watching.loop.time.sleep", slept.append)
    said = watch(Ends([50, 50, 50, *[None] * 9, 50, 50]), kept, every=60)
    assert said == ["Warning: numbers: unplugged", "numbers: works again, after 9 failures"]
    assert [one.value for one in kept.records] == [5.0] * 5
    # The wait grows from one second to the usual time.
    failed = [round(pause) for pause in slept[3:12]]
    assert failed == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_reading_that_waits_to_be_borne_out_gets_its_next_picture_soon(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("edge_digits.watching.loop.time.sleep", slept.append)
    watch(Ends([50, 50, 50, 50, 51, 51, 51]), kept, every=60)
    assert [round(pause) for pause in slept] == [5, 5, 60, 60, 5, 60, 60]


def test_once_ends_with_the_first_reading_that_is_published(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_digits.watching.loop.time.sleep", lambda _: None)
    watch(Numbers([0, 50, 50, 50, 50, 50]), kept, once=True)
    assert [one.value for one in kept.records] == [None, 5.0, 5.0, 5.0]


def test_once_gives_up_where_nothing_is_sure(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_digits.watching.loop.time.sleep", lambda _: None)
    watch(Numbers([0] * 100), kept, once=True)
    assert len(kept.records) == 8


def test_a_folder_is_read_to_its_end_past_a_bad_picture(kept: Kept, tmp_path: Path) -> None:
    for index, number in enumerate([50, 50, 50, 51, 51]):
        picture(number).save(tmp_path / f"{index}.png")
        os.utime(tmp_path / f"{index}.png", (1_700_000_000 + 60 * index,) * 2)
    (tmp_path / "2a.png").write_bytes(b"no picture")
    os.utime(tmp_path / "2a.png", (1_700_000_000 + 130,) * 2)
    (tmp_path / "notes.txt").write_text("no picture, and no name of one")
    said = watch(Folder(tmp_path), kept, once=True)
    assert [one.value for one in kept.records] == [5.0, 5.0, 5.0, 5.1, 5.1]
    assert [one.source for one in kept.records] == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    assert len(said) == 1
    assert "2a.png: not a picture" in said[0]


def test_a_picture_that_is_still_being_written_is_waited_for(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    picture(50).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "whole.png").unlink()
    (tmp_path / "new.png").write_bytes(content[:40])
    assert list(folder.frames()) == []
    (tmp_path / "new.png").write_bytes(content)
    assert [frame.name for frame in folder.frames()] == ["new.png"]
    assert list(folder.frames()) == []


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "gone")
    with pytest.raises(WatchError, match="this folder cannot be read"):
        list(folder.frames())


def test_an_output_without_room_is_one_warning_and_stops_nothing(kept: Kept) -> None:
    class Full(Kept):
        name = "card"

        def write(self, record: object) -> None:
            super().write(record)  # type: ignore[arg-type]
            if 2 <= len(self.records) <= 4:
                raise OSError(28, "No space left on device")

    full = Full()
    said: list[str] = []
    reader = Told(profile())
    Watch(Ends([50] * 8), reader, [full, kept], said.append).run(0.0)  # type: ignore[arg-type]
    assert said == ["Warning: card: No space left on device", "card: works again, after 3 failures"]
    assert len(kept.records) == 8


def test_a_picture_of_another_form_is_one_warning(kept: Kept) -> None:
    class Odd(Told):
        def read(self, _: object) -> object:  # type: ignore[override]
            raise PictureError("640×360 pixels; the profile is of 640×480")

    said: list[str] = []
    Watch(Ends([50] * 4), Odd(profile()), [kept], said.append).run(0.0)  # type: ignore[arg-type]
    assert said == ["Warning: numbers: 640×360 pixels; the profile is of 640×480"]


def test_doubtful_pictures_stay_within_their_limit(tmp_path: Path) -> None:
    doubts = Doubts(tmp_path / "doubts", 5_000)
    for index in range(50):
        doubts.keep(f"2026-05-01T12:00:{index:02d}.000+00:00", picture(index))
    left = sorted(path.name for path in (tmp_path / "doubts").iterdir())
    assert sum(path.stat().st_size for path in (tmp_path / "doubts").iterdir()) <= 5_000
    assert left[-1].startswith("2026-05-01T120049")
    # Another process goes on with what it finds.
    Doubts(tmp_path / "doubts", 5_000).keep("2026-05-01T13:00:00.000+00:00", picture(1))
    assert sum(path.stat().st_size for path in (tmp_path / "doubts").iterdir()) <= 5_000


def test_sigterm_is_heard_while_a_source_waits(kept: Kept) -> None:
    class Hangs(Numbers):
        def frames(self):  # type: ignore[no-untyped-def]
            if not self._left:
                threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
                time.sleep(30)
            yield from super().frames()

    begun = time.monotonic()
    watch(Hangs([50, 50, 50, 51]), kept)
    assert time.monotonic() - begun < 10
    # What waited to be borne out is written, too.
    assert [one.value for one in kept.records] == [5.0, 5.0, 5.0, None]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_everything_is_written_however_the_process_ends(
    tmp_path: Path, ending: signal.Signals, started: Callable[..., subprocess.Popen[str]]
) -> None:
    """Whole lines, the header once, and a process that goes on where the first one ended."""
    script = tmp_path / "watch.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "from stand_ins import Numbers, Told, profile\n"
        "from edge_digits.watching.files_output import CsvFile, SqliteFile\n"
        "from edge_digits.watching.loop import Watch\n"
        "from pathlib import Path\n"
        "class Paced(Numbers):\n"
        "    def frames(self):\n"
        "        time.sleep(0.002)\n"
        "        self._at = time.time()\n"
        "        yield from super().frames()\n"
        f"table, database = CsvFile(Path({str(tmp_path / 'm.csv')!r})), SqliteFile(Path({str(tmp_path / 'm.db')!r}))\n"
        "print('ready', flush=True)\n"
        "Watch(Paced([50] * 100000), Told(profile()), [table, database], print, None, table.last('water')).run(0.0)\n"
    )
    for _ in range(2):
        process = started([sys.executable, script], stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.7)
        asked = time.monotonic()
        process.send_signal(ending)
        process.communicate(timeout=30)
        if ending == signal.SIGTERM:
            assert process.returncode == 0
            assert time.monotonic() - asked < 5
    lines = (tmp_path / "m.csv").read_text().splitlines()
    assert lines[0] == "time,meter,value,unit,text,sure,reason,source,picture"
    assert lines.count(lines[0]) == 1
    assert len(lines) > 20
    assert {line.split(",", 1)[1] for line in lines[1:]} <= {
        "water,5.0,m³,005.0,True,,numbers,",
        "water,,m³,005.0,False,no further picture bears it out,numbers,",
    }
    import sqlite3

    with sqlite3.connect(tmp_path / "m.db") as connection:
        (rows,) = connection.execute("SELECT count(*) FROM readings").fetchone()
    assert abs(rows - sum(",True," in line for line in lines)) <= 2


def test_a_frame_has_a_time_a_name_and_a_picture() -> None:
    frame = next(Numbers([50]).frames())
    assert isinstance(frame, Frame)
    assert (frame.at, frame.name, frame.image.size) == (1_700_000_060.0, "numbers", (80, 40))
