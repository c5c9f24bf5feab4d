"""What the service keeps, what a person says of it, and that nothing of a request becomes a path."""

import io
import json
from pathlib import Path

import pytest
import requests
from edge_digits_live.app import Settings
from edge_digits_live.collecting import Collecting
from edge_digits_runtime.data.loading import load
from live_browser import OpenPage, draw
from live_service import SAMPLES, Running, Start
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from edge_digits.collection.store import Collection


def doubtful(shift: int = 0) -> bytes:
    """A picture that no model of digits is sure of: a cross in a circle."""
    image = Image.new("L", (200, 200), 255)
    pen = ImageDraw.Draw(image)
    pen.ellipse((40 + shift, 40, 160, 160), outline=0, width=10)
    pen.line((40, 40, 160, 160 - shift), 0, 10)
    pen.line((40, 160, 160, 40), 0, 10)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def collecting(start: Start, tmp_path: Path) -> tuple[Running, Path]:
    folder = tmp_path / "kept"
    return start(collecting=Collecting(Collection(folder))), folder


def test_what_is_unsure_is_kept_once_and_what_is_sure_is_not(collecting: tuple[Running, Path], seven: bytes) -> None:
    service, folder = collecting
    assert requests.post(f"{service.url}/api/classify", data=doubtful()).json()["sure"] is False
    for picture in (doubtful(), seven, doubtful()):
        requests.post(f"{service.url}/api/classify", data=picture)
    requests.post(f"{service.url}/api/classify", params={"live": "true"}, data=doubtful(40))
    waiting = requests.get(f"{service.url}/api/waiting").json()["waiting"]
    assert len(waiting) == len(list(folder.rglob("*.png"))) == 1
    picture = requests.get(f"{service.url}/api/waiting/{waiting[0]['id']}")
    assert Image.open(io.BytesIO(picture.content)).size == (200, 200)
    assert folder.stat().st_mode & 0o077 == 0


def test_a_correction_is_a_picture_in_its_class_folder(collecting: tuple[Running, Path], seven: bytes) -> None:
    service, folder = collecting
    for _ in range(2):
        answer = requests.post(
            f"{service.url}/api/correct", params={"label": "1", "group": 'Anna "A", of Ulm'}, data=seven
        )
        assert answer.json() == {"label": "1", "stored": True}
    (file,) = (folder / "1").glob("*.png")
    assert (folder / "groups.csv").read_text() == f'file,group\n1/{file.name},"Anna ""A"", of Ulm"\n'
    record = json.loads((folder / ".collected" / f"{file.stem}.json").read_text())
    assert (record["said"], record["group"]) == ("7", 'Anna "A", of Ulm')


@pytest.mark.parametrize(
    "label", ["", "10", "A", "../../evil", "/etc/passwd", "..", ".collected", "7/../8", "\x00", "7\n"]
)
def test_a_label_is_a_class_of_the_model(collecting: tuple[Running, Path], seven: bytes, label: str) -> None:
    service, folder = collecting
    answer = requests.post(f"{service.url}/api/correct", params={"label": label}, data=seven)
    assert answer.status_code == 422
    requests.post(f"{service.url}/api/classify", data=doubtful())
    (item,) = requests.get(f"{service.url}/api/waiting").json()["waiting"]
    if label:
        answer = requests.post(f"{service.url}/api/label", params={"id": item["id"], "label": label})
        assert answer.status_code == 422
    assert {path.name for path in folder.iterdir()} == {".collected"}


@pytest.mark.parametrize("name", ["x", "..", "../labels.jsonl", "%2e%2e/lock", "lock", "0" * 16])
def test_a_name_is_that_of_a_picture_that_waits(collecting: tuple[Running, Path], name: str) -> None:
    service, _ = collecting
    assert requests.get(f"{service.url}/api/waiting/{name}").status_code == 404
    assert requests.post(f"{service.url}/api/label", params={"id": name, "label": "1"}).status_code == 404


def test_labels_are_given_and_taken_back(collecting: tuple[Running, Path]) -> None:
    service, folder = collecting
    for shift in (0, 30, 60):
        requests.post(f"{service.url}/api/classify", params={"group": "anna"}, data=doubtful(shift))
    waiting = requests.get(f"{service.url}/api/waiting").json()["waiting"]
    confidences = [item["confidence"] for item in waiting]
    assert len(waiting) == 3
    assert confidences == sorted(confidences, reverse=True)
    for item, label in zip(waiting, "338", strict=True):
        requests.post(f"{service.url}/api/label", params={"id": item["id"], "label": label})
    requests.post(f"{service.url}/api/label", params={"id": waiting[2]["id"]})
    left = requests.get(f"{service.url}/api/waiting").json()
    assert ([item["id"] for item in left["waiting"]], left["labelled"]) == ([waiting[2]["id"]], 2)
    assert not (folder / "8").exists()
    assert len(list((folder / "3").iterdir())) == 2


def test_a_full_collection_says_so(
    start: Start, tmp_path: Path, seven: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    service = start(collecting=Collecting(Collection(tmp_path / "kept", limit_bytes=1)))
    for shift in (0, 30, 60):
        assert requests.post(f"{service.url}/api/classify", data=doubtful(shift)).status_code == 200
    answer = requests.post(f"{service.url}/api/correct", params={"label": "1"}, data=seven)
    assert (answer.status_code, answer.json()["error"][:22]) == (507, "the collection is full")
    assert "edge_digits_collection_full 1" in requests.get(f"{service.url}/metrics").text
    assert capfd.readouterr().err.count("nothing more is collected") == 1
    assert len(list((tmp_path / "kept").rglob("*.png"))) == 1


def test_without_collect_nothing_is_kept(service: Running, seven: bytes) -> None:
    for path in ("correct?label=7", "label?id=x&label=7"):
        assert requests.post(f"{service.url}/api/{path}", data=seven).status_code == 404
    assert requests.get(f"{service.url}/api/waiting").status_code == 404


def test_an_answer_is_corrected_on_the_page(collecting: tuple[Running, Path], open_page: OpenPage) -> None:
    service, folder = collecting
    page = open_page(service.url)
    draw(page, "7")
    expect(page.locator("#label")).to_have_text("7")
    page.fill("#writer", "Anna")
    page.click("#keys button >> nth=1")
    expect(page.locator("#stored")).to_have_text("Kept as a 1. Thank you.")
    (file,) = folder.glob("1/*.png")
    assert Image.open(file).size == (280, 280)
    assert f"1/{file.name},Anna\n" in (folder / "groups.csv").read_text()


def test_pictures_are_labelled_on_the_page(collecting: tuple[Running, Path], open_page: OpenPage) -> None:
    service, folder = collecting
    for shift in (0, 30, 60):
        requests.post(f"{service.url}/api/classify", data=doubtful(shift))
    page = open_page(service.url)
    page.click("#tab-label")
    expect(page.locator("#left")).to_have_text("3")
    expect(page.locator("#waiting")).to_be_visible()
    page.keyboard.press("4")
    expect(page.locator("#left")).to_have_text("2")
    expect(page.locator("#view-label")).to_have_attribute("aria-busy", "false")
    page.click("#waiting-keys button >> nth=9")
    expect(page.locator("#left")).to_have_text("1")
    expect(page.locator("#view-label")).to_have_attribute("aria-busy", "false")
    page.keyboard.press("Backspace")
    expect(page.locator("#left")).to_have_text("2")
    expect(page.locator("#view-label")).to_have_attribute("aria-busy", "false")
    # The second key comes before its picture is there, and is passed over.
    page.keyboard.press("5")
    page.keyboard.press("5")
    expect(page.locator("#left")).to_have_text("1")
    expect(page.locator("#view-label")).to_have_attribute("aria-busy", "false")
    page.keyboard.press("6")
    expect(page.locator("#waiting-chip")).to_have_text("all done")
    assert sorted(path.parent.name for path in folder.glob("[0-9]/*.png")) == ["4", "5", "6"]


def test_a_collection_is_data_to_train_on(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    service = start(Settings(), collecting=Collecting(Collection(folder)))
    for digit in range(10):
        for k, writer in enumerate(("anna", "ben", "cem")):
            image = Image.open(SAMPLES / f"{digit}.png").convert("L").rotate(4 * k, fillcolor=255)
            stream = io.BytesIO()
            image.save(stream, "PNG")
            requests.post(
                f"{service.url}/api/correct", params={"label": str(digit), "group": writer}, data=stream.getvalue()
            )
    data = load(folder)
    assert (len(data.train) + len(data.test), data.classes) == (30, tuple("0123456789"))
    assert data.train.groups is not None
    assert data.test.groups is not None
    assert not set(data.train.groups) & set(data.test.groups)
