"""Check whether this device can run a model and be measured, and say for each fault what mends it."""

import dataclasses
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import PIL

import edge_digits_runtime
from edge_digits_runtime import installation
from edge_digits_runtime.device import facts
from edge_digits_runtime.errors import BackendError, EdgeDigitsError
from edge_digits_runtime.model import backends

Status = Literal["ok", "warning", "problem"]
PYTHON = (3, 11)
TESTED = ("x86_64", "aarch64", "armv7l")
"""Architectures that the tests run on."""
LITTLE_MEMORY = 128 * 2**20
"""Fewer available bytes than this are a warning; a process that answers a picture takes about 60 MiB."""
HOT_C = 80.0
"""Degrees Celsius at which a Raspberry Pi begins to slow down."""
UNKNOWN = "not shown by this system"
_FAST = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
_SECONDS = 120
_NAMED = 12
# An upright stroke is a 1. Run in a process of its own: an instruction that the processor lacks would end this one.
_ANSWER = """
import sys, numpy
from edge_digits_runtime.model.classifier import DigitClassifier
from edge_digits_runtime.errors import EdgeDigitsError
pixels = numpy.zeros((28, 28), numpy.uint8)
pixels[5:23, 13:16] = 255
try:
    print(DigitClassifier(backend=sys.argv[1]).classify(pixels).digit)
except EdgeDigitsError as error:
    sys.exit(str(error))
"""


@dataclass(frozen=True)
class Check:
    """The result of one check."""

    name: str
    """Name of the thing checked, such as ``backend``."""
    status: Status
    """``problem``: no model runs until it is mended; ``warning``: models run, but measurements may suffer."""
    found: str
    """The finding, such as ``litert 2.3.0``."""
    remedy: str | None = None
    """The command that mends it, or what to do where no command does; None if the status is ``ok``."""

    def to_dict(self) -> dict[str, Any]:
        """Return the check as JSON-ready values."""
        return dataclasses.asdict(self)


def examine(backend: str | None = None, model: str | os.PathLike[str] | None = None) -> list[Check]:
    """Check everything that a model needs to run and to be measured.

    Args:
        backend: name of the backend to check; None for the one that would be chosen.
        model: a ``.tflite`` or the name of an installed model to check besides the default one.
    """
    found = facts.device_facts()
    chosen = _backend(backend)
    checks = [
        _python(sys.version_info[:2]),
        _architecture(backends.architecture()),
        _processor(found),
        _memory(found),
        _runtime(),
        Check("numpy", "ok", np.__version__),
        Check("pillow", "ok", PIL.__version__),
        chosen,
    ]
    if chosen.status != "problem":
        checks.append(_default_model(backends.choose(backend)))
        if model is not None:
            checks.append(_model(model, backend))
    return [*checks, _governor(found), _temperature(found), _throttling(found)]


def _python(version: tuple[int, int]) -> Check:
    if version < PYTHON:
        return Check("python", "problem", platform.python_version(), "install Python 3.11 or newer")
    return Check("python", "ok", platform.python_version())


def _runtime() -> Check:
    return Check("runtime", "ok", f"{edge_digits_runtime.__version__}, sha256 {installation.package_sha256()}")


def _architecture(machine: str) -> Check:
    if machine == "armv7l" and platform.machine() != machine:
        return Check("architecture", "ok", f"{machine} (32-bit Python on a kernel that says {platform.machine()})")
    if machine not in TESTED:
        return Check("architecture", "warning", machine, f"nothing to mend, but only {', '.join(TESTED)} are tested")
    return Check("architecture", "ok", machine)


def _processor(device: Mapping[str, Any]) -> Check:
    features = device["cpu_features"]
    known = "features " + UNKNOWN if features is None else ", ".join(features) or "no vector features"
    names = ", ".join(dict.fromkeys(name for name in (device["name"], device["cpu"]) if name))
    cores = "1 core" if device["cores"] == 1 else f"{device['cores']} cores"
    return Check("processor", "ok", f"{names}, {cores}; {known}")


def _memory(device: Mapping[str, Any]) -> Check:
    total, available = device["memory_bytes"], facts.available_memory_bytes()
    if total is None or available is None:
        return Check("memory", "ok", UNKNOWN)
    found = f"{available / 2**20:,.0f} of {total / 2**20:,.0f} MiB available"
    if available < LITTLE_MEMORY:
        return Check("memory", "warning", found, "stop what takes the memory; see it with: ps aux --sort=-rss | head")
    return Check("memory", "ok", found)


def _backend(name: str | None) -> Check:
    try:
        backend = backends.choose(name)
        backend.load()
    except BackendError as error:
        found, _, remedy = str(error).partition(": ")
        return Check("backend", "problem", found, remedy or f"unset {backends.VARIABLE}")
    except ImportError as error:
        # The library keeps the traceback; doctor is asked for the cause.
        again = f"pip install --force-reinstall {backend.distribution}"
        return Check("backend", "problem", f"{backend.name} cannot be imported ({error})", again)
    found = f"{backend.name} {backend.version}"
    if backend is backends.TFLITE and backends.architecture() != "armv7l":
        return Check("backend", "warning", f"{found}, many times slower than litert", backends.remedy("litert"))
    return Check("backend", "ok", found)


def _default_model(backend: backends.Backend) -> Check:
    name, again = "default model", installation.how_to_renew()
    command = [sys.executable, "-c", _ANSWER, backend.name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Check(name, "problem", f"no answer within {_SECONDS} s", "see what is running: top")
    if done.returncode < 0:
        died = signal.Signals(-done.returncode).name
        other = next(b.distribution for b in backends.BACKENDS.values() if b is not backend)
        return Check(name, "problem", f"running it died of {died}", f"try the other backend: pip install {other}")
    if done.returncode:
        return Check(name, "problem", done.stderr.strip().rpartition("\n")[2], again)
    if done.stdout.strip() != "1":
        return Check(name, "problem", f"calls an upright stroke a {done.stdout.strip()}", again)
    return Check(name, "ok", "loads, and calls an upright stroke a 1")


def _model(model: str | os.PathLike[str], backend: str | None) -> Check:
    from edge_digits_runtime.model.classifier import DigitClassifier

    try:
        classifier = DigitClassifier(model, backend=backend)
    except EdgeDigitsError as error:
        return Check("model", "problem", str(error), "copy or convert the model again")
    labels, card = classifier.labels, classifier.model.card
    names = ", ".join(labels[:_NAMED]) + ", ..." * (len(labels) > _NAMED)
    what = "without a card" if card is None else f"{card.name} {card.scheme}"
    size = f"{len(classifier.model.content):,} bytes"
    form = f"input {classifier.input.kind} {classifier.input}"
    return Check("model", "ok", f"{what}, {size}; {len(labels)} classes ({names}), {form}")


def _governor(device: Mapping[str, Any]) -> Check:
    governor = device["governor"]
    if governor is not None and "powersave" in governor:
        return Check("governor", "warning", governor, _FAST)
    return Check("governor", "ok", governor or UNKNOWN)


def _temperature(device: Mapping[str, Any]) -> Check:
    degrees = device["temperature_c"]
    if degrees is None:
        return Check("temperature", "ok", UNKNOWN)
    if degrees >= HOT_C:
        return Check("temperature", "warning", f"{degrees:.0f} °C", "let it cool, or give it a heat sink or a fan")
    return Check("temperature", "ok", f"{degrees:.0f} °C")


def _throttling(device: Mapping[str, Any]) -> Check:
    flags = device["throttled"]
    if not flags:
        return Check("throttling", "ok", UNKNOWN if flags is None else "none since boot")
    weak = any("under-voltage" in flag for flag in flags)
    remedy = "use the power supply made for this board" if weak else "give it a heat sink or a fan"
    return Check("throttling", "warning", ", ".join(flags), f"{remedy}, then: sudo reboot")
