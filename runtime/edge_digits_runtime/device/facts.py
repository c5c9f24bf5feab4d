"""Facts of this device and its state, for evaluations and for ``edge-digits doctor``.

They are read from files of Linux (``/proc``, ``/sys``) and, on a Raspberry Pi, from what ``vcgencmd`` prints. A fact
that a system does not show is None, never a guess.
"""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from edge_digits_runtime.records.fields import plain_text

FEATURES = {
    "asimd": "neon",
    "neon": "neon",
    "asimdhp": "fp16",
    "asimddp": "dot product",
    "i8mm": "i8mm",
    "sve": "sve",
    "avx2": "avx2",
    "fma": "fma",
    "avx512f": "avx512f",
    "avx_vnni": "avx_vnni",
    "avx512_vnni": "avx512_vnni",
    "amx_int8": "amx_int8",
}
"""The features in ``/proc/cpuinfo`` that matter to the kernels of a small network, and what records call them."""

THROTTLE_FLAGS = {
    0: "under-voltage now",
    1: "frequency capped now",
    2: "throttled now",
    3: "soft temperature limit now",
    16: "under-voltage since boot",
    17: "frequency capped since boot",
    18: "throttled since boot",
    19: "soft temperature limit since boot",
}
"""Meaning of the bits of ``vcgencmd get_throttled``, from the documentation of the Raspberry Pi."""

# "CPU part" of Arm's own cores (implementer 0x41) in /proc/cpuinfo, which names no model on 64-bit boards.
_ARM_CORES = {
    0xC07: "Cortex-A7",
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD09: "Cortex-A73",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1",
    0xD41: "Cortex-A78",
    0xD49: "Neoverse-N2",
}
_ROOT = Path("/")


def device_facts(root: Path = _ROOT) -> dict[str, Any]:
    """Return facts of this device, JSON-ready; None for what the system does not show.

    They are those of `edge_digits_runtime.records.device_facts.DeviceFacts`, apart from ``backend``, ``threads`` and
    ``kind``: ``name``, ``machine``, ``system``, ``python``, ``numpy``, ``cpu``, ``cpu_features`` (a list, values of
    `FEATURES`), ``cores``, ``memory_bytes``, and those of `conditions`.

    Args:
        root: the folder with ``proc`` and ``sys``.
    """
    info = _cpuinfo(root)
    cpu = _cpu_model(info)
    return {
        "name": _board(root, info) or cpu or platform.machine(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cpu": cpu,
        "cpu_features": _cpu_features(info),
        "cores": cores(),
        "memory_bytes": _kilobytes(root / "proc/meminfo", "MemTotal"),
    } | conditions(root)


def conditions(root: Path = _ROOT) -> dict[str, Any]:
    """Return what changes while a device works, JSON-ready; None for what the system does not show.

    They are those of `edge_digits_runtime.records.device_facts.Conditions`: ``governor`` (such as ``ondemand``;
    several joined by a comma), ``frequency_mhz`` (of the fastest core), ``temperature_c``, ``throttled`` (a list,
    values of `THROTTLE_FLAGS`), ``throttle_count`` (how often the processor has slowed itself down since boot; shown
    by Intel).

    Args:
        root: the folder with ``proc`` and ``sys``.
    """
    cpus = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*"))
    governors = {text for cpu in cpus if (text := _line(cpu / "cpufreq/scaling_governor"))}
    frequencies = [khz for cpu in cpus if (khz := _integer(cpu / "cpufreq/scaling_cur_freq")) is not None]
    counts = [n for cpu in cpus if (n := _integer(cpu / "thermal_throttle/core_throttle_count")) is not None]
    return {
        "governor": ",".join(sorted(governors)) or None,
        "frequency_mhz": round(max(frequencies) / 1000) if frequencies else None,
        "temperature_c": _temperature_c(root),
        "throttled": _throttled(root),
        "throttle_count": sum(counts) if counts else None,
    }


def slowed_down(before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    """Say how the device slowed down between two `conditions`; return None if it shows no sign of that."""
    # Flags since boot concern this span only if they were not set before it.
    flags = [
        flag
        for flag in after.get("throttled") or ()
        if flag.endswith(" now") or flag not in (before.get("throttled") or ())
    ]
    if flags:
        return f"the device slowed down while it was measured: {', '.join(flags)}"
    first, last = before.get("throttle_count"), after.get("throttle_count")
    if first is not None and last is not None and last > first:
        return f"the device slowed down while it was measured: the processor throttled {last - first} times"
    return None


def peak_memory_bytes() -> int | None:
    """Return the largest resident set of this process so far in bytes; None where the system does not show it."""
    # Not ru_maxrss on Linux: it survives exec, so a child would report the peak of the parent it was forked from.
    peak = _kilobytes(_ROOT / "proc/self/status", "VmHWM")
    if peak is not None:
        return peak
    if find_spec("resource") is None:
        return None
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if platform.system() == "Darwin" else largest * 1024


def available_memory_bytes(root: Path = _ROOT) -> int | None:
    """Return the bytes that a new process could get; None where the system does not show it."""
    return _kilobytes(root / "proc/meminfo", "MemAvailable")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _text(path: Path) -> str | None:
    """Return the text of a small file without space around it; None if it is empty or cannot be read."""
    try:
        # Device-tree strings end in a NUL.
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n") or None
    except OSError:
        return None


def _line(path: Path) -> str | None:
    """Return `_text` without control characters, as records take it."""
    text = _text(path)
    return plain_text(text) if text else None


def _integer(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.lstrip("-").isdigit() else None


def _cpuinfo(root: Path) -> dict[str, str]:
    """Return ``/proc/cpuinfo`` as one table; of a line that each core repeats, the first."""
    table: dict[str, str] = {}
    for line in (_text(root / "proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        table.setdefault(name.strip(), plain_text(value.strip()))
    return table


def _board(root: Path, info: Mapping[str, str]) -> str | None:
    return _line(root / "proc/device-tree/model") or info.get("Model")


def _cpu_model(info: Mapping[str, str]) -> str | None:
    if info.get("CPU implementer") == "0x41":
        core = _ARM_CORES.get(int(info.get("CPU part", "0"), 16))
        if core:
            return core
    return info.get("model name") or platform.processor() or None


def _cpu_features(info: Mapping[str, str]) -> list[str] | None:
    words = info.get("Features") or info.get("flags")
    if words is None:
        return None
    present = set(words.split())
    return list(dict.fromkeys(name for word, name in FEATURES.items() if word in present))


def _kilobytes(file: Path, name: str) -> int | None:
    """Return the bytes in a line such as ``MemTotal:  8000000 kB``."""
    match = re.search(rf"^{name}:\s+(\d+) kB$", _text(file) or "", re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _temperature_c(root: Path) -> float | None:
    """Return the temperature of the hottest zone of the processor, or of all zones where none is the processor's."""
    zones = [
        (_text(zone / "type") or "", millidegrees / 1000)
        for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*"))
        # A sensor that does not work shows -274 degrees or thousands.
        if (millidegrees := _integer(zone / "temp")) is not None and -100_000 < millidegrees < 300_000
    ]
    processor = [degrees for kind, degrees in zones if re.search("cpu|soc|pkg", kind)]
    return max(processor or [degrees for _, degrees in zones], default=None)


def _throttled(root: Path) -> list[str] | None:
    """Return the throttling flags of a Raspberry Pi that are set, an empty list if none is; None on other devices."""
    value = _text(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    if value is None and (program := shutil.which("vcgencmd")):
        # It fails for a user outside the group video, and then prints something else.
        answer = subprocess.run([program, "get_throttled"], capture_output=True, text=True, check=False)
        value = answer.stdout.strip().removeprefix("throttled=")
    if not value or not re.fullmatch("(0x)?[0-9a-fA-F]+", value):
        return None
    bits = int(value, 16)
    return [flag for bit, flag in THROTTLE_FLAGS.items() if bits >> bit & 1]
