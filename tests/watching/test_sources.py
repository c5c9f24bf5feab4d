"""Sources: a server that misbehaves, commands that fail, and stand-ins for cameras."""

import base64
import io
import sys
import threading
import types
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from edge_digits_runtime.errors import PictureError, UsageError, WatchError
from PIL import Image
from stand_ins import picture

from edge_digits.watching import cameras, command_source, snapshot
from edge_digits.watching.frames import open_source


def encoded(form: str = "PNG") -> bytes:
    content = io.BytesIO()
    picture(50).save(content, form)
    return content.getvalue()


class Camera(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        place = self.path.strip("/")
        if place == "asked?user=me&pwd=secret":
            place = "picture"
        elif place.startswith("asked"):
            self.send_error(403)
            return
        if place == "busy":
            self.send_error(503)
            return
        if (
            place == "closed"
            and self.headers.get("Authorization") != "Basic " + base64.b64encode(b"me:se:cret").decode()
        ):
            self.send_error(401)
            return
        if place in ("moved", "file", "ftp"):
            self.send_response(302)
            to = {"moved": "/picture", "file": "file:///etc/passwd", "ftp": "ftp://127.0.0.1/x"}[place]
            self.send_header("Location", to)
            self.end_headers()
            return
        self.send_response(200)
        kinds = {"film": "multipart/x-mixed-replace; boundary=x"}
        self.send_header("Content-Type", kinds.get(place, "image/png"))
        self.end_headers()
        try:
            if place == "endless":
                while True:
                    self.wfile.write(bytes(1 << 16))
            elif place == "slow":
                for byte in encoded():
                    self.wfile.write(bytes([byte]))
                    self.server.pause.wait(0.1)  # type: ignore[attr-defined]
            elif place == "silent":
                self.server.pause.wait(20)  # type: ignore[attr-defined]
            else:
                self.wfile.write({"words": b"no picture", "cut": encoded()[:60], "nothing": b""}.get(place, encoded()))
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    server.pause = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.pause.set()  # type: ignore[attr-defined]
    server.shutdown()


@pytest.mark.parametrize("place", ["picture", "moved"])
def test_a_snapshot_is_a_picture(address: str, place: str) -> None:
    source = open_source(f"{address}/{place}")
    assert source.live
    for _ in range(2):
        (frame,) = source.frames()
        assert frame.image.tobytes() == picture(50).tobytes()


def test_what_is_behind_the_question_mark_is_asked_and_never_said(address: str) -> None:
    """Cameras take a password there, and the name of the source goes to outputs and to the page."""
    (frame,) = open_source(f"{address}/asked?user=me&pwd=secret").frames()
    assert frame.name == f"{address}/asked"
    with pytest.raises(WatchError, match="403") as raised:
        list(open_source(f"{address}/asked?pwd=wrong").frames())
    assert "wrong" not in str(raised.value)


@pytest.mark.parametrize(
    ("place", "error", "message"),
    [
        ("busy", WatchError, "answers 503"),
        ("closed", WatchError, "answers 401"),
        ("film", WatchError, "a film; give the address of its snapshot"),
        ("file", WatchError, "answers 302"),
        ("ftp", WatchError, "answers 302"),
        ("endless", WatchError, "more than 1 MB"),
        ("slow", WatchError, "took more than 1 s"),
        ("silent", WatchError, "timed out"),
        ("words", PictureError, "not a picture"),
        ("cut", PictureError, "cannot be read"),
        ("nothing", PictureError, "not a picture"),
    ],
)
def test_a_camera_that_misbehaves_is_one_line(
    address: str, place: str, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(snapshot, "_SILENT_S", 0.5)
    monkeypatch.setattr(snapshot, "_WHOLE_S", 1.0)
    with pytest.raises(error, match=message) as caught:
        list(open_source(f"{address}/{place}").frames())
    assert "\n" not in str(caught.value)


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(WatchError, match="refused"):
        list(open_source("http://127.0.0.1:9/capture").frames())


def test_a_password_comes_from_the_environment(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(snapshot.PASSWORD, "se:cret")
    source = open_source(address.replace("http://", "http://me@") + "/closed")
    assert len(list(source.frames())) == 1
    assert "me" not in source.name
    with pytest.raises(UsageError, match="can be seen by every user"):
        open_source("http://me:secret@127.0.0.1/closed")


@pytest.mark.parametrize("argument", ["http://", "https://:80/x", "http://[::1/x", "http://h:99999/x"])
def test_an_address_that_is_none_is_refused(argument: str) -> None:
    with pytest.raises(UsageError):
        open_source(argument)


@pytest.mark.parametrize(
    "argument", ["no-such-folder", "ftp://host/x", "/dev/null", "exec:", "exec:'", "", "picamera:x"]
)
def test_what_is_no_source_is_refused_with_what_is_allowed(argument: str) -> None:
    with pytest.raises(UsageError, match=r"give|exec"):
        open_source(argument)


PYTHON = f"exec:{sys.executable} -c "


def test_a_command_writes_a_picture() -> None:
    code = f"import sys; sys.stdout.buffer.write(bytes.fromhex('{encoded().hex()}'))"
    (frame,) = open_source(f'{PYTHON}"{code}"').frames()
    assert frame.image.tobytes() == picture(50).tobytes()


@pytest.mark.parametrize(
    ("command", "error", "message"),
    [
        ("exec:no-such-command-here", WatchError, "cannot be started: No such file"),
        (PYTHON + "'raise SystemExit(3)'", WatchError, "exit code 3"),
        (PYTHON + "'print(1)'", PictureError, "not a picture"),
        (PYTHON + "'import time; time.sleep(60)'", WatchError, "took more than 0 s"),
        ("exec:sh -c 'sleep 60; true'", WatchError, "took more than 0 s"),
        (PYTHON + "'print(chr(120) * 2000000)'", WatchError, "wrote more than 1 MB"),
    ],
)
def test_a_command_that_fails_is_one_line(
    command: str, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_source, "MAX_BYTES", 1 << 20)
    if "sleep" in command:
        monkeypatch.setattr(command_source, "_LONGEST_S", 0.3)
    with pytest.raises(error, match=message):
        list(open_source(command).frames())


class FakeFrame:
    """What linuxpy gives: bytes, a size, and the name of its format."""

    def __init__(self, content: bytes, kind: str) -> None:
        self._content = content
        self.pixel_format = types.SimpleNamespace(name=kind)
        self.width, self.height = 80, 40

    def __bytes__(self) -> bytes:
        return self._content


def fake_linuxpy(frames: list[FakeFrame], calls: list[Any]) -> types.SimpleNamespace:
    """Return a module with the interface of linuxpy.video.device; a camera without frames is gone."""
    import os

    class V4L2Error(Exception):
        pass

    class Device:
        def __init__(self, path: str) -> None:
            calls.append(path)

        def __enter__(self) -> "Device":
            if not frames:
                raise FileNotFoundError(2, "No such file or directory")
            # Always ready to be read.
            self._read, self._write = os.pipe()
            os.write(self._write, b"x")
            return self

        def __exit__(self, *_: object) -> None:
            calls.append("closed")
            os.close(self._read)
            os.close(self._write)

        def fileno(self) -> int:
            return self._read

    class VideoCapture:
        def __init__(self, device: Device) -> None:
            assert isinstance(device, Device)

        def set_format(self, width: int, height: int, pixel_format: str = "MJPG") -> None:
            calls.append((width, height, pixel_format))

        def __enter__(self) -> "VideoCapture":
            return self

        def __exit__(self, *_: object) -> None:
            calls.append("stopped")

        def __iter__(self) -> Iterator[FakeFrame]:
            return iter(frames)

    return types.SimpleNamespace(Device=Device, VideoCapture=VideoCapture, V4L2Error=V4L2Error)


def yuyv(image: Image.Image) -> bytes:
    return b"".join(bytes([value, 128]) for value in image.tobytes())


@pytest.mark.parametrize(("kind", "content"), [("YUYV", yuyv(picture(50))), ("MJPEG", encoded("JPEG"))])
def test_a_video_device_is_opened_for_each_picture(kind: str, content: bytes) -> None:
    source = open_source("/dev/video0", (1280, 720))
    assert isinstance(source, cameras.VideoDevice)
    calls: list[Any] = []
    early = FakeFrame(yuyv(picture(1)), "YUYV")
    source._device = fake_linuxpy([*[early] * cameras._SETTLING, FakeFrame(content, kind)], calls)
    for _ in range(2):
        (frame,) = source.frames()
        assert frame.image.size == (80, 40)
        assert kind != "YUYV" or frame.image.tobytes() == picture(50).tobytes()
    assert calls == ["/dev/video0", (1280, 720, "MJPG"), "stopped", "closed"] * 2


def test_a_video_device_that_is_gone_or_odd_is_one_line() -> None:
    source = open_source("/dev/video3")
    assert isinstance(source, cameras.VideoDevice)
    source._device = fake_linuxpy([], [])
    with pytest.raises(WatchError, match="/dev/video3: No such file or directory"):
        list(source.frames())
    source._device = fake_linuxpy([FakeFrame(b"", "H264")] * 9, [])
    with pytest.raises(WatchError, match="as H264; known are MJPEG and YUYV"):
        list(source.frames())
    source._device = fake_linuxpy([FakeFrame(bytes(10), "YUYV")] * 9, [])
    with pytest.raises(PictureError, match="cut off"):
        list(source.frames())


def test_what_a_video_device_is_used_by_is_in_linuxpy() -> None:
    """The stand-in above has nothing that the real one lacks."""
    device = pytest.importorskip("linuxpy.video.device")
    assert issubclass(device.V4L2Error, Exception)
    for method in ("__enter__", "__exit__", "fileno"):
        assert hasattr(device.Device, method)
    for method in ("__enter__", "__exit__", "__iter__", "set_format"):
        assert hasattr(device.VideoCapture, method)
    assert {"MJPEG", "YUYV"} <= set(device.PixelFormat.__members__)
    assert hasattr(device.Frame, "__bytes__")
    assert all(hasattr(device.Frame, name) for name in ("pixel_format", "width", "height"))


def fake_picamera(monkeypatch: pytest.MonkeyPatch, works: list[bool]) -> list[str]:
    """Put a module with the interface of picamera2 in place; each start takes one of ``works``."""
    calls: list[str] = []

    class Picamera2:
        def __init__(self, number: int = 0) -> None:
            if not works.pop(0):
                raise IndexError("list index out of range")
            calls.append(f"camera {number}")

        def create_still_configuration(self, **main: object) -> dict[str, object]:
            return main

        def configure(self, configuration: dict[str, object]) -> None:
            calls.append(f"configure {configuration}")

        def start(self) -> None:
            calls.append("start")

        def capture_image(self, name: str) -> Image.Image:
            assert name == "main"
            if works and works[0] is False:
                raise RuntimeError("Camera frontend has timed out!")
            return picture(50).convert("RGBA")

        def stop(self) -> None:
            calls.append("stop")

        def close(self) -> None:
            calls.append("close")

    monkeypatch.setitem(sys.modules, "picamera2", types.SimpleNamespace(Picamera2=Picamera2))  # type: ignore[arg-type]
    return calls


def test_a_pi_camera_is_started_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_picamera(monkeypatch, [True])
    source = open_source("picamera:1", (640, 480))
    for _ in range(2):
        (frame,) = source.frames()
        assert (frame.image.size, frame.image.mode) == ((80, 40), "RGB")
    source.close()
    assert calls == ["camera 1", "configure {'main': {'size': (640, 480)}}", "start", "stop", "close"]


def test_a_pi_camera_that_fails_is_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    works = [False, True]
    calls = fake_picamera(monkeypatch, works)
    source = open_source("picamera")
    with pytest.raises(WatchError, match="picamera:0: list index out of range"):
        list(source.frames())
    assert len(list(source.frames())) == 1
    works[:] = [False]
    with pytest.raises(WatchError, match="timed out"):
        list(source.frames())
    works[:] = [True]
    assert len(list(source.frames())) == 1
    assert calls.count("start") == 2
    assert calls.count("close") == 1


def test_without_its_package_a_camera_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(UsageError, match="python3-picamera2"):
        open_source("picamera")
    monkeypatch.setitem(sys.modules, "linuxpy.video", None)
    with pytest.raises(UsageError, match="linuxpy"):
        open_source("/dev/video0")
