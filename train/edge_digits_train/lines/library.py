"""All that lines are made of: fields of handwritten characters, fonts, and digits of meters.

It takes a minute of two cores to make from what this package carries, and 150 MB, so it is made once for a computer
(`library_folder`) and mapped into the memory of every process that makes lines.
"""

import functools
import hashlib
import json
import multiprocessing
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edge_digits_runtime.records.files import make_folder
from numpy.typing import NDArray

from edge_digits_train.data import mnist, optdigits
from edge_digits_train.lines import european_digits, stroke_fields, typefaces
from edge_digits_train.meters import pictures

VERSION = 2
"""Raised when the same seed makes other lines."""
MNIST, MNIST_HELD_OUT, OPTDIGITS, DRAWN, FACES, FACES_HELD_OUT = range(6)
"""Where a field comes from."""
_MNIST_HELD_OUT_COUNT = 5_000
"""The last of MNIST's training pictures are in no training line."""
_STYLE_NUMBERS = 10
_NOISE = 1 << 19
_CHUNK = 1024

Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Size:
    """How much a library is made of; smaller ones are for tests."""

    mnist: int | None = None
    """Pictures of MNIST, as many held out; None for all 60,000."""
    drawn: int = 7_000
    """Drawn digits, as Central Europeans write them."""
    faces: int | None = None
    """Fonts of each kind, see `typefaces.unpack`; None for all."""


WHOLE = Size()


@dataclass(frozen=True)
class Library:
    """Everything that lines are drawn with."""

    fields: Pictures
    """As `stroke_fields` makes them, shape ``(n, 32, 40)``."""
    sources: NDArray[np.uint8]
    """Where each field comes from, shape ``(n,)``."""
    extents: NDArray[np.int8]
    """Ink of each field, see `stroke_fields.extents`, shape ``(n, 4)``."""
    style: NDArray[np.float32]
    """Ten numbers that are near each other for fields of like shape, shape ``(n, 10)``."""
    groups: NDArray[np.int32]
    """Number of the face of a field that comes from one, else -1; shape ``(n,)``."""
    by_label: dict[tuple[int, int], NDArray[np.intp]]
    """Indices of the fields by source and by index in ``faces.characters``: the digits come first."""
    faces: typefaces.Typefaces
    wheels: Pictures
    """Grey pictures of single digits of meters, shape ``(m, 32, 20)``."""
    wheel_digits: NDArray[np.uint8]
    """Shape ``(m,)``."""
    wheel_meters: NDArray[np.uint8]
    """Number of the meter that each is from, shape ``(m,)``."""
    noise: NDArray[np.float32]
    """Normally distributed numbers, from which slices are taken."""
    held_out: bool
    """Whether it is of what training lines have nothing of: other writers, fonts and meters."""


def library_folder(processes: int = 1) -> Path:
    """Return the folder of the whole library, in the user's cache; make it if it is not there yet.

    Raises:
        OutputError: it cannot be made.
        DataError: a file of this installation is missing or damaged.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-digits"
    folder = cache / f"lines-{VERSION}-{_packs_sha256()[:12]}"
    if not folder.is_dir():
        make_folder(cache)
        with tempfile.TemporaryDirectory(dir=cache, prefix="lines-") as temporary:
            made = Path(temporary) / "library"
            build(made, WHOLE, processes)
            # Another process may have been faster; what it made is the same.
            if not folder.is_dir():
                made.rename(folder)
    return folder


def build(folder: Path, size: Size = WHOLE, processes: int = 1) -> None:
    """Make a library in ``folder``, for `load`."""
    make_folder(folder)
    faces = typefaces.unpack(size.faces)
    parts = _parts(size, faces)
    if processes > 1:
        # Not forked: the caller may have threads, as TensorFlow has.
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
            made = list(pool.map(_fields, parts))
    else:
        made = [_fields(part) for part in parts]
    fields = np.concatenate([part for part, _ in made])
    kept = [part.take(which) for part, (_, which) in zip(parts, made, strict=True)]
    np.save(folder / "fields.npy", fields)
    np.save(folder / "pixels.npy", faces.pixels)
    np.savez(
        folder / "about.npz",
        labels=np.concatenate([part.labels for part in kept]).astype(np.uint8),
        sources=np.concatenate([np.full(len(part.labels), part.source, np.uint8) for part in kept]),
        groups=np.concatenate([part.groups for part in kept]).astype(np.int32),
        extents=stroke_fields.extents(fields),
        style=_style(fields),
        shapes=faces.shapes,
    )
    about = {"names": faces.names, "characters": faces.characters}
    (folder / "faces.json").write_text(json.dumps(about), encoding="utf-8")


@functools.cache
def load(folder: Path, held_out: bool = False) -> Library:
    """Return the library in ``folder``: for training lines, or for lines of what is held out from them."""
    with np.load(folder / "about.npz") as stored:
        about = {name: stored[name] for name in stored.files}
    names = json.loads((folder / "faces.json").read_text(encoding="utf-8"))
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    wheels = pictures.resting()
    chosen = wheels["held_out"] == held_out
    return Library(
        fields=np.load(folder / "fields.npy", mmap_mode="r"),
        sources=about["sources"],
        extents=about["extents"],
        style=about["style"],
        groups=about["groups"],
        by_label=_by_label(about["sources"], about["labels"]),
        faces=typefaces.Typefaces(tuple(names["names"]), names["characters"], about["shapes"], pixels),
        wheels=wheels["images"][chosen],
        wheel_digits=wheels["digit"][chosen],
        wheel_meters=wheels["meter"][chosen],
        noise=np.random.default_rng(5).standard_normal(_NOISE, dtype=np.float32),
        held_out=held_out,
    )


@dataclass(frozen=True)
class _Part:
    """Pictures that become fields in one go, or the numbers of digits to draw."""

    source: int
    labels: NDArray[np.intp]
    groups: NDArray[np.intp]
    pictures: Sequence[Pictures] | Pictures
    """None of them where the digits are drawn."""
    numbers: range = range(0)

    def take(self, which: NDArray[np.intp]) -> "_Part":
        return _Part(self.source, self.labels[which], self.groups[which], ())


def _parts(size: Size, faces: typefaces.Typefaces) -> list[_Part]:
    training, more = mnist.load().train, optdigits.load()
    count = size.mnist or len(training) - _MNIST_HELD_OUT_COUNT
    held_out = np.s_[-min(count, _MNIST_HELD_OUT_COUNT) :]
    sets = [
        _Part(MNIST, training.labels[:count].astype(np.intp), _no_groups(count), training.images[:count]),
        _Part(
            MNIST_HELD_OUT,
            training.labels[held_out].astype(np.intp),
            _no_groups(len(training.labels[held_out])),
            training.images[held_out],
        ),
        _Part(OPTDIGITS, more.labels.astype(np.intp), _no_groups(len(more)), more.images),
        *_hand_faces(faces),
    ]
    parts = [
        _Part(part.source, part.labels[chunk], part.groups[chunk], part.pictures[chunk])
        for part in sets
        for start in range(0, len(part.labels), _CHUNK)
        for chunk in [slice(start, start + _CHUNK)]
    ]
    for start in range(0, size.drawn, _CHUNK):
        numbers = range(start, min(start + _CHUNK, size.drawn))
        parts.append(_Part(DRAWN, np.array(numbers) % 10, _no_groups(len(numbers)), (), numbers))
    return parts


def _hand_faces(faces: typefaces.Typefaces) -> list[_Part]:
    """Return the characters of the hand fonts; points, commas and dashes are drawn, not taken from fonts."""
    parts = []
    for source, held_out in ((FACES, False), (FACES_HELD_OUT, True)):
        found = [
            (number, face, np.pad(faces.glyph(face, character)[0], 2))
            for face in np.flatnonzero(faces.hand & (faces.held_out == held_out)).tolist()
            for number, character in enumerate(faces.characters)
            if character not in ".,-" and faces.has(face, character)
        ]
        labels, groups, pictures = zip(*found, strict=True)
        parts.append(_Part(source, np.array(labels), np.array(groups), pictures))
    return parts


def _no_groups(count: int) -> NDArray[np.intp]:
    return np.full(count, -1)


def _fields(part: _Part) -> tuple[Pictures, NDArray[np.intp]]:
    """Return the fields of a part, and the indices of its pictures that they are of."""
    if part.source == DRAWN:
        drawn = [
            stroke_fields.of_strokes(european_digits.draw(number % 10, np.random.default_rng((9, number))))
            for number in part.numbers
        ]
        return np.stack(drawn), np.arange(len(drawn))
    from_font = part.source in (FACES, FACES_HELD_OUT)
    thickest = 6.0 if from_font else 5.5 if part.source == OPTDIGITS else 5.0
    return stroke_fields.of_pictures(part.pictures, deslant=not from_font, thickest=thickest)


def _style(fields: Pictures) -> NDArray[np.float32]:
    """Return ten random projections of each field at a quarter of its size."""
    project = np.random.default_rng(1).standard_normal((80, _STYLE_NUMBERS)).astype(np.float32)
    small = fields.reshape(-1, 8, 4, 10, 4).mean(axis=(2, 4), dtype=np.float32).reshape(-1, 80)
    style: NDArray[np.float32] = small @ project / np.float32(100)
    return style


def _by_label(sources: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[tuple[int, int], NDArray[np.intp]]:
    order = np.lexsort((labels, sources))
    keys = sources[order].astype(int) * 256 + labels[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    ends = np.r_[starts[1:], len(order)]
    return {divmod(int(keys[start]), 256): order[start:end] for start, end in zip(starts, ends, strict=True)}


def _packs_sha256() -> str:
    content = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.xz")):
        content.update(path.read_bytes())
    return content.hexdigest()
