"""Examples in docstrings of the public modules give what they say."""

import doctest
import importlib
import pkgutil

import edge_digits_runtime
import pytest

MODULES = [module.name for module in pkgutil.walk_packages(edge_digits_runtime.__path__, "edge_digits_runtime.")]
WITH_EXAMPLES = {
    "edge_digits_runtime.image.picture",
    "edge_digits_runtime.model.classifier",
    "edge_digits_runtime.versions",
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_the_results_they_show(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_public_modules_have_examples() -> None:
    found = {name for name in MODULES if doctest.testmod(importlib.import_module(name)).attempted}
    assert found >= WITH_EXAMPLES
