"""Counters of the service in Prometheus' text format, https://prometheus.io/docs/instrumenting/exposition_formats/."""

import resource
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of times, in seconds."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Sample:
    """A value of something that this service has beside its own counters."""

    name: str
    """Without the prefix ``edge_digits_``."""
    kind: str
    """``gauge`` or ``counter``."""
    help: str
    """What it is, a line."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Names and values of its labels."""
    value: float = 0.0
    """The value now."""


class Metrics:
    """Counts of what the service did since it started. All methods are called from the thread of the event loop."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._pictures: Counter[tuple[str, str]] = Counter()
        self._buckets = [0] * (len(_BOUNDS) + 1)
        self._seconds = 0.0

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered.

        Args:
            path: the route, never what a client made up.
            status: of the answer.
            seconds: from its header to the end of the answer.
        """
        self._requests[path, status] += 1
        self._buckets[bisect_left(_BOUNDS, seconds)] += 1
        self._seconds += seconds

    def count_picture(self, verb: str, sure: bool) -> None:
        """Count a picture that was answered by ``classify`` or ``read``."""
        self._pictures[verb, "sure" if sure else "unsure"] += 1

    def text(self, gauges: dict[str, tuple[str, float]], more: Sequence[Sample] = ()) -> str:
        """Return everything as text.

        Args:
            gauges: for each name its help and its value now.
            more: further values; those of one name stand together.
        """
        lines = [*_head("requests_total", "counter", "Requests by route and status.")]
        lines += [
            f'edge_digits_requests_total{{path="{path}",status="{status}"}} {count}'
            for (path, status), count in sorted(self._requests.items())
        ]
        lines += _head("pictures_total", "counter", "Pictures answered, by verb and by whether the answer was sure.")
        lines += [
            f'edge_digits_pictures_total{{verb="{verb}",answer="{answer}"}} {count}'
            for (verb, answer), count in sorted(self._pictures.items())
        ]
        lines += _head("request_seconds", "histogram", "Seconds from the header of a request to the end of the answer.")
        counts = list(accumulate(self._buckets))
        lines += [
            f'edge_digits_request_seconds_bucket{{le="{bound}"}} {count}'
            for bound, count in zip((*_BOUNDS, "+Inf"), counts, strict=True)
        ]
        lines += [
            f"edge_digits_request_seconds_sum {self._seconds:.6f}",
            f"edge_digits_request_seconds_count {counts[-1]}",
        ]
        for name, (what, value) in {**gauges, "peak_memory_bytes": ("Most memory in use.", _peak_bytes())}.items():
            lines += [*_head(name, "gauge", what), f"edge_digits_{name} {value:g}"]
        named = ""
        for sample in more:
            lines += [] if sample.name == named else _head(sample.name, sample.kind, sample.help)
            named = sample.name
            labels = ",".join(f'{key}="{_escaped(text)}"' for key, text in sample.labels.items())
            lines.append(f"edge_digits_{sample.name}{{{labels}}} {sample.value!r}")
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, what: str) -> list[str]:
    return [f"# HELP edge_digits_{name} {what}", f"# TYPE edge_digits_{name} {kind}"]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
