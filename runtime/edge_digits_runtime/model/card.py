"""The model card: what a ``.tflite`` says of itself, and the one reader and writer of model files.

A model file is a flatbuffer with a stored (uncompressed) ZIP behind it that holds ``labels.txt`` and
``card.json``: the TFLite metadata convention for associated files. An interpreter stops reading at the end of
the flatbuffer, ``unzip -l model.tflite`` lists the rest. The card holds the sha256 of the flatbuffer, since
flipped weight bytes load without a complaint and answer nonsense. Behind a flatbuffer there is a card that can be read,
or nothing at all: else one flipped bit would hide the card, and with it the sha256. The comment of the ZIP may be a
signature, see `edge_digits_runtime.signature`.

A card says nothing that nobody obeys: what changes an answer (`labels`, `input`, `temperature`, `min_confidence`)
is used as it is stated or the file is refused, and a field that is unknown here is refused, too.
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
from typing import Annotated, Any, Literal, get_args

from edge_digits_runtime import signature
from edge_digits_runtime.data.classes import DIGIT_CLASSES, FEWEST, MOST
from edge_digits_runtime.errors import ChecksumError, ModelError
from edge_digits_runtime.image.model_input import INK, Input
from edge_digits_runtime.library_errors import JSON, ZIP, first_line
from edge_digits_runtime.model import schema, validation
from edge_digits_runtime.records import fields
from edge_digits_runtime.records.class_names import ClassNames
from edge_digits_runtime.records.fields import (
    Count,
    FieldError,
    Length,
    Line,
    Matching,
    Name,
    Sha256,
    Share,
    Time,
    Within,
)

FORMAT = "edge-digits-card/2"
Scheme = Literal["float32", "float16", "dynamic", "int8"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
_CARD, _LABELS = "card.json", "labels.txt"
LARGEST = 64 << 20
"""Bytes of a model file; the largest of the networks here has 2 MB."""
_LARGEST_CARD = 1 << 20
# A fixed time stamp: the same model and card are the same file, byte for byte.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
# An entry of a ZIP starts with these four bytes.
_ENTRY = b"PK\x03\x04"
# A writer may pad what it writes to a multiple of so many bytes.
_PADDING = 16


@dataclass(frozen=True)
class Calibration:
    """The pictures that the activation ranges of an int8 model were taken from."""

    split: Literal["train"]
    """Test and validation pictures are for measuring."""
    count: Count
    """Number of pictures, the same number of each class give or take one."""
    seed: Count
    """Seed of the class-balanced draw."""


@dataclass(frozen=True)
class FloatReference:
    """Figures of the Keras model before conversion, on the device that trained it."""

    device: Name
    """Name of that device, such as ``AMD EPYC`` or ``NVIDIA H200``."""
    accuracy: Mapping[str, Share]
    """Share of right answers in [0, 1] by split, ``validation`` and ``test``."""
    p50_us: Annotated[float, Within(0, 1e12)]
    """Median latency of one picture in microseconds."""


LICENCE = r"[A-Za-z0-9.+()-]+( (AND|OR|WITH) [A-Za-z0-9.+()-]+)*"
"""Regular expression of what is taken for an SPDX expression."""
Licence = Annotated[str, Matching(f"({LICENCE})?", "an SPDX expression such as MIT, or none")]


@dataclass(frozen=True)
class TrainedOn:
    """Data that weights were trained on."""

    data: Line
    """What it is, such as ``MNIST``."""
    terms: Licence
    """Its licence as an SPDX expression, such as ``CC-BY-SA-3.0``; empty where it is not known."""

    def __str__(self) -> str:
        return f"{self.data} ({self.terms or 'terms not known'})"


@dataclass(frozen=True)
class ModelCard:
    """Everything that a model file says of itself, beyond its tensors."""

    name: Name
    """Name of the recipe, such as ``cnn-32-64-64``."""
    scheme: Scheme
    """Number format of weights and activations."""
    sha256: Sha256
    """Hex digest of the flatbuffer part of the file."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The recipe that was trained, as `Recipe.to_dict` of the training side wrote it, seed included."""
    data: Line = ""
    """Data set and number of training pictures, such as ``MNIST (54,000 pictures)``."""
    trained_on: tuple[TrainedOn, ...] = ()
    """All data that the weights were trained on, with its terms; none where nobody said."""
    licence: Licence = ""
    """What its makers grant for the model, as an SPDX expression such as ``MIT``; empty where nobody said."""
    weights_sha256: Annotated[str, Matching("([0-9a-f]{64})?", "64 hexadecimal digits, or none")] = ""
    """sha256 of the Keras weights that it was converted from, as in ``ModelInfo.weights_sha256`` of its evaluations."""
    calibration: Calibration | None = None
    """None unless the scheme is int8."""
    reference: FloatReference | None = None
    """The float original; None where it is not known."""
    accuracy: Mapping[str, Share] = field(default_factory=dict)
    """Share of right answers in [0, 1] by split, measured on this file when it was converted."""
    temperature: Annotated[float, Within(0.001, 1000)] = 1.0
    """Logits are divided by it before softmax, so that confidence is calibrated; fitted on validation data."""
    min_confidence: Share = 0.5
    """Below this calibrated confidence an answer is not sure, in [0, 1]."""
    labels: Annotated[tuple[Line, ...], Length(FEWEST, MOST)] = DIGIT_CLASSES
    """Names of the classes, in the order of the outputs; of a line one character each, without the blank. If the first
    hundred are ``0.0`` to ``9.9``, the model answers how far a wheel has turned, see `edge_digits_runtime.data.turns`:
    its label is the nearest digit, its confidence that of all turns within two tenths."""
    input: Input = INK
    """How a picture becomes the input, see `edge_digits_runtime.image.model_input.Input`."""
    runtime: Annotated[str, Matching(r"\d{1,9}(\.\d{1,9}){0,3}", "a version such as 0.1.0")] = "0.1.0"
    """The oldest edge-digits-runtime that can run this file."""
    created: Time = ""
    """UTC time of the conversion, ISO 8601."""
    parameters: Count | None = None
    """Number of trainable parameters of the network; None where it is not known."""
    macs: Count | None = None
    """Multiply-accumulates of one picture; None where they are not known."""

    def to_dict(self) -> dict[str, Any]:
        """Return the card as JSON-ready values, with the format name first."""
        values = dataclasses.asdict(self)
        return {"format": FORMAT} | values | {name: list(values[name]) for name in ("labels", "trained_on")}

    @classmethod
    def from_dict(cls, values: Any) -> "ModelCard":
        """Read what `to_dict` returned, after JSON.

        Raises:
            ModelError: not a card, or a field is missing, unknown, or holds what this runtime does not obey.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise ModelError(f"the model card is not of format {FORMAT}: convert the run again with this version")
        try:
            card: ModelCard = fields.read(cls, {name: value for name, value in values.items() if name != "format"})
            _check_labels(card)
            if card.calibration is not None and card.scheme != "int8":
                raise FieldError(f"calibration is there, but the scheme is {card.scheme}")
        except FieldError as error:
            raise ModelError(f"the model card does not fit this runtime ({error}): convert the run again") from error
        return card


def _check_labels(card: ModelCard) -> None:
    """Check that the labels are those of the kind of input.

    Raises:
        FieldError: they are not.
    """
    if card.input.kind != "line":
        fields.read(ClassNames, list(card.labels), "labels")
    elif any(len(label) != 1 for label in card.labels) or not len(set(card.labels)) == len(card.labels) < MOST:
        raise FieldError(f"labels of a line are 2 to {MOST - 1} different characters")


@dataclass(frozen=True)
class ModelFile:
    """A model file taken apart."""

    content: bytes
    """The whole file, which is what an interpreter is given."""
    flatbuffer_bytes: int
    """Length of the flatbuffer part in bytes."""
    card: ModelCard | None
    """None where the file was not made by edge-digits."""
    unchecked: tuple[str, ...] = ()
    """Operators, and other parts of the model, that `edge_digits_runtime.model.validation` knows nothing of."""
    memory: int = 0
    """Bytes of all tensors that are computed for one picture."""

    @property
    def sha256(self) -> str:
        """Hex digest of the flatbuffer part."""
        return hashlib.sha256(memoryview(self.content)[: self.flatbuffer_bytes]).hexdigest()


def append_card(flatbuffer: bytes, card: ModelCard, key: str | os.PathLike[str] | None = None) -> bytes:
    """Join a flatbuffer and its card to one model file; the card's ``sha256`` is set here.

    Args:
        flatbuffer: the model.
        card: what it says of itself.
        key: file of the private key that signs it, see `edge_digits_runtime.signature`; None for no signature.

    Raises:
        ModelError: the card is one that `ModelCard.from_dict` would refuse.
        UsageError: the key cannot be read, or the package that signs is not installed.
    """
    card = dataclasses.replace(card, sha256=hashlib.sha256(flatbuffer).hexdigest())
    values = card.to_dict()
    ModelCard.from_dict(values)
    buffer = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        archive.writestr(zipfile.ZipInfo(_LABELS, _ZIP_TIME), _labels_file(card))
        archive.writestr(zipfile.ZipInfo(_CARD, _ZIP_TIME), text)
    content = buffer.getvalue()
    return content if key is None else signature.sign_model(content, key)


def read_model_file(
    path: str | os.PathLike[str],
    allow_unverified: bool = False,
    require_signature: str | os.PathLike[str] | None = None,
) -> ModelFile:
    """Read a ``.tflite`` from disk and check it, and against its card.

    Args:
        path: the file.
        allow_unverified: see `parse_model_file`.
        require_signature: see `parse_model_file`.

    Raises:
        ModelError: no such file, or see `parse_model_file`.
        ChecksumError: the flatbuffer does not have the sha256 that the card states.
        SignatureError: see `parse_model_file`.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    return parse_model_file(content, str(path), allow_unverified, require_signature)


def parse_model_file(
    content: bytes,
    name: str,
    allow_unverified: bool = False,
    require_signature: str | os.PathLike[str] | None = None,
) -> ModelFile:
    """Take a model file apart and check it, and against its card.

    Args:
        content: the whole file.
        name: what messages call it.
        allow_unverified: accept a flatbuffer whose sha256 is not the one in the card, that has operators which cannot
            be checked, or that has other files than a card behind it.
        require_signature: path of the public key that the file must be signed with, which is checked before anything
            of the file is parsed; None if it need not be signed.

    Raises:
        ModelError: not a TFLite flatbuffer, one that does not fit together, or behind it something else than a card
            that fits this runtime.
        ChecksumError: the flatbuffer does not have the sha256 that the card states.
        SignatureError: it is not signed with the key that is required.
        UsageError: the key cannot be read, or the package that checks signatures is not installed.
    """
    if len(content) > LARGEST:
        raise ModelError(f"{name}: larger than {LARGEST >> 20} MB, which no model here is")
    if require_signature is not None:
        signature.check_model(content, require_signature, name)
    try:
        model = schema.read(content)
        unchecked = validation.check(model)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    if unchecked and not allow_unverified:
        raise ModelError(
            f"{name}: what happens if this model is damaged cannot be checked, since it has {', '.join(unchecked)}: "
            "convert it with other operators, or pass --allow-unverified to run it, first in a process of its own"
        )
    card = _read_card(content, model.end, name, allow_unverified)
    file = ModelFile(content, model.end, card, unchecked, validation.computed_bytes(model.graphs[0]))
    if card is not None and file.sha256 != card.sha256 and not allow_unverified:
        raise ChecksumError(
            f"{name}: the model does not match the sha256 in its card: copy the file again, "
            "or pass --allow-unverified to run it as it is"
        )
    return file


def _read_card(content: bytes, end: int, name: str, allow_unverified: bool) -> ModelCard | None:
    """Return the card behind a flatbuffer that ends at ``end``; None where there is nothing.

    Raises:
        ModelError: there is something else.
    """
    rest = signature.without_signature(content[end:])
    if not rest.strip(b"\0") and len(rest) < _PADDING:
        return None
    if not rest.startswith(_ENTRY[: len(rest)]) and rest[:_PADDING].lstrip(b"\0").startswith(_ENTRY):
        rest = rest[rest.index(_ENTRY) :]
    if not rest.startswith(_ENTRY[: len(rest)]):
        if allow_unverified:
            return None
        raise _no_card(name, "bytes that are no ZIP")
    try:
        # Without the flatbuffer, which may hold what looks like the start of a ZIP.
        with zipfile.ZipFile(io.BytesIO(rest)) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if _CARD not in names:
                if allow_unverified:
                    return None
                raise _no_card(name, " and ".join(map(repr, names)) or "an empty ZIP")
            # A card takes about 2 KB and is not compressed; an entry that is can announce gigabytes.
            large = any(entry.file_size > _LARGEST_CARD or entry.compress_type for entry in entries)
            is_ours = sorted(names) == sorted({*names}) and {*names} <= {_CARD, _LABELS} and signature.ends_as_zip(rest)
            if not is_ours or large:
                raise zipfile.BadZipFile("it is not as convert writes it")
            parts = {entry.filename: archive.read(entry) for entry in entries}
    except ZIP as error:
        if zipfile.is_zipfile(io.BytesIO(rest)):
            raise _damaged(name, error) from error
        raise ModelError(f"{name}: cut off within the model card behind the model: copy the file again") from error
    try:
        values = json.loads(parts[_CARD])
    except JSON as error:
        raise _damaged(name, error) from error
    try:
        card = ModelCard.from_dict(values)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    if parts.get(_LABELS) != _labels_file(card).encode():
        raise ModelError(f"{name}: {_LABELS} behind the model does not have the labels of the card: copy it again")
    return card


def _no_card(name: str, what: str) -> ModelError:
    return ModelError(
        f"{name}: behind the model there is {what}, but no {_CARD}: copy the file again, "
        "or pass --allow-unverified to run it without a card"
    )


def _damaged(name: str, error: Exception) -> ModelError:
    return ModelError(f"{name}: the model card behind the model is damaged ({first_line(error)}): copy it again")


def _labels_file(card: ModelCard) -> str:
    return "".join(f"{label}\n" for label in card.labels)
