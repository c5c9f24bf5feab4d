"""Read a Keras model file of unknown origin; code in it is never run unless that is allowed."""

import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.library_errors import JSON, ZIP, first_line

from edge_digits_train.engine.keras_safety import code_in, custom_in
from edge_digits_train.engine.keras_session import devices, keras

LARGEST_FILE = 500_000_000
"""Bytes of a model file, and of what is packed in it. A network for pictures of 64×64 has a few million."""
_ZIP, _HDF5 = b"PK", b"\x89HDF"
KERAS = (
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)
"""`keras.models.load_model` of a damaged file or one of another version: it looks names up in modules, and calls what
it finds with what the file says."""


def load(path: Path, allow_code: bool = False) -> keras.Model:
    """Load a ``.keras`` or ``.h5`` file.

    Args:
        path: the file.
        allow_code: run code that the file holds, such as that of a Lambda layer.

    Raises:
        ModelError: missing, damaged, of another form, with code or layers that are not of Keras, with weights that are
            no finite numbers, or one that Keras cannot load; the message names the file.
    """
    if path.is_dir():
        raise ModelError(f"{path}: {_folder_advice(path)}")
    if not path.is_file():
        raise ModelError(f"{path}: no such file; give a .keras or .h5 file, or a run folder to 'convert'")
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    if size > LARGEST_FILE:
        raise ModelError(f"{path}: {size:,} bytes; allowed are {LARGEST_FILE:,}")
    if start.startswith(_ZIP):
        config, version, suffix = *_read_keras(path), ".keras"
    elif start == _HDF5:
        config, version, suffix = *_read_h5(path), ".h5"
    else:
        raise ModelError(f"{path}: neither a .keras nor an .h5 file, or cut off; save the model with model.save()")
    _check(path, config, allow_code)
    return _loaded(path, suffix, version, allow_code)


def _check(path: Path, config: Any, allow_code: bool) -> None:
    """Check what the configuration says before Keras sees it."""
    code = code_in(config)
    if code and not allow_code:
        raise ModelError(
            f"{path}: holds a {code}, whose code runs when the file is loaded; if you trust the file add --allow-code, "
            "or build the model from other layers"
        )
    custom = custom_in(config)
    if custom:
        raise ModelError(
            f"{path}: holds a {custom}, which is not of Keras itself, so a device could not run it; build the model "
            "from layers of Keras, load its weights and save it again"
        )


def _loaded(path: Path, suffix: str, version: str, allow_code: bool) -> keras.Model:
    devices()
    # Keras goes by the end of the name.
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"model{suffix}"
        shutil.copyfile(path, copy)
        try:
            model = keras.models.load_model(copy, compile=False, safe_mode=not allow_code)
        except KERAS as error:
            old = "it was saved by Keras 2: load it there and save it as .h5" if version.startswith("2.") else ""
            raise ModelError(
                f"{path}: Keras {keras.__version__} cannot load it ({first_line(error)[:200]}); "
                f"{old or 'is the file damaged, or of a newer Keras?'}"
            ) from error
    for weight in getattr(model, "weights", ()):
        if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
            raise ModelError(
                f"{path}: weights {weight.path} are not all finite numbers; the training failed, repeat it"
            )
    return model


def _read_keras(path: Path) -> tuple[Any, str]:
    """Return the configuration in a ``.keras`` file, and the version of Keras that wrote it."""
    try:
        with zipfile.ZipFile(path) as archive:
            packed = sum(entry.file_size for entry in archive.infolist())
            if packed > LARGEST_FILE:
                raise ModelError(f"{path}: {packed:,} bytes are packed in it; allowed are {LARGEST_FILE:,}")
            if "config.json" not in archive.namelist():
                raise ModelError(f"{path}: no config.json in it, so no Keras model; save the model with model.save()")
            config = json.loads(archive.read("config.json"))
            metadata = json.loads(archive.read("metadata.json")) if "metadata.json" in archive.namelist() else {}
    except (*ZIP, *JSON) as error:
        raise ModelError(f"{path}: damaged ({first_line(error)}); save the model again") from error
    return config, str(metadata.get("keras_version", "")) if isinstance(metadata, dict) else ""


def _read_h5(path: Path) -> tuple[Any, str]:
    """Return the configuration in an ``.h5`` file, and the version of Keras that wrote it."""
    try:
        with h5py.File(path) as file:
            written, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "")
            if written is None:
                raise ModelError(f"{path}: holds weights without a model; save it whole, with model.save()")
            config = json.loads(written)
    except (*JSON, OSError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: damaged ({first_line(error)}); save the model again") from error
    return config, version.decode(errors="replace") if isinstance(version, bytes) else str(version)


def _folder_advice(path: Path) -> str:
    if (path / "saved_model.pb").is_file():
        return (
            "a SavedModel, which Keras 3 cannot read; where it was made load it with "
            "tf.keras.models.load_model and save it as .keras or .h5"
        )
    return "a folder; give a .keras or .h5 file"
