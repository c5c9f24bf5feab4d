"""The passport of a model on a board: what was certified there, so that it can be told from anything else.

``edge-digits certify`` writes it, ``edge-digits doctor --passport`` on the device compares it with what runs there.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

from edge_digits_runtime import signature
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.library_errors import JSON, first_line
from edge_digits_runtime.records import fields, files
from edge_digits_runtime.records.device_facts import Conditions, DeviceFacts
from edge_digits_runtime.records.fields import As, FieldError, Line, Name, Positive, Sha256, Share, Time, Within

FORMAT = "edge-digits-passport/1"
NAME = "passport.json"
"""File name on the device, beside the model."""
_Points = Annotated[float, Within(-100, 100)]
_Microseconds = Annotated[float, Within(0, 1e12)]


class CertifiedModel(TypedDict):
    """The model."""

    name: Name
    scheme: Line
    bytes: Positive
    """Size of the file."""
    sha256: Sha256
    """Hex digest of the flatbuffer."""
    weights_sha256: str
    """Hex digest of the Keras weights that it descends from; empty where they are not known."""


class Installed(TypedDict):
    """A distribution on the device."""

    version: Line
    sha256: Sha256
    """Hex digest of its files as they lie on the device, see `edge_digits_runtime.installation.installed`."""
    wheel_sha256: Sha256 | None
    """Hex digest of the wheel that it was installed from, where the bundle carried it; else null."""


class Limits(TypedDict):
    """What was asked for."""

    max_drop_pp: Annotated[float, Within(0, 100)]
    """Largest upper bound of the 95 % interval of the drop, in percentage points."""
    max_ms: Annotated[float, Within(0, 1e9)]
    """Largest 99th percentile from a picture file to the answer, in milliseconds."""


class CertifiedDrop(TypedDict):
    """What the answers on the device lost to those of the float original."""

    pictures: Positive
    accuracy: Share
    drop_pp: _Points
    """Positive where accuracy was lost."""
    interval_pp: list[_Points]
    """95 % interval, lower and upper bound."""


class CertifiedTimes(TypedDict):
    """Latencies on the device, in microseconds."""

    file_p50_us: _Microseconds
    """Median from a picture file to the answer."""
    file_p99_us: _Microseconds
    invoke_p50_us: _Microseconds
    """Median of an invocation."""
    invoke_p99_us: _Microseconds


class CertifiedOriginal(TypedDict):
    """The float original."""

    accuracy: Share
    device: Name
    backend: Line


@dataclass(frozen=True)
class Passport:
    """What was certified, where, and whether it passed."""

    verdict: Literal["certified", "refused"]
    reasons: list[Line]
    """A sentence for each limit: whether it is kept."""
    limits: Annotated[Mapping[str, Any], As(Limits)]
    model: Annotated[Mapping[str, Any], As(CertifiedModel)]
    data_sha256: Sha256
    """Hex digest of the test pictures."""
    installed: Mapping[str, Installed]
    """By distribution: edge-digits, its runtime and all that they need."""
    device: Annotated[Mapping[str, Any], As(DeviceFacts)]
    """The board."""
    before: Annotated[Mapping[str, Any], As(Conditions)]
    """Its state before the measurement, such as governor and temperature."""
    after: Annotated[Mapping[str, Any], As(Conditions)]
    drop: Annotated[Mapping[str, Any], As(CertifiedDrop)]
    times: Annotated[Mapping[str, Any], As(CertifiedTimes)]
    original: Annotated[Mapping[str, Any], As(CertifiedOriginal)]
    notes: list[Line]
    """Warnings of the measurement."""
    created: Time
    """UTC time, ISO 8601."""

    def to_dict(self) -> dict[str, Any]:
        """Return the passport as JSON-ready values, with the format name first."""
        return {"format": FORMAT} | dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> "Passport":
        """Read what `to_dict` returned, after JSON.

        Raises:
            EvaluationError: no passport, or a field is missing, unknown or does not fit.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise EvaluationError(f"not a passport of format {FORMAT}; 'edge-digits certify' writes one")
        try:
            # A signature is of the bytes of the file: it is not a part of what they say.
            own = {name: value for name, value in values.items() if name not in ("format", "signature")}
            passport: Passport = fields.read(cls, own)
        except FieldError as error:
            raise EvaluationError(f"the passport is damaged ({error}): certify again") from error
        return passport

    def save(self, path: str | os.PathLike[str], key: str | os.PathLike[str] | None = None) -> None:
        """Write the passport, whole or not at all.

        Args:
            path: the file to write.
            key: file of the private key that signs it, see `edge_digits_runtime.signature`; None for no signature.

        Raises:
            OutputError: it cannot be written.
            UsageError: the key cannot be read, or the package that signs is not installed.
        """
        content = files.json_bytes(self.to_dict())
        files.write_bytes(path, content if key is None else signature.sign_record(content, key))

    @classmethod
    def load(cls, path: str | os.PathLike[str], require_signature: str | os.PathLike[str] | None = None) -> "Passport":
        """Read a passport.

        Args:
            path: the file.
            require_signature: file of the public key that it must be signed with, which is checked before anything of
                it is parsed; None if it need not be signed.

        Raises:
            EvaluationError: it is missing, damaged, or no passport; the message names the file.
            SignatureError: it is not signed with the key that is required.
        """
        try:
            content = files.read_bytes(path)
        except OSError as error:
            raise EvaluationError(f"{path}: cannot be read ({error.strerror})") from error
        if require_signature is not None:
            signature.check_record(content, require_signature, str(path))
        try:
            values = json.loads(content)
        except JSON as error:
            raise EvaluationError(f"{path}: not a passport: no JSON in it ({first_line(error)})") from error
        try:
            return cls.from_dict(values)
        except EvaluationError as error:
            raise EvaluationError(f"{path}: {error}") from error
