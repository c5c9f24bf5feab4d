"""``edge-digits export``, and what compilers, CMake and Arduino make of the folder."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from edge_digits_convert.microcontroller.exporting import made_pictures
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data import turns
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import read_model_file
from edge_digits_train.data import mnist
from numpy.typing import NDArray

from edge_digits.cli import main

XS = "digits-xs"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("command") / "digits"
    result = run(XS, "-o", out)
    assert result.exit_code == 0, result.output
    assert "digits-xs, 251,128 multiply-accumulates a picture; 3,292 bytes of weights" in result.stdout
    assert "10 of 10 pictures right" in result.stdout
    return out


def call(*command: str | Path, given: bytes = b"") -> str:
    done = subprocess.run([str(part) for part in command], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


def test_the_makefile(folder: Path) -> None:
    assert "10 of 10 test pictures have the expected logits" in call("make", "-C", folder, "test")
    call("make", "-C", folder, "clean")
    assert not (folder / "digits").exists()


def test_the_program_answers_as_the_classifier(folder: Path) -> None:
    call("make", "-s", "-C", folder, "host")
    pictures = mnist.load().test.images[:300]
    lines = call(folder / "digits", given=pictures.tobytes()).splitlines()
    classifier = DigitClassifier(registry.find(XS))
    predictions = classifier.classify_batch(pictures)
    steps = classifier.outputs(pictures)
    for line, label, sure, confidence, logits in zip(
        lines, predictions.labels, predictions.sure, predictions.confidences, steps, strict=True
    ):
        answer, percent, *values = line.split()
        # XNNPACK rounds otherwise: by a step or two of the logits.
        assert np.abs(np.array(values, int) - logits).max() <= 3
        if np.array_equal(np.array(values, int), logits):
            assert answer == str(label)
            assert abs(int(percent.rstrip("?")) - 100 * confidence) <= 0.51
            assert percent.endswith("?") != sure


def test_a_picture_that_is_cut_off(folder: Path) -> None:
    call("make", "-s", "-C", folder, "host")
    done = subprocess.run([folder / "digits"], input=bytes(1000), capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.decode() == "the last picture has 216 bytes instead of 784\n"
    assert len(done.stdout.splitlines()) == 1
    assert subprocess.run([folder / "digits", "x"], capture_output=True, check=False).returncode == 2


def test_probabilities_are_those_of_the_runtime(folder: Path, cc: Callable[..., None], tmp_path: Path) -> None:
    import ctypes
    import math

    cc("-O1", "-shared", "-fPIC", "-o", tmp_path / "p.so", folder / "digits.c")
    function = ctypes.CDLL(str(tmp_path / "p.so")).edge_digits_probabilities
    file = read_model_file(registry.find(XS))
    assert file.card is not None
    step = 0.19585848 / file.card.temperature
    rng = np.random.default_rng(0)
    seen = set()
    for spread in (1, 3, 10, 30, 127):
        for _ in range(100):
            logits = rng.integers(-spread, spread + 1, 10).astype(np.int8)
            got = np.zeros(10, np.uint16)
            sure = function(logits.ctypes.data_as(ctypes.c_void_p), got.ctypes.data_as(ctypes.c_void_p))
            scores = np.exp(step * (logits.astype(float) - logits.max()))
            wanted = scores / scores.sum()
            assert np.abs(got / 32768 - wanted).max() < 1e-4
            if abs(wanted.max() - file.card.min_confidence) > 1e-4:
                assert sure == (wanted.max() >= file.card.min_confidence)
                seen.add(sure)
    assert seen == {0, 1}
    assert function((ctypes.c_int8 * 10)(*[-128] * 9, 127), (ctypes.c_uint16 * 10)()) == 1
    assert math.isclose(wanted.sum(), 1)


def test_no_floating_point_and_no_library(folder: Path, tmp_path: Path, cc: Callable[..., None]) -> None:
    cc("-O2", "-c", "-o", tmp_path / "digits.o", folder / "digits.c")
    needed = [line.split()[-1] for line in call("nm", "-u", tmp_path / "digits.o").splitlines()]
    assert set(needed) <= {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
    code = (folder / "digits.c").read_text()
    assert not {"float", "double", "malloc"} & set(code.replace("(", " ").replace(";", " ").split())


def test_the_sketch_for_arduino(folder: Path, tmp_path: Path) -> None:
    sketch = folder / "arduino" / "digits"
    assert (sketch / "digits.c").read_text() == (folder / "digits.c").read_text()
    (tmp_path / "Arduino.h").write_text(
        "#include <stddef.h>\n#include <stdint.h>\nenum { LED_BUILTIN, OUTPUT, HIGH, LOW };\n"
        "struct Port { void begin(long); void setTimeout(long); size_t readBytes(char *, size_t);"
        " void println(const char *); };\nextern Port Serial;\nvoid pinMode(int, int);\nvoid digitalWrite(int, int);\n"
    )
    options = ["-Wall", "-Werror", "-fsyntax-only", "-include", tmp_path / "Arduino.h", "-I", sketch]
    call("g++", *options, "-x", "c++", sketch / "digits.ino")


def test_the_project_for_the_pico(folder: Path, tmp_path: Path) -> None:
    source = folder / "CMakeLists.txt"
    text = source.read_text()
    for name in ("pico/blink.c", "digits.c", "self_test.c", "main.c"):
        assert name in text
        assert (folder / name).is_file()
    (tmp_path / "pico").mkdir()
    (tmp_path / "pico" / "stdlib.h").write_text(
        "#include <stdint.h>\nenum { PICO_DEFAULT_LED_PIN = 25, GPIO_OUT = 1 };\nvoid stdio_init_all(void);\n"
        "void gpio_init(int);\nvoid gpio_set_dir(int, int);\nvoid gpio_put(int, int);\nvoid sleep_ms(int);\n"
    )
    options = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", tmp_path, "-I", folder]
    call("gcc", *options, folder / "pico" / "blink.c")


def test_other_classes_and_another_size(every_layer: Path, tmp_path: Path) -> None:
    result = run(every_layer, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    header = (tmp_path / "out" / "digits.h").read_text()
    for line in ("HEIGHT 20", "WIDTH 32", "CLASSES 5", '{ "A", "B", "C", "minus", "blank" }', "contrast stretched"):
        assert line in header
    assert "Pictures of noise." in (tmp_path / "out" / "self_test.c").read_text()
    call("make", "-s", "-C", tmp_path / "out", "host", "CFLAGS=-O1")
    lines = call(tmp_path / "out" / "digits", given=made_pictures(20, 32).tobytes()).splitlines()
    assert {line.split()[0] for line in lines} <= {"A", "B", "C", "minus", "blank"}


def test_pictures_of_ones_own(every_layer: Path, tmp_path: Path) -> None:
    pictures: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (30, 20, 32), np.uint8)
    labels = np.arange(30) % 5
    np.savez(tmp_path / "own.npz", x_test=pictures, y_test=labels, x_train=pictures, y_train=labels)
    result = run(every_layer, "-o", tmp_path / "out", "--data", tmp_path / "own.npz")
    assert result.exit_code == 0, result.output
    assert "Test pictures of own" in (tmp_path / "out" / "self_test.c").read_text()


def test_without_a_compiler_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    result = run(XS, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "not run, since this machine has no C compiler" in result.stdout
    assert (tmp_path / "out" / "digits.c").is_file()
    result = run(XS, "-o", tmp_path / "other", "--measure")
    assert result.exit_code == 2
    assert "apt-get install make gcc-arm-none-eabi qemu-system-arm libnewlib-arm-none-eabi" in result.stderr
    assert not (tmp_path / "other").exists()


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    for arguments in (["absent.tflite"], ["no-such-model"], [XS, "-o", str(tmp_path)], [XS, "--data", "absent.npz"]):
        (tmp_path / "full").touch()
        result = run(*arguments, *(() if "-o" in arguments else ("-o", tmp_path / "out")))
        assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.output
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


@pytest.mark.skipif(not shutil.which("qemu-system-arm"), reason="./check installs the compiler and QEMU")
def test_measuring(tmp_path: Path) -> None:
    result = run(XS, "-o", tmp_path / "out", "--measure")
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "out" / "microcontroller.json").read_text())
    figures = {entry.pop("processor"): entry for entry in record["processors"]}
    assert list(figures) == ["cortex-m0plus", "cortex-m4", "cortex-m33"]
    for entry in figures.values():
        assert 3_292 < entry["flash_bytes"] <= 8 * 1024
        assert 3_208 < entry["ram_bytes"] <= 5.5 * 1024
        assert 0 < entry["stack_bytes"] < 600
    assert figures["cortex-m0plus"]["instructions"] <= 9 * record["macs"]
    assert figures["cortex-m4"]["instructions"] <= 5 * record["macs"]
    assert "cortex-m0plus: " in result.stdout


def test_a_turn_is_sure_by_what_is_likely_within_two_tenths(cc: Callable[..., None], tmp_path: Path) -> None:
    import ctypes

    assert run("meter-m", "-o", tmp_path / "wheels").exit_code == 0
    cc("-O1", "-shared", "-fPIC", "-o", tmp_path / "p.so", tmp_path / "wheels" / "digits.c")
    function = ctypes.CDLL(str(tmp_path / "p.so")).edge_digits_probabilities
    classifier = DigitClassifier("meter-m")
    assert classifier.model.card is not None
    step = classifier.output_scale / classifier.model.card.temperature
    rng = np.random.default_rng(0)
    seen = set()
    away = np.arange(100)
    for _ in range(300):
        # A bell around a turn, narrow or wide, and noise.
        bell = -(np.minimum(away, 100 - away) ** 2) * rng.uniform(0.2, 6) + rng.normal(0, 3, 100)
        logits = np.append(np.roll(bell, rng.integers(100)), [-60, rng.choice([-60, 0, 20])])
        logits = np.clip(np.rint(logits), -128, 127).astype(np.int8)
        sure = function(logits.ctypes.data_as(ctypes.c_void_p), (ctypes.c_uint16 * 102)())
        scores = np.exp(step * (logits.astype(float) - logits.max()))
        confidence = turns.confidence_score(scores.tolist(), int(logits.argmax())) / scores.sum()
        if abs(confidence - classifier.min_confidence) > 1e-3:
            assert sure == (confidence >= classifier.min_confidence)
            seen.add(sure)
    assert seen == {0, 1}
