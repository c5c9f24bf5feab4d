"""Fixtures of all tests of the command."""

import pytest


@pytest.fixture(scope="package", autouse=True)
def _quick(quick_measurement: None) -> None:
    """Measure for a moment wherever a verb evaluates: how it is measured is tested in tests/runtime/device."""
