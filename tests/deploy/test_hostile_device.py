"""Whatever a device answers, it is bounded, and what is wrong with it is one line.

A fake ssh and scp answer each question with the content of a file.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from board import BUILDS
from click.testing import CliRunner, Result

from edge_digits.cli import main

SSH = """#!/bin/sh
answers={folder}
for script; do :; done
case "$script" in
  *"-O exit"*|exit) exit 0 ;;
  *" doctor "*) name=doctor ;;
  *i.installed*) name=installed ;;
  *i.build*) name=build ;;
  *realpath*) name=in-use ;;
  *basename*) name=former ;;
  *"import version"*) name=version ;;
  *"deploy.switching status"*) name=service ;;
  *"deploy.switching use"*) name=switch ;;
  *) name=other ;;
esac
[ ! -e "$answers/$name.size" ] || head -c "$(cat "$answers/$name.size")" /dev/zero
[ ! -e "$answers/$name" ] || cat "$answers/$name"
[ ! -e "$answers/$name.err" ] || cat "$answers/$name.err" >&2
exit "$(cat "$answers/$name.rc" 2>/dev/null || echo 0)"
"""
SCP = """#!/bin/sh
for to; do :; done
case "$to" in *:*) exit 0 ;; esac
[ -e {folder}/evaluation.size ] || exec cp {folder}/evaluation "$to"
exec head -c "$(cat {folder}/evaluation.size)" /dev/zero > "$to"
"""
CHECK = {"name": "memory", "status": "ok", "found": "8 GB", "remedy": None}
NO_RECORDS: dict[str, bytes] = {
    "nothing": b"",
    "an empty list": b"[]",
    "null": b"null",
    "a number": b"5",
    "text": b'"checks"',
    "an object": b"{}",
    "no JSON": b"edge-digits: command not found",
    "a long number": b"1" * 10_000,
    "not a number": b"NaN",
    "lists, deep": b"[" * 100_000,
    "objects, deep": b'{"a":' * 100_000,
    "no text": bytes(range(256)),
    "an escape sequence": b"\x1b[2J\x1b]0;title\x07",
    "half a pair": b'{"\\ud800": "\\ud800"}',
    "a list of all": b"[" + b"0," * 400_000 + b"0]",
}


class Device:
    """The answers of the fake device."""

    def __init__(self, folder: Path, run: Path) -> None:
        self.folder, self.run = folder, run

    def answers(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    def edge_digits(self, verb: str, *words: object) -> Result:
        return CliRunner().invoke(main, [verb, *map(str, words)])

    def deploy(self) -> Result:
        return self.edge_digits("deploy", self.run, "device", "--no-install")

    def certify(self) -> Result:
        out = self.run.parent / "passport.json"
        return self.edge_digits("certify", self.run, "device", "--max-drop", 90, "--max-ms", 1e6, "-o", out)


@pytest.fixture
def device(run: Path, quick: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """A device that answers as it should, until told otherwise."""
    assert quick
    folder = tmp_path / "answers"
    programs = tmp_path / "programs"
    for made in (folder, programs):
        made.mkdir()
    for name, text in (("ssh", SSH), ("scp", SCP)):
        (programs / name).write_text(text.replace("{folder}", str(folder)))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    device = Device(folder, run)
    device.answers("doctor", json.dumps({"checks": [CHECK]}).encode())
    device.answers("build", BUILDS.encode())
    device.answers("evaluation", (tmp_path / "quick.json").read_bytes())
    device.answers("installed", json.dumps({"numpy": {"version": "2", "sha256": "a" * 64}}).encode())
    device.answers("version", b"0.1.0")
    device.answers("service", b"[]")
    device.answers("switch", b'["the service answers at http://127.0.0.1:8000/"]')
    device.answers("former", b"20260501T123000.000000Z-0123")
    in_use = {"bundle": "20260501T123000.000000Z-1", "model": "m", "scheme": "int8", "sha256": "a", "accuracy": 0.5}
    device.answers("in-use", json.dumps(in_use).encode())
    return device


def the_line(result: Result) -> str:
    """The one line of the error, which a terminal can show."""
    assert result.exit_code == 2, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    *_, last = result.stderr.splitlines()
    assert last.startswith("Error: device: ")
    assert len(last) < 1000
    assert all(line.isprintable() for line in result.stderr.splitlines())
    return last


def test_a_device_that_answers_as_it_should_is_deployed_to(device: Device) -> None:
    result = device.deploy()
    assert (result.exit_code, "100.00 %" in result.stdout) == (0, True)
    assert device.edge_digits("deploy", "--status", "device").exit_code == 0
    assert device.edge_digits("deploy", "--rollback", "device").exit_code == 0


def test_a_greeting_before_an_answer_is_passed_over(device: Device) -> None:
    for name in ("doctor", "build", "in-use", "former", "version", "service", "switch"):
        content = (device.folder / name).read_bytes()
        device.answers(name, b"\x1b[1mWelcome to pi!\x1b[0m\n{\n\n" + content + b"\n\n")
    device.answers("other.err", b"\x1b]0;you\x07 banner\n" * 1000)
    assert device.deploy().exit_code == 0
    result = device.edge_digits("deploy", "--status", "device")
    assert result.exit_code == 0
    assert "edge-digits 0.1.0\n" in result.stdout
    assert device.edge_digits("deploy", "--rollback", "device").exit_code == 0


@pytest.mark.parametrize("content", NO_RECORDS.values(), ids=NO_RECORDS)
def test_an_answer_that_is_none_is_one_line(content: bytes, device: Device) -> None:
    before = {name: (device.folder / name).read_bytes() for name in ("doctor", "build", "in-use", "evaluation")}
    for name, ask in (
        ("doctor", device.deploy),
        ("build", device.deploy),
        ("evaluation", device.deploy),
        ("in-use", lambda: device.edge_digits("deploy", "--status", "device")),
    ):
        device.answers(name, content)
        assert the_line(ask())
        device.answers(name, before[name])
    assert [path.name for path in device.run.iterdir() if "evaluation" in path.name or path.name[0] == "."] == []


@pytest.mark.parametrize(
    "content",
    [
        *(content for name, content in NO_RECORDS.items() if name != "an empty list"),
        b"[5]",
        b'["a\\nb"]',
        json.dumps(["a"] * 9).encode(),
    ],
)
def test_a_service_that_says_anything_is_one_line(content: bytes, device: Device) -> None:
    for name, words in (("switch", ["--rollback"]), ("service", ["--status"])):
        device.answers(name, content)
        assert the_line(device.edge_digits("deploy", *words, "device"))
    device.answers("switch", content)
    assert the_line(device.deploy())


def test_what_a_service_says_is_shown_escaped(device: Device) -> None:
    said = json.dumps(["\u202eevil\u2028"]).encode()
    for name in ("service", "switch"):
        device.answers(name, said)
    for result in (device.deploy(), device.edge_digits("deploy", "--status", "device")):
        assert result.exit_code == 0
        assert all(line.isprintable() for line in result.output.splitlines())


@pytest.mark.parametrize(
    "checks",
    [
        5,
        {},
        [5],
        [[]],
        [{}],
        [{"name": "memory"}],
        [CHECK | {"status": "fine"}],
        [CHECK | {"name": ""}],
        [CHECK | {"name": 5}],
        [CHECK | {"found": "two\nlines"}],
        [CHECK | {"found": "x" * 5000}],
        [CHECK | {"remedy": ["rm"]}],
        [CHECK | {"status": "problem", "found": "\u202egnp.exe", "remedy": "\u2028"}],
        [CHECK | {"status": "problem", "found": "", "remedy": None}] * 1000,
    ],
    ids=lambda checks: f"{checks!r:.60}",
)
def test_a_doctor_that_says_anything_is_one_line(checks: Any, device: Device) -> None:
    device.answers("doctor", json.dumps({"checks": checks}).encode())
    assert "doctor" in the_line(device.deploy())


def test_more_than_can_be_taken_is_cut_off(device: Device) -> None:
    large = str(300 << 20).encode()
    for name in ("doctor", "build", "other", "switch"):
        device.answers(f"{name}.size", large)
        assert " printed more than 1 MB; " in the_line(device.deploy())
        (device.folder / f"{name}.size").unlink()
    device.answers("evaluation.size", large)
    assert "fetch the evaluation failed" in the_line(device.deploy())
    device.answers("in-use.size", large)
    assert " printed more than 1 MB; " in the_line(device.edge_digits("deploy", "--status", "device"))


def test_what_a_device_prints_when_it_fails_is_shown_escaped_and_cut(device: Device) -> None:
    device.answers("other.rc", b"3")
    for content in (b"\x1b[31mred\x07\r\nError: forged\x1b[0m", "\u202eevil".encode(), b"x" * 100_000, b"\xff\xfe"):
        device.answers("other.err", content)
        assert "connect failed (exit status 3)" in the_line(device.deploy())


@pytest.mark.parametrize("name", ["../../x", "a b", "$(reboot)", "a/b", "\x1b[31m", "ä" * 5000])
def test_a_former_bundle_of_any_name_is_not_gone_back_to(name: str, device: Device) -> None:
    device.answers("former", name.encode())
    assert "a bundle of the name" in the_line(device.edge_digits("deploy", "--rollback", "device"))


@pytest.fixture
def certifiable(device: Device, tmp_path: Path) -> Device:
    """The same, with the original that a certification compares with."""
    values = json.loads((tmp_path / "quick.json").read_bytes())
    values["model"] |= {"role": "float-original", "scheme": "keras"}
    values["device"] |= {"name": "Workstation"}
    (device.run / "evaluation.json").write_text(json.dumps(values))
    return device


def test_a_certification_takes_no_other_answers_either(certifiable: Device, tmp_path: Path) -> None:
    # It has no times from picture files.
    assert "did not measure the way from a picture file" in the_line(certifiable.certify())
    values = json.loads((tmp_path / "quick.json").read_bytes())
    values["latency_us"]["file"] = values["latency_us"]["invoke"]
    certifiable.answers("evaluation", json.dumps(values).encode())
    assert "did not measure the way from a picture file, and its own state" in the_line(certifiable.certify())
    around = {"governor": None, "frequency_mhz": None, "temperature_c": None, "throttled": [], "throttle_count": None}
    values["extra"] = {"conditions": {"before": around, "after": around}}
    certifiable.answers("evaluation", json.dumps(values).encode())
    good = certifiable.certify()
    assert good.exit_code == 0, good.stderr
    (tmp_path / "passport.json").unlink()
    wrong = [*NO_RECORDS.values(), b'{"numpy": 5}', b'{"numpy": {}}', b'{"numpy": {"version": "2", "sha256": "x"}}']
    for content in wrong:
        if content != b"{}":
            certifiable.answers("installed", content)
            assert "identify what is installed" in the_line(certifiable.certify())
    assert not (tmp_path / "passport.json").exists()
