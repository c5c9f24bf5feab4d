"""Keys, and what ``--require-signature`` refuses, as typed."""

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from edge_digits_live.models import Models
from edge_digits_runtime import signature
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import read_model_file

from edge_digits.cli import main
from edge_digits.commands.answers import ModelChoice
from edge_digits.samples import SAMPLES


def edge_digits(*words: object) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with keys and a signed model, made as a user does."""
    folder = tmp_path / "keys"
    assert edge_digits("keygen", folder / "release").exit_code == 0
    assert edge_digits("keygen", folder / "other").exit_code == 0
    content = signature.sign_model(registry.DEFAULT_MODEL.read_bytes(), folder / "release.key")
    (folder / "signed.tflite").write_bytes(content)
    (folder / "changed.tflite").write_bytes(content[:5000] + b"changed" + content[5007:])
    (folder / "lines.tflite").write_bytes(
        signature.sign_model(registry.LINE_MODEL.read_bytes(), folder / "release.key")
    )
    return folder


def test_a_private_key_is_for_its_owner_alone_and_never_replaced(keys: Path) -> None:
    assert stat.S_IMODE((keys / "release.key").stat().st_mode) == 0o600
    before = (keys / "release.key").read_bytes(), (keys / "release.pub").read_bytes()
    again = edge_digits("keygen", keys / "release")
    assert (again.exit_code, again.stderr.count("\n")) == (2, 1)
    assert "is there already" in again.stderr
    assert ((keys / "release.key").read_bytes(), (keys / "release.pub").read_bytes()) == before
    assert sorted(path.name for path in keys.iterdir()) == [
        *("changed.tflite", "lines.tflite", "other.key", "other.pub", "release.key", "release.pub", "signed.tflite"),
    ]


@pytest.mark.parametrize("verb", ["classify", "read"])
def test_pictures_are_answered_by_a_signed_model_alone(verb: str, keys: Path) -> None:
    model = keys / ("lines.tflite" if verb == "read" else "signed.tflite")
    words = [verb, SAMPLES[7], SAMPLES[8], "--model", model]
    good = edge_digits(*words, "--require-signature", keys / "release.pub")
    assert (good.exit_code, good.stderr) == (0, "")
    assert good.stdout == edge_digits(*words).stdout
    for bad, said in (
        ([verb, SAMPLES[7]], "not signed"),
        ([*words[:2], "--model", keys / "changed.tflite"], "was changed after it was signed"),
    ):
        refused = edge_digits(*bad, "--require-signature", keys / "release.pub")
        assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
        assert said in refused.stderr
    refused = edge_digits(*words, "--require-signature", keys / "other.pub")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "signed with another key" in refused.stderr


def test_digit_by_digit_the_classifier_is_checked(keys: Path) -> None:
    words = ["read", SAMPLES[7], "--by-digit", "--model", keys / "signed.tflite", "--require-signature"]
    assert edge_digits(*words, keys / "release.pub").exit_code == 0
    assert edge_digits(*words, keys / "other.pub").exit_code == 2


def test_a_service_offers_the_signed_model_alone(keys: Path) -> None:
    models = Models(ModelChoice(keys / "signed.tflite", None, False, None, keys / "release.pub"))
    assert list(models.load) == [models.default]
    refused = edge_digits("serve", "--port", 0, "--require-signature", keys / "release.pub")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "not signed" in refused.stderr


def test_a_passport_is_asked_for_with_the_signature(keys: Path) -> None:
    result = edge_digits("doctor", "--require-signature", keys / "release.pub")
    assert result.exit_code == 2
    assert "give --passport" in result.stderr


@pytest.mark.parametrize(
    "words", [["convert", "run", "--sign"], ["certify", "run", "pi", "--max-drop=1", "--max-ms=1", "--sign"]]
)
def test_a_key_that_is_none_is_said_before_the_work(words: list[str], keys: Path, tmp_path: Path) -> None:
    for path, said in ((keys / "release.pub", "this is a public key"), (tmp_path / "gone", "cannot be read")):
        result = edge_digits(*words, path)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert said in result.stderr


def test_the_key_says_what_to_install_where_the_extra_is_absent(keys: Path) -> None:
    code = "import sys; sys.modules['cryptography'] = None; from edge_digits.cli import main; main()"
    words = ["classify", SAMPLES[7], "--require-signature", keys / "release.pub"]
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "signatures need the package cryptography: " in done.stderr


def test_a_bundle_carries_the_signature(keys: Path, make_run: Callable[..., Path], tmp_path: Path) -> None:
    file = read_model_file(registry.DEFAULT_MODEL)
    run = make_run({"mlp-8-int8.tflite": (file.content[: file.flatbuffer_bytes], "int8")})
    words = ["bundle", run, "--no-runtime", "-o", tmp_path / "pi.zip", "--require-signature", keys / "release.pub"]
    refused = edge_digits(*words)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "mlp-8-int8.tflite: not signed" in refused.stderr
    deployed = edge_digits("deploy", run, "nowhere", "--require-signature", keys / "release.pub")
    assert (deployed.exit_code, "not signed" in deployed.stderr) == (2, True)
    model = run / "mlp-8-int8.tflite"
    model.write_bytes(signature.sign_model(model.read_bytes(), keys / "release.key"))
    packed = edge_digits(*words)
    assert packed.exit_code == 0, packed.output
    unpack = [sys.executable, "-m", "zipfile", "-e", tmp_path / "pi.zip", tmp_path]
    subprocess.run(unpack, check=True)
    signature.check_model(
        (tmp_path / "edge-digits-bundle" / "model.tflite").read_bytes(), keys / "release.pub", "model"
    )
