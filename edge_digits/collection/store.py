"""A folder of collected pictures, which `train` reads as it is.

    DIR/7/5f0c9a….png        a picture that was labelled: a folder for each class
    DIR/groups.csv           the group of each of them: its writer, meter or day
    DIR/.collected/ID.png    a picture that waits for a label
    DIR/.collected/ID.json   what the model said of it, also after it was labelled
    DIR/.collected/labels.jsonl   every label that was given, in order: a line each

Of lines, which `read` collects, see `edge_digits.collection.lines`: they lie in one folder, with ``lines.csv``.

The lines of ``labels.jsonl`` are what counts. A label is written there, and is on the disk, before anything else
happens; class folders and ``groups.csv`` follow from it, and are put right when the folder is opened again. So a label
that was given is not lost, whatever ends the process.
"""

import contextlib
import csv
import fcntl
import hashlib
import io
import json
import os
import threading
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edge_digits_runtime.data.class_folders import GROUPS
from edge_digits_runtime.data.classes import check_group, is_class_name, shown
from edge_digits_runtime.errors import DataError, OutputError, UsageError
from edge_digits_runtime.image.ink import to_plain
from edge_digits_runtime.image.model_input import Prepared
from edge_digits_runtime.library_errors import JSON
from edge_digits_runtime.model.classifier import Prediction
from edge_digits_runtime.records import files
from PIL import Image

from edge_digits.progress import say

if TYPE_CHECKING:
    from edge_digits_runtime.meter.reading import MeterReader, MeterReading

COLLECTED = ".collected"
"""Folder of what is no class; `train` passes over names that begin with a point."""
LIMIT_BYTES = 100_000_000
"""Bytes of all pictures in a collection where nothing else is asked for."""
_LONGEST = 1024
"""Longer side in pixels from which on a picture is reduced before it is stored."""
NAME_DIGITS = 16
"""Hexadecimal digits of the sha256 that a picture is named by."""

Stored = Literal["stored", "known", "full"]
KIND = "kind"
"""File in `COLLECTED` that says what a folder collects; without it, pictures of classes."""


@dataclass(frozen=True)
class Item:
    """A picture of a collection."""

    id: str
    """Its name: 16 hexadecimal digits of the sha256 of what the model saw."""
    said: str
    """The class that the model said."""
    confidence: float
    """Calibrated probability of that class, in [0, 1]."""
    reason: str | None
    """Why the model was not sure; None if it was, and a person corrected it."""
    classes: tuple[str, ...]
    """The classes of the model; none of a line, whose label is what is written in it."""
    group: str
    """Its writer, meter or day."""


class Collection:
    """A folder of collected pictures; for several threads and processes at a time.

    Attributes:
        folder: the folder.
    """

    kind = "classes"

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        """Open a folder, make it where it is not there yet, and put right what a killed process left half done.

        Args:
            folder: the folder; only this user can look into it if it is made.
            limit_bytes: bytes of all its pictures, at most.

        Raises:
            OutputError: it cannot be made or written to.
            DataError: what it holds was not written by a `Collection` of this kind.
        """
        self.folder, self._limit = folder, limit_bytes
        self._collected = folder / COLLECTED
        self._log = self._collected / "labels.jsonl"
        self._thread = threading.RLock()
        self._said = False
        new = not folder.exists()
        files.make_folder(self._collected)
        if new:
            folder.chmod(0o700)
        with self._locked():
            self._check_kind()
            self._settle()
            self._bytes = sum(path.stat().st_size for path in folder.rglob("*.png"))

    @property
    def full(self) -> bool:
        """True if no more pictures are taken."""
        return self._bytes >= self._limit

    def add(
        self,
        image: Image.Image,
        seen: Prepared,
        prediction: Prediction,
        group: str | None = None,
        label: str | None = None,
    ) -> Stored:
        """Keep a picture, unless it is known already or the collection is full.

        Args:
            image: the picture; it is stored without its metadata, and reduced where it is large.
            seen: what the model was given. Two pictures of which this is the same are the same.
            prediction: what the model said.
            group: its writer, meter or the like; None for this day.
            label: its class, if a person said so. A known picture gets this label, too.

        Raises:
            OutputError: it cannot be written.
            UsageError: ``label`` is no class of the model, or ``group`` is no name.
        """
        group = group_name(group)
        if label is not None and label not in prediction.labels:
            raise UsageError(f"label {shown(label)}; allowed are {', '.join(prediction.labels)}")
        name = hashlib.sha256(seen.pixels.tobytes()).hexdigest()[:NAME_DIGITS]
        return self._keep(name, image, _record(prediction, group), label)

    def _keep(self, name: str, image: Image.Image, values: Mapping[str, Any], label: str | None = None) -> Stored:
        """Keep a picture with what the model said of it, unless it is known already or the collection is full."""
        record = self._collected / f"{name}.json"
        with self._locked():
            known = record.exists()
            if not known:
                if self.full:
                    return "full"
                picture = record.with_suffix(".png")
                with files.replacing(picture) as temporary:
                    _small(image).save(temporary, optimize=True)
                self._bytes += picture.stat().st_size
                # Last, since a picture is there when its record is.
                files.write_json(record, values)
            if label is not None:
                self._append(name, label, values["group"])
            return "known" if known else "stored"

    def offer(self, image: Image.Image, seen: Prepared, prediction: Prediction, group: str | None = None) -> None:
        """Keep a picture if the answer is not sure and there is something to see; say once when it is full."""
        if prediction.sure or seen.blank:
            return
        self._say_if_full(self.add(image, seen, prediction, group))

    def offer_meter(
        self, image: Image.Image, reader: "MeterReader", reading: "MeterReading", group: str | None = None
    ) -> None:
        """Keep each place of a meter whose answer is not sure, if the reading is not; its group is the meter."""
        if reading.sure:
            return
        for cut, seen, prediction in reader.characters(image, reading):
            self.offer(cut, seen, prediction, group or reader.profile.name)

    def _say_if_full(self, stored: Stored) -> None:
        if stored == "full" and not self._said:
            self._said = True
            say(f"{self.folder}: full with {self._limit / 1e6:g} MB; nothing more is collected (see --collect-mb)")

    def waiting(self) -> list[Item]:
        """Return the pictures that have no label yet, those that the model was surest of first.

        If the model is wrong there, these are its surest mistakes, from which it learns most.
        """
        with self._locked():
            items = [self._item(path) for path in self._collected.glob("*.png")]
        return sorted((item for item in items if item), key=lambda item: (-item.confidence, item.id))

    def item(self, name: str) -> Item | None:
        """Return the picture ``name``, labelled or not; None if there is none."""
        with self._locked():
            known = {path.stem: path for path in self._collected.glob("*.json")}
            return self._item(known[name].with_suffix(".png")) if name in known else None

    def picture(self, item: Item) -> bytes:
        """Return the picture of one of `waiting` as PNG.

        Raises:
            DataError: it is there no more.
        """
        try:
            return (self._collected / f"{item.id}.png").read_bytes()
        except OSError as error:
            raise DataError(f"{self.folder}: picture {item.id} cannot be read: {error.strerror}") from error

    def label(self, item: Item, label: str) -> None:
        """Give a picture its class; when this returns, the label is on the disk.

        Raises:
            UsageError: ``label`` cannot be the name of a class, or what is written in a line.
        """
        if not self._is_label(label):
            raise UsageError(f"label {shown(label)}: {self._NO_LABEL}")
        with self._locked():
            self._append(item.id, label, item.group)

    _NO_LABEL = "no name of a class"

    def _is_label(self, label: Any) -> bool:
        return is_class_name(label)

    def _place(self, label: str, name: str) -> str:
        """Return where in the folder a picture with a label lies."""
        return f"{label}/{name}.png"

    def unlabel(self, item: Item) -> None:
        """Take the label of a picture back: it waits again."""
        with self._locked():
            self._append(item.id, None, item.group)

    def labelled(self) -> dict[str, str]:
        """Return the label of each picture that has one, by its name."""
        with self._locked():
            return {name: label for name, (label, _) in self._labels().items() if label is not None}

    def _append(self, name: str, label: str | None, group: str) -> None:
        line = json.dumps({"id": name, "label": label, "group": group, "at": now()}, ensure_ascii=False)
        try:
            with self._log.open("a", encoding="utf-8") as log:
                log.write(line + "\n")
                log.flush()
                os.fsync(log.fileno())
        except OSError as error:
            raise OutputError(f"{self._log}: cannot be written: {error.strerror}") from error
        self._settle()

    def _labels(self) -> dict[str, tuple[str | None, str]]:
        """Return the last label of each picture and its group; a last line that was cut off was never given."""
        found: dict[str, tuple[str | None, str]] = {}
        if not self._log.exists():
            return found
        content = self._log.read_text(encoding="utf-8")
        whole, _, torn = content.rpartition("\n")
        if torn:
            files.write_bytes(self._log, f"{whole}\n".encode() if whole else b"")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                entry = json.loads(line)
                name, label, group = str(entry["id"]), entry["label"], check_group(self._log, entry["group"])
                fits = len(name) == NAME_DIGITS and set(name) <= set("0123456789abcdef")
                if not fits or not (label is None or self._is_label(label)):
                    raise ValueError
            except (*JSON, KeyError, TypeError, DataError) as error:
                raise DataError(f"{self._log}: line {number} is no label; remove it") from error
            found[name] = (label, group)
        return found

    def _settle(self) -> None:
        """Bring pictures and ``groups.csv`` to where the labels say that they are."""
        labels = self._labels()
        here = {path.stem: path for path in self.folder.glob("*/*.png") if path.parent.name != COLLECTED}
        placed: dict[str, tuple[str, str]] = {}
        for name, (label, group) in labels.items():
            waiting = self._collected / f"{name}.png"
            at = here.get(name, waiting)
            target = waiting if label is None else self.folder / self._place(label, name)
            if at != target and at.exists():
                files.make_folder(target.parent)
                at.replace(target)
                if at.parent != self._collected:
                    # A class folder without a picture is refused by `train`.
                    with contextlib.suppress(OSError):
                        at.parent.rmdir()
            if label is not None and target.exists():
                placed[self._place(label, name)] = label, group
        self._write_tables(placed, labels)

    def _write_tables(self, placed: Mapping[str, tuple[str, str]], ours: Container[str]) -> None:
        """Write what `train` reads beside the pictures.

        Args:
            placed: label and group of each picture that has a label, by its place.
            ours: names of all pictures that have or had one.
        """
        self._write_table(GROUPS, ["file", "group"], {place: group for place, (_, group) in placed.items()}, ours)

    def _write_table(self, name: str, header: list[str], values: Mapping[str, str], ours: Container[str]) -> None:
        """Write a table of pictures; lines of those that came there in another way are kept."""
        table = self.folder / name
        if not values and not table.exists():
            return
        before = table.read_text(encoding="utf-8") if table.exists() else ""
        kept = [row for row in csv.reader(before.splitlines()) if row and Path(row[0]).stem not in ours]
        stream = io.StringIO()
        rows = [*(kept or [header]), *(list(pair) for pair in values.items())]
        csv.writer(stream, lineterminator="\n").writerows(rows)
        if stream.getvalue() != before:
            files.write_bytes(table, stream.getvalue().encode())

    def _check_kind(self) -> None:
        """See that the folder collects what this class does, and note it in a new one."""
        mark = self._collected / KIND
        kind = kind_of(self.folder)
        new = not mark.exists() and next(self._collected.glob("*.json"), None) is None
        if kind != self.kind and not new:
            raise DataError(f"{self.folder}: a collection of {kind}, not of {self.kind}; give another folder")
        if new and self.kind != Collection.kind:
            files.write_bytes(mark, self.kind.encode())

    def _item(self, picture: Path) -> Item | None:
        """Return a waiting picture; None where its record is not there, since the process that wrote it was killed."""
        record = picture.with_suffix(".json")
        if not record.exists():
            return None
        try:
            values = json.loads(record.read_text(encoding="utf-8"))
            classes = tuple(str(name) for name in values["classes"])
            return Item(
                picture.stem,
                str(values["said"]),
                float(values["confidence"]),
                values["reason"],
                classes,
                values["group"],
            )
        except (*JSON, KeyError, TypeError, OSError) as error:
            raise DataError(f"{record}: not the record of a picture; remove it") from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let nobody else change the folder; the lock ends with the process."""
        with self._thread, (self._collected / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def kind_of(folder: Path) -> str:
    """Return what a folder collects: ``classes``, or ``lines``."""
    mark = folder / COLLECTED / KIND
    return mark.read_text(encoding="utf-8").strip() if mark.exists() else Collection.kind


def _record(prediction: Prediction, group: str) -> dict[str, Any]:
    return {
        "said": prediction.label,
        "confidence": round(prediction.confidence, 5),
        "reason": prediction.reason,
        "classes": list(prediction.labels),
        "probabilities": [round(float(share), 5) for share in prediction.probabilities],
        "group": group,
        "created": now(),
    }


def group_name(name: str | None) -> str:
    """Return the name of a group: this day where none is given.

    Raises:
        UsageError: it cannot be one.
    """
    if name is None or not name.strip():
        return datetime.now(UTC).date().isoformat()
    try:
        return check_group("group", name.strip())
    except DataError as error:
        raise UsageError(str(error)) from error


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _small(image: Image.Image) -> Image.Image:
    """Return a picture as it is stored: grey or RGB, its longer side below 2,048 pixels, without metadata."""
    plain = to_plain(image)
    factor = max(plain.size) // _LONGEST
    plain = plain.reduce(factor) if factor > 1 else plain.copy()
    plain.info.clear()
    return plain
