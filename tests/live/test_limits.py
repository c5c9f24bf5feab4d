"""Each limit holds, and what is refused says why."""

import asyncio
import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests
from edge_digits_live.app import Settings
from edge_digits_live.limits import Limits
from live_service import Running, Start
from PIL import Image


def limited(**limits: float) -> Settings:
    return Settings(limits=Limits(**limits))  # type: ignore[arg-type]


def picture(width: int, height: int, form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("L", (width, height), 255).save(stream, form)
    return stream.getvalue()


@contextlib.contextmanager
def connected(service: Running) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        yield connection


def seconds_until_closed(connection: socket.socket) -> tuple[float, bytes]:
    """How long the other side keeps a connection, and what it sends."""
    begin, received = time.monotonic(), b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    return time.monotonic() - begin, received


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_refused(start: Start, announced: bool) -> None:
    service = start(limited(body_bytes=10_000))
    body = b"x" * 10_001
    answer = requests.post(f"{service.url}/api/classify", data=body if announced else iter([body]))
    assert answer.status_code == 413
    assert answer.json() == {"error": "more than 0.01 MB; make the picture smaller, or send fewer"}
    assert requests.post(f"{service.url}/api/classify", data=b"x" * 10_000).status_code == 422


def test_a_body_that_is_announced_too_large_is_not_waited_for(start: Start) -> None:
    with connected(start(limited(body_bytes=10_000))) as connection:
        connection.sendall(b"POST /api/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n")
        seconds, received = seconds_until_closed(connection)
    assert received.startswith(b"HTTP/1.1 413")
    assert seconds < 2


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP"])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(start: Start, form: str) -> None:
    service = start(limited(pixels=1_000_000))
    answer = requests.post(f"{service.url}/api/classify", data=picture(2000, 1000, form))
    assert (answer.status_code, answer.json()["error"][:30]) == (413, "2 megapixels; allowed are 1: m")
    assert requests.post(f"{service.url}/api/classify", data=picture(1000, 1000, form)).status_code == 200


def test_too_many_pictures_are_refused(start: Start, seven: bytes) -> None:
    service = start(limited(pictures=3))
    for count, status in ((3, 200), (4, 413)):
        files = [("picture", (f"{k}.png", seven)) for k in range(count)]
        assert requests.post(f"{service.url}/api/classify", files=files).status_code == status


@pytest.mark.parametrize("form", [b"--x\r\nnonsense", b"", b"--x--\r\n", b"--x\r\n\r\n" + b"y" * 100_000])
def test_a_form_that_is_damaged_is_one_line(service: Running, form: bytes) -> None:
    kind = "multipart/form-data; boundary=x"
    answer = requests.post(f"{service.url}/api/classify", data=form, headers={"content-type": kind})
    assert answer.status_code in (400, 422)
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_a_header_that_takes_too_long_ends_the_connection(start: Start, begin: bytes) -> None:
    with connected(start(limited(header_s=0.5))) as connection:
        connection.sendall(begin)
        assert 0.2 < seconds_until_closed(connection)[0] < 5


def test_a_header_that_trickles_in_ends_the_connection_all_the_same(start: Start) -> None:
    with connected(start(limited(header_s=0.5))) as connection:
        # A whole request first: what counts is each one anew.
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        begin = time.monotonic()
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while time.monotonic() - begin < 6:
                connection.sendall(b"G")
                time.sleep(0.05)
        assert time.monotonic() - begin < 4


def test_a_header_that_is_too_long_is_refused(start: Start) -> None:
    with connected(start(limited(header_bytes=1000))) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 3000)
        assert seconds_until_closed(connection)[1].startswith(b"HTTP/1.1 400")


def test_a_body_that_takes_too_long_is_refused(start: Start) -> None:
    with connected(start(limited(body_s=0.5))) as connection:
        connection.sendall(b"POST /api/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab")
        seconds, received = seconds_until_closed(connection)
    assert received.startswith(b"HTTP/1.1 408")
    assert b"the body took more than 0.5 s" in received
    assert 0.2 < seconds < 5


def test_a_client_that_does_not_take_its_answer_is_left(start: Start) -> None:
    service = start(limited(request_s=0.5))
    with connected(service) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        # So many answers that no buffer holds them.
        with contextlib.suppress(ConnectionResetError, BrokenPipeError, TimeoutError):
            connection.settimeout(1)
            for _ in range(2000):
                connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10)
        connection.settimeout(5)
        assert seconds_until_closed(connection)[0] < 5
    assert requests.get(f"{service.url}/healthz").status_code == 200


def test_more_connections_than_allowed_are_told_to_come_back(start: Start) -> None:
    service = start(limited(connections=3))
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            connection = stack.enter_context(connected(service))
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        with connected(service) as one_more:
            received = seconds_until_closed(one_more)[1]
    assert received.startswith(b"HTTP/1.1 503")
    assert b"\r\nRetry-After: 1\r\n" in received
    assert requests.get(f"{service.url}/healthz").status_code == 200


@contextlib.contextmanager
def held_up(service: Running) -> Iterator[None]:
    """Keep the one worker of a service busy."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        begun.set()
        go_on.wait(10)

    blocker = threading.Thread(target=lambda: asyncio.run(service.workers.run(wait)))
    blocker.start()
    begun.wait(10)
    try:
        yield
    finally:
        go_on.set()
        blocker.join()


def test_a_full_queue_says_when_to_come_back(start: Start, seven: bytes) -> None:
    service = start(limited(waiting=2))
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(requests.post(f"{service.url}/api/classify", data=seven).status_code)

    with held_up(service):
        waiting = [threading.Thread(target=ask) for _ in range(2)]
        for thread in waiting:
            thread.start()
        while service.workers.waiting < 2:
            time.sleep(0.01)
        answer = requests.post(f"{service.url}/api/classify", data=seven)
    for thread in waiting:
        thread.join()
    assert answer.status_code == 503
    assert answer.headers["retry-after"].isdigit()
    assert answer.json() == {"error": "busy: 2 requests are waiting; come back later"}
    assert statuses == [200, 200]


def test_what_waited_too_long_is_told_to_come_back(start: Start, seven: bytes) -> None:
    service = start(limited(waiting_s=0.2))
    answers: list[requests.Response] = []
    with held_up(service):
        asking = threading.Thread(
            target=lambda: answers.append(requests.post(f"{service.url}/api/classify", data=seven))
        )
        asking.start()
        time.sleep(0.5)
    asking.join()
    assert (answers[0].status_code, "retry-after" in answers[0].headers) == (503, True)


def test_memory_for_bodies_is_shared(start: Start, seven: bytes) -> None:
    service = start(limited(held_bytes=5_000, body_bytes=4_000))
    with connected(service) as slow:
        slow.sendall(b"POST /api/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n" + b"x" * 3999)
        time.sleep(0.3)
        answer = requests.post(f"{service.url}/api/classify", data=b"y" * 3000)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    time.sleep(0.3)
    assert requests.post(f"{service.url}/api/classify", data=seven[:4000]).status_code != 503


def test_each_worker_has_a_classifier_of_its_own(start: Start) -> None:
    service = start(workers=3)
    seen: list[tuple[str, int]] = []
    barrier = threading.Barrier(3)

    def look(classifiers: object) -> None:
        barrier.wait(60)
        seen.append((threading.current_thread().name, id(classifiers["digits-m"])))  # type: ignore[index]
        barrier.wait(60)

    async def ask() -> None:
        await asyncio.gather(*(service.workers.run(look) for _ in range(3)))

    # A browser that the same process has tested leaves an event loop running in its main thread.
    asker = threading.Thread(target=lambda: asyncio.run(ask()))
    asker.start()
    asker.join(120)
    assert len({name for name, _ in seen}) == len({classifier for _, classifier in seen}) == 3
