"""The doctor finds the faults of a device and says how to mend them."""

import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from edge_digits_runtime.device import doctor, facts
from edge_digits_runtime.device.doctor import Check, examine
from edge_digits_runtime.installation import how_to_renew, package_sha256
from edge_digits_runtime.model import backends

NAMES = [
    "python", "architecture", "processor", "memory", "runtime", "numpy", "pillow", "backend", "default model",
    "governor", "temperature", "throttling",
]  # fmt: skip


def board(**changes: Any) -> dict[str, Any]:
    """A board that is well."""
    well = {
        "name": "Raspberry Pi 5 Model B Rev 1.0",
        "cpu": "Cortex-A76",
        "cpu_features": ["neon", "dot product"],
        "cores": 4,
        "memory_bytes": 4 * 2**30,
        "governor": "ondemand",
        "temperature_c": 51.2,
        "throttled": [],
    }
    return well | changes


def test_this_machine_can_run_the_default_model() -> None:
    checks = {check.name: check for check in examine()}
    assert list(checks) == NAMES
    assert [check.name for check in checks.values() if check.status == "problem"] == []
    assert all((check.remedy is None) == (check.status == "ok") for check in checks.values())
    assert checks["default model"].found == "loads, and calls an upright stroke a 1"
    assert checks["numpy"].found == np.__version__
    assert checks["runtime"].found.endswith(f", sha256 {package_sha256()}")
    wanted = backends.choose()
    assert checks["backend"].found.startswith(f"{wanted.name} {wanted.version}")


def test_a_check_is_ready_for_json() -> None:
    check = Check("python", "problem", "3.9.2", "install Python 3.11 or newer")
    assert check.to_dict() == {
        "name": "python",
        "status": "problem",
        "found": "3.9.2",
        "remedy": "install Python 3.11 or newer",
    }


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, {}),
        ({"governor": None, "temperature_c": None, "throttled": None}, {}),
        ({"governor": "powersave"}, {"governor": ("powersave", "scaling_governor")}),
        ({"temperature_c": 79.6}, {}),
        ({"temperature_c": 83.4}, {"temperature": ("83 °C", "heat sink")}),
        (
            {"throttled": ["under-voltage now", "throttled since boot"]},
            {"throttling": ("under-voltage now, throttled since boot", "power supply")},
        ),
        (
            {"throttled": ["soft temperature limit now"]},
            {"throttling": ("soft temperature limit now", "heat sink")},
        ),
    ],
)
def test_conditions(
    changes: dict[str, Any], wanted: dict[str, tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "device_facts", lambda: board(**changes))
    named = ("governor", "temperature", "throttling")
    warnings = {c.name: c for c in examine() if c.name in named and c.status != "ok"}
    assert {name: check.status for name, check in warnings.items()} == dict.fromkeys(wanted, "warning")
    for name, (found, remedy) in wanted.items():
        assert warnings[name].found == found
        assert remedy in (warnings[name].remedy or "")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, "Raspberry Pi 5 Model B Rev 1.0, Cortex-A76, 4 cores; neon, dot product"),
        ({"name": "AMD EPYC", "cpu": "AMD EPYC", "cores": 1}, "AMD EPYC, 1 core; neon, dot product"),
        ({"cpu": None, "cpu_features": []}, "Raspberry Pi 5 Model B Rev 1.0, 4 cores; no vector features"),
        ({"cpu_features": None}, f"{board()['name']}, Cortex-A76, 4 cores; features {doctor.UNKNOWN}"),
    ],
)
def test_the_processor(changes: dict[str, Any], found: str) -> None:
    assert doctor._processor(board(**changes)) == Check("processor", "ok", found)


@pytest.mark.parametrize(
    ("available", "status"), [(None, "ok"), (100 * 2**20, "warning"), (128 * 2**20, "ok"), (3 * 2**30, "ok")]
)
def test_memory(available: int | None, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "available_memory_bytes", lambda: available)
    assert doctor._memory(board()).status == status


@pytest.mark.parametrize(
    ("version", "status"), [((3, 10), "problem"), ((3, 11), "ok"), ((3, 13), "ok"), ((4, 0), "ok")]
)
def test_python(version: tuple[int, int], status: str) -> None:
    assert doctor._python(version).status == status


@pytest.mark.parametrize(
    ("machine", "kernel", "status", "found"),
    [
        ("aarch64", "aarch64", "ok", "aarch64"),
        ("armv7l", "aarch64", "ok", "armv7l (32-bit Python on a kernel that says aarch64)"),
        ("riscv64", "riscv64", "warning", "riscv64"),
    ],
)
def test_architecture(machine: str, kernel: str, status: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: kernel)
    check = doctor._architecture(machine)
    assert (check.status, check.found) == (status, found)


def test_no_backend_is_a_problem_with_its_remedy_and_the_model_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(backends.VARIABLE, raising=False)
    monkeypatch.setattr(backends, "find_spec", lambda _name: None)
    monkeypatch.setattr(backends, "architecture", lambda: "aarch64")
    checks = {check.name: check for check in examine()}
    assert checks["backend"] == Check(
        "backend", "problem", "nothing here can run .tflite files", "pip install ai-edge-litert"
    )
    assert "default model" not in checks


def test_an_unknown_backend_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(backends.VARIABLE, "onnx")
    check = doctor._backend(None)
    assert (check.status, check.remedy) == ("problem", "unset EDGE_DIGITS_BACKEND")
    assert "'onnx'" in check.found


def test_a_backend_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_name: str) -> None:
        raise ImportError("libstdc++.so.6: cannot open shared object file")

    wanted = backends.choose()
    monkeypatch.setattr("importlib.import_module", fail)
    assert doctor._backend(wanted.name) == Check(
        "backend",
        "problem",
        f"{wanted.name} cannot be imported (libstdc++.so.6: cannot open shared object file)",
        f"pip install --force-reinstall {wanted.distribution}",
    )


def test_the_slower_backend_where_there_is_a_faster_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda _name: object())
    monkeypatch.setattr("importlib.metadata.version", lambda _name: "2.14.0")
    monkeypatch.setattr("importlib.import_module", lambda _name: None)
    monkeypatch.setattr(np, "__version__", "1.26.4")
    statuses = {}
    for machine in ("aarch64", "armv7l"):
        monkeypatch.setattr(backends, "architecture", lambda machine=machine: machine)
        statuses[machine] = (doctor._backend("tflite-runtime").status, doctor._backend("tflite-runtime").remedy)
    assert statuses == {"aarch64": ("warning", "pip install ai-edge-litert"), "armv7l": ("ok", None)}


@pytest.mark.parametrize(
    ("program", "found", "remedy"),
    [
        ("print(1)", "loads, and calls an upright stroke a 1", None),
        ("print(7)", "calls an upright stroke a 7", how_to_renew()),
        ("import sys; sys.exit('one line')", "one line", how_to_renew()),
        ("raise KeyError('a fault')", "KeyError: 'a fault'", how_to_renew()),
        (
            f"import os; os.kill(os.getpid(), {int(signal.SIGILL)})",
            "running it died of SIGILL",
            "try the other backend: pip install tflite-runtime",
        ),
    ],
)
def test_the_default_model_is_run_in_a_process_of_its_own(
    program: str, found: str, remedy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_ANSWER", program)
    check = doctor._default_model(backends.LITERT)
    assert check.found == found
    assert (check.status, check.remedy is None) == (("ok", True) if remedy is None else ("problem", False))
    assert (remedy or "") in (check.remedy or "")


def test_a_model_that_never_answers_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_ANSWER", "import time; time.sleep(60)")
    monkeypatch.setattr(doctor, "_SECONDS", 0.2)
    assert doctor._default_model(backends.LITERT).found == "no answer within 0.2 s"


def test_the_real_program_prints_one_digit() -> None:
    command = [sys.executable, "-c", doctor._ANSWER, backends.choose().name]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"
