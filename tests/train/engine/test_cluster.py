"""How a batch is shared, and what the processes of a cluster check with each other, without real processes."""

import numpy as np
import pytest
from edge_digits_runtime.errors import RunError
from edge_digits_train.engine.cluster import ALONE, Cluster


def _of_two(index: int, replicas: int = 2) -> Cluster:
    made = Cluster()
    made.processes, made.index, made.replicas = 2, index, replicas
    return made


def test_shares_by_hand() -> None:
    # Batches of 4: 0 1 2 3 | 4 5 6 7 | 8 9, and 10 is left out.
    assert [share.tolist() for share in _of_two(0).shares(np.arange(11), 4)] == [[[0, 1], [4, 5]], [[8]]]
    assert [share.tolist() for share in _of_two(1).shares(np.arange(11), 4)] == [[[2, 3], [6, 7]], [[9]]]
    assert [share.tolist() for share in _of_two(1, 4).shares(np.arange(7), 8)] == [[[2, 3]]]


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    _of_two(0, 4).check_batch(64)
    with pytest.raises(RunError, match=r"a batch of 66 pictures cannot be shared evenly by 4 devices.*64 or 68"):
        _of_two(0, 4).check_batch(66)
    with pytest.raises(RunError, match=r"choose --batch-size 4$"):
        _of_two(0, 4).check_batch(3)


def test_a_process_with_other_pictures_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = _of_two(0)
    monkeypatch.setattr(pair, "gather", lambda value: [value, value | {"pictures": "b"}])
    with pytest.raises(RunError, match="process 1 differs from process 0 in pictures: b, not a; give the same command"):
        pair.check_same(pictures="a", recipe="r")


def test_an_error_of_the_chief_is_raised_in_all_processes() -> None:
    def fail() -> None:
        raise RunError("no folder")

    with pytest.raises(RunError, match="no folder"):
        ALONE.from_chief(fail)
    assert ALONE.from_chief(lambda: 3) == 3
