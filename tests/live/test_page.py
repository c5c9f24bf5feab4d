"""The page in Debian's Chromium: drawing, pictures, keyboard, small and dark screens, accessibility."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from edge_digits_live import page as document
from edge_digits_live.app import Settings
from edge_digits_live.collecting import Collecting
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.image.prepare import prepare
from live_browser import PHONE, STROKES, OpenPage, draw, give
from live_service import SAMPLES, Running, Start
from PIL import Image
from playwright.sync_api import Browser, expect

from edge_digits.cli import main
from edge_digits.collection.store import Collection


def test_each_digit_that_is_drawn_is_answered(open_page: OpenPage) -> None:
    page = open_page()
    for digit in STROKES:
        draw(page, digit)
        expect(page.locator("#label")).to_have_text(digit)
        expect(page.locator("#bars .best .name")).to_have_text(digit)
        expect(page.locator("#bars li")).to_have_count(10)
        page.click("#clear")
        expect(page.locator("#label")).to_have_text("?")


def test_a_doubtful_drawing_says_why(open_page: OpenPage) -> None:
    page = open_page()
    draw(page, "1")
    draw(page, "0")
    draw(page, "4")
    expect(page.locator("#chip")).to_contain_text("not sure: ")
    expect(page.locator("#chip")).to_have_attribute("data-state", "unsure")
    expect(page.locator("#status")).to_contain_text("not sure: ")
    # What is undone is asked about again: the 4 had two strokes, the 0 one.
    for _ in range(3):
        page.click("#undo")
    expect(page.locator("#label")).to_have_text("1")
    expect(page.locator("#chip")).to_have_text("sure")


def test_what_the_model_saw_is_shown(open_page: OpenPage) -> None:
    page = open_page()
    picture = (SAMPLES / "7.png").read_bytes()
    give(page, "drop", "#pad", picture)
    expect(page.locator("#label")).to_have_text("7")
    content = page.evaluate("document.getElementById('seen').toDataURL()").partition(",")[2]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("L"))
    assert (pixels == prepare(open_picture(picture)).pixels).all()


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(open_page: OpenPage, event: str) -> None:
    page = open_page()
    give(page, event, "#pad", (SAMPLES / "5.png").read_bytes())
    expect(page.locator("#label")).to_have_text("5")
    page.click("#undo")
    expect(page.locator("#label")).to_have_text("?")


def test_a_photograph_is_chosen(open_page: OpenPage, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    paper = Image.new("RGB", (1600, 1200), (214, 205, 190))
    paper.paste(Image.open(SAMPLES / "2.png").convert("RGB").resize((500, 500)), (600, 400))
    paper.save(photo, quality=80)
    page = open_page(**PHONE)
    assert page.locator("#photo").get_attribute("capture") == "environment"
    page.set_input_files("#photo", photo)
    expect(page.locator("#label")).to_have_text("2")


def test_what_only_browsers_can_decode_is_sent_again_as_jpeg(open_page: OpenPage) -> None:
    stream = io.BytesIO()
    Image.open(SAMPLES / "6.png").convert("RGB").resize((800, 800)).save(stream, "AVIF")
    page = open_page(refused=422)
    give(page, "drop", "#pad", stream.getvalue(), "picture.avif")
    expect(page.locator("#label")).to_have_text("6")


def test_what_is_no_picture_is_said(open_page: OpenPage) -> None:
    page = open_page(refused=422)
    give(page, "drop", "#pad", b"nothing")
    expect(page.locator("#problem")).to_contain_text("not a picture that can be read")
    page.click("#undo")


def test_numbers_are_read_with_boxes_and_copied(open_page: OpenPage, tmp_path: Path) -> None:
    sheet = tmp_path / "page.png"
    paper = Image.new("L", (500, 120), 255)
    for k, digit in enumerate("4097"):
        paper.paste(Image.open(SAMPLES / f"{digit}.png").convert("L").resize((90, 90)), (20 + 110 * k, 15))
    paper.save(sheet)
    page = open_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#tab-page")
    page.set_input_files("#read-file", sheet)
    # The text is that of the command, whatever it takes for the end of a number.
    said = CliRunner().invoke(main, ["read", str(sheet)]).stdout.strip()
    assert sorted(said.replace(" ", "")) == sorted("4097")
    expect(page.locator("#text")).to_have_text(said)
    colours = page.evaluate(
        """() => {
            const { data } = document.getElementById("read").getContext("2d").getImageData(0, 0, 500, 120);
            let coloured = 0;
            for (let k = 0; k < data.length; k += 4) coloured += Math.max(data[k], data[k + 1]) - data[k + 2] > 60;
            return coloured;
        }"""
    )
    assert colours > 100
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == said


def test_another_model_is_chosen(open_page: OpenPage) -> None:
    page = open_page()
    draw(page, "3")
    expect(page.locator("#label")).to_have_text("3")
    before = page.locator("#bars").inner_text()
    page.select_option("#model", "digits-xs")
    expect(page.locator("#model-name")).to_have_text("digits-xs")
    expect(page.locator("#bars")).not_to_have_text(before)
    page.click("#tab-model")
    page.get_by_role("button", name="Use digits-m").click()
    expect(page.locator("#model-name")).to_have_text("digits-m")
    expect(page.locator("tr[aria-current] td").first).to_have_text("digits-m")


def test_everything_is_done_by_keyboard(open_page: OpenPage) -> None:
    page = open_page()
    page.focus("#tab-one")
    page.keyboard.press("Tab")
    expect(page.locator("#pad")).to_be_focused()
    page.keyboard.press("Space")
    for _ in range(20):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator("#status")).to_contain_text("a 1, ")
    page.keyboard.press("u")
    expect(page.locator("#label")).to_have_text("?")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#view-page")).to_be_visible()
    expect(page.locator("#tab-page")).to_be_focused()
    # Every control is reached.
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"model", "theme", "read-file", "read-photo"} <= reached


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_everybody_can_use_every_view(open_page: OpenPage, options: dict[str, Any]) -> None:
    page = open_page(**options)
    draw(page, "8")
    expect(page.locator("#label")).to_have_text("8")
    page.wait_for_timeout(300)
    for tab in ("#tab-one", "#tab-page", "#tab-model"):
        page.click(tab)
        found = Axe().run(page).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_everybody_can_label(open_page: OpenPage, start: Start, tmp_path: Path, options: dict[str, Any]) -> None:
    """The view of what waits for a label, with a picture in it and with none, and the buttons of a correction."""
    service = start(collecting=Collecting(Collection(tmp_path / "kept")))
    page = open_page(service.url, **options)

    def violations() -> list[tuple[str, list[str]]]:
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page).response["violations"]
        return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]

    page.click("#tab-label")
    assert violations() == []
    page.click("#tab-one")
    give(page, "drop", "#pad", doubtful())
    expect(page.locator("#chip")).to_contain_text("not sure: ")
    assert violations() == []
    page.click("#tab-label")
    expect(page.locator("#view-label img")).to_be_visible()
    assert violations() == []


def doubtful() -> bytes:
    """A picture of two thick bars that cross, which is no digit."""
    pixels = np.full((80, 80), 255, np.uint8)
    pixels[10:70, 36:44] = pixels[36:44, 10:70] = pixels[10:18, 10:70] = 0
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def test_colours_are_those_of_the_system_or_as_chosen(open_page: OpenPage) -> None:
    page = open_page(color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.click("#theme")
    light = page.evaluate(background)
    assert (dark, light) == ("rgb(18, 19, 24)", "rgb(244, 243, 239)")
    page.reload()
    assert page.evaluate(background) == light


def test_a_token_is_asked_for_once(open_page: OpenPage, start: Start) -> None:
    service = start(Settings(token="a-token-of-some-length"))
    page = open_page(f"{service.url}/#token=a-token-of-some-length")
    assert "token" not in page.url
    asked = open_page(service.url, ready=False, refused=401)
    asked.fill("#token", "a-token-of-some-length")
    asked.click("dialog button")
    expect(asked.locator("#facts dd").first).to_be_attached()


def test_nothing_but_its_own_script_runs(browser: Browser, service: Running) -> None:
    page = browser.new_page()
    page.goto(service.url)
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.evaluate(
        """() => {
            document.body.insertAdjacentHTML("beforeend", "<img src=x: onerror='window.bad = 1'>");
            const script = document.createElement("script");
            script.textContent = "window.bad = 2";
            document.body.append(script);
        }"""
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.bad") is None
    assert any("Content Security Policy" in text for text in refused)
    page.close()


def test_the_page_asks_nothing_of_anybody_else(open_page: OpenPage, service: Running) -> None:
    requests: list[str] = []
    page = open_page()
    page.on("request", lambda request: requests.append(request.url))
    page.reload()
    draw(page, "1")
    expect(page.locator("#label")).to_have_text("1")
    assert requests
    assert all(url.startswith((service.url, "data:", "blob:")) for url in requests)


def test_the_page_is_small() -> None:
    assert len(document.document().gzipped) < 20_000


def test_a_model_of_other_classes_answers(open_page: OpenPage, start: Start, tmp_path: Path) -> None:
    """Names of classes longer than a digit, and the whole picture as input."""
    service = start(
        model=Path(__file__).parents[1] / "runtime" / "models" / "own.tflite",
        collecting=Collecting(Collection(tmp_path / "kept")),
    )
    page = open_page(service.url)
    give(page, "drop", "#pad", (SAMPLES / "4.png").read_bytes())
    expect(page.locator("#bars .name")).to_have_text(["2", "10", "A", "blank", "minus"])
    said = page.locator("#bars .best .name").inner_text()
    expect(page.locator("#label")).to_have_text(said)
    assert page.evaluate("[document.getElementById('seen').width, document.getElementById('seen').height]") == [20, 32]
    expect(page.locator("#no")).to_have_text("No, it is …")
    page.click("#keys >> text=minus")
    expect(page.locator("#stored")).to_have_text("Kept as minus. Thank you.")
    assert len(list((tmp_path / "kept" / "minus").glob("*.png"))) == 1
    expect(page.locator("#tab-one")).to_have_text("One picture")
