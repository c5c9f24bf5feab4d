"""Digit pictures with labels, from a file or folder that the user names.

Three forms are read, on the workstation and on the device alike (numpy and Pillow only):

- a ``.npz`` with the key names of Keras: ``x_train``, ``y_train``, ``x_test``, ``y_test``;
- a folder with the four IDX files of MNIST, gzipped or not, ``train-images-idx3-ubyte`` or ``train-images.idx3-ubyte``;
- a folder of class folders ``0/`` … ``9/`` of pictures, which go through the preprocessing of
  `edge_digits_runtime.image.picture` exactly as on the device; optionally once under ``train/`` and once under
  ``test/``.
"""

import gzip
import hashlib
import math
import os
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.errors import DataError, PictureError
from edge_digits_runtime.library_errors import GZIP, NUMPY, first_line
from edge_digits_runtime.mnist_format import DIGITS, SIDE
from edge_digits_runtime.records import files

FORMS = "a Keras-layout .npz, a folder with the four MNIST IDX files, or a folder of class folders 0/ ... 9/"
TEST_FRACTION = 1 / 7
"""Share of pictures held out for testing where a folder has no ``train/`` and ``test/``: that of MNIST."""
_TEST_SEED = 0
_IDX_PREFIXES = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class Split:
    """Pictures of one split with their labels."""

    images: NDArray[np.uint8]
    """Shape ``(n, 28, 28)``, 0 background, 255 ink."""
    labels: NDArray[np.uint8]
    """Shape ``(n,)``, each 0-9."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class DataSet:
    """Training and test pictures of one source; validation is split off the training pictures by a recipe."""

    name: str
    """What reports call it, such as ``MNIST``."""
    train: Split
    """May be empty where only a test set was asked for."""
    test: Split


def load(source: str | os.PathLike[str]) -> DataSet:
    """Read training and test pictures in any of the three forms.

    Class folders without ``train/`` and ``test/`` above them are split by a seeded, stratified draw, 6 to 1.

    Raises:
        DataError: missing, unreadable, of another form, shape, type or range, or without pictures of some digit;
            the message names the file.
    """
    return _load(source, need_train=True)


def load_test(source: str | os.PathLike[str]) -> DataSet:
    """Read the test pictures alone; ``train`` of the result is empty, and need not be there in the source.

    The test pictures are those of `load`, so what was trained with a source can be evaluated on it. Of class
    folders without ``train/`` and ``test/`` above that is the held-out seventh; to evaluate every picture, put
    the class folders into a folder ``test``.

    Raises:
        DataError: as `load`.
    """
    return _load(source, need_train=False)


def save_test(path: str | os.PathLike[str], dataset: DataSet) -> None:
    """Write the test pictures as one compressed ``.npz`` that `load_test` reads, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    with files.replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, x_test=dataset.test.images, y_test=dataset.test.labels, name=np.array(dataset.name))


def digest(split: Split) -> str:
    """Hex sha256 of the image bytes and then the label bytes."""
    content = hashlib.sha256(np.ascontiguousarray(split.images).data)
    content.update(np.ascontiguousarray(split.labels).data)
    return content.hexdigest()


def split_validation(train: Split, fraction: float, seed: int, fold: int = 0) -> tuple[Split, Split]:
    """Split training pictures into training and validation: seeded, stratified, each part in the given order.

    Validation gets ``round(n * fraction)`` pictures, of each digit its share rounded down or up (largest
    remainders first); one picture of each digit always stays for training.

    Args:
        train: the pictures.
        fraction: share for validation, in (0, 1).
        seed: of the draw.
        fold: which part of the drawn order is held out, below ``1 / fraction``: the parts have no picture in common,
            and for ``1 / fraction`` folds (k-fold cross-validation) they are all pictures, but for rounding.

    Raises:
        DataError: the fraction is not in (0, 1), or there are too few pictures to split.
    """
    if not 0 < fraction < 1:
        raise DataError(f"a validation share of {fraction}; allowed is more than 0 and less than 1")
    counts = _shares(np.bincount(train.labels, minlength=DIGITS), fraction)
    if not counts.any():
        raise DataError(f"{len(train)} pictures are too few to hold out {fraction:.3g} of them; give at least 20")
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(train), bool)
    for digit, count in enumerate(counts):
        held_out[rng.permutation(np.flatnonzero(train.labels == digit))[fold * count :][:count]] = True
    return (
        Split(train.images[~held_out], train.labels[~held_out]),
        Split(train.images[held_out], train.labels[held_out]),
    )


def _shares(available: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """How many of each digit to hold out."""
    exact = available * fraction
    counts = np.floor(exact).astype(np.int64)
    missing = round(int(available.sum()) * fraction) - int(counts.sum())
    # A stable sort, so that of equal remainders the smaller digit comes first on every machine.
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    held_out: NDArray[np.int64] = np.clip(counts, 0, np.maximum(available - 1, 0))
    return held_out


def _load(source: str | os.PathLike[str], need_train: bool) -> DataSet:
    path = Path(source)
    name = path.resolve().name
    if path.is_file():
        return _load_npz(path, need_train)
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder; give {FORMS}")
    if any(_idx_file(path, split, "images", 3) for split in _IDX_PREFIXES):
        return DataSet(name, *(_load_idx(path, s) if _wanted(s, need_train) else _empty() for s in _IDX_PREFIXES))
    if (path / "train").is_dir() or (path / "test").is_dir():
        folders = [path / split for split in _IDX_PREFIXES]
        return DataSet(name, *(_load_classes(f) if _wanted(f.name, need_train) else _empty() for f in folders))
    if any((path / str(digit)).is_dir() for digit in range(DIGITS)):
        train, test = split_validation(_load_classes(path), TEST_FRACTION, _TEST_SEED)
        return DataSet(f"{name} (held-out seventh)", train if need_train else _empty(), test)
    raise DataError(f"{path}: holds no data set; give {FORMS}")


def _wanted(split: str, need_train: bool) -> bool:
    return need_train or split == "test"


def _empty() -> Split:
    return Split(np.zeros((0, SIDE, SIDE), np.uint8), np.zeros(0, np.uint8))


# --- checks that all forms share


def _check_split(source: str, images: NDArray[Any], labels: NDArray[Any], all_digits: bool) -> Split:
    """Check one split and give it the agreed shape and type; ``source`` opens every message."""
    split = Split(_check_images(source, images), _check_labels(source, labels))
    if len(split.images) != len(split.labels):
        raise DataError(f"{source}: {len(split.images)} pictures but {len(split.labels)} labels; give one label each")
    if not len(split):
        raise DataError(f"{source}: no pictures in it")
    absent = np.flatnonzero(np.bincount(split.labels, minlength=DIGITS) == 0)
    if all_digits and len(absent):
        raise DataError(f"{source}: no picture of digit {absent[0]}; training needs pictures of all ten digits")
    return split


def _check_images(source: str, images: NDArray[Any]) -> NDArray[np.uint8]:
    if images.shape[1:] not in ((SIDE, SIDE), (SIDE, SIDE, 1), (SIDE * SIDE,)):
        raise DataError(f"{source}: pictures of shape {images.shape}; allowed is (n, 28, 28), (n, 28, 28, 1), (n, 784)")
    _check_integers(source, "pictures", images, 0, 255)
    # Pixels of 0 and 1 are integers in range, but black to a network that expects 255.
    if images.size and images.max() == 1:
        raise DataError(f"{source}: pixels of 0 and 1 only; ink must be 255: multiply them by 255")
    return images.astype(np.uint8, copy=False).reshape(-1, SIDE, SIDE)


def _check_labels(source: str, labels: NDArray[Any]) -> NDArray[np.uint8]:
    if labels.ndim != 1 and labels.shape[1:] != (1,):
        raise DataError(f"{source}: labels of shape {labels.shape}; allowed is (n,) with one digit for each picture")
    _check_integers(source, "labels", labels, 0, DIGITS - 1)
    return labels.astype(np.uint8, copy=False).reshape(-1)


def _check_integers(source: str, what: str, values: NDArray[Any], low: int, high: int) -> None:
    if not np.issubdtype(values.dtype, np.integer):
        raise DataError(f"{source}: {what} of type {values.dtype}; allowed are whole numbers {low}-{high}, as uint8")
    outside = np.flatnonzero((values < low) | (values > high))
    if len(outside):
        first = outside[0]
        index = first // (values[0].size if values.ndim > 1 else 1)
        raise DataError(f"{source}: {what} hold {values.reshape(-1)[first]} at index {index}; allowed is {low}-{high}")


# --- .npz


def _load_npz(path: Path, need_train: bool) -> DataSet:
    wanted = [f"{axis}_{split}" for split in _IDX_PREFIXES if _wanted(split, need_train) for axis in "xy"]
    try:
        with path.open("rb") as stream:
            is_zip = zipfile.is_zipfile(stream)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if not is_zip:
        raise DataError(f"{path}: not a .npz, or cut off; give {FORMS}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            members = archive.files
            # A member that is no array comes as bytes, which the checks refuse as soon as they are an array.
            arrays = {key: np.asarray(archive[key]) for key in (*wanted, "name") if key in members}
    except NUMPY as error:
        raise DataError(f"{path}: cannot be read: {first_line(error)}") from error
    absent = [key for key in wanted if key not in arrays]
    if absent:
        found = " ".join(", ".join(members[:10]).split()) or "nothing"
        raise DataError(f"{path}: no {absent[0]} in it, only {found}; needed are {', '.join(wanted)}")
    name = str(arrays["name"]) if "name" in arrays else path.name
    parts = {
        split: _check_split(f"{path}: {split}", arrays[f"x_{split}"], arrays[f"y_{split}"], split == "train")
        for split in _IDX_PREFIXES
        if f"x_{split}" in arrays
    }
    return DataSet(name, parts.get("train", _empty()), parts["test"])


# --- IDX


def _idx_file(folder: Path, split: str, what: str, axes: int) -> Path | None:
    """The file of one split in any of its four spellings; ``axes`` is 3 for images, 1 for labels."""
    for separator in "-.":
        for suffix in ("", ".gz"):
            file = folder / f"{_IDX_PREFIXES[split]}-{what}{separator}idx{axes}-ubyte{suffix}"
            if file.is_file():
                return file
    return None


def _load_idx(folder: Path, split: str) -> Split:
    arrays = []
    for what, axes in (("images", 3), ("labels", 1)):
        file = _idx_file(folder, split, what, axes)
        if file is None:
            raise DataError(f"{folder}: {_IDX_PREFIXES[split]}-{what}-idx{axes}-ubyte is missing (gzipped or not)")
        arrays.append(_read_idx(file, axes))
    return _check_split(f"{folder}: {split}", arrays[0], arrays[1], split == "train")


def _read_idx(file: Path, axes: int) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes: 0, 0, 8, number of axes, each length as big-endian int32, the bytes."""
    try:
        with file.open("rb") as raw:
            # By its first two bytes, not its name: downloads keep the .gz or lose it as they like.
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(file) if zipped else file.open("rb") as stream:
            head = stream.read(4 + 4 * axes)
            if head[:4] != bytes((0, 0, 8, axes)) or len(head) < 4 + 4 * axes:
                raise DataError(f"{file}: not an IDX file of unsigned bytes with {axes} axes")
            shape = struct.unpack(f">{axes}I", head[4:])
            # One byte more than the header announces, to notice a file that is too long.
            content = _read_up_to(math.prod(shape) + 1, stream)
    except GZIP as error:
        raise DataError(f"{file}: cannot be read: {first_line(error)}") from error
    if len(content) != math.prod(shape):
        raise DataError(f"{file}: {'x'.join(map(str, shape))} bytes announced, but it is cut off or too long")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_up_to(count: int, stream: BinaryIO | gzip.GzipFile) -> bytes:
    """Read ``count`` bytes, or what there is; a header that announces too much does not make `read` reserve it."""
    content = bytearray()
    while len(content) < count and (part := stream.read(min(count - len(content), 1 << 20))):
        content += part
    return bytes(content)


# --- class folders


def _load_classes(folder: Path) -> Split:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give class folders 0/ ... 9/ under both train/ and test/")
    pictures = [(file, digit) for digit in range(DIGITS) for file in _class_pictures(folder / str(digit))]
    images = np.stack([_digit_pixels(file) for file, _ in pictures])
    return Split(images, np.array([digit for _, digit in pictures], np.uint8))


def _class_pictures(folder: Path) -> Sequence[Path]:
    """The pictures directly in a class folder, in the order of their names; other files are passed over."""
    # Picture code is imported here alone, so that a reader of arrays needs none of it.
    from edge_digits_runtime.image.picture import is_picture_name

    if not folder.is_dir():
        raise DataError(f"{folder}: no such class folder; each of 0/ ... 9/ must hold pictures of its digit")
    found = sorted(file for file in folder.iterdir() if file.is_file() and is_picture_name(file))
    if not found:
        raise DataError(f"{folder}: no picture in it; each of 0/ ... 9/ must hold pictures of its digit")
    return found


def _digit_pixels(file: Path) -> NDArray[np.uint8]:
    """The 28 × 28 pixels of one picture. Without any ink they are all 0: a test set counts such a picture, too."""
    from edge_digits_runtime.image.picture import digit_pixels, open_picture

    try:
        return digit_pixels(open_picture(file)).pixels
    except PictureError as error:
        message = str(error)
        raise DataError(message if str(file) in message else f"{file}: {message}") from error
