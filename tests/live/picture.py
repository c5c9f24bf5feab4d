"""Write docs/guide/serve.png, the page on a desk and on a phone: ``uv run python tests/live/picture.py``."""

import io
import shutil
from pathlib import Path

from live_browser import ARGUMENTS, PHONE, draw
from live_service import running
from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

TARGET = Path(__file__).parents[2] / "docs" / "guide" / "serve.png"


def taken(browser: Browser, url: str, digit: str, **options: object) -> Image.Image:
    """Draw a digit and photograph the page."""
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
    page.goto(url)
    expect(page.locator("#facts dd").first).to_be_attached()
    draw(page, digit)
    expect(page.locator("#label")).to_have_text(digit)
    page.wait_for_timeout(400)
    return Image.open(io.BytesIO(page.screenshot()))


def main() -> None:
    with running() as service, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        desk = taken(browser, service.url, "2", viewport={"width": 1100, "height": 800})
        phone = taken(browser, service.url, "5", color_scheme="dark", **PHONE)
        browser.close()
    both = Image.new("RGB", (desk.width + phone.width, desk.height))
    both.paste(desk, (0, 0))
    both.paste(phone, (desk.width, 0))
    both.save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
