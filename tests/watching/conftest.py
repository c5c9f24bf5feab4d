"""An output that keeps what it gets."""

import pytest
from stand_ins import Kept


@pytest.fixture
def kept() -> Kept:
    return Kept()
