"""``bundle --target pico``: the C of a run in one ZIP."""

import hashlib
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.model.registry import DEFAULT_MODEL

from edge_digits.cli import main
from edge_digits.deploy.pico import FOLDER

FLATBUFFER = DEFAULT_MODEL.read_bytes()[: read_model_file(DEFAULT_MODEL).flatbuffer_bytes]


def bundle(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["bundle", "--target", "pico", *map(str, arguments)])


def test_the_zip_has_what_a_pico_needs(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run({"m.tflite": (FLATBUFFER, "int8")})
    for name in ("a.zip", "b.zip"):
        result = bundle(run, "-o", tmp_path / name)
        assert result.exit_code == 0, result.output
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert "mlp-8 in C for a Pico, " in result.stdout
    zipfile.ZipFile(tmp_path / "a.zip").extractall(tmp_path)
    folder = tmp_path / FOLDER
    for name in ("digits.c", "digits.h", "CMakeLists.txt", "pico/blink.c", "README.md"):
        assert (folder / name).is_file()
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert "Test pictures of Noise." in (folder / "self_test.c").read_text()
    subprocess.run(["make", "-s", "-C", folder, "test", "CFLAGS=-O1"], check=True, capture_output=True)


def test_what_has_no_meaning_there_is_refused(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run({"m.tflite": (FLATBUFFER, "int8")})
    for options in (["--no-runtime"], ["--scheme", "float32"], ["--allow-unverified"]):
        result = bundle(run, "-o", tmp_path / "x.zip", *options)
        assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
        assert "--target pico packs int8 models" in result.stderr
    assert not (tmp_path / "x.zip").exists()
