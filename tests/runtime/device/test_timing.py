"""Timing by a clock that the tests turn."""

import gc

import numpy as np
import pytest
from edge_digits_runtime.device import timing


class Clock:
    """Nanoseconds that pass only when the measured function says so."""

    def __init__(self) -> None:
        self.now = 0

    def read(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.perf_counter_ns", clock.read)
    return clock


def test_latency_times_each_call_after_the_warmup(clock: Clock) -> None:
    durations = iter([9_000_000, 9_000_000, 1000, 2500, 4000])

    def work() -> None:
        clock.now += next(durations)

    result = timing.latency(work, "work", count=3, warmup=2)
    assert result.samples_us.tolist() == [1.0, 2.5, 4.0]
    assert (result.what, result.p50) == ("work", 2.5)
    with pytest.raises(StopIteration):
        next(durations)


def test_many_samples_are_thinned_by_rank_and_keep_their_order(clock: Clock) -> None:
    rng = np.random.default_rng(0)
    durations = rng.permutation(np.arange(1000, 8001) * 1000)
    pending = iter(durations.tolist())

    def work() -> None:
        clock.now += next(pending)

    result = timing.latency(work, "work", count=7001, warmup=0)
    kept = result.samples_us
    assert len(kept) == timing.STORED
    places = np.argsort(durations)[np.searchsorted(np.sort(durations), kept * 1000)]
    assert np.all(np.diff(places) > 0)
    for q in (1, 10, 50, 90, 99):
        assert result.percentile(q) == pytest.approx(np.percentile(durations / 1000, q), abs=4)
    assert result.mean == pytest.approx(4500, rel=1e-3)


def test_five_loops_of_equal_length_and_their_median(clock: Clock) -> None:
    calls = 0
    # 20 calls to see how long one takes, a quarter of a loop to warm up, five loops of 200; the third is slow.
    slow = range(20 + 50 + 2 * 200, 20 + 50 + 3 * 200)

    def work() -> None:
        nonlocal calls
        clock.now += 9000 if calls in slow else 3000
        calls += 1

    result = timing.loops(work, "work", seconds=1e-9)
    assert calls == 20 + 50 + 5 * 200
    assert result.loop_us == (3.0, 3.0, 9.0, 3.0, 3.0)
    assert result.median_us == 3.0
    assert len(result.latency.samples_us) == 1000
    assert result.latency.mean == pytest.approx((4 * 3 + 9) / 5)
    assert result.to_dict() == {"median_us": 3.0, "loop_us": [3.0, 3.0, 9.0, 3.0, 3.0], "invocations": 200}


def test_a_loop_takes_as_long_as_asked(clock: Clock) -> None:
    def work() -> None:
        clock.now += 50_000

    result = timing.loops(work, "work", seconds=0.1)
    assert result.invocations == 2000


def test_the_garbage_collector_is_off_while_the_clock_runs(clock: Clock) -> None:
    seen = []

    def work() -> None:
        seen.append(gc.isenabled())
        clock.now += 1

    assert gc.isenabled()
    timing.latency(work, "work", count=2, warmup=1)
    assert seen == [True, False, False]
    assert gc.isenabled()
