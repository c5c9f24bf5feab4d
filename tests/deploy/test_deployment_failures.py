"""Failures on the way: the former bundle stays in use, and one line says what happened."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from board import BUILDS, Deploy, Stub, error, in_use


def test_a_failure_at_any_step_leaves_the_former_bundle_in_use(
    deploy: Deploy, device: Path, scp: Callable[[str], AbstractContextManager[None]], python: Stub, tmp_path: Path
) -> None:
    assert deploy().exit_code == 0
    former = in_use(device)
    send_half = 'head -c 1000 "$1" > "$0.half"; $REAL "$0.half" "$2"'

    with scp(f"{send_half}; kill -9 $$"):
        killed = error(deploy())
    assert re.match(r"device: copy failed \(ended by signal 9\): no message; the former bundle", killed)
    assert in_use(device) == former

    with scp(f"{send_half}; exit 0"):
        short = error(deploy())
    assert re.match(r"device: check and unpack failed \(exit status 1\): sha256sum: .* the former bundle", short)
    assert in_use(device) == former

    checks = json.dumps({"checks": [{"name": "interpreter", "status": "problem", "found": "none", "remedy": "pip"}]})
    sick = python(f"case \"$*\" in *' doctor '*) echo '{checks}'; exit 1;; esac")
    assert error(deploy(interpreter=sick)) == (
        "device: the doctor has a problem with interpreter: none; the former bundle is still in use there; "
        "fix it there: pip"
    )
    assert in_use(device) == former

    broken = python("case \"$*\" in *' doctor '*) echo 'ImportError: no numpy' >&2; exit 1;; esac")
    assert error(deploy(interpreter=broken)).startswith("device: doctor failed (exit status 1): ImportError: no numpy;")
    assert in_use(device) == former

    (tmp_path / "bad.tflite").write_bytes(b"\x18\0\0\0TFL3" + bytes(99))
    assert str(tmp_path / "bad.tflite") in error(deploy("--model", str(tmp_path / "bad.tflite")))
    assert in_use(device) == former

    old = python("case \"$*\" in *' classify '*) echo 'Error: model.tflite: too new' >&2; exit 2;; esac")
    bad = error(deploy(interpreter=old))
    assert re.match(
        r"device: try the model failed \(exit status 2\): Error: model\.tflite: too new; the former bundle", bad
    )
    assert in_use(device) == former

    assert deploy().exit_code == 0
    assert in_use(device) != former


def test_an_evaluation_of_other_pictures_is_refused(
    deploy: Deploy, run: Path, tmp_path: Path, quick: str, python: Stub
) -> None:
    assert deploy().exit_code == 0
    out = run / "device.int8.evaluation.json"
    former = out.read_bytes()
    values = json.loads(former)
    values["data"]["sha256"] = "0" * 64
    (tmp_path / "other.json").write_text(json.dumps(values))
    names = sorted(path.name for path in run.iterdir())
    other = python(quick.replace("quick.json", "other.json"))
    assert error(deploy(interpreter=other)) == "device: the evaluation is of another model or other pictures; try again"
    assert out.read_bytes() == former
    assert sorted(path.name for path in run.iterdir()) == names


WRONG_PYTHONS = {
    "too old": (
        'case "$2" in *version_info*) exec $REAL -c "import sys; sys.version_info = (3, 9, 2); $2";; esac',
        "device: connect failed (exit status 1): Python 3.9 is too old; Python 3.11 or newer must be installed there",
    ),
    "without edge-digits": (
        'exec $REAL -I -S "$@"',
        "device: check edge-digits failed (exit status 1): ModuleNotFoundError: No module named 'edge_digits_runtime'",
    ),
    "other edge-digits": (
        'case "$2" in *i.build*) echo 0.0.9; exit;; esac',
        f"device: has edge-digits and its runtime 0.0.9, here are {BUILDS}; leave out --no-install",
    ),
}


@pytest.mark.parametrize(("script", "message"), WRONG_PYTHONS.values(), ids=WRONG_PYTHONS)
def test_a_wrong_python_is_noticed_before_it_is_used(
    script: str, message: str, deploy: Deploy, device: Path, python: Stub
) -> None:
    assert error(deploy(interpreter=python(script))).startswith(message)
    assert not (device / "current").exists()


def test_a_missing_python_is_an_error(deploy: Deploy) -> None:
    message = error(deploy(interpreter="no-such-python"))
    assert re.match(r"device: connect failed \(exit status 127\): .*no-such-python: (command )?not found; ", message)
    assert message.endswith(
        "Python 3.11 or newer must be installed there as no-such-python; name another with --python"
    )


def test_a_host_that_does_not_answer_is_an_error(deploy: Deploy, run: Path) -> None:
    assert error(deploy(host="gone")) == (
        "gone: connect failed (exit status 255): ssh: connect to host 127.0.0.1 port 1: Connection refused; "
        "check that 'ssh gone' logs in, then try again"
    )
    assert not list(run.glob("*evaluation.json"))


def test_a_missing_ssh_is_an_error(deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert error(deploy()) == "ssh is not on the PATH: install the OpenSSH client (openssh-client on Debian)"
