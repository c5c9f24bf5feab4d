"""Facts of the device, read from trees like those of a Raspberry Pi, a server and a system that shows nothing."""

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_digits_runtime.device import facts
from edge_digits_runtime.records import fields
from edge_digits_runtime.records.device_facts import Conditions, DeviceFacts

PI_CPU = (
    "processor\t: {n}\nFeatures\t: fp asimd evtstrm crc32 cpuid{more}\nCPU implementer\t: 0x41\nCPU part\t: {part}\n\n"
)
SERVER_CPU = (
    "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Gold 6330\nflags\t\t: fpu sse2 avx2 fma avx512f avx512_vnni\n"
)


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def pi(root: Path, part: str = "0xd08", more: str = "", **files: str) -> Path:
    cores = "".join(PI_CPU.format(n=n, part=part, more=more) for n in range(4))
    cpu = "sys/devices/system/cpu"
    return tree(
        root,
        {
            "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
            "proc/cpuinfo": cores,
            "proc/meminfo": "MemTotal:        3884360 kB\nMemFree:  100 kB\nMemAvailable:    3000000 kB\n",
            f"{cpu}/cpu0/cpufreq/scaling_governor": "ondemand\n",
            f"{cpu}/cpu1/cpufreq/scaling_governor": "ondemand\n",
            f"{cpu}/cpu0/cpufreq/scaling_cur_freq": "600000\n",
            f"{cpu}/cpu1/cpufreq/scaling_cur_freq": "1800000\n",
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "48199\n",
            "sys/class/thermal/thermal_zone1/type": "wifi\n",
            "sys/class/thermal/thermal_zone1/temp": "90000\n",
        }
        | files,
    )


@pytest.mark.parametrize(
    ("temperature", "degrees"), [("-274000", None), ("8388607", None), ("x", None), ("-5000", -5.0)]
)
def test_a_sensor_that_does_not_work_shows_nothing(temperature: str, degrees: float | None, tmp_path: Path) -> None:
    root = pi(tmp_path, **{"sys/class/thermal/thermal_zone0/temp": temperature})
    (root / "sys/class/thermal/thermal_zone1/temp").unlink()
    assert facts.conditions(root)["temperature_c"] == degrees


def test_control_characters_in_names_are_replaced(tmp_path: Path) -> None:
    root = pi(tmp_path, **{"proc/device-tree/model": "Board\x1b[31m\x07\0"})
    assert facts.device_facts(root)["name"] == "Board?[31m?"


@pytest.mark.parametrize("root", [Path("/"), Path("/nowhere")])
def test_facts_fit_an_evaluation(root: Path) -> None:
    found = facts.device_facts(root)
    assert fields.read(DeviceFacts, found | {"backend": "litert 2.3.0"})["name"]
    assert fields.read(Conditions, facts.conditions(root)).keys() == Conditions.__required_keys__


def test_a_raspberry_pi(tmp_path: Path) -> None:
    root = pi(tmp_path, **{"sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n"})
    found = facts.device_facts(root)
    assert {name: found[name] for name in ("name", "cpu", "cpu_features", "memory_bytes")} == {
        "name": "Raspberry Pi 4 Model B Rev 1.4",
        "cpu": "Cortex-A72",
        "cpu_features": ["neon"],
        "memory_bytes": 3884360 * 1024,
    }
    assert facts.conditions(root) == {
        "governor": "ondemand",
        "frequency_mhz": 1800,
        "temperature_c": 48.199,
        # 0x50005: bits 0, 2, 16 and 18.
        "throttled": ["under-voltage now", "throttled now", "under-voltage since boot", "throttled since boot"],
        "throttle_count": None,
    }
    assert facts.available_memory_bytes(root) == 3_000_000 * 1024


def test_cores_of_different_kinds_have_governors_of_their_own(tmp_path: Path) -> None:
    root = pi(tmp_path, **{"sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "powersave"})
    assert facts.conditions(root)["governor"] == "ondemand,powersave"


@pytest.mark.parametrize(
    ("part", "more", "cpu", "features"),
    [
        ("0xd03", "", "Cortex-A53", ["neon"]),
        ("0xd0b", " asimdhp asimddp", "Cortex-A76", ["neon", "fp16", "dot product"]),
        ("0xd4f", " asimddp i8mm sve", None, ["neon", "dot product", "i8mm", "sve"]),
    ],
)
def test_arm_cores_are_named_by_part_number(
    part: str, more: str, cpu: str | None, features: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.processor", lambda: "")
    found = facts.device_facts(pi(tmp_path, part, more))
    assert (found["cpu"], found["cpu_features"]) == (cpu, features)


def test_a_server_counts_how_often_it_throttled(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/cpuinfo": SERVER_CPU,
            "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n",
            "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "4\n",
            "sys/devices/system/cpu/cpufreq/boost": "1\n",
        },
    )
    found = facts.device_facts(root)
    assert found["name"] == found["cpu"] == "Intel(R) Xeon(R) Gold 6330"
    assert found["cpu_features"] == ["avx2", "fma", "avx512f", "avx512_vnni"]
    assert found["throttle_count"] == 7


def test_facts_that_are_not_shown_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    found = facts.device_facts(tmp_path)
    assert found["name"] == "riscv64"
    absent = {"cpu", "cpu_features", "memory_bytes", "governor", "frequency_mhz", "temperature_c", "throttled"}
    assert {name for name, value in found.items() if value is None} == absent | {"throttle_count"}


def test_facts_of_this_machine() -> None:
    found = facts.device_facts()
    assert found["numpy"] == np.__version__
    assert 1 <= found["cores"] <= (os.cpu_count() or 1)
    assert found["name"]
    assert set(facts.conditions()) < set(found)


def test_vcgencmd_is_asked_where_no_file_shows_throttling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "vcgencmd"
    program.write_text("#!/bin/sh\n[ $1 = get_throttled ] && echo throttled=0x4\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert facts.conditions(tmp_path)["throttled"] == ["throttled now"]
    program.write_text("#!/bin/sh\necho VCHI initialization failed\n")
    assert facts.conditions(tmp_path)["throttled"] is None


HOT = "soft temperature limit"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {}, None),
        ({"throttled": []}, {"throttled": []}, None),
        # Set before: it tells of some other time.
        ({"throttled": [f"{HOT} since boot"]}, {"throttled": [f"{HOT} since boot"]}, None),
        ({"throttled": []}, {"throttled": [f"{HOT} since boot"]}, f"{HOT} since boot"),
        ({"throttled": [f"{HOT} now"]}, {"throttled": [f"{HOT} now"]}, f"{HOT} now"),
        ({"throttle_count": 3}, {"throttle_count": 3}, None),
        ({"throttle_count": 3}, {"throttle_count": 5}, "throttled 2 times"),
    ],
)
def test_slowing_down(before: dict[str, Any], after: dict[str, Any], words: str | None) -> None:
    note = facts.slowed_down(before, after)
    assert note is None if words is None else note is not None and note.endswith(words)


def test_peak_memory_grows_and_stays() -> None:
    before = facts.peak_memory_bytes()
    assert before is not None
    block = np.ones(before + 50_000_000, np.uint8)
    during = facts.peak_memory_bytes()
    del block
    after = facts.peak_memory_bytes()
    assert during is not None
    assert after is not None
    # The kernel counts by the batch, so the last pages may be missing.
    assert min(during, after) >= before + 40_000_000
