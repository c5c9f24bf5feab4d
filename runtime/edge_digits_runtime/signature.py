"""Signatures of model files and passports: who made a file, where a sha256 inside it only says that it is intact.

A signature is a trailer of 112 bytes: `MARK`, the public key of 32 bytes that it claims, and the Ed25519 signature (64
bytes) of all that is before the trailer. It is found by its size alone, so that nothing of a file is parsed before the
signature is checked. A signed file stays what it is to other programs: behind a model the trailer is the comment of the
ZIP that holds the card, and its length is signed, too; in a record it is the last member of the JSON object, in base64.

OpenSSL checks a signed model without this code::

    head -c -112 model.tflite > signed && tail -c 64 model.tflite > signature
    openssl pkeyutl -verify -pubin -inkey release.pub -rawin -in signed -sigfile signature

Keys are Ed25519 in PEM, as ``edge-digits keygen`` and ``openssl genpkey -algorithm ed25519`` write them. The package
``cryptography`` is needed to sign and to check, and for nothing else.
"""

import base64
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from edge_digits_runtime.errors import ModelError, SignatureError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MARK = b"edge-digits-sig1"
"""How the trailer begins."""
BYTES = len(MARK) + 32 + 64
"""Size of the trailer."""
# The record that ends a ZIP, and where it states the length of its comment.
_END, _END_BYTES = b"PK\x05\x06", 22
# A record in JSON ends so, and with a signature in the second way.
_CLOSED = b"\n}\n"
_BEFORE, _AFTER = b',\n  "signature": "', b'"\n}\n'
_BASE64_BYTES = -(-BYTES // 3) * 4
_LARGEST_KEY = 1 << 16

Key = str | os.PathLike[str]


def make_keys() -> tuple[bytes, bytes]:
    """Return a new private key and its public key, both in PEM.

    Raises:
        UsageError: ``cryptography`` is not installed.
    """
    _need()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key, pem = Ed25519PrivateKey.generate(), serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)


def private_key(path: Key) -> "Ed25519PrivateKey":
    """Read the key that signs.

    Raises:
        UsageError: it cannot be read, is no private Ed25519 key in PEM, or has a passphrase; or ``cryptography`` is not
            installed.
    """
    content = _key_file(path)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(content, None)
    except TypeError as error:
        raise UsageError(
            f"{path}: this key has a passphrase; write it without one: openssl pkey -in {path} -out other.key"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "private", content) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private", content)
    return key


def sign_model(content: bytes, key: Key) -> bytes:
    """Return a model file with a signature behind it, in place of the one that it may have.

    Args:
        content: the file, with a card.
        key: path of the private key.

    Raises:
        ModelError: it has no card: then there is nothing that the signature could be a part of.
        UsageError: as in `private_key`.
    """
    unsigned = without_signature(content)
    if not ends_as_zip(unsigned):
        raise ModelError("only a model with a card can be signed")
    return _signed(unsigned[:-2] + struct.pack("<H", BYTES), private_key(key))


def sign_record(content: bytes, key: Key) -> bytes:
    """Return a JSON object with a signature as its last member.

    Args:
        content: the object without a signature, as `edge_digits_runtime.records.files.json_bytes` writes it.
        key: path of the private key.

    Raises:
        UsageError: as in `private_key`.
    """
    if not content.endswith(_CLOSED):
        raise ValueError("not the JSON that files.json_bytes writes")
    opened = content.removesuffix(_CLOSED)
    trailer = _signed(opened, private_key(key))[len(opened) :]
    return opened + _BEFORE + base64.b64encode(trailer) + _AFTER


def check_model(content: bytes, key: Key, name: str) -> None:
    """Check the signature of a model file, of which nothing is parsed.

    Args:
        content: the file.
        key: path of the public key that its signature must fit.
        name: what messages call the file.

    Raises:
        SignatureError: it is not signed, not by this key, or was changed after that.
        UsageError: the key cannot be read or is none, or ``cryptography`` is not installed.
    """
    _check(content[:-BYTES], content[-BYTES:], key, name)


def check_record(content: bytes, key: Key, name: str) -> None:
    """Check the signature of a JSON record, of which nothing is parsed; see `check_model`."""
    size = len(_BEFORE) + _BASE64_BYTES + len(_AFTER)
    opened, end = content[:-size], content[-size:]
    trailer = b""
    if end.startswith(_BEFORE) and end.endswith(_AFTER):
        text = end[len(_BEFORE) : -len(_AFTER)]
        try:
            trailer = base64.b64decode(text, validate=True)
        except ValueError:
            trailer = b""
        # What base64 leaves open is closed: a signature has one spelling.
        trailer = trailer if base64.b64encode(trailer) == text else b""
    _check(opened, trailer, key, name)


def without_signature(content: bytes) -> bytes:
    """Return what ends as a ZIP with a signature as it was before it was signed; anything else as it is."""
    start = len(content) - BYTES
    is_signed = content[start:].startswith(MARK) and content[start - 2 : start] == struct.pack("<H", BYTES)
    return content[: start - 2] + b"\0\0" if start > _END_BYTES and is_signed else content


def ends_as_zip(content: bytes) -> bool:
    """Return whether the end is that of a ZIP without a comment, and nothing is behind it."""
    end = content[-_END_BYTES:]
    return end.startswith(_END) and end.endswith(b"\0\0")


def _signed(content: bytes, key: "Ed25519PrivateKey") -> bytes:
    return content + MARK + key.public_key().public_bytes_raw() + key.sign(content)


def _check(content: bytes, trailer: bytes, key: Key, name: str) -> None:
    public = _public_key(key)
    from cryptography.exceptions import InvalidSignature

    if len(trailer) != BYTES or not trailer.startswith(MARK):
        raise SignatureError(f"{name}: not signed, and a signature that fits {key} is required: sign it with --sign")
    claimed, signature = trailer[len(MARK) : -64], trailer[-64:]
    if claimed != public.public_bytes_raw():
        raise SignatureError(f"{name}: signed with another key ({claimed.hex()[:16]}…) than that of {key}")
    try:
        public.verify(signature, content)
    except InvalidSignature as error:
        raise SignatureError(f"{name}: was changed after it was signed: copy it again") from error


def _public_key(path: Key) -> "Ed25519PublicKey":
    content = _key_file(path)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "public", content) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public", content)
    return key


def _no_key(path: Key, wanted: str, content: bytes) -> UsageError:
    other = {"private": "public", "public": "private"}[wanted]
    found = f"a {other} key" if f"{other.upper()} KEY-----".encode() in content else "something else"
    return UsageError(
        f"{path}: a {wanted} Ed25519 key in PEM is needed here, and this is {found}; 'edge-digits keygen NAME' makes "
        "NAME.key, the private one, and NAME.pub"
    )


def _key_file(path: Key) -> bytes:
    """Read the file of a key.

    Raises:
        UsageError: it cannot be read, or ``cryptography`` is not installed.
    """
    _need()
    try:
        with Path(path).open("rb") as file:
            return file.read(_LARGEST_KEY)
    except OSError as error:
        raise UsageError(f"{path}: this key cannot be read: {error.strerror or error}") from error


def _need() -> None:
    """Refuse to go on without ``cryptography``.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import cryptography.exceptions  # noqa: F401
    except ImportError as error:
        # Imported here: every process that runs a model imports this module, and hardly any comes here.
        from edge_digits_runtime.installation import how_to_get

        raise UsageError(f"signatures need the package cryptography: {how_to_get(['sign'])}") from error
