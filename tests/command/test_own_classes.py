"""Classes of one's own through the whole line: folders, train, convert, classify, evaluate, report, bundle."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.image.prepare import prepare
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.run import RunRecord
from PIL import Image, ImageDraw, ImageFont

from edge_digits.cli import main

SIGNS = {"A": "A", "B": "B", "C": "C", "minus": "−", "blank": ""}
NAMES = ("A", "B", "C", "blank", "minus")
BY_WRITER = ("--group-from", "([a-z]+)-[0-9]+")
WRITERS = ("ann", "bob", "cem", "dora", "eve", "fay")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def ok(*arguments: str | Path) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def draw(text: str, rng: np.random.Generator) -> Image.Image:
    """Draw a character on a plate of metal, as a camera would see it."""
    plate, ink = rng.integers(150, 220), rng.integers(20, 90)
    pixels = rng.normal(plate, 6, (56, 40)).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    # The picture of nothing has an edge, so that there is some contrast.
    ImageDraw.Draw(image).line((0, 55, 40, 55), fill=int(ink), width=2)
    font = ImageFont.load_default(int(rng.integers(36, 44)))
    place = (20 + rng.integers(-2, 3), 27 + rng.integers(-2, 3))
    ImageDraw.Draw(image).text(place, text, fill=int(ink), font=font, anchor="mm")
    return image


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of five signs, each drawn 12 times by each of six writers."""
    folder = tmp_path_factory.mktemp("own") / "plates"
    rng = np.random.default_rng(0)
    for name, text in SIGNS.items():
        for writer in WRITERS:
            for number in range(12):
                path = folder / name / f"{writer}-{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                draw(text, rng).save(path)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("run") / "plates"
    options = (
        "--data",
        pictures,
        "--input",
        "crop:32x24",
        "--group-from",
        "([a-z]+)-[0-9]+",
        "--test-groups",
        "eve,fay",
    )
    result = ok("train", "cnn-8-16-32", *options, "--epochs", "12", "--batch-size", "16", "--out", folder)
    return folder, result


@pytest.fixture(scope="module")
def model(trained: tuple[Path, Result]) -> Path:
    ok("convert", trained[0], "--int8", "--max-drop", "5", "--point")
    return trained[0] / "cnn-8-16-32-int8.tflite"


def test_training_says_what_it_holds_out_and_the_run_keeps_it(trained: tuple[Path, Result]) -> None:
    folder, result = trained
    assert "5 classes, pictures of 32×24 pixels (crop)." in result.stderr
    assert "Held out for testing: eve, fay." in result.stderr
    data = RunRecord.load(folder).data
    (validation,) = data["groups"]["validation"]
    assert f"Held out for validation: {validation}." in result.stderr
    assert (data["classes"], data["input"]) == (NAMES, Input("crop", 32, 24))
    assert data["groups"]["test"] == ["eve", "fay"]
    assert data["grouping"] == {"pattern": "([a-z]+)-[0-9]+", "test": ["eve", "fay"]}
    assert data["counts"] == {"train": 180, "validation": 60, "test": 120}


def test_the_card_says_the_classes_and_the_input(model: Path) -> None:
    card = read_model_file(model).card
    assert card is not None
    assert (card.labels, card.input) == (NAMES, Input("crop", 32, 24))
    assert min(card.accuracy.values()) > 0.9


def test_answers_are_names(model: Path, pictures: Path) -> None:
    files = [pictures / name / "fay-1.png" for name in NAMES]
    lines = ok("classify", "--model", model, *files).stdout.splitlines()
    assert [line.split(": ")[1].split(" (")[0] for line in lines] == list(NAMES)
    rows = [json.loads(line) for line in ok("classify", "--model", model, "--json", *files).stdout.splitlines()]
    assert [row["label"] for row in rows] == list(NAMES)
    assert all(tuple(row["probabilities"]) == NAMES for row in rows)
    assert rows[3]["probabilities"]["blank"] == rows[3]["confidence"]
    top = ok("classify", "--model", model, "--top", "3", files[0]).stdout
    assert top.count("%") == 3


def test_pixels_are_the_same_in_training_evaluation_and_classification(model: Path, pictures: Path) -> None:
    from edge_digits_runtime.data.datasets import Grouping
    from edge_digits_runtime.data.loading import load

    classifier = DigitClassifier(model)
    dataset = load(pictures, classifier.input, Grouping("([a-z]+)-[0-9]+", ("eve", "fay")))
    files = sorted(path for path in (pictures / "A").iterdir() if path.name.startswith(("eve", "fay")))
    assert len(files) == 24
    for file, pixels in zip(files, dataset.test.images, strict=False):
        assert np.array_equal(prepare(open_picture(file), classifier.input).pixels, pixels)
        assert classifier.classify(file) == classifier.classify(pixels)


def test_evaluations_and_reports_name_the_classes(trained: tuple[Path, Result], model: Path, tmp_path: Path) -> None:
    # Without --data the pictures are those of the run that the model is in.
    ok("evaluate", model)
    original, device = (
        Evaluation.load(path) for path in (trained[0] / "evaluation.json", model.with_suffix(".evaluation.json"))
    )
    assert original.data.sha256 == device.data.sha256
    assert original.classes == device.classes == NAMES
    assert device.accuracy > 0.9
    ok("report", trained[0], "-o", tmp_path)
    page, text = ((tmp_path / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "md"))
    record = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert record["data"]["classes"] == list(NAMES)
    assert "each line is a true class" in text
    assert "| blank |" in text
    assert "120 pictures, the same for every model" in page


def test_a_test_set_for_a_device_and_a_bundle_know_the_classes(
    trained: tuple[Path, Result], model: Path, pictures: Path, tmp_path: Path
) -> None:
    options = (
        "--input",
        "crop:32x24",
        "--group-from",
        "([a-z]+)-[0-9]+",
        "--test-groups",
        "eve",
        "--test-groups",
        "fay",
    )
    ok("testset", "--data", pictures, *options, "-o", tmp_path / "test.npz")
    ok("evaluate", model, "--data", tmp_path / "test.npz", "-o", tmp_path / "device.json")
    assert Evaluation.load(tmp_path / "device.json").data.sha256 == RunRecord.load(trained[0]).data["sha256"]["test"]
    ok("bundle", trained[0], "-o", tmp_path / "pi.zip", "--no-runtime")
    with zipfile.ZipFile(tmp_path / "pi.zip") as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "edge-digits-bundle"
    assert "its classes are A, B, C, blank, minus" in (folder / "README.txt").read_text(encoding="utf-8")
    answers = ok("classify", "--model", folder / "model.tflite", folder / "samples").stdout.splitlines()
    assert [line.split(": ")[1].split(" (")[0] for line in answers] == list(NAMES)
    doctor = ok("doctor", "--model", model).stdout
    assert "5 classes (A, B, C, blank, minus), input crop 32×24" in doctor


def test_explaining_draws_no_ink_where_none_is_looked_for(model: Path, pictures: Path, tmp_path: Path) -> None:
    ok("classify", "--model", model, "--explain", tmp_path / "drawn", pictures / "B" / "eve-0.png")
    (drawn,) = (tmp_path / "drawn").iterdir()
    with Image.open(drawn) as image:
        assert image.size == (904, 356)


def test_a_training_starts_from_a_run_and_keeps_the_classes_that_it_has_no_pictures_of(
    trained: tuple[Path, Result], pictures: Path, tmp_path: Path
) -> None:
    for name in ("B", "minus"):
        for path in (pictures / name).glob("fay-*.png"):
            copy = tmp_path / "new" / name / path.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    options = ("--data", tmp_path / "new", "--epochs", "1", "--learning-rate", "0.00001")
    result = ok("train", "--from", trained[0], *options, "--out", tmp_path / "run")
    assert "started from cnn-8-16-32 with weights" in result.stderr
    record = RunRecord.load(tmp_path / "run")
    assert (record.data["classes"], record.data["input"]) == (NAMES, Input("crop", 32, 24))
    assert record.accuracy["test"] > 0.7
    refused = run("convert", tmp_path / "run")
    assert "19 different training pictures to calibrate int8 on; 100 are needed" in refused.stderr
    ok("convert", tmp_path / "run", "--max-drop", "50", "--point", "--allow-few")
    answer = ok("classify", "--model", tmp_path / "run" / "cnn-8-16-32-int8.tflite", pictures / "C" / "fay-1.png")
    assert ": C (" in answer.stdout
    (tmp_path / "new" / "D").mkdir()
    for path in (pictures / "A").glob("fay-*.png"):
        (tmp_path / "new" / "D" / path.name).write_bytes(path.read_bytes())
    wider = ok("train", "--from", trained[0], *options, "--out", tmp_path / "wider")
    assert "outputs of 2 of 3 classes" in wider.stderr
    assert RunRecord.load(tmp_path / "wider").data["classes"] == ("B", "D", "minus")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("read", "--by-digit", "--model", "MODEL", "PICTURE"),
            "its classes are A, B, C, blank, minus; only a model of the digits",
        ),
        (
            ("read", "--model", "MODEL", "PICTURE"),
            "takes input of kind crop; reading a line needs a model whose card says line",
        ),
        (
            ("evaluate", "MODEL", "--data", "OTHER"),
            "pictures of D, which the model does not know; its classes are",
        ),
        (
            ("train", "--data", "PLATES", "--input", "crop:8x8", "--epochs", "1"),
            "input crop of 8×8; allowed is 16",
        ),
        (("train", "--data", "PLATES", "--input", "ink:32x32"), "input ink of 32×32; allowed is 28×28"),
        (("train", "--data", "PLATES", "--input", "line"), "'line'; allowed is ink, crop, or crop with a size"),
        (("train", "--data", "PLATES", "--group-from", "("), "'(' is no regular expression"),
        (("train", "--data", "PLATES", "--test-groups", "ann"), "no groups are known: give a groups.csv"),
        (
            ("train", "digits-s", "--data", "PLATES"),
            "recipe digits-s learns from teachers, which know nothing but",
        ),
        (("train", "--data", "PLATES", "--input", "crop", "--corrupt", "0.1"), "corruption is for input ink"),
        (("train", "--from", "nowhere", "--data", "PLATES"), "nowhere: no such run folder"),
        (("train", "--from", "RUN", "--resume", "--data", "PLATES"), "--from starts a training, --resume continues"),
        (("train", "mlp-64", "--from", "RUN", "--data", "PLATES"), "whose network is not that of mlp-64"),
        (("train", "--test-groups", "ann"), "groups are for pictures of your own"),
    ],
)
def test_what_does_not_fit_is_one_line(
    arguments: tuple[str, ...], said: str, model: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("A", "D"):
        for number in range(7):
            path = tmp_path / "other" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((pictures / "A" / f"ann-{number}.png").read_bytes())
    places = {
        "MODEL": model,
        "RUN": model.parent,
        "PLATES": pictures,
        "OTHER": tmp_path / "other",
        "PICTURE": pictures / "A" / "ann-0.png",
    }
    result = run(*(places.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert said in last
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())
