"""Facts of the device in evaluations and runs; `edge_digits_runtime.device.facts` collects them.

None stands for what the system does not show.
"""

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, TypedDict

from edge_digits_runtime.records.fields import Count, Line, Name, Positive, Within

_Megahertz = Annotated[float, Within(0, 1e6)]
_Celsius = Annotated[float, Within(-273.15, 1000)]


class Conditions(TypedDict):
    """The state of a device, which changes while it works."""

    governor: Line | None
    """Governor of the clock rate, such as ``ondemand``; several joined by a comma."""
    frequency_mhz: _Megahertz | None
    """Clock rate of the fastest core."""
    temperature_c: _Celsius | None
    """Degrees Celsius of the processor."""
    throttled: list[Line] | None
    """Faults of power supply and temperature that a Raspberry Pi reports."""
    throttle_count: Count | None
    """Number of times that the processor has slowed itself down since boot."""


class DeviceFacts(TypedDict):
    """A device and what ran on it."""

    name: Name
    """The board where there is one, else the processor, such as ``Raspberry Pi 5 Model B Rev 1.0``."""
    machine: Line
    """The architecture, such as ``aarch64``."""
    python: Line
    """Version of Python."""
    backend: Line
    """The package that ran the model, with its version, such as ``litert 2.3.0``."""
    threads: NotRequired[Positive]
    """Number of threads that one answer may use."""
    kind: NotRequired[Line]
    """``CPU`` or ``GPU``; where Keras ran."""
    system: NotRequired[Line | None]
    """Operating system and its version."""
    numpy: NotRequired[Line | None]
    """Version of numpy."""
    cpu: NotRequired[Line | None]
    """The processor."""
    cpu_features: NotRequired[list[Line] | None]
    """Vector instructions that matter to a small network, such as ``neon``."""
    cores: NotRequired[Positive | None]
    """Number of cores that the process may use."""
    memory_bytes: NotRequired[Count | None]
    """Size of the memory."""
    governor: NotRequired[Line | None]
    """This and the following as in `Conditions`."""
    frequency_mhz: NotRequired[_Megahertz | None]
    temperature_c: NotRequired[_Celsius | None]
    throttled: NotRequired[list[Line] | None]
    throttle_count: NotRequired[Count | None]


DEVICE = ("name", "machine", "cpu", "cpu_features", "cores", "memory_bytes", "governor")
"""The facts that make a device one and the same. Processors of one name differ in cores and vector instructions, and
one processor answers several times as fast under another governor."""
SETTINGS = ("kind", "backend", "threads")
"""What a model ran with on a device: the backend with its version, and how many cores a call may use."""


def device_key(facts: Mapping[str, Any]) -> tuple[object, ...]:
    """Return a value that is equal for measurements on the same device, and hashable.

    Args:
        facts: as in `DeviceFacts`. The memory counts to 0.1 GB: a new kernel changes it by a few kB.
    """
    values = {name: facts.get(name) for name in DEVICE}
    features, memory = values["cpu_features"], values["memory_bytes"]
    values["cpu_features"] = None if features is None else tuple(features)
    values["memory_bytes"] = None if memory is None else round(memory / 1e8)
    return tuple(values.values())


def setting_key(facts: Mapping[str, Any]) -> tuple[object, ...]:
    """Return `device_key` and the settings: latencies of which this differs are not those of the same device."""
    return (*device_key(facts), *(facts.get(name) for name in SETTINGS))
