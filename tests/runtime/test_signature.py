"""A signature is checked before anything of a file is parsed, and fits one key and one file alone."""

import contextlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from edge_digits_runtime import DigitClassifier, signature
from edge_digits_runtime.errors import EdgeDigitsError, ModelError, SignatureError, UsageError
from edge_digits_runtime.model import card, registry
from edge_digits_runtime.model.card import parse_model_file
from edge_digits_runtime.page.line import LineReader
from edge_digits_runtime.page.reading import PageReader
from edge_digits_runtime.records import files
from edge_digits_runtime.records.passport import Passport
from edge_digits_runtime.signature import BYTES, MARK

pytest.importorskip("cryptography", reason="the device profile has no signatures")
MODEL = registry.DEFAULT_MODEL.read_bytes()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a.key, a.pub, b.key and b.pub."""
    folder = tmp_path_factory.mktemp("keys")
    for name in "ab":
        private, public = signature.make_keys()
        (folder / f"{name}.key").write_bytes(private)
        (folder / f"{name}.pub").write_bytes(public)
    return folder


@pytest.fixture(scope="module")
def signed(keys: Path) -> bytes:
    return signature.sign_model(MODEL, keys / "a.key")


def test_a_signed_model_runs_with_and_without_asking_for_it(keys: Path, signed: bytes) -> None:
    assert len(signed) == len(MODEL) + BYTES
    assert DigitClassifier(signed, require_signature=keys / "a.pub").model.card == DigitClassifier(signed).model.card
    assert DigitClassifier(signed).model.sha256 == DigitClassifier(MODEL).model.sha256


def test_readers_of_lines_and_pages_ask_for_it_too(keys: Path) -> None:
    lines = signature.sign_model(registry.LINE_MODEL.read_bytes(), keys / "a.key")
    for reader in (LineReader, PageReader):
        reader(lines, require_signature=keys / "a.pub")
        with pytest.raises(SignatureError, match="signed with another key"):
            reader(lines, require_signature=keys / "b.pub")
        with pytest.raises(SignatureError, match="not signed"):
            reader(require_signature=keys / "a.pub")


def test_it_is_checked_before_anything_is_parsed(keys: Path, signed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(_: bytes) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(card.schema, "read", parse)
    monkeypatch.setattr(card.zipfile, "ZipFile", parse)
    for content in (MODEL, b"", b"x", MARK, MARK * 20, signed[:-1], signed[:200] + b"x" + signed[201:]):
        with pytest.raises(SignatureError):
            parse_model_file(content, "model", require_signature=keys / "a.pub")
    with pytest.raises(AssertionError, match="parsed"):
        parse_model_file(signed, "model", require_signature=keys / "a.pub")


def test_every_flipped_byte_every_cut_and_anything_added_is_refused(keys: Path, signed: bytes) -> None:
    public = keys / "a.pub"
    for at in [*range(0, len(signed) - 3000, 97), *range(len(signed) - 3000, len(signed))]:
        flipped = bytearray(signed)
        flipped[at] ^= 1 << at % 8
        with pytest.raises(SignatureError):
            signature.check_model(bytes(flipped), public, "flipped")
        with pytest.raises(SignatureError):
            signature.check_model(signed[:at], public, "cut")
    for other in (signed + b"\0", b"\0" + signed, signed + signed[-BYTES:], signed[:-BYTES] + signed):
        with pytest.raises(SignatureError):
            signature.check_model(other, public, "added")
    with pytest.raises(SignatureError, match=r"^m: signed with another key \([0-9a-f]{16}…\) than that of .*b\.pub$"):
        signature.check_model(signed, keys / "b.pub", "m")
    # The key that a file claims proves nothing.
    other = (keys / "b.pub", signature._public_key(keys / "b.pub").public_bytes_raw())
    claimed = signed[: -BYTES + len(MARK)] + other[1] + signed[-64:]
    with pytest.raises(SignatureError, match="was changed after it was signed"):
        signature.check_model(claimed, other[0], "m")


def test_behind_a_model_there_is_a_card_a_signature_or_nothing(signed: bytes) -> None:
    """Also where nobody asks for a signature: what is cut off or changed is not run."""
    good = parse_model_file(signed, "model").card
    accepted = []
    for end in range(len(signed) - BYTES - 30, len(signed) + 1):
        with contextlib.suppress(ModelError):
            parse_model_file(signed[:end], "cut")
            accepted.append(end)
    # Without the 112 bytes it is no longer whole either: their number is stated before them.
    assert accepted == [len(signed)]
    for at in range(len(signed) - BYTES, len(signed)):
        flipped = bytearray(signed)
        flipped[at] ^= 1 << at % 8
        if at < len(signed) - BYTES + len(MARK):
            with pytest.raises(ModelError, match="the model card behind the model is damaged"):
                parse_model_file(bytes(flipped), "flipped")
        else:
            assert parse_model_file(bytes(flipped), "flipped").card == good
    for behind in (b"\0", b"PK", b"x" * BYTES, MARK + b"x" * 96):
        with pytest.raises(ModelError, match="damaged"):
            parse_model_file(MODEL + behind, "added")


def test_a_signature_is_put_in_place_of_the_former_one(keys: Path, signed: bytes) -> None:
    assert signature.without_signature(signed) == MODEL
    again = signature.sign_model(signed, keys / "b.key")
    assert len(again) == len(signed)
    signature.check_model(again, keys / "b.pub", "m")
    assert signature.sign_model(again, keys / "a.key") == signed


def test_only_a_model_with_a_card_is_signed(keys: Path) -> None:
    with pytest.raises(ModelError, match="only a model with a card"):
        signature.sign_model(MODEL[: DigitClassifier(MODEL).model.flatbuffer_bytes], keys / "a.key")


def test_other_programs_still_read_a_signed_file(signed: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(signed)
    with zipfile.ZipFile(tmp_path / "model.tflite") as archive:
        assert sorted(archive.namelist()) == ["card.json", "labels.txt"]
        assert archive.comment == signed[-BYTES:]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no OpenSSL")
def test_openssl_checks_a_signature_and_makes_keys(keys: Path, signed: bytes, tmp_path: Path) -> None:
    (tmp_path / "signed").write_bytes(signed[:-BYTES])
    (tmp_path / "signature").write_bytes(signed[-64:])
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", keys / "a.pub", "-rawin", "-in", tmp_path / "signed"]
    done = subprocess.run([*words, "-sigfile", tmp_path / "signature"], capture_output=True, check=False)
    assert (done.returncode, b"Verified Successfully" in done.stdout) == (0, True)
    make = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "o.key"]
    subprocess.run(make, check=True, capture_output=True)
    show = ["openssl", "pkey", "-in", tmp_path / "o.key", "-pubout", "-out", tmp_path / "o.pub"]
    subprocess.run(show, check=True, capture_output=True)
    signature.check_model(signature.sign_model(MODEL, tmp_path / "o.key"), tmp_path / "o.pub", "m")


def test_a_file_that_is_no_key_is_one_line(keys: Path, signed: bytes, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    pem, private, public = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.PublicFormat.SubjectPublicKeyInfo,
    )
    plain = serialization.NoEncryption()
    locked = ed25519.Ed25519PrivateKey.generate()
    other = ec.generate_private_key(ec.SECP256R1())
    files_ = {
        "empty": b"",
        "noise": bytes(range(256)) * 40,
        "huge": b"-----BEGIN PRIVATE KEY-----\n" + b"A" * (1 << 20),
        "cut.key": (keys / "a.key").read_bytes()[:60],
        "cut.pub": (keys / "a.pub").read_bytes()[:60],
        "other.key": other.private_bytes(pem, private, plain),
        "other.pub": other.public_key().public_bytes(pem, public),
        "locked.key": locked.private_bytes(pem, private, serialization.BestAvailableEncryption(b"secret")),
    }
    for name, content in files_.items():
        (tmp_path / name).write_bytes(content)
    for path in [*(tmp_path / name for name in files_), tmp_path / "gone", tmp_path]:
        with pytest.raises(UsageError) as caught:
            signature.sign_model(MODEL, path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
        with pytest.raises(UsageError, match="key"):
            signature.check_model(signed, path, "m")
    with pytest.raises(UsageError, match="has a passphrase"):
        signature.private_key(tmp_path / "locked.key")
    with pytest.raises(UsageError, match="and this is a public key"):
        signature.private_key(keys / "a.pub")
    with pytest.raises(UsageError, match="and this is a private key"):
        signature.check_model(signed, keys / "a.key", "m")


def test_a_record_keeps_being_json(keys: Path) -> None:
    content = files.json_bytes({"format": "x", "text": "ä", "list": [1, {"a": 2}]})
    signed = signature.sign_record(content, keys / "a.key")
    assert json.loads(signed) == json.loads(content) | {"signature": json.loads(signed)["signature"]}
    signature.check_record(signed, keys / "a.pub", "record")
    for at in range(len(signed)):
        flipped = bytearray(signed)
        flipped[at] ^= 1 << at % 8
        for changed in (bytes(flipped), signed[:at]):
            with pytest.raises(SignatureError):
                signature.check_record(changed, keys / "a.pub", "record")
    for changed in (content, signed + b"\n", signed.replace(b'"x"', b'"y"'), b"", b"{}"):
        with pytest.raises(SignatureError):
            signature.check_record(changed, keys / "a.pub", "record")
    with pytest.raises(SignatureError, match="another key"):
        signature.check_record(signed, keys / "b.pub", "record")
    # The signature of one is none of the other.
    trailer = MARK + signed[-BYTES + len(MARK) :]
    with pytest.raises(SignatureError):
        signature.check_model(signed + trailer, keys / "a.pub", "m")


def test_a_passport_that_is_not_signed_is_not_parsed(keys: Path, tmp_path: Path) -> None:
    path = tmp_path / "passport.json"
    for content in (b"{}", b"[" * 100_000, b"\xff"):
        path.write_bytes(content)
        with pytest.raises(SignatureError, match=r"passport\.json: not signed"):
            Passport.load(path, keys / "a.pub")
    with path.open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(EdgeDigitsError, match="larger than 64 MB"):
        Passport.load(path, keys / "a.pub")


def test_without_cryptography_it_is_one_line(keys: Path, signed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for work in (
        lambda: signature.make_keys(),
        lambda: signature.sign_model(MODEL, keys / "a.key"),
        lambda: signature.check_model(signed, keys / "a.pub", "m"),
    ):
        with pytest.raises(UsageError, match=r"^signatures need the package cryptography: .*(sign|pip)"):
            work()
    # Nothing else needs it.
    assert DigitClassifier(signed).model.card is not None
