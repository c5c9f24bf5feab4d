"""The readings of a meter, its doubts, its profile and the camera, as clients see them."""

import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
from edge_digits_live.app import Settings
from edge_digits_live.openapi import RECORD
from edge_digits_runtime.meter.profile import load_profile
from edge_digits_runtime.meter.reading import MeterReader
from live_meter import STEADY, Watched, watched
from live_service import Running
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from stand_ins import SLOTS, Numbers

from edge_digits.watching.frames import Frame

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "reference" / "schemas" / "watch.schema.json").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def meter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A service that has watched a meter for a while and sees no more of it."""
    with watched(tmp_path_factory.mktemp("meter"), every=0.001) as started:
        started.wait(len(STEADY) + 5)
        yield started


def get(meter: Watched, path: str, **query: Any) -> Any:
    answer = requests.get(f"{meter.service.url}/api/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_readings_are_those_of_watch(meter: Watched) -> None:
    found = get(meter, "readings", limit=2000)
    assert (found["meter"], found["unit"], found["decimals"], found["watching"]) == ("water", "m³", 1, True)
    oldest = found["records"][::-1][: len(STEADY)]
    values = [record["value"] for record in oldest]
    assert values == [5.0, 5.0, 5.0, 5.1, 5.1, None, 5.2, 5.2, None, 5.2]
    assert [record["reason_code"] for record in oldest if not record["sure"]] == ["ambiguous", "too_fast"]
    for record in found["records"]:
        jsonschema.validate(record, SCHEMA)
    assert found["last"]["value"] == 5.2
    assert found["troubles"] == []


def test_the_documented_reading_is_that_of_the_published_schema() -> None:
    """The API promises what ``watch --json`` does; only words of explanation may differ."""

    def bare(schema: dict[str, Any]) -> dict[str, Any]:
        return {
            name: {key: value for key, value in each.items() if key != "description"}
            for name, each in schema["properties"].items()
        }

    assert bare(RECORD) == bare(SCHEMA)
    assert RECORD["required"] == SCHEMA["required"]


def test_a_client_gets_as_many_readings_as_it_asks_for(meter: Watched) -> None:
    everything = get(meter, "readings", limit=2000)["records"]
    assert get(meter, "readings", limit=3)["records"][0]["time"] >= everything[0]["time"]
    assert len(get(meter, "readings", limit=3)["records"]) == 3
    sure = get(meter, "readings", sure="true", limit=2000)["records"]
    assert {record["sure"] for record in sure} == {True}
    doubts = get(meter, "readings", sure="false", limit=2000)["records"]
    assert [record["value"] for record in doubts] == [None, None]
    # Over a time, they are spread evenly (tests/watching/test_history.py).
    assert 1 <= len(get(meter, "readings", hours=1, limit=4, sure="true")["records"]) <= 4
    assert get(meter, "readings", hours=0.001)["records"] == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=2001", "limit=x", "limit=", "hours=0", "hours=nan", "hours=-1", "hours=1e9", "sure=2"]
)
def test_a_number_that_is_not_allowed_is_one_line(meter: Watched, query: str) -> None:
    answer = requests.get(f"{meter.service.url}/api/readings?{query}")
    assert (answer.status_code, list(answer.json())) == (422, ["error"])


def test_the_history_is_that_of_the_database(tmp_path: Path) -> None:
    with watched(tmp_path, sqlite=tmp_path / "it's 100%?.db", every=0.001) as meter:
        meter.wait(len(STEADY))
        found = get(meter, "readings", limit=2000)["records"][::-1][: len(STEADY)]
        assert [record["value"] for record in found] == [5.0, 5.0, 5.0, 5.1, 5.1, None, 5.2, 5.2, None, 5.2]
        assert [record["reason_code"] for record in found if not record["sure"]] == ["ambiguous", "too_fast"]
        assert len(get(meter, "readings", hours=1, limit=4)["records"]) <= 4
        jsonschema.validate(found[5], SCHEMA)


def test_doubtful_pictures_are_shown_and_nothing_else(meter: Watched) -> None:
    doubts = get(meter, "readings", sure="false")["records"]
    for record in doubts:
        answer = requests.get(f"{meter.service.url}/api/doubts/{record['picture']}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(answer.content)).size == (80, 40)
    for name in ("nothing.doubt.jpg", "..%2Fmeter.toml", "%2Fetc%2Fpasswd", "meter.toml", "..%2Freference.png"):
        assert requests.get(f"{meter.service.url}/api/doubts/{name}").status_code == 404


def test_metrics_have_the_readings(meter: Watched) -> None:
    text = requests.get(f"{meter.service.url}/metrics").text
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["edge_digits_meter_value", "m³", "water"] == 5.2
    assert found["edge_digits_readings_total", "doubtful", "water"] == 2
    assert found["edge_digits_readings_total", "published", "water"] >= 8
    assert abs(found["edge_digits_meter_time_seconds", "water"] - time.time()) < 3600
    assert found["edge_digits_meter_troubles", "water"] == 0


def test_without_a_meter_or_a_camera_that_is_said(service: Running) -> None:
    for path in ("readings", "doubts/x", "profile", "profile/picture", "camera"):
        answer = requests.get(f"{service.url}/api/{path}")
        assert answer.status_code == 404
        assert "start the service with" in answer.json()["error"]
    about = requests.get(f"{service.url}/api/model").json()
    assert (about["camera"], about["meter"]) == (None, None)


def test_the_boxes_are_moved_and_the_profile_keeps_the_rest(tmp_path: Path) -> None:
    with watched(tmp_path) as meter:
        before = load_profile(meter.profile_path)
        boxes = get(meter, "profile")["boxes"]
        assert boxes == [list(slot.box) for slot in SLOTS]
        boxes[1][1] += 3
        answer = requests.post(f"{meter.service.url}/api/profile", json={"boxes": boxes})
        assert (answer.status_code, answer.json()["boxes"]) == (200, boxes)
        after = load_profile(meter.profile_path)
        assert [list(slot.box) for slot in after.slots] == boxes
        assert (after.change, after.alignment, after.unit) == (before.change, before.alignment, before.unit)
        # From now on pictures are read by them.
        assert isinstance(meter.watch.reader, MeterReader)
        assert meter.watch.reader.profile == after
        assert get(meter, "profile")["boxes"] == boxes
        picture = requests.get(f"{meter.service.url}/api/profile/picture")
        assert Image.open(io.BytesIO(picture.content)).size == (80, 40)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "send {"),
        (b"[]", "send {"),
        (b'{"boxes": 3}', "send {"),
        (b'{"boxes": [[1, 2, 3]]}', "send {"),
        (b'{"boxes": [[1, 2, 3, true]]}', "send {"),
        (b'{"boxes": [[1, 2, 3, 1e400]]}', "send {"),
        (b'{"boxes": [[1, 2, 3, 0.5]]}', "send {"),
        (b'{"boxes": [], "path": "/etc/passwd"}', "send {"),
        (b"[" * 100_000, "send {"),
        (b'{"boxes": [[2, 2, 12, 20]]}', "1 boxes; the profile has 4 slots"),
        (b'{"boxes": [[2,2,12,20],[10,2,12,20],[30,2,12,20],[44,2,12,20]]}', "overlap"),
        (b'{"boxes": [[2,2,12,20],[16,2,12,20],[30,2,12,20],[74,2,12,20]]}', "outside"),
        (b'{"boxes": [[2,2,12,20],[16,2,12,20],[30,2,12,20],[-5,2,12,20]]}', "slots[3].box"),
        (b'{"boxes": [[2,2,12,0],[16,2,12,20],[30,2,12,20],[44,2,12,20]]}', "no area"),
    ],
)
def test_boxes_that_do_not_fit_are_one_line_and_change_nothing(meter: Watched, content: bytes, message: str) -> None:
    before = meter.profile_path.read_bytes()
    answer = requests.post(f"{meter.service.url}/api/profile", data=content)
    assert answer.status_code == 422
    assert message in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert str(meter.folder) not in answer.json()["error"]
    assert meter.profile_path.read_bytes() == before


def test_who_needs_no_token_on_a_network_cannot_move_the_boxes(tmp_path: Path) -> None:
    with watched(tmp_path, may_write=False) as meter:
        assert get(meter, "profile")["writable"] is False
        answer = requests.post(f"{meter.service.url}/api/profile", json={"boxes": [list(slot.box) for slot in SLOTS]})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "readings"), ("GET", "doubts/x"), ("GET", "profile"), ("POST", "profile"),
        ("GET", "profile/picture"), ("GET", "camera"),
    ],
)  # fmt: skip
def test_nobody_without_the_token_sees_the_meter(tmp_path: Path, method: str, path: str) -> None:
    with watched(tmp_path, settings=Settings(token="a-token-of-some-length")) as meter:
        url = f"{meter.service.url}/api/{path}"
        assert requests.request(method, url).status_code == 401
        shown = requests.request(method, url, headers={"authorization": "Bearer a-token-of-some-length"})
        assert shown.status_code in (200, 404, 422)


def test_a_page_from_elsewhere_cannot_move_the_boxes(meter: Watched) -> None:
    answer = requests.post(f"{meter.service.url}/api/profile", data=b"{}", headers={"origin": "http://elsewhere"})
    assert answer.status_code == 403


def test_the_camera_is_looked_through(meter: Watched) -> None:
    answer = requests.get(f"{meter.service.url}/api/camera")
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (80, 40)
    assert requests.get(f"{meter.service.url}/api/model").json()["camera"] == "numbers"


class Hangs(Numbers):
    """A camera that never answers, until it is let go."""

    def __init__(self) -> None:
        super().__init__([])
        self.asked, self.let_go = threading.Event(), threading.Event()

    def frames(self) -> Iterator[Frame]:
        self.asked.set()
        self.let_go.wait(30)
        yield from ()


def test_a_dead_camera_blocks_nothing(tmp_path: Path, seven: bytes) -> None:
    camera = Hangs()
    with watched(tmp_path, source=camera, patience_s=0.3) as meter:
        assert camera.asked.wait(10)
        statuses: list[tuple[int, str | None]] = []

        def look() -> None:
            answer = requests.get(f"{meter.service.url}/api/camera")
            statuses.append((answer.status_code, answer.headers.get("retry-after")))

        looking = [threading.Thread(target=look) for _ in range(20)]
        for thread in looking:
            thread.start()
        threads = threading.active_count()
        begin = time.monotonic()
        assert requests.post(f"{meter.service.url}/api/classify", data=seven).json()["label"] == "7"
        assert get(meter, "readings")["records"] == []
        for thread in looking:
            thread.join()
        assert time.monotonic() - begin < 5
        assert statuses == [(503, "1")] * 20
        # Twenty who look wait for one look.
        assert threads < 20 + 20
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("camera") == 1
        # Nor does it hold up the end.
        begin = time.monotonic()
        meter.meter.finish()
        assert time.monotonic() - begin < 1
        camera.let_go.set()


def test_a_camera_that_fails_says_so(tmp_path: Path) -> None:
    with watched(tmp_path, [50, 50, 50, *[None] * 500], every=0.001) as meter:
        deadline = time.monotonic() + 20
        while not get(meter, "readings")["troubles"]:
            assert time.monotonic() < deadline
        assert get(meter, "readings")["troubles"] == ["numbers: unplugged"]
        answer = requests.get(f"{meter.service.url}/api/camera")
        assert (answer.status_code, answer.json()) == (502, {"error": "numbers: unplugged"})
        assert "edge_digits_meter_troubles{" in requests.get(f"{meter.service.url}/metrics").text


def test_a_loop_that_has_ended_by_a_fault_is_ill_health(tmp_path: Path) -> None:
    class Broken(Numbers):
        def frames(self) -> Iterator[Frame]:
            raise RuntimeError("a fault of ours")

    with watched(tmp_path, source=Broken([])) as meter:
        deadline = time.monotonic() + 20
        while meter.meter.alive:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        answer = requests.get(f"{meter.service.url}/healthz")
        assert (answer.status_code, answer.json()["status"]) == (500, "watching has ended")
        assert get(meter, "readings")["watching"] is False
