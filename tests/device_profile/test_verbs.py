"""The verbs that need only the device profile: no TensorFlow, no training side."""

import errno
import io
import json
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.drawing.annotate import annotate
from edge_digits_runtime.drawing.explain import explain
from edge_digits_runtime.errors import PictureError
from edge_digits_runtime.image.picture import digit_pixels, open_picture
from edge_digits_runtime.page import reading
from edge_digits_runtime.records.evaluation import Evaluation
from PIL import Image, ImageDraw, ImageFont

from edge_digits.cli import main
from edge_digits.samples import SAMPLES
from edge_digits.sources import sources


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], input=stdin)


def answers(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_default_model_reads_the_bundled_digits() -> None:
    result = run("classify", "--json", *SAMPLES)
    assert result.exit_code == 0, result.stderr
    assert [row["label"] for row in answers(result)] == list("0123456789")


def test_text_has_file_digit_and_confidence() -> None:
    result = run("classify", SAMPLES[8], "--top", "2")
    first, second = result.stdout.strip().removeprefix(f"{SAMPLES[8]}: ").split(", ")[:2]
    assert first.startswith("8 (")
    assert first.endswith(" %)")
    assert second[0] in "012345679"


def test_a_folder_a_pattern_and_standard_input(tmp_path: Path) -> None:
    for digit in (3, 5):
        (tmp_path / f"{digit}.png").write_bytes(SAMPLES[digit].read_bytes())
    (tmp_path / "notes.txt").write_text("not a picture, and not looked at")
    folder = run("classify", "--json", tmp_path)
    pattern = run("classify", "--json", tmp_path / "*.png")
    assert [row["label"] for row in answers(folder)] == ["3", "5"]
    assert folder.stdout == pattern.stdout
    piped = run("classify", "--json", "-", stdin=SAMPLES[4].read_bytes())
    assert [(row["file"], row["label"]) for row in answers(piped)] == [("-", "4")]


def truncated() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(128 * 128, dtype=np.uint8).reshape(128, 128)).save(buffer, "JPEG")
    return buffer.getvalue()[:300]


BAD = {
    "missing.png": None,
    "empty.png": b"",
    "text.png": b"this is no picture",
    "truncated.jpg": truncated(),
    "half.png": SAMPLES[0].read_bytes()[:120],
    f"{'n' * 300}.png": None,
    f"{'n' * 300}/7.png": None,
    "no-folder.png/7.png": None,
    "*.none": None,
    f"{'n' * 300}*": None,
}
"""Names of what is no picture, with what is in the file."""


@pytest.mark.parametrize("verb", ["classify", "read"])
@pytest.mark.parametrize(("name", "content"), BAD.items(), ids=[name[:12] for name in BAD])
def test_a_bad_picture_is_one_line_and_the_others_are_done(
    verb: str, name: str, content: bytes | None, tmp_path: Path
) -> None:
    bad = tmp_path / name
    if content is not None:
        bad.write_bytes(content)
    result = run(verb, bad, SAMPLES[2])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert str(bad) in result.stderr
    (answer,) = answers(run(verb, "--json", bad, SAMPLES[2]))
    assert answer["file"] == str(SAMPLES[2])


@pytest.mark.parametrize("verb", ["classify", "read"])
def test_an_empty_name_is_no_folder(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "3.png").write_bytes(SAMPLES[3].read_bytes())
    monkeypatch.chdir(tmp_path)
    result = run(verb, "", SAMPLES[2], "--json")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert [row["file"] for row in answers(result)] == [str(SAMPLES[2])]


@pytest.mark.parametrize("verb", ["classify", "read"])
def test_a_standard_input_that_gives_no_picture_does_not_stop_the_others(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(verb, "-", SAMPLES[2], "--json", stdin=b"")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert result.stderr.startswith("Error: standard input")
    assert len(answers(result)) == 1
    monkeypatch.setattr(sys, "stdin", None)
    ((name, source),) = sources(("-",))
    assert name == "-"
    assert isinstance(source, PictureError)


@pytest.mark.parametrize("verb", ["classify", "read"])
def test_a_folder_that_cannot_be_read_does_not_stop_the_others(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("locked", "open"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "3.png").write_bytes(SAMPLES[3].read_bytes())
    (tmp_path / "open" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    real = os.scandir

    def scandir(path: str) -> object:
        # Root, as whom the tests may run, can read every folder.
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    result = run(verb, tmp_path, "--json")
    assert result.exit_code == 2
    assert [row["file"] for row in answers(result)] == [str(tmp_path / "open" / "3.png")]
    assert ["Permission denied" in line for line in result.stderr.splitlines()] == [False, True]
    assert "gone.png" in result.stderr.splitlines()[0]


def test_a_pattern_that_matches_a_folder_takes_the_pictures_in_it_once(tmp_path: Path) -> None:
    for name in ("a/3.png", "a/deep/5.png", "7.png", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(SAMPLES[int(name[-5])].read_bytes() if name[-5].isdigit() else b"text")
    named = [Path(name).relative_to(tmp_path).as_posix() for name, _ in sources((f"{tmp_path}/*",))]
    assert named == ["7.png", "a/3.png", "a/deep/5.png"]
    twice = [
        Path(name).relative_to(tmp_path).as_posix() for name, _ in sources((f"{tmp_path}/**/*.png", f"{tmp_path}/**"))
    ]
    assert sorted(twice) == sorted(["7.png", "a/3.png", "a/deep/5.png"] * 2 + ["a/notes.txt"])
    (tmp_path / "empty").mkdir()
    assert "no pictures" in run("classify", f"{tmp_path}/empt*").stderr


@pytest.mark.parametrize("verb", ["classify", "read"])
@pytest.mark.parametrize("name", ["two\nlines.png", "red\x1b[31m.png", "caf\udce9.png"], ids=ascii)
def test_a_name_that_disturbs_a_terminal_is_one_printable_line(verb: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(SAMPLES[3].read_bytes())
    for arguments in ([file, SAMPLES[2]], [file.with_suffix(".gif"), SAMPLES[2]]):
        result = run(verb, *arguments)
        shown = [
            line for line in (result.stdout + result.stderr).splitlines() if "two" in line or str(tmp_path) in line
        ]
        assert len(shown) == 1
        assert shown[0].isprintable()
    assert answers(run(verb, file, "--json"))[0]["file"] == str(file)


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(bomb)
    result = run("classify", bomb)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "megapixels" in result.stderr


def test_a_blank_page_is_not_sure_and_strict_says_no(tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    Image.new("L", (300, 200), 240).save(blank)
    result = run("classify", "--json", "--strict", blank)
    assert result.exit_code == 1
    row = answers(result)[0]
    assert row["sure"] is False
    assert row["reason"]
    assert "not sure" in run("classify", blank).stdout
    assert run("classify", "--strict", SAMPLES[0]).exit_code == 0
    doubtful = run("classify", "--strict", "--min-confidence", "1", SAMPLES[0], SAMPLES[1])
    assert doubtful.exit_code == 1
    # Which ones, after all the answers.
    assert [line.split(": ")[:2] for line in doubtful.stderr.splitlines()] == [
        ["Not sure", str(SAMPLES[0])],
        ["Not sure", str(SAMPLES[1])],
    ]


@pytest.mark.parametrize("shape", [(300, 200), (28, 28), (1, 1)], ids=str)
def test_read_says_where_there_are_no_numbers_and_strict_says_no(shape: tuple[int, int], tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    Image.new("L", shape, 240).save(blank)
    says = f"{blank}: no numbers found\n"
    for options, code, start in (([], 0, ""), (["--strict"], 1, "Not sure: ")):
        result = run("read", blank, *options)
        assert (result.exit_code, result.stdout, result.stderr) == (code, "", start + says)
        assert answers(run("read", blank, "--json", *options))[0]["lines"] == []
        assert run("read", SAMPLES[0], *options).exit_code == 0
    assert run("read", "--strict", tmp_path / "missing.png", blank).exit_code == 2


def test_explain_writes_what_is_drawn_of_the_picture(tmp_path: Path) -> None:
    result = run("classify", "--explain", tmp_path / "why", SAMPLES[7])
    assert result.exit_code == 0, result.stderr
    found = digit_pixels(open_picture(SAMPLES[7]))
    drawn = explain(open_picture(SAMPLES[7]), found, DigitClassifier().classify_prepared(found))
    (written,) = (tmp_path / "why").iterdir()
    with Image.open(written) as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(drawn))


@pytest.mark.parametrize(("verb", "option"), [("classify", "--explain"), ("read", "--annotate")])
def test_drawings_of_different_pictures_have_different_names(
    verb: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = f"{'n' * 200}/{'m' * 200}/7.png"
    names = ["../7.png", "7.png", "a/7.png", "a--7.png", "7.bmp", str(tmp_path / "in" / "a" / "7.png"), long]
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    with Image.open(SAMPLES[7]) as image:
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            image.save(name)
    result = run(verb, option, tmp_path / "out", *names)
    assert result.exit_code == 0, result.stderr
    assert len(list((tmp_path / "out").iterdir())) == len(names)


def test_a_picture_from_a_pipe_is_read_whole(tmp_path: Path) -> None:
    # More than a pipe holds at once.
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 400), np.uint8)).save(tmp_path / "noise.png")
    content = (tmp_path / "noise.png").read_bytes()
    assert len(content) > 2 << 16
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[content])
    writer.start()
    result = run("classify", "--json", tmp_path / "pipe")
    writer.join()
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("content", [None, b"", b"not a model", b"\x1c\x00\x00\x00TFL3" + bytes(100)])
def test_a_bad_model_is_one_line(content: bytes | None, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    if content is not None:
        model.write_bytes(content)
    result = run("classify", "--model", model, SAMPLES[0])
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert str(model) in result.stderr


@pytest.fixture
def ten_pictures(tmp_path: Path) -> Path:
    """The bundled digits as class folders, all for testing."""
    for digit, file in enumerate(SAMPLES):
        folder = tmp_path / "data" / "test" / str(digit)
        folder.mkdir(parents=True)
        (folder / file.name).write_bytes(file.read_bytes())
    return tmp_path / "data"


def test_evaluate_measures_and_writes_every_answer(ten_pictures: Path, tmp_path: Path) -> None:
    from edge_digits_runtime.model.registry import DEFAULT_MODEL

    out = tmp_path / "evaluation.json"
    result = run("evaluate", DEFAULT_MODEL, "--data", ten_pictures, "-o", out)
    assert result.exit_code == 0, result.stderr
    evaluation = Evaluation.load(out)
    assert (evaluation.accuracy, evaluation.model.role) == (1.0, "int8")
    assert set(evaluation.latency) == {"invoke", "preprocess", "postprocess", "total", "picture", "file"}
    assert "100.00 %" in result.stdout


def test_models_lists_the_default_and_takes_it_by_name() -> None:
    rows = answers(run("models", "--json"))
    (default,) = [row for row in rows if row["default"]]
    assert Path(str(default["path"])).stat().st_size == default["bytes"] > default["flatbuffer_bytes"] > 1000
    assert 0.99 < default["accuracy"] <= 1
    named = run("classify", "--model", str(default["name"]), "--json", SAMPLES[6])
    assert named.stdout == run("classify", "--json", SAMPLES[6]).stdout
    text = run("models").stdout
    assert all(f"{row['bytes']:,}" in text and str(row["path"]) in text for row in rows)


@pytest.mark.parametrize("verb", ["classify", "read", "evaluate"])
def test_a_model_that_is_not_installed_is_one_line_with_those_that_are(verb: str, ten_pictures: Path) -> None:
    wrong = ["digits-nowhere", "--data", ten_pictures] if verb == "evaluate" else ["--model", "digits-nowhere", "x.png"]
    result = run(verb, *wrong)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert all(str(row["name"]) in result.stderr for row in answers(run("models", "--json")))


def test_models_lists_the_others_beside_a_damaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "edge_digits_models"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "broken.tflite").write_bytes(b"not a model")
    monkeypatch.syspath_prepend(tmp_path)
    result = run("models", "--json")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "broken.tflite" in result.stderr
    assert [row["name"] for row in answers(result)] == ["digits-m", "line-m"]


def test_doctor_finds_no_problem_here() -> None:
    result = run("doctor", "--json")
    assert result.exit_code == 0, result.stdout
    assert {check["status"] for check in json.loads(result.stdout)["checks"]} <= {"ok", "warning"}


def number(text: str) -> Image.Image:
    page = Image.new("L", (400, 120), 245)
    ImageDraw.Draw(page).text((40, 30), text, 30, ImageFont.load_default(56))
    return page


def test_read_prints_the_rows(tmp_path: Path) -> None:
    page = number("-12.5")
    page.save(tmp_path / "page.png")
    result = run("read", "--json", "--annotate", tmp_path / "seen.png", tmp_path / "page.png")
    assert result.exit_code == 0, result.stderr
    row = json.loads(result.stdout)
    assert set(row) == {"file", "turned", "lines"}
    assert [(line["text"], line["value"], line["sure"]) for line in row["lines"]] == [("-12.5", -12.5, True)]
    drawn = annotate(page, reading.PageReader().read(page))
    with Image.open(tmp_path / "seen.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(drawn))
    assert run("read", tmp_path / "page.png").stdout == "-12.5\n"
    assert run("read", "--digits-only", tmp_path / "page.png").stdout == "125\n"


def test_read_says_what_is_not_sure(tmp_path: Path) -> None:
    number("12.5").save(file := tmp_path / "page.png")
    assert run("read", "--strict", file).exit_code == 0
    assert run("read", "--strict", "--min-confidence", "1", file).exit_code == 1
    assert run("read", "--strict", "--expect", r"\d+\.\d", file).exit_code == 0
    assert run("read", "--strict", "--expect", "date", file).exit_code == 1
    assert run("read", "--expect", "date", file).exit_code == 0
    wrong = run("read", "--expect", "(", file)
    assert (wrong.exit_code, wrong.stdout, len(wrong.stderr.splitlines())) == (2, "", 1)


@pytest.mark.parametrize(("count", "out"), [(1, "seen.xyz"), (1, "model.tflite"), (2, "seen.png")])
def test_read_refuses_where_it_cannot_draw(count: int, out: str, tmp_path: Path) -> None:
    result = run("read", *SAMPLES[:count], "--annotate", tmp_path / out)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_fault_of_ours_in_one_picture_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback comes when the others are done."""
    from edge_digits_runtime import DigitClassifier

    usual = DigitClassifier.classify_prepared
    seen = []

    def fail_once(self: DigitClassifier, prepared: object) -> object:
        seen.append(prepared)
        if len(seen) == 2:
            raise ZeroDivisionError("ours")
        return usual(self, prepared)  # type: ignore[arg-type]

    monkeypatch.setattr(DigitClassifier, "classify_prepared", fail_once)
    result = run("classify", *SAMPLES[:3])
    assert len(result.stdout.splitlines()) == 2
    assert f"{SAMPLES[1]}: ZeroDivisionError, a fault of edge-digits" in result.stderr
    assert isinstance(result.exception, ZeroDivisionError)


def test_what_macos_keeps_beside_a_picture_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "7.png").write_bytes(SAMPLES[7].read_bytes())
    (tmp_path / "._7.png").write_bytes(b"\0\5\26\7 what the Finder knows")
    result = run("classify", tmp_path)
    assert (result.exit_code, len(result.stdout.splitlines()), result.stderr) == (0, 1, "")


@pytest.mark.parametrize("verb", [("classify",), ("read", "--by-digit")])
def test_a_model_without_a_card_is_said_once(verb: tuple[str, ...], tmp_path: Path) -> None:
    from edge_digits_runtime.model.card import read_model_file
    from edge_digits_runtime.model.registry import DEFAULT_MODEL

    file = read_model_file(DEFAULT_MODEL)
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(file.content[: file.flatbuffer_bytes])
    result = run(*verb, *SAMPLES[:3], "--model", bare)
    assert result.stderr == f"{bare}: no card: not verified\n"
    assert run(*verb, SAMPLES[7], "--model", DEFAULT_MODEL).stderr == ""
