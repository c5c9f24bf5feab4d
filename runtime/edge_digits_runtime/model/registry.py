"""The installed models by name: the default in this package, others in the distribution edge-digits-models.

That distribution holds files and no code: ``NAME.tflite``, and ``NAME.evaluation.json.gz`` for a model that was
measured, the default included. It is found, not imported.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edge_digits_runtime.errors import ModelError, UsageError
from edge_digits_runtime.model.card import ModelFile, parse_model_file, read_model_file

if TYPE_CHECKING:
    from edge_digits_runtime.records.evaluation import Evaluation
    from edge_digits_runtime.records.microcontroller import MicrocontrollerRecord

DEFAULT_MODEL = Path(__file__).with_name("default.tflite")
"""The model that ships with the runtime."""
LINE_MODEL = Path(__file__).with_name("line-m.tflite")
"""The model that reads lines of numbers, which ships with the runtime."""
ROW_MODEL = Path(__file__).with_name("rows.tflite")
"""The model that finds the lines on a page, likewise."""
DISTRIBUTION, PACKAGE = "edge-digits-models", "edge_digits_models"
LINES = "lines"
"""Folder of the other models that read lines, in that distribution."""
EVALUATION_SUFFIX = ".evaluation.json.gz"
MICROCONTROLLER_SUFFIX = ".microcontroller.json"


@dataclass(frozen=True)
class InstalledModel:
    """A model that can be asked for by name."""

    name: str
    """Name of its recipe, such as ``digits-m``."""
    path: Path
    """The file."""
    file: ModelFile
    """The file taken apart, with its card."""

    @property
    def default(self) -> bool:
        """True if it is used when no model is named."""
        return self.path == DEFAULT_MODEL

    @property
    def accuracy(self) -> float | None:
        """Share of right answers on its test pictures in [0, 1], measured when it was converted."""
        return self.file.card.accuracy.get("test") if self.file.card else None

    @property
    def drop_pp(self) -> float | None:
        """Percentage points of test accuracy lost to the float original; negative where the model is the better one."""
        reference = self.file.card.reference if self.file.card else None
        if reference is None or self.accuracy is None or "test" not in reference.accuracy:
            return None
        return 100 * (reference.accuracy["test"] - self.accuracy)

    @cached_property
    def evaluation(self) -> "Evaluation | None":
        """The evaluation of this very file that was shipped with it; None where there is none.

        Raises:
            EvaluationError: its file is damaged.
        """
        path = self._shipped(EVALUATION_SUFFIX)
        if path is None:
            return None
        from edge_digits_runtime.records.evaluation import Evaluation

        evaluation = Evaluation.load(path)
        return evaluation if evaluation.model.sha256 == self.file.sha256 else None

    @cached_property
    def microcontroller(self) -> "MicrocontrollerRecord | None":
        """What the C of this very file takes on microcontrollers, as it was shipped; None where it was not measured.

        Raises:
            EvaluationError: its file is damaged.
        """
        path = self._shipped(MICROCONTROLLER_SUFFIX)
        if path is None:
            return None
        from edge_digits_runtime.records.microcontroller import MicrocontrollerRecord

        record = MicrocontrollerRecord.load(path)
        return record if record.sha256 == self.file.sha256 else None

    def _shipped(self, suffix: str) -> Path | None:
        """Return the file of this model's name that was shipped with the other models; None where there is none."""
        paths = (folder / f"{self.name}{suffix}" for folder in _folders())
        return next((path for path in paths if path.is_file()), None)


def line_paths() -> dict[str, Path]:
    """Return the file of each installed model that reads lines by name, from the smallest file to the largest."""
    found = [LINE_MODEL, *(path for folder in _folders() for path in (folder / LINES).glob("*.tflite"))]
    return {path.stem: path for path in sorted(found, key=lambda path: (path.stat().st_size, path.name))}


def paths() -> dict[str, Path]:
    """Return the file of each installed classifier by name: the default, then from the smallest file to the largest.

    Raises:
        ModelError: the default model is damaged.
    """
    card = read_model_file(DEFAULT_MODEL, allow_unverified=True).card
    others = [path for folder in _folders() for path in folder.glob("*.tflite")]
    others.sort(key=lambda path: (path.stat().st_size, path.name))
    found = {card.name if card else DEFAULT_MODEL.stem: DEFAULT_MODEL}
    for path in others:
        found.setdefault(path.stem, path)
    return found


def read(name: str, path: Path) -> InstalledModel:
    """Read one of `paths`.

    Raises:
        ModelError: it cannot be read, is damaged, or has no card.
        ChecksumError: it does not match its card.
    """
    return InstalledModel(name, path, _with_card(read_model_file(path), path))


def load(
    model: str | os.PathLike[str] | bytes | None,
    allow_unverified: bool = False,
    require_signature: str | os.PathLike[str] | None = None,
) -> tuple[str, ModelFile]:
    """Return a model file that somebody asked for, and what messages call it.

    Args:
        model: a file, the name of an installed model (see `find`), the content of a file, or None for the default.
        allow_unverified: see `edge_digits_runtime.model.card.parse_model_file`.
        require_signature: the same; models that are installed are not signed.

    Raises:
        ModelError: it cannot be read or is damaged, or an installed model has no card.
        ChecksumError: it does not match its card.
        SignatureError: it is not signed with the key that is required.
        UsageError: no model of that name is installed.
    """
    if isinstance(model, bytes):
        name = "the model"
        return name, parse_model_file(model, name, allow_unverified, require_signature)
    path = DEFAULT_MODEL if model is None else find(model)
    file = read_model_file(path, allow_unverified, require_signature)
    if model is None or path != Path(model):
        _with_card(file, path)
    return os.fspath(path), file


def _with_card(file: ModelFile, path: Path) -> ModelFile:
    """Return a model that was installed by us, which has a card.

    Raises:
        ModelError: it has none.
    """
    if file.card is None:
        raise ModelError(f"{path}: the card of this installed model is missing: install it again")
    return file


def find(model: str | os.PathLike[str]) -> Path:
    """Return the file that ``model`` means.

    Args:
        model: a path if it has a folder or a suffix, or if there is such a file; else the name of an installed model,
            whether or not there is a folder of that name.

    Raises:
        UsageError: no model of that name is installed; the message lists those that are.
    """
    path = Path(model)
    if path.suffix or path.name != os.fspath(model) or (path.exists() and not path.is_dir()):
        return path
    known = paths() | line_paths()
    if path.name in known:
        return known[path.name]
    from edge_digits_runtime.installation import how_to_get

    more = "" if find_spec(PACKAGE) else f" (for more: {how_to_get(['models'])})"
    raise UsageError(f"no model {path.name!r} is installed, only {', '.join(known)}{more}; or give a .tflite file")


def _folders() -> list[Path]:
    """Return the folders of the distribution with the other models; mostly it is not installed."""
    spec = find_spec(PACKAGE)
    return [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []
