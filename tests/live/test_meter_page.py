"""The meter and the camera on the page, in Debian's Chromium."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from edge_digits_live.app import Settings
from edge_digits_runtime.meter.profile import load_profile
from live_browser import PHONE, OpenPage
from live_meter import STEADY, Watched, watched
from playwright.sync_api import Locator, Page, expect
from stand_ins import SLOTS, Numbers

from edge_digits.watching.folder import Folder


@pytest.fixture(scope="module")
def meter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("meter")) as started:
        started.wait(len(STEADY))
        yield started


def width_of(picture: Locator) -> int:
    """The width in pixels of a picture, once it is there."""
    width: int = picture.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }")
    return width


def boxes(page: Page) -> None:
    """Open the boxes and wait until they are there."""
    page.click("#boxes-card summary")
    expect(page.locator("#boxes g")).to_have_count(4)


def test_the_page_shows_the_reading_its_history_and_its_doubts(open_page: OpenPage, meter: Watched) -> None:
    page = open_page(meter.service.url)
    expect(page.locator("#view-meter")).to_be_visible()
    expect(page.locator("#meter-value")).to_have_text("5.2 m³")
    expect(page.locator("#meter-when")).to_contain_text("ago")
    expect(page.locator("#plot path")).to_have_count(1)
    label = page.locator("#plot").get_attribute("aria-label")
    assert label
    assert label.startswith("From 5.0 m³ on ")
    assert " to 5.2 m³ on " in label
    expect(page.locator("#meter-doubts li")).to_have_count(2)
    expect(page.locator("#meter-doubts strong").first).to_have_text("099.0")
    expect(page.locator("#meter-doubts span").first).to_have_text("changes too fast")
    assert [width_of(picture) for picture in page.locator("#meter-doubts img").all()] == [80, 80]
    page.select_option("#span", "1")
    expect(page.locator("#plot path")).to_have_count(1)


def test_the_page_follows_the_meter(open_page: OpenPage, tmp_path: Path) -> None:
    camera = Numbers([50, 50, 50, 51, 51])
    camera._at = time.time() - 600
    numbers = camera._left
    with watched(tmp_path, source=camera, every=0.01) as meter:
        meter.wait(5)
        page = open_page(meter.service.url)
        expect(page.locator("#meter-value")).to_have_text("5.1 m³")
        numbers += [52, 52, 0]
        meter.wait(8)
        expect(page.locator("#meter-value")).to_have_text("5.2 m³")
        expect(page.locator("#meter-chip")).to_have_text("last picture: ???.?, doubtful: character 1")
        expect(page.locator("#meter-doubts li")).to_have_count(1)
        numbers += [None] * 10_000
        expect(page.locator("#meter-chip")).to_have_text("numbers: unplugged")


def test_boxes_are_dragged_sized_and_written(open_page: OpenPage, tmp_path: Path) -> None:
    with watched(tmp_path) as meter:
        page = open_page(meter.service.url, viewport={"width": 1100, "height": 1600})
        boxes(page)
        expect(page.locator("#boxes-undo")).to_be_disabled()
        frame = page.locator("#boxes").bounding_box()
        assert frame
        scale = frame["width"] / 80

        def drag(start: tuple[float, float], end: tuple[float, float]) -> None:
            page.mouse.move(frame["x"] + scale * start[0], frame["y"] + scale * start[1])
            page.mouse.down()
            page.mouse.move(frame["x"] + scale * end[0], frame["y"] + scale * end[1], steps=4)
            page.mouse.up()

        x, y, width, height = SLOTS[3].box
        drag((x + 3, y + 3), (x + 4, y + 8))
        drag((x + width + 1 - 0.5, y + height + 5 - 0.5), (x + width + 2 - 0.5, y + height + 3 - 0.5))
        # Nothing leaves the picture, however far it is dragged.
        drag((SLOTS[0].box[0] + 3, SLOTS[0].box[1] + 3), (-30, -30))
        expect(page.locator("#boxes g").nth(3)).to_have_attribute(
            "aria-label", f"Box 4 of 4: {x + 1}, {y + 5}, {width + 1} wide, {height - 2} high"
        )
        page.click("#boxes-save")
        expect(page.locator("#boxes-said")).to_have_text("Written into the profile.")
        found = [tuple(slot.box) for slot in load_profile(meter.profile_path).slots]
        assert found[3] == (x + 1, y + 5, width + 1, height - 2)
        assert found[0][:2] == (0, 0)
        assert found[1:3] == [slot.box for slot in SLOTS[1:3]]


def test_boxes_are_moved_by_keyboard_together_and_back(open_page: OpenPage, tmp_path: Path) -> None:
    with watched(tmp_path) as meter:
        page = open_page(meter.service.url)
        page.focus("#boxes-card summary")
        page.keyboard.press("Enter")
        expect(page.locator("#boxes g")).to_have_count(4)
        page.focus("#boxes-all")
        page.keyboard.press("Space")
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.tagName") == "g":
                break
        for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Shift+ArrowUp"):
            page.keyboard.press(key)
        page.click("#boxes-undo")
        page.focus("#boxes-save")
        page.keyboard.press("Enter")
        expect(page.locator("#boxes-said")).to_have_text("Written into the profile.")
        for slot, before in zip(load_profile(meter.profile_path).slots, SLOTS, strict=True):
            assert tuple(slot.box) == (before.box[0] + 1, before.box[1] + 2, *before.box[2:])


def test_boxes_that_overlap_are_said_and_not_written(open_page: OpenPage, tmp_path: Path) -> None:
    with watched(tmp_path) as meter:
        before = meter.profile_path.read_bytes()
        page = open_page(meter.service.url, refused=422)
        boxes(page)
        page.locator("#boxes g").first.focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        page.click("#boxes-save")
        expect(page.locator("#problem")).to_contain_text("overlap: move one of them")
        expect(page.locator("#boxes-said")).to_have_text("")
        assert meter.profile_path.read_bytes() == before


def test_a_service_that_is_open_to_everybody_lets_nobody_write(open_page: OpenPage, tmp_path: Path) -> None:
    with watched(tmp_path, may_write=False) as meter:
        page = open_page(meter.service.url)
        boxes(page)
        expect(page.locator("#boxes-save")).to_be_hidden()
        expect(page.locator("#boxes-closed")).to_be_visible()


def test_the_camera_is_looked_through_and_its_picture_classified_and_read(
    open_page: OpenPage, tmp_path: Path, seven: bytes
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "7.png").write_bytes(seven)
    with watched(tmp_path, source=Folder(pictures)) as meter:
        page = open_page(meter.service.url)
        page.click("#tab-camera")
        expect(page.locator("#look")).to_be_visible()
        expect(page.locator("#look-chip")).to_contain_text("seen at ")
        page.click("#look-one")
        expect(page.locator("#label")).to_have_text("7")
        page.click("#tab-camera")
        page.check("#still")
        page.click("#look-page")
        expect(page.locator("#text")).to_have_text("7")


def test_a_camera_that_fails_is_said(open_page: OpenPage, tmp_path: Path) -> None:
    with watched(tmp_path, [None] * 10_000) as meter:
        page = open_page(meter.service.url, refused=502)
        page.click("#tab-camera")
        expect(page.locator("#look-chip")).to_have_text("numbers: unplugged")
        expect(page.locator("#look-one")).to_be_disabled()


def test_without_meter_and_camera_there_are_no_such_tabs(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator("#tab-meter")).to_be_hidden()
    expect(page.locator("#tab-camera")).to_be_hidden()
    expect(page.locator("#view-one")).to_be_visible()


def test_pictures_come_with_the_token(open_page: OpenPage, tmp_path: Path) -> None:
    token = "a-token-of-some-length"
    with watched(tmp_path, settings=Settings(token=token)) as meter:
        meter.wait(len(STEADY))
        page = open_page(f"{meter.service.url}/#token={token}")
        expect(page.locator("#meter-value")).to_have_text("5.2 m³")
        assert width_of(page.locator("#meter-doubts img").first) == 80
        boxes(page)
        page.click("#tab-camera")
        expect(page.locator("#look")).to_be_visible()
        assert width_of(page.locator("#look")) == 80


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_everybody_can_watch(open_page: OpenPage, meter: Watched, options: dict[str, Any]) -> None:
    page = open_page(meter.service.url, **options)
    expect(page.locator("#meter-doubts li")).to_have_count(2)
    boxes(page)
    for tab in ("#tab-meter", "#tab-camera"):
        page.click(tab)
        page.wait_for_timeout(300)
        found = Axe().run(page).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab
