"""The model card: what a ``.tflite`` says of itself, and the one reader and writer of it.

A model file is a flatbuffer with a stored (uncompressed) ZIP behind it that holds ``labels.txt`` and
``card.json``: the TFLite metadata convention for associated files. An interpreter stops reading at the end of
the flatbuffer, ``unzip -l model.tflite`` lists the rest. The card holds the sha256 of the flatbuffer, since
flipped weight bytes load without a complaint and answer nonsense.
"""

import dataclasses
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_digits_runtime.errors import ChecksumError, ModelError
from edge_digits_runtime.library_errors import DAMAGE
from edge_digits_runtime.records.fields import check_fields

FORMAT = "edge-digits-card/2"
LABELS = tuple("0123456789")
PREPROCESSING_VERSION = 1
"""Raised when the same picture would become other pixels, so that a card says which rules its figures are for."""
SCHEMES = ("float32", "float16", "dynamic", "int8")
_CARD, _LABELS = "card.json", "labels.txt"
# A fixed time stamp: the same model and card are the same file, byte for byte.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
# An entry of a ZIP starts with these four bytes, and has its name 30 bytes behind them.
_ENTRY, _NAME_AT = b"PK\x03\x04", 30


@dataclass(frozen=True)
class Calibration:
    """The pictures that the activation ranges of an int8 model were taken from."""

    split: str
    """Always ``train``; test and validation pictures are for measuring."""
    count: int
    """Number of pictures, the same number of each digit give or take one."""
    seed: int
    """Seed of the class-balanced draw."""


@dataclass(frozen=True)
class FloatReference:
    """What the Keras model scored before conversion, on the device that trained it."""

    device: str
    """Name of that device, such as ``AMD EPYC`` or ``NVIDIA H200``."""
    accuracy: Mapping[str, float]
    """Share of right answers in [0, 1] by split, ``validation`` and ``test``."""
    p50_us: float
    """Median latency of one picture in microseconds."""


@dataclass(frozen=True)
class ModelCard:
    """Everything that a model file says of itself, beyond its tensors."""

    name: str
    """Name of the recipe, such as ``cnn-32-64-64``."""
    scheme: str
    """One of `SCHEMES`: how weights and activations are stored."""
    sha256: str
    """Hex digest of the flatbuffer part of the file."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The recipe that was trained, as `Recipe.to_dict` of the training side wrote it, seed included."""
    data: str = ""
    """What it was trained on, such as ``MNIST (54,000 pictures)``."""
    weights_sha256: str = ""
    """sha256 of the Keras weights that it was converted from, as in ``ModelInfo.weights_sha256`` of its evaluations."""
    calibration: Calibration | None = None
    """None unless the scheme is int8."""
    reference: FloatReference | None = None
    """The float original; None where it is not known."""
    accuracy: Mapping[str, float] = field(default_factory=dict)
    """Share of right answers in [0, 1] by split, measured on this file when it was converted."""
    temperature: float = 1.0
    """Logits are divided by it before softmax, so that confidence is calibrated; > 0, fitted on validation data."""
    min_confidence: float = 0.5
    """Below this calibrated confidence an answer is not sure, in [0, 1]."""
    labels: tuple[str, ...] = LABELS
    preprocessing: int = PREPROCESSING_VERSION
    """Version of the picture preprocessing that the figures were measured with."""
    runtime: str = "0.1.0"
    """The oldest edge-digits-runtime that can run this file."""
    created: str = ""
    """UTC time of the conversion, ISO 8601."""
    parameters: int | None = None
    """Number of trainable parameters of the network; None in cards of before this was kept."""
    macs: int | None = None
    """Multiply-accumulates of one picture; None in cards of before this was kept."""

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON-ready values, with the format name first."""
        return {"format": FORMAT} | dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelCard":
        """Read what `to_dict` wrote; fields of later versions are ignored.

        Raises:
            ModelError: not a card, or a field is missing or of the wrong type.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise ModelError(f"the model card is not of format {FORMAT}: convert the run again with this version")
        known = {f.name for f in dataclasses.fields(cls)}
        fields = {name: value for name, value in values.items() if name in known}
        try:
            if fields.get("calibration") is not None:
                fields["calibration"] = Calibration(**fields["calibration"])
            if fields.get("reference") is not None:
                fields["reference"] = FloatReference(**fields["reference"])
            fields["labels"] = tuple(fields.get("labels", LABELS))
            card = cls(**fields)
            check_fields(card)
            if card.scheme not in SCHEMES or not float(card.temperature) > 0 or len(card.labels) != len(LABELS):
                raise ValueError("scheme, temperature or labels out of range")
        except DAMAGE as error:
            raise ModelError(f"the model card is damaged ({error}): convert the run again") from error
        return card


@dataclass(frozen=True)
class ModelFile:
    """A model file taken apart."""

    content: bytes
    """The whole file, which is what an interpreter is given."""
    flatbuffer_bytes: int
    """Length of the flatbuffer part in bytes."""
    card: ModelCard | None
    """None where the file was not made by edge-digits."""

    @property
    def sha256(self) -> str:
        """Hex digest of the flatbuffer part."""
        return hashlib.sha256(memoryview(self.content)[: self.flatbuffer_bytes]).hexdigest()


def append_card(flatbuffer: bytes, card: ModelCard) -> bytes:
    """Join a flatbuffer and its card to one model file; the card's ``sha256`` is set here."""
    card = dataclasses.replace(card, sha256=hashlib.sha256(flatbuffer).hexdigest())
    buffer = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        text = json.dumps(card.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        archive.writestr(zipfile.ZipInfo(_LABELS, _ZIP_TIME), "\n".join(card.labels) + "\n")
        archive.writestr(zipfile.ZipInfo(_CARD, _ZIP_TIME), text)
    return buffer.getvalue()


def read_model_file(path: str | os.PathLike[str], allow_unverified: bool = False) -> ModelFile:
    """Read a ``.tflite`` from disk and check it against its card.

    Args:
        path: the file.
        allow_unverified: accept a flatbuffer whose sha256 is not the one in the card.

    Raises:
        ModelError: no such file, not a TFLite flatbuffer, or a damaged card.
        ChecksumError: the flatbuffer does not have the sha256 that the card states.
    """
    file = Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    return parse_model_file(content, str(path), allow_unverified)


def parse_model_file(content: bytes, name: str, allow_unverified: bool = False) -> ModelFile:
    """As `read_model_file`, for bytes at hand; ``name`` is what messages call them."""
    # A flatbuffer has its 4-byte identifier behind the 4-byte root offset.
    if content[4:8] != b"TFL3":
        raise ModelError(f"{name}: not a TFLite model (the file identifier TFL3 is missing)")
    if not zipfile.is_zipfile(io.BytesIO(content)):
        if _ends_within_card(content):
            raise ModelError(f"{name}: cut off within the model card behind the model: copy the file again")
        return ModelFile(content, len(content), None)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            end = min((entry.header_offset for entry in entries), default=len(content))
            if _CARD not in archive.namelist():
                return ModelFile(content, end, None)
            card = ModelCard.from_dict(json.loads(archive.read(_CARD)))
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    except DAMAGE as error:
        raise ModelError(f"{name}: the model card behind the model is damaged ({error}): copy it again") from error
    model = ModelFile(content, end, card)
    if model.sha256 != card.sha256 and not allow_unverified:
        raise ChecksumError(
            f"{name}: the model does not match the sha256 in its card: copy the file again, "
            "or pass --allow-unverified to run it as it is"
        )
    return model


def _ends_within_card(content: bytes) -> bool:
    """Whether a file without the end of a ZIP has the beginning of the one that `append_card` writes."""
    at = content.rfind(_ENTRY)
    if at < 0:
        # The length of a flatbuffer is a multiple of four, so these are behind it.
        rest = content[len(content) // 4 * 4 :]
        return bool(rest) and _ENTRY.startswith(rest)
    start = at + _NAME_AT
    names = (_LABELS.encode(), _CARD.encode())
    return any(name.startswith(content[start : start + len(name)]) for name in names)
