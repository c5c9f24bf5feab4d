"""The models that are installed, by name: the default in this package, others in the distribution edge-digits-models.

That distribution is nothing but files: ``NAME.tflite`` and, where it was measured, ``NAME.evaluation.json.gz``, also of
the default. It is found, not imported.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.model.card import ModelFile, read_model_file

if TYPE_CHECKING:
    from edge_digits_runtime.records.evaluation import Evaluation

DEFAULT_MODEL = Path(__file__).with_name("default.tflite")
"""The model that ships with the runtime."""
DISTRIBUTION, PACKAGE = "edge-digits-models", "edge_digits_models"
EVALUATION_SUFFIX = ".evaluation.json.gz"


@dataclass(frozen=True)
class InstalledModel:
    """A model that can be asked for by name."""

    name: str
    """Of its recipe, such as ``digits-m``."""
    path: Path
    """Where it lies."""
    file: ModelFile
    """The file taken apart, with its card."""

    @property
    def default(self) -> bool:
        """Whether it is what is used when no model is named."""
        return self.path == DEFAULT_MODEL

    @property
    def accuracy(self) -> float | None:
        """Share of right answers on its test pictures in [0, 1], measured when it was converted."""
        return self.file.card.accuracy.get("test") if self.file.card else None

    @property
    def drop_pp(self) -> float | None:
        """Percentage points of test accuracy lost to the float original; negative where it is the better one."""
        reference = self.file.card.reference if self.file.card else None
        if reference is None or self.accuracy is None or "test" not in reference.accuracy:
            return None
        return 100 * (reference.accuracy["test"] - self.accuracy)

    @cached_property
    def evaluation(self) -> "Evaluation | None":
        """What was measured of this very file before it was installed; None where that is not at hand.

        Raises:
            EvaluationError: its file is damaged.
        """
        for folder in _folders():
            path = folder / f"{self.name}{EVALUATION_SUFFIX}"
            if path.is_file():
                from edge_digits_runtime.records.evaluation import Evaluation

                evaluation = Evaluation.load(path)
                return evaluation if evaluation.model.sha256 == self.file.sha256 else None
        return None


def paths() -> dict[str, Path]:
    """The file of each installed model by its name, the default first, then by the length of the files.

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
        ModelError: it cannot be read, or is damaged; ChecksumError where it does not match its card.
    """
    return InstalledModel(name, path, read_model_file(path))


def find(model: str | os.PathLike[str]) -> Path:
    """The file that ``model`` means: what has a folder or a suffix, or is a file, is a path; the rest are names.

    Raises:
        UsageError: no model of that name is installed; the message lists those that are.
    """
    path = Path(model)
    if path.suffix or path.name != os.fspath(model) or path.exists():
        return path
    known = paths()
    if path.name in known:
        return known[path.name]
    more = "" if find_spec(PACKAGE) else f" ('pip install {DISTRIBUTION}' brings more)"
    raise UsageError(f"no model {path.name!r} is installed, only {', '.join(known)}{more}; or give a .tflite file")


def _folders() -> list[Path]:
    """Where the distribution with the other models lies; nowhere, mostly."""
    spec = find_spec(PACKAGE)
    return [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []
