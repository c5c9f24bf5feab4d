"""A damaged file is refused in one line; a fault of ours keeps its traceback.

What each library raises on such files is in `edge_digits_runtime.library_errors`. Catching more than that would call a
fault of ours a damaged file.
"""

import gzip
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_digits_runtime import DigitClassifier, library_errors
from edge_digits_runtime.data import idx, loading, npz
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.device.measurement import evaluate
from edge_digits_runtime.errors import DataError, EdgeDigitsError, EvaluationError, ModelError, PictureError, RunError
from edge_digits_runtime.image import picture
from edge_digits_runtime.image.model_input import INK
from edge_digits_runtime.model import card
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.records import fields
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation
from edge_digits_runtime.records.run import RECORD, RunRecord
from PIL import Image

MODELS = Path(__file__).parents[1] / "models"
MUTATIONS = 400
"""Number of damaged files of each kind."""


@dataclass(frozen=True)
class Kind:
    """A kind of file, and what reads it."""

    content: bytes
    """A good one."""
    name: str
    read: Callable[[Path], object]
    error: type[EdgeDigitsError]
    start: int = 0
    """Offset of the first byte that may change."""


def _arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    labels = np.arange(20, dtype=np.uint8) % 10
    pictures = rng.integers(0, 256, (2, 20, 28, 28), np.uint8)
    return {"x_train": pictures[0], "y_train": labels, "x_test": pictures[1], "y_test": labels, "name": "noise"}


def _saved(save: Callable[..., None], path: Path, *arrays: Any, **named: Any) -> bytes:
    save(path, *arrays, **named)
    return path.read_bytes()


def _picture(path: Path, **options: Any) -> bytes:
    """An upright stroke of ink on paper."""
    paper = np.full((60, 50), 230, np.uint8)
    paper[12:48, 22:28] = 20
    Image.fromarray(paper).save(path, **options)
    return path.read_bytes()


def _read_picture(path: Path) -> object:
    return DigitClassifier(MODELS / "int8.tflite").classify(path)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    folder = tmp_path_factory.mktemp("good")
    arrays = _arrays()
    split = Split(arrays["x_test"], arrays["y_test"])
    evaluation = evaluate(
        DigitClassifier(MODELS / "int8.tflite"), split, DataInfo("noise", "test", "a" * 64), seconds=0
    )
    evaluation.save(folder / "evaluation.json")
    text = (folder / "evaluation.json").read_bytes()
    run_record(source=None).save(folder)
    model = read_model_file(MODELS / "int8.tflite")
    labels = struct.pack(">4BI", 0, 0, 8, 1, 20) + arrays["y_test"].tobytes()
    images = struct.pack(">4B3I", 0, 0, 8, 3, 20, 28, 28) + arrays["x_test"].tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6

    def read_idx(path: Path) -> object:
        good = path.parent / "t10k-images-idx3-ubyte"
        if path.name != good.name:
            good.write_bytes(images)
        return loading.load_test(path.parent)

    def read_run(path: Path) -> object:
        return RunRecord.load(path.parent)

    return {
        "card": Kind(model.content, "m.tflite", read_model_file, ModelError, model.flatbuffer_bytes),
        "evaluation": Kind(text, "e.json", Evaluation.load, EvaluationError),
        "zipped evaluation": Kind(gzip.compress(text), "e.json.gz", Evaluation.load, EvaluationError),
        "run": Kind((folder / RECORD).read_bytes(), RECORD, read_run, RunError),
        "npz": Kind(_saved(np.savez, folder / "a.npz", **arrays), "d.npz", loading.load, DataError),
        "compressed npz": Kind(
            _saved(np.savez_compressed, folder / "c.npz", **arrays), "d.npz", loading.load, DataError
        ),
        "idx": Kind(labels, "t10k-labels-idx1-ubyte", read_idx, DataError),
        "zipped idx": Kind(gzip.compress(labels), "t10k-labels-idx1-ubyte.gz", read_idx, DataError),
        "PNG": Kind(_picture(folder / "p.png"), "p.png", _read_picture, PictureError),
        "JPEG": Kind(_picture(folder / "p.jpg", exif=exif), "p.jpg", _read_picture, PictureError),
        "TIFF": Kind(_picture(folder / "p.tif"), "p.tif", _read_picture, PictureError),
        "GIF": Kind(_picture(folder / "p.gif"), "p.gif", _read_picture, PictureError),
    }


def run_record(source: str | None) -> RunRecord:
    tenth = [0.9] * 10
    return RunRecord(
        recipe={"name": "net", "seed": 1},
        data={
            "name": "MNIST",
            "source": source,
            "sha256": dict.fromkeys(("train", "validation", "test"), "a" * 64),
            "counts": {"test": 10_000},
            "classes": DIGIT_CLASSES,
            "input": INK,
            "groups": {},
            "grouping": {"pattern": None, "test": []},
        },
        weights_sha256="b" * 64,
        model_sha256="c" * 64,
        device={"name": "here", "machine": "x86_64", "python": "3.11.2", "backend": "keras 3", "kind": "CPU"},
        versions={"keras": "3.15.1"},
        history={"loss": [0.5, 0.25]},
        accuracy={"validation": 0.9, "test": 0.9},
        metrics={
            **dict.fromkeys(("precision", "recall", "f1"), tenth),
            "macro": dict.fromkeys(("precision", "recall", "f1"), 0.9),
            "confusion": [[1] * 10] * 10,
        },
        latency_us=dict.fromkeys(("p50", "p90", "p99", "mean", "std"), 800.0),
        parameters=1000,
        macs=2000,
    )


def mutated(content: bytes, start: int, rng: np.random.Generator) -> bytes:
    """``content`` cut off, or with a few bytes changed, removed or inserted at or behind ``start``."""
    at = int(rng.integers(start, len(content)))
    size = int(rng.integers(1, 9))
    match rng.integers(0, 5):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + content[at + size :]
        case 2:
            return content[:at] + rng.bytes(size) + content[at:]
    changed = bytearray(content)
    for place in rng.integers(start, len(content), size):
        changed[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(0, 256))])
    return bytes(changed)


KINDS = (
    "card",
    "evaluation",
    "zipped evaluation",
    "run",
    "npz",
    "compressed npz",
    "idx",
    "zipped idx",
    "PNG",
    "JPEG",
    "TIFF",
    "GIF",
)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_refused_in_one_line_or_read(name: str, kinds: dict[str, Kind], tmp_path: Path) -> None:
    kind, path = kinds[name], tmp_path / kinds[name].name
    path.write_bytes(kind.content)
    assert kind.read(path) is not None
    rng = np.random.default_rng(len(name))
    refused: list[str] = []
    for _ in range(MUTATIONS):
        path.write_bytes(mutated(kind.content, kind.start, rng))
        try:
            kind.read(path)
        except kind.error as error:
            refused.append(str(error))
    assert len(refused) > MUTATIONS / 10
    assert [line for line in refused if "\n" in line or str(tmp_path) not in line] == []


class Fault(AttributeError):
    """An error of our own code."""


def _fails(error: Exception) -> Callable[..., Any]:
    def fail(*_args: Any, **_named: Any) -> Any:
        raise error

    return fail


# Where the fault is, and what reads a good file by way of it.
FAULTS: dict[str, tuple[Any, str, str]] = {
    "reading a card": (card.ModelCard, "from_dict", "card"),
    "a field of a card": (fields, "_scalar", "card"),
    "the fields of an evaluation": (fields, "read", "evaluation"),
    "the fields of a zipped evaluation": (fields, "_annotated", "zipped evaluation"),
    "the fields of a run": (fields, "_record", "run"),
    "the checks of a data set": (npz, "check_split", "npz"),
    "the checks of an IDX file": (idx, "check_split", "idx"),
    "finding a digit": (picture, "find_digit", "PNG"),
    "framing a digit": (picture, "frame", "JPEG"),
    "plain colours": (picture, "to_plain", "TIFF"),
}


@pytest.mark.parametrize(
    "error", [Fault("no attribute"), FileNotFoundError(2, "No such file or directory", "/packaged/file")], ids=repr
)
@pytest.mark.parametrize("where", FAULTS)
def test_a_fault_of_ours_is_not_called_a_damaged_file(
    where: str, error: Exception, kinds: dict[str, Kind], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, function, name = FAULTS[where]
    kind, path = kinds[name], tmp_path / kinds[name].name
    path.write_bytes(kind.content)
    monkeypatch.setattr(module, function, _fails(error))
    with pytest.raises(type(error)) as caught:
        kind.read(path)
    assert caught.value is error


def test_no_table_catches_faults_of_ours() -> None:
    tables = {name: value for name, value in vars(library_errors).items() if name.isupper()}
    assert set(tables) == {"GZIP", "INTERPRETER", "JSON", "NUMPY", "PILLOW", "ZIP"}
    for table in tables.values():
        assert not {AttributeError, NameError, AssertionError, Exception, BaseException} & set(table)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\nsecond"), "first"),
        (ValueError("  first  \n"), "first"),
        (ValueError(""), "ValueError"),
        (EOFError(), "EOFError"),
        (KeyError("x"), "'x'"),
    ],
)
def test_the_first_line_of_an_error(error: Exception, line: str) -> None:
    assert library_errors.first_line(error) == line


def test_a_png_without_its_palette_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    Image.new("P", (40, 30)).save(path)
    content = path.read_bytes()
    start = content.index(b"PLTE") - 4
    length = struct.unpack(">I", content[start : start + 4])[0]
    path.write_bytes(content[:start] + content[start + 12 + length :])
    with pytest.raises(PictureError, match=r"^[^\n]*p\.png: cannot be read: its palette is missing$"):
        _read_picture(path)
