"""The answers of the service are those of the commands."""

import base64
import json
import time

import numpy as np
import pytest
import requests
from click.testing import CliRunner
from edge_digits_live.limits import Limits
from edge_digits_live.openapi import document
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.image.prepare import prepare
from edge_digits_runtime.model import registry
from live_service import SAMPLES, Running, Start
from prometheus_client.parser import text_string_to_metric_families

from edge_digits.cli import main


def command(*arguments: str) -> dict[str, object]:
    """What a command prints with --json."""
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, object] = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize("verb", ["classify", "read"])
def test_answers_are_those_of_the_command(service: Running, seven: bytes, verb: str) -> None:
    answer = requests.post(f"{service.url}/api/{verb}", data=seven)
    assert answer.status_code == 200
    expected = command(verb, str(SAMPLES / "7.png")) | {"file": ""}
    assert answer.json() == expected | ({} if verb == "classify" else {"sure": True})


def test_an_answer_is_not_held_back_by_the_system(service: Running, seven: bytes) -> None:
    """Without TCP_NODELAY, each answer but the first of a connection comes 40 ms late."""
    with requests.Session() as session:
        for number in range(300):
            begin = time.perf_counter()
            session.post(f"{service.url}/api/classify", data=seven)
            # One is enough: a busy machine holds answers back as well, but not all of them. The first is never late.
            if number > 5 and time.perf_counter() - begin < 0.03:
                return
    pytest.fail("each answer took 30 ms or more")


def test_several_pictures_are_answered_in_order_and_a_bad_one_in_its_place(service: Running) -> None:
    files = [("picture", (name, (SAMPLES / name).read_bytes())) for name in ("3.png", "8.png")]
    files.insert(1, ("picture", ("none.png", b"no picture")))
    answers = requests.post(f"{service.url}/api/classify", files=files).json()
    assert [answer["file"] for answer in answers] == ["3.png", "none.png", "8.png"]
    assert [answer.get("label") for answer in answers] == ["3", None, "8"]
    assert answers[1]["error"].startswith("not a picture that can be read")


def test_what_the_model_saw_is_shown(service: Running, seven: bytes) -> None:
    seen = requests.post(f"{service.url}/api/classify", params={"show": "true"}, data=seven).json()["seen"]
    expected = prepare(open_picture(seven))
    pixels = np.frombuffer(base64.b64decode(seen["pixels"]), np.uint8).reshape(seen["height"], seen["width"])
    assert (pixels == expected.pixels).all()
    assert tuple(seen["box"]) == expected.box


def test_another_installed_model_can_be_asked(service: Running, seven: bytes) -> None:
    listed = requests.get(f"{service.url}/api/models").json()
    assert [row["name"] for row in listed] == list(registry.paths())
    assert [row["default"] for row in listed] == [True] + [False] * (len(listed) - 1)
    assert not any("path" in row for row in listed)
    for row in listed:
        answer = requests.post(f"{service.url}/api/classify", params={"model": row["name"]}, data=seven).json()
        expected = DigitClassifier(row["name"]).classify(seven)
        assert answer["probabilities"]["1"] == pytest.approx(expected.shares["1"], abs=1e-5)
        about = requests.get(f"{service.url}/api/model", params={"model": row["name"]}).json()
        assert (about["name"], about["bytes"], about["accuracy"]) == (row["name"], row["bytes"], row["accuracy"])
        assert 0 < about["p50_us"] < 1e6


@pytest.mark.parametrize("name", ["nothing", "../../etc/passwd", "/etc/passwd", "default.tflite", "line-m"])
def test_a_model_is_one_of_the_installed_names(service: Running, seven: bytes, name: str) -> None:
    answer = requests.post(f"{service.url}/api/classify", params={"model": name}, data=seven)
    assert answer.status_code == 404
    assert answer.json()["error"].startswith(f"model {name!r}: not installed")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0" + b"\0" * 40])
def test_what_is_no_picture_is_one_line(service: Running, content: bytes) -> None:
    answer = requests.post(f"{service.url}/api/classify", data=content)
    assert answer.status_code == 422
    assert list(answer.json()) == ["error"]
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/api/classify", 405), ("DELETE", "/", 405), ("GET", "/../../etc/passwd", 404)],
)
def test_what_is_not_there_is_one_line(service: Running, method: str, path: str, status: int) -> None:
    answer = requests.request(method, f"{service.url}{path}")
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_a_fault_of_ours_is_one_line_for_the_client(
    start: Start, seven: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret of the device")

    monkeypatch.setattr("edge_digits_live.answers.prepare", fail)
    service = start()
    answer = requests.post(f"{service.url}/api/classify", data=seven)
    assert (answer.status_code, answer.json()) == (500, {"error": "a fault of the service; its log says more"})
    # The client has its answer before the traceback is written.
    log, deadline = capsys.readouterr().err, time.monotonic() + 20
    while "a secret of the device" not in log and time.monotonic() < deadline:
        time.sleep(0.05)
        log += capsys.readouterr().err
    assert "a secret of the device" in log
    assert requests.get(f"{service.url}/healthz").status_code == 200


def test_metrics_are_what_prometheus_reads(start: Start, seven: bytes) -> None:
    service = start()
    for _ in range(3):
        requests.post(f"{service.url}/api/classify", data=seven)
    requests.get(f"{service.url}/made-up")
    answer = requests.get(f"{service.url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["edge_digits_requests_total", "/api/classify", "200"] == 3
    # A path that a client makes up is no label: they would fill the memory.
    assert found["edge_digits_requests_total", "404", "other"] == 1
    assert found["edge_digits_pictures_total", "classify", "sure"] == 3
    assert found["edge_digits_request_seconds_bucket", "+Inf"] == found["edge_digits_request_seconds_count",] == 4
    assert found["edge_digits_peak_memory_bytes",] > 1e7


def test_the_document_lists_every_route(service: Running) -> None:
    served = requests.get(f"{service.url}/api/openapi.json").json()
    assert served == json.loads(json.dumps(document(Limits(), token=False)))
    for path, operations in served["paths"].items():
        for method in operations:
            answer = requests.request(method, f"{service.url}{path}")
            assert answer.status_code in (200, 404, 422)
            assert "nothing here" not in answer.text
