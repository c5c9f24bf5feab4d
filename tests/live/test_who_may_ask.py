"""The service answers its own machine, its own page, and who has the token."""

import re

import pytest
import requests
from edge_digits_live.app import Settings
from live_service import Running, Start, running

TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:1234", 200),
        ("127.0.0.1:80", 200),
        ("192.168.1.7", 200),
        ("[::1]:8000", 200),
        ("::1", 421),
        ("pi.lan", 200),
        ("pi.lan:8000", 200),
        ("evil.example", 421),
        ("evil.example:8000", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost@evil.example", 421),
        ("", 421),
    ],
)
def test_the_host_is_a_name_of_this_machine_or_an_address(named: Running, host: str, status: int) -> None:
    answer = requests.get(f"{named.url}/healthz", headers={"host": host})
    assert answer.status_code == status


@pytest.fixture(scope="module")
def named() -> object:
    with running(Settings(names=("pi.lan",))) as started:
        yield started


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1.evil.example"]
)
def test_a_page_from_elsewhere_may_not_ask(service: Running, seven: bytes, origin: str) -> None:
    answer = requests.post(f"{service.url}/api/classify", data=seven, headers={"origin": origin})
    assert answer.status_code == 403
    allowed = requests.post(f"{service.url}/api/classify", data=seven, headers={"origin": service.url})
    assert allowed.status_code == 200


def test_no_other_origin_may_read_the_answers(service: Running) -> None:
    headers = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    for method in ("OPTIONS", "GET", "POST"):
        answer = requests.request(method, f"{service.url}/api/classify", headers=headers)
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/models", "/metrics", "/nothing"])
def test_every_answer_has_the_headers_of_security(service: Running, path: str) -> None:
    headers = requests.get(f"{service.url}{path}").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", policy["script-src"])
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 401),
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"bearer {TOKEN}"}, 200),
        ({"authorization": f"Bearer {TOKEN}x"}, 401),
        ({"authorization": f"Bearer {TOKEN[:-1]}"}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": "Bearer é"}, 401),
        ({"authorization": TOKEN}, 401),
    ],
)
def test_a_token_is_asked_for(start: Start, seven: bytes, sent: dict[str, str], status: int) -> None:
    service = start(Settings(token=TOKEN))
    encoded = {name: value.encode() for name, value in sent.items()}
    for method, path in (("POST", "/api/classify"), ("GET", "/metrics"), ("GET", "/api/models")):
        answer = requests.request(method, f"{service.url}{path}", data=seven, headers=encoded)
        assert answer.status_code == status
    assert requests.get(f"{service.url}/healthz").status_code == 200
    page = requests.get(f"{service.url}/")
    assert (page.status_code, TOKEN in page.text) == (200, False)
