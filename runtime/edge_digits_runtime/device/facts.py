"""What this device is and how it is doing: for the evaluation record and for ``edge-digits doctor``.

Everything is read from files that Linux keeps (``/proc``, ``/sys``) and, on a Raspberry Pi, asked of
``vcgencmd``. What a system does not show is None, never a guess.
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
"""The words of ``/proc/cpuinfo`` that matter to the kernels of a small network, and what we call them."""

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
"""Bits of ``vcgencmd get_throttled``, as the documentation of the Raspberry Pi has them."""

# "CPU part" of Arm's own cores (implementer 0x41) in /proc/cpuinfo, which gives 64-bit boards no model name.
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
    """Facts of this device, JSON-ready; None for what the system does not show.

    ``name`` (the board where there is one, else the processor), ``machine`` (such as ``aarch64``), ``system``,
    ``python``, ``numpy``, ``cpu``, ``cpu_features`` (a list, values of `FEATURES`), ``cores`` (those that this
    process may use), ``memory_bytes``, and the changing ones of `conditions`.

    Args:
        root: where ``proc`` and ``sys`` are looked for.
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
    """What changes while a device works, JSON-ready; None for what the system does not show.

    ``governor`` (such as ``ondemand``; several joined by a comma), ``frequency_mhz`` (the fastest core now),
    ``temperature_c``, ``throttled`` (a list, values of `THROTTLE_FLAGS`), ``throttle_count`` (how often the
    processor has slowed itself down since boot; Intel tells).
    """
    cpus = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*"))
    governors = {text for cpu in cpus if (text := _text(cpu / "cpufreq/scaling_governor"))}
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
    """Say how the device slowed down between two `conditions`; None if it shows no sign of that."""
    # The flags since boot tell of this span only where they were not set before it.
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
    """Largest resident set of this process so far in bytes; None where the system does not tell."""
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
    """What a new process could get in bytes; None where the system does not tell."""
    return _kilobytes(root / "proc/meminfo", "MemAvailable")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _text(path: Path) -> str | None:
    """The stripped text of a small file; None where it is not there or not for us."""
    try:
        # Device-tree strings end in a NUL.
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n") or None
    except OSError:
        return None


def _integer(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.lstrip("-").isdigit() else None


def _cpuinfo(root: Path) -> dict[str, str]:
    """``/proc/cpuinfo`` as one table; of a line that each core repeats, the first."""
    table: dict[str, str] = {}
    for line in (_text(root / "proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        table.setdefault(name.strip(), value.strip())
    return table


def _board(root: Path, info: Mapping[str, str]) -> str | None:
    return _text(root / "proc/device-tree/model") or info.get("Model")


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
    """The bytes in a line such as ``MemTotal:  8000000 kB``."""
    match = re.search(rf"^{name}:\s+(\d+) kB$", _text(file) or "", re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _temperature_c(root: Path) -> float | None:
    """The hottest zone of the processor, or of all zones where none says that it is the processor's."""
    zones = [
        (_text(zone / "type") or "", millidegrees / 1000)
        for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*"))
        if (millidegrees := _integer(zone / "temp")) is not None
    ]
    processor = [degrees for kind, degrees in zones if re.search("cpu|soc|pkg", kind)]
    return max(processor or [degrees for _, degrees in zones], default=None)


def _throttled(root: Path) -> list[str] | None:
    """The throttling flags of a Raspberry Pi that are set; an empty list where it is fine, None elsewhere."""
    value = _text(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    if value is None and (program := shutil.which("vcgencmd")):
        # It fails for a user outside the group video, and then prints something else.
        answer = subprocess.run([program, "get_throttled"], capture_output=True, text=True, check=False)
        value = answer.stdout.strip().removeprefix("throttled=")
    if not value or not re.fullmatch("(0x)?[0-9a-fA-F]+", value):
        return None
    bits = int(value, 16)
    return [flag for bit, flag in THROTTLE_FLAGS.items() if bits >> bit & 1]
