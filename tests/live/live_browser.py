"""Debian's Chromium, and what a person does on the page."""

import base64
from collections.abc import Callable

from playwright.sync_api import ConsoleMessage, Page

ARGUMENTS = [
    f"--{name}"
    for name in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync",
    )
]  # fmt: skip
OpenPage = Callable[..., Page]
STROKES = {
    "0": "50,15 36,25 32,50 36,75 50,85 64,75 68,50 64,25 50,15",
    "1": "52,15 48,85",
    "2": "33,30 42,17 58,17 66,30 60,48 33,82 70,82",
    "3": "34,22 50,15 65,25 62,40 47,48 63,56 67,70 52,84 32,78",
    "4": "36,15 32,52 70,52 / 62,15 60,86",
    "5": "68,16 38,16 35,46 55,43 67,58 62,78 45,85 31,78",
    "6": "62,14 42,34 35,62 42,83 58,84 66,68 56,54 38,62",
    "7": "30,18 70,18 55,50 46,86",
    "8": "62,24 50,15 38,25 44,42 60,55 64,72 50,85 36,73 42,54 58,42 62,24",
    "9": "64,32 54,16 40,20 36,36 48,48 62,42 65,30 62,60 55,86",
}
"""How each digit is drawn: strokes with a slash between them, of points in per cent of the pad."""


def is_wrong(message: ConsoleMessage, refused: int | None) -> bool:
    """Whether the console complains, but for an answer with the status that the test expects."""
    return (
        message.type in ("error", "warning") and f"the server responded with a status of {refused} " not in message.text
    )


PHONE = {"viewport": {"width": 360, "height": 800}, "has_touch": True, "is_mobile": True}


def draw(page: Page, digit: str) -> None:
    box = page.locator("#pad").bounding_box()
    assert box
    for stroke in STROKES[digit].split(" / "):
        shares = [[int(value) / 100 for value in point.split(",")] for point in stroke.split()]
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in shares]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def give(page: Page, event: str, target: str, picture: bytes, name: str = "picture.png") -> None:
    """Drop a file on an element, or paste it."""
    page.evaluate(
        """([event, target, content, name]) => {
            const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type: name.endsWith("png") ? "image/png" : "image/jpeg" }));
            const made = event === "paste"
                ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
                : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
            document.querySelector(target).dispatchEvent(made);
        }""",
        [event, target, base64.b64encode(picture).decode(), name],
    )
