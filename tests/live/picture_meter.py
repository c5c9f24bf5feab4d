"""Write docs/guide/meter-page.png, a simulated meter on the page: ``uv run python tests/live/picture_meter.py``.

A stand-in reads the wheels, which knows them; the page is as it is.
"""

import io
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "benchmarks" / "accuracy"), str(HERE.parent / "runtime" / "meter")]

from drawn_meter import PATCHES, known  # noqa: E402
from edge_digits_live.camera import Camera  # noqa: E402
from edge_digits_live.meter import Meter  # noqa: E402
from edge_digits_runtime.meter.profile import Alignment, Change, Profile, Slot  # noqa: E402
from edge_digits_runtime.meter.reading import MeterReader  # noqa: E402
from live_browser import ARGUMENTS, PHONE  # noqa: E402
from live_service import running  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, expect, sync_playwright  # noqa: E402
from simulated_meter import SIZE, SimulatedMeter, View  # noqa: E402

from edge_digits.commands.meter_reading import MeterChoice  # noqa: E402
from edge_digits.watching.doubts import Doubts  # noqa: E402
from edge_digits.watching.frames import Frame  # noqa: E402
from edge_digits.watching.history import Recent  # noqa: E402
from edge_digits.watching.loop import Watch  # noqa: E402

TARGET = HERE.parents[1] / "docs" / "guide" / "meter-page.png"
PICTURES = 48


class Day:
    """A camera that has seen a meter every half hour of a day, once with the lamp in its glass."""

    name, live = "/dev/video0", True

    def __init__(self, meter: SimulatedMeter) -> None:
        self._meter, self._number, self._state = meter, 0, 1234560
        self._begin = time.time() - 1800 * PICTURES

    def frames(self) -> Iterator[Frame]:
        number = self._number = min(self._number + 1, PICTURES)
        if number < PICTURES:
            self._state += 400 if 14 < number % 48 < 20 or 36 < number < 44 else 30
        view = View(glare=(360, 223, 60, 0.97)) if number == 40 else View(shift=(number % 3, number % 2))
        yield Frame(self._begin + 1800 * number, self.name, self._meter.picture(self._state, view, number))

    def close(self) -> None:
        pass


def taken(browser: Browser, url: str, **options: object) -> Image.Image:
    page = browser.new_context(locale="en-GB", **options).new_page()  # type: ignore[arg-type]
    page.goto(url)
    expect(page.locator("#plot path")).to_have_count(1)
    page.click("#boxes-card summary")
    expect(page.locator("#boxes g")).to_have_count(6)
    page.wait_for_timeout(500)
    return Image.open(io.BytesIO(page.screenshot()))


def main() -> None:
    meter = SimulatedMeter(wheels=6, decimals=2, play=0.0)
    folder = Path(tempfile.mkdtemp())
    meter.picture(1234560).convert("L").save(folder / "reference.png")
    slots = tuple(Slot(box) for box in meter.boxes)
    aligned = Alignment("reference.png", PATCHES)
    profile = Profile(SIZE, slots, "water", unit="m³", decimals=2, alignment=aligned, change=Change(2.5))
    camera, recent, doubts = Camera(Day(meter)), Recent(), Doubts(folder / "doubts", 10**6)
    reader = MeterReader(profile, folder, classifiers=known(meter))
    watch = Watch(camera, reader, [recent], print, doubts)
    page = Meter(MeterChoice(folder / "meter.toml"), profile, recent, doubts, watch)
    with running(camera=camera, meter=page) as service, sync_playwright() as playwright:
        page.start(0.01, print)
        while watch.published + watch.doubtful < PICTURES:
            time.sleep(0.1)
        page.stop()
        expect.set_options(timeout=30_000)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        desk = taken(browser, service.url, viewport={"width": 1100, "height": 1000})
        phone = taken(browser, service.url, color_scheme="dark", **PHONE | {"viewport": {"width": 360, "height": 1000}})
        browser.close()
        page.finish()
    both = Image.new("RGB", (desk.width + phone.width, desk.height))
    both.paste(desk, (0, 0))
    both.paste(phone, (desk.width, 0))
    both.quantize(256, Image.Quantize.FASTOCTREE).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
